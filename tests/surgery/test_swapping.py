import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

import lightning_acts as acts


def edited_by_hand(model: nn.Module, old: type[nn.Module], make: Callable[[], nn.Module]) -> nn.Module:
    """What anybody would write who has no tool: an independent reference."""
    edited = copy.deepcopy(model)
    memo: dict[nn.Module, nn.Module] = {}
    for parent in list(edited.modules()):
        for name, child in list(parent._modules.items()):
            if type(child) is old:
                parent._modules[name] = memo.setdefault(child, make())
    return edited


def outputs_and_gradients(model: nn.Module, x: Tensor) -> list[Tensor]:
    model.zero_grad()
    torch.manual_seed(0)  # stochastic depth and dropout draw the same in both models
    y = model(x)
    y.square().sum().backward()
    return [y.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]


def assert_equal_to_the_bit(one: nn.Module, other: nn.Module, x: Tensor) -> None:
    for training in (False, True):
        results = [outputs_and_gradients(copy.deepcopy(model).train(training), x) for model in (one, other)]
        assert len(results[0]) == len(results[1]) > 1
        assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize(
    ("make", "old", "mapping", "new", "size", "count"),
    [
        (lambda: torchvision.models.resnet18(), nn.ReLU, {"relu": "mish"}, nn.Mish, 64, 9),
        (lambda: torchvision.models.mobilenet_v3_small(), nn.Hardswish, {"hardswish": "silu"}, nn.SiLU, 64, 19),
        (lambda: torchvision.models.efficientnet_b0(), nn.SiLU, {"silu": "hardswish"}, nn.Hardswish, 64, 49),
        (lambda: torchvision.models.VisionTransformer(image_size=32, patch_size=16, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32), nn.GELU, {"gelu": "relu"}, nn.ReLU, 32, 2),
    ],
    ids=["resnet18", "mobilenet_v3", "efficientnet", "vit"],
)  # fmt: skip
def test_equal_to_the_bit_to_a_model_edited_by_hand(
    make: Callable[[], nn.Module],
    old: type[nn.Module],
    mapping: dict[str, str],
    new: type[nn.Module],
    size: int,
    count: int,
) -> None:
    torch.manual_seed(1)
    original = make()
    by_hand = edited_by_hand(original, old, new)
    model = copy.deepcopy(original)
    modules_before = list(model.modules())
    x = torch.randn(2, 3, size, size)
    report = acts.swap(model, mapping)
    assert len(report.swapped) == count
    assert_equal_to_the_bit(model, by_hand, x)
    assert list(model.state_dict()) == list(original.state_dict())
    acts.restore(model)
    modules_after = list(model.modules())
    assert len(modules_before) == len(modules_after)
    assert all(a is b for a, b in zip(modules_before, modules_after, strict=True))
    assert_equal_to_the_bit(model, original, x)


def test_hard_gates_stay_unless_named() -> None:
    model = torchvision.models.mobilenet_v3_small()
    gates = [module for module in model.modules() if type(module) is nn.Hardsigmoid]
    report = acts.swap(model, {"relu": "mish", "hardswish": "mish", "hardsigmoid": "sigmoid"})
    assert [module for module in model.modules() if type(module) is nn.Hardsigmoid] == gates
    assert sum("its role is gate" in left.obstacle for left in report.left) == len(gates) == 9
    acts.swap(model, {"hardsigmoid": "sigmoid"}, role="gate")
    assert not any(type(module) is nn.Hardsigmoid for module in model.modules())
    acts.restore(model)
    assert [module for module in model.modules() if type(module) is nn.Hardsigmoid] == gates


def test_dropouts_and_identities_of_a_vit_stay() -> None:
    model = timm.create_model("vit_base_patch16_224", num_classes=3, drop_rate=0.1)
    passive = [module for module in model.modules() if isinstance(module, (nn.Dropout, nn.Identity))]
    assert sum(isinstance(module, nn.Identity) for module in passive) >= 80
    assert sum(isinstance(module, nn.Dropout) for module in passive) >= 40
    acts.swap(model.eval(), {"gelu": "mish"})
    assert all(
        a is b
        for a, b in zip(passive, [m for m in model.modules() if isinstance(m, (nn.Dropout, nn.Identity))], strict=True)
    )


def mlp() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), nn.LeakyReLU(0.2), nn.Linear(8, 2)
    )


def kinds(model: nn.Sequential) -> list[str]:
    return [str(acts.spec_of(model[index])) for index in (1, 3, 5)]


class TestMapping:
    @pytest.mark.parametrize(
        ("mapping", "expected"),
        [
            ({"relu": "tanh", "tanh": "relu"}, ["tanh", "relu", "leaky_relu(negative_slope=0.2)"]),
            ({"leaky_relu": "elu(alpha=2.0)"}, ["relu", "tanh", "elu(alpha=2.0)"]),
            ({"leaky_relu(negative_slope=0.2)": "celu"}, ["relu", "tanh", "celu"]),
            ({nn.ReLU: nn.SiLU}, ["silu", "tanh", "leaky_relu(negative_slope=0.2)"]),
            ({"relu": {"name": "celu", "alpha": 0.5}}, ["celu(alpha=0.5)", "tanh", "leaky_relu(negative_slope=0.2)"]),
            ({"relu": nn.GELU("tanh")}, ["gelu(approximate=tanh)", "tanh", "leaky_relu(negative_slope=0.2)"]),
            ({"relu": None, "tanh": "mish"}, ["relu", "mish", "leaky_relu(negative_slope=0.2)"]),
            ({"ReLU": "Swish"}, ["silu", "tanh", "leaky_relu(negative_slope=0.2)"]),
            ({"relu": "identity"}, ["identity", "tanh", "leaky_relu(negative_slope=0.2)"]),
            ({"relu": F.silu}, ["silu", "tanh", "leaky_relu(negative_slope=0.2)"]),
        ],
    )
    def test_both_sides(self, mapping: Any, expected: list[str]) -> None:
        model = mlp()
        acts.swap(model, mapping)
        assert kinds(model) == expected

    def test_globs_on_paths(self) -> None:
        model = nn.ModuleDict({"body": mlp(), "head": mlp()})
        report = acts.swap(model, {"relu": "mish"}, exclude="head.*")
        assert [entry.site.path for entry in report.swapped] == ["body.1"]
        assert {left.obstacle for left in report.left if left.site.path == "head.1"} == {"excluded"}
        report = acts.swap(model, {"relu": "mish", "tanh": "mish"}, include=["head.*"], exclude=["*.3"])
        assert [entry.site.path for entry in report.swapped] == ["head.1"]

    def test_a_pair_that_matches_nothing_is_noted(self) -> None:
        report = acts.swap(mlp(), {"relu": "mish", "gelu": "mish"})
        assert report.notes == ("the model has no gelu",)

    def test_an_unregistered_callable(self) -> None:
        model = mlp()
        report = acts.swap(model, {"relu": torch.sinc})
        x = torch.randn(5)
        assert torch.equal(model[1](x), torch.sinc(x))
        with pytest.raises(acts.SwapError, match="no plan can name.*register it first"):
            report.plan  # noqa: B018

    def test_a_ready_module_is_copied_for_each_site(self) -> None:
        model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2), nn.ReLU())
        acts.swap(model, {"relu": nn.PReLU(init=0.5)})
        assert model[1] is not model[3] and model[1].weight.item() == 0.5


def test_a_shared_module_is_replaced_everywhere_by_one() -> None:
    relu = nn.ReLU()
    model = nn.Sequential(nn.Linear(2, 2), relu, nn.Sequential(nn.Linear(2, 2), relu))
    model.again = relu
    report = acts.swap(model, {"relu": "prelu"})
    assert model[1] is model[2][1] is model.again and type(model[1]) is nn.PReLU
    assert len(report.swapped) == 1 and report.swapped[0].site.paths == ("1", "2.1", "again")
    report.undo()
    assert model[1] is model[2][1] is model.again is relu


class TestWhatIsKept:
    def test_device_and_type(self) -> None:
        model = mlp().double()
        acts.swap(model, {"relu": "prelu"})
        assert model[1].weight.dtype is torch.float64
        on_meta = mlp().to("meta")
        acts.swap(on_meta, {"relu": "prelu"})
        assert on_meta[1].weight.is_meta

    def test_the_originals_own_parameters_decide_first(self) -> None:
        model = nn.Sequential(nn.Linear(2, 2).double(), nn.PReLU())
        acts.swap(model, {"prelu": "prelu(init=0.5)"})
        assert model[1].weight.dtype is torch.float32

    @pytest.mark.parametrize("training", [True, False])
    def test_mode(self, training: bool) -> None:
        model = mlp().train(training)
        acts.swap(model, {"relu": "rrelu"})
        assert model[1].training is training

    def test_mode_of_one_part(self) -> None:
        model = mlp().train()
        model[1].eval()
        acts.swap(model, {"relu": "rrelu", "tanh": "rrelu"})
        assert not model[1].training and model[3].training

    def test_frozen_parts_stay_frozen(self) -> None:
        model = nn.ModuleDict({"frozen": mlp().requires_grad_(False), "free": mlp()})
        acts.swap(model, {"relu": "prelu"})
        assert not model["frozen"][1].weight.requires_grad and model["free"][1].weight.requires_grad

    def test_hooks_and_their_handles(self) -> None:
        model, seen = mlp(), []
        handle = model[1].register_forward_hook(lambda module, *_: seen.append(type(module).__name__))
        model[1].register_forward_pre_hook(lambda *_: seen.append("pre"))
        model[1].register_full_backward_hook(lambda *_: seen.append("back"))
        report = acts.swap(model, {"relu": "mish"})
        model(torch.randn(2, 4)).sum().backward()
        assert seen == ["pre", "Mish", "back"]
        later = model[1].register_forward_hook(lambda *_: seen.append("later"))
        handle.remove()
        model(torch.randn(2, 4))
        assert seen[3:] == ["pre", "later"]
        report.undo()
        later.remove()
        model(torch.randn(2, 4))
        assert seen[5:] == ["pre"]

    def test_state_dict_keys_of_everything_else(self) -> None:
        model = mlp()
        before = set(model.state_dict())
        acts.swap(model, {"relu": "prelu"})
        assert set(model.state_dict()) - before == {"1.weight"}

    def test_the_random_generator_of_a_failed_swap(self) -> None:
        class Failing(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                torch.rand(1)
                raise RuntimeError("no")

            def forward(self, x: Tensor) -> Tensor:
                return x

        model = mlp()
        rng = torch.get_rng_state()
        with pytest.raises(RuntimeError):
            acts.swap(model, {"relu": Failing})
        assert torch.equal(rng, torch.get_rng_state())


class TestBadInput:
    @pytest.mark.parametrize(
        ("model", "mapping", "options", "error", "message"),
        [
            (mlp, {"relux": "mish"}, {}, acts.SpecError, "no activation 'relux'; did you mean 'relu'"),
            (mlp, {"relu": "mishh"}, {}, acts.SpecError, "no activation 'mishh'; did you mean 'mish'"),
            (mlp, {"relu": "elu(alfa=1)"}, {}, acts.SpecError, "no parameter 'alfa'; did you mean 'alpha'"),
            (mlp, {"relu": "softplus(beta=0)"}, {}, acts.SpecError, "beta must not be 0"),
            (mlp, {"relu": "general_hardsigmoid(divisor=0)"}, {}, acts.SpecError, "divisor must not be 0"),
            (mlp, {"relu": "elu(alpha=__import__('os').getcwd())"}, {}, acts.SpecError, "never evaluated"),
            (mlp, {"gelu": "mish"}, {}, acts.SwapError, "no site matches gelu.*the model has: relu \\(1 hidden, module\\), tanh \\(1 hidden"),
            (lambda: nn.Sequential(nn.Linear(2, 2)), {"gelu": "mish"}, {}, acts.SwapError, "the model has no activation; .*example_input="),
            (torchvision.models.mobilenet_v3_small, {"hardsigmoid": "sigmoid"}, {}, acts.SwapError, "9 of the role gate would match: acts.swap\\(model, {'hardsigmoid': 'sigmoid'}, role='gate'\\)"),
            (mlp, {"relu": "mish"}, {"exclude": "*"}, acts.SwapError, "none of the sites that match relu can be swapped .1.: excluded"),
            (mlp, {"relu": "mish"}, {"role": "hiden"}, acts.SwapError, "no role 'hiden'; did you mean 'hidden'"),
            (mlp, {"relu": "mish"}, {"include": [3]}, acts.SwapError, "globs on paths are strings, such as"),
            (mlp, {"relu": "glu"}, {}, acts.SwapError, "glu changes the shape"),
            (mlp, {"relu": nn.Flatten}, {}, acts.SwapError, "Flatten.*changes the shape.*\\(2, 64\\)"),
            (mlp, {"relu": "linear_layer(in_features=2, out_features=2)"}, {}, acts.SwapError, "is a layer with weights"),
            (mlp, {"linear_layer": "mish"}, {}, acts.SwapError, "'linear_layer' is never swapped"),
            (mlp, {"identity": "mish"}, {}, acts.SwapError, "'identity' is never swapped"),
            (mlp, {"relu": "mish", "ReLU": "silu"}, {}, acts.SwapError, "names relu twice"),
            (mlp, {}, {}, acts.SwapError, "the mapping is empty"),
            (mlp, "relu", {}, acts.SwapError, "no mapping of activations"),
            (nn.ReLU, {"relu": "mish"}, {}, acts.SwapError, "itself an activation"),
            (nn.Identity, {"relu": "mish"}, {}, acts.SwapError, "itself an activation"),
            (lambda: nn.DataParallel(mlp()), {"relu": "mish"}, {}, acts.SwapError, "wrapped in DataParallel.*before wrapping"),
            (lambda: 3, {"relu": "mish"}, {}, acts.SwapError, "int is no torch.nn.Module"),
            (mlp, {"relu": "mish"}, {"example_input": torch.ones(1, 5)}, acts.SwapError, "does not run on example_input"),
        ],
    )  # fmt: skip
    def test_is_refused_in_words_and_changes_nothing(
        self, model: Any, mapping: Any, options: dict[str, Any], error: type[Exception], message: str
    ) -> None:
        made = model()
        before = list(made.modules()) if isinstance(made, nn.Module) else []
        with pytest.raises(error, match=message):
            acts.swap(made, mapping, **options)
        if isinstance(made, nn.Module):
            assert all(a is b for a, b in zip(before, made.modules(), strict=True))

    def test_calls_of_another_role_are_shown_too(self) -> None:
        class Net(nn.Sequential):
            def forward(self, x: Tensor) -> Tensor:
                return torch.sigmoid(super().forward(x))

        message = "1 of the role output would match: acts.swap\\(model, {'sigmoid': 'hardsigmoid'}, role='output'\\)"
        with pytest.raises(acts.SwapError, match=message):
            acts.swap(Net(nn.Linear(2, 2)), {"sigmoid": "hardsigmoid"})

    def test_calls_that_can_not_be_replaced_have_a_reason(self) -> None:
        model = mlp()
        model.add_module("last", nn.Module())
        model.last.forward = lambda x: F.gelu(x)
        message = "none of the sites that match .* can be swapped .*called by a hook, or by a forward that was set on the instance"
        with pytest.raises(acts.SwapError, match=message):
            acts.swap(model, {"gelu": "mish"}, example_input=torch.ones(2, 4))

    def test_a_model_wrapped_by_ddp(self, tmp_path: Any) -> None:
        torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
        try:
            wrapped = nn.parallel.DistributedDataParallel(mlp())
            with pytest.raises(acts.SwapError, match="wrapped in DistributedDataParallel.*before wrapping"):
                acts.swap(wrapped, {"relu": "mish"})
        finally:
            torch.distributed.destroy_process_group()

    def test_torchscript(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scripted = torch.jit.script(mlp())
        with pytest.raises(acts.SwapError, match="TorchScript"):
            acts.swap(scripted, {"relu": "mish"})

    def test_the_second_run_says_that_it_is_one(self) -> None:
        model = mlp()
        acts.swap(model, {"relu": "mish"})
        with pytest.raises(acts.SwapError, match="it was swapped before \\(relu -> mish\\)"):
            acts.swap(model, {"relu": "mish"})

    def test_a_replacement_that_fails_for_the_second_site_leaves_the_first(self) -> None:
        made: list[int] = []

        class Second(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                made.append(1)
                if len(made) == 2:
                    raise RuntimeError("not a second one")

            def forward(self, x: Tensor) -> Tensor:
                return x.sin()

        model = mlp()
        before = list(model.modules())
        with pytest.raises(RuntimeError, match="not a second"):
            acts.swap(model, {"relu": Second, "tanh": Second})
        assert all(a is b for a, b in zip(before, model.modules(), strict=True))

    def test_an_error_while_sizing_puts_everything_back(self) -> None:
        class Broken(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.net = mlp()
                self.runs = 0

            def forward(self, x: Tensor) -> Tensor:
                self.runs += 1
                if self.runs > 2:
                    raise RuntimeError("third run")
                return self.net(x)

        model = Broken()
        model.net[1].register_forward_hook(lambda *_: None)
        hooks = dict(model.net[1]._forward_hooks), dict(model.net[1]._forward_pre_hooks)
        before = list(model.modules())
        with pytest.raises(acts.SwapError, match="third run"):
            acts.swap(model, {"relu": "prelu(per=channel)"}, example_input=torch.randn(2, 4))
        assert all(a is b for a, b in zip(before, model.modules(), strict=True))
        assert (dict(model.net[1]._forward_hooks), dict(model.net[1]._forward_pre_hooks)) == hooks


class TestPerChannel:
    def test_sized_by_the_example(self) -> None:
        model = mlp()
        report = acts.swap(model, {"relu": "prelu(per=channel)"}, example_input=torch.randn(2, 4))
        assert repr(model[1]) == "PReLU(num_parameters=8)"
        assert report.plan.sites[0].replacement == "prelu(num_parameters=8)"

    def test_every_kind_of_site_has_its_own_size(self) -> None:
        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.a, self.b, self.c = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 6, 1), nn.Conv2d(6, 7, 1)
                self.module, self.function = nn.ReLU(), F.relu

            def forward(self, x: Tensor) -> Tensor:
                return F.relu(self.c(self.function(self.b(self.module(self.a(x)))))).relu()

        model, x = Net().requires_grad_(False), torch.randn(2, 3, 8, 8)
        report = acts.swap(model, {"relu": "prelu(per=channel)"}, example_input=x, role=["hidden", "output"])
        sizes = {name: tuple(p.shape) for name, p in model.named_parameters() if p.dim() == 1 and "bias" not in name}
        assert sizes == {
            "module.weight": (5,), "function.weight": (6,), "relu_0.weight": (7,), "relu_1.weight": (7,),
        }  # fmt: skip
        assert not any(parameter.requires_grad for parameter in model.parameters())
        fresh = Net()
        acts.swap(fresh, acts.Plan.from_dict(report.plan.to_dict()))
        fresh.load_state_dict(model.state_dict())
        assert torch.equal(fresh(x), model(x))

    def test_sized_by_the_first_batch(self) -> None:
        model = mlp()
        seen: list[int] = []
        model[1].register_forward_hook(lambda *_: seen.append(1))
        report = acts.swap(model, {"relu": "prelu(per=channel)"})
        model(torch.randn(2, 4))
        assert repr(model[1]) == "PReLU(num_parameters=8)" and seen == [1]
        report.undo()
        model(torch.randn(2, 4))
        assert seen == [1, 1]

    def test_undone_before_the_first_batch(self) -> None:
        model = mlp()
        acts.swap(model, {"relu": "prelu(per=channel)"}).undo()
        assert model(torch.randn(2, 4)).shape == (2, 2)
        assert not model[1]._forward_pre_hooks


def test_the_fused_path_of_transformer_layers() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, activation=nn.ReLU(), batch_first=True).eval()
    by_hand = copy.deepcopy(layer)
    by_hand.activation = nn.Mish()
    by_hand.activation_relu_or_gelu = 0
    x = torch.randn(2, 3, 8)
    relu_output = layer(x)
    report = acts.swap(layer, {"relu": "mish"})
    with torch.no_grad():
        assert torch.equal(layer(x), by_hand(x)) and not torch.allclose(layer(x), relu_output)
    report.undo()
    assert layer.activation_relu_or_gelu == 1


def test_swapped_restores_after_an_error() -> None:
    model = mlp()
    relu = model[1]
    with pytest.raises(KeyError), acts.swapped(model, {"relu": "mish"}) as report:
        assert type(model[1]) is nn.Mish and len(report.swapped) == 1
        raise KeyError
    assert model[1] is relu


def test_a_swapped_model_is_compiled_and_exported() -> None:
    model = mlp().eval()
    acts.swap(model, {"relu": "mish", "tanh": "general_hardsigmoid"})
    x = torch.randn(3, 4)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), model(x))
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), model(x))


def test_copies_and_pickles_are_independent() -> None:
    model = mlp()
    acts.swap(model, {"relu": "prelu"})
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        with torch.no_grad():
            other[1].weight.fill_(0.9)
        assert model[1].weight.item() == 0.25
        acts.restore(other)
        assert type(other[1]) is nn.ReLU and type(model[1]) is nn.PReLU
