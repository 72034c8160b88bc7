import copy
import functools
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
import torchmetrics
import torchvision
import transformers
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery.finding.sites import locate
from lightning_acts.surgery.naming import type_name


def counted(sites: list[acts.Site]) -> Counter[tuple[str, str, str]]:
    return Counter((site.activation, site.role, site.kind) for site in sites)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: torchvision.models.resnet18(), {("relu(inplace=True)", "hidden", "module"): 9}),
        (lambda: torchvision.models.mobilenet_v3_small(), {("relu(inplace=True)", "hidden", "module"): 5, ("relu", "hidden", "module"): 9, ("hardswish(inplace=True)", "hidden", "module"): 19, ("hardsigmoid", "gate", "module"): 9}),
        (lambda: torchvision.models.efficientnet_b0(), {("silu(inplace=True)", "hidden", "module"): 49, ("sigmoid", "gate", "module"): 16}),
        (lambda: torchvision.models.vit_b_16(), {("gelu", "hidden", "module"): 12, ("softmax(dim=-1)", "attention", "function"): 12}),
        (lambda: timm.create_model("regnety_002"), {("relu(inplace=True)", "hidden", "module"): 40, ("relu", "hidden", "module"): 13, ("sigmoid", "gate", "module"): 13}),
        (lambda: timm.create_model("convnext_atto"), {("gelu", "hidden", "module"): 12}),
    ],
)  # fmt: skip
def test_modules_of_real_models(make: Callable[[], nn.Module], expected: dict[tuple[str, str, str], int]) -> None:
    assert counted(acts.find(make())) == expected


@pytest.mark.parametrize(
    ("make", "calls"),
    [
        (lambda: torchvision.models.inception_v3(init_weights=False), 94),
        (lambda: torchvision.models.googlenet(init_weights=False), 57),
        (lambda: torchvision.models.densenet121(), 1),
    ],
)
def test_calls_in_forwards_of_real_models(make: Callable[[], nn.Module], calls: int) -> None:
    functions = [site for site in acts.find(make().eval(), torch.randn(2, 3, 96, 96)) if site.kind == "function"]
    in_eval = [site for site in functions if "aux" not in site.path and "Aux" not in site.path]
    assert len(in_eval) == calls
    assert all(site.calls for site in in_eval)
    assert {site.activation for site in functions} == {"relu(inplace=True)"}


def test_a_shared_module_is_one_site_with_all_its_paths() -> None:
    relu = nn.ReLU()
    model = nn.Sequential(nn.Linear(2, 2), relu, nn.Sequential(nn.Linear(2, 2), relu), nn.Linear(2, 2))
    model.again = relu
    (site,) = acts.find(model, torch.randn(3, 2))
    assert site.path == "1" and site.paths == ("1", "2.1", "again")
    assert site.calls == 3


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.GELU()
        self.nonlinearity = F.silu
        self.dead = nn.Tanh()

    def helper(self, x: Tensor) -> Tensor:
        return torch.tanh(x)

    def forward(self, x: Tensor, twice: bool = False) -> Tensor:
        x = F.relu(self.fc(x)) + F.relu(x)
        for _ in range(3):
            x = self.act(x).relu_()
        x = self.nonlinearity(x)
        x = F.leaky_relu(x, 0.2) + self.helper(x)
        if self.training:
            x = F.elu(x, alpha=0.5)
        return F.softmax(x * torch.sigmoid(x), dim=-1)


def test_calls_of_functions_with_owner_place_and_number() -> None:
    model = Functional().eval()
    sites = {site.path: site for site in acts.find(model, torch.randn(2, 4))}
    functions = {path: site for path, site in sites.items() if site.kind in ("function", "method")}
    assert {path: (site.activation, site.calls, site.role) for path, site in functions.items()} == {
        "relu/0": ("relu", 1, "hidden"),
        "relu/1": ("relu", 1, "hidden"),
        "relu/2": ("relu", 3, "hidden"),
        "leaky_relu/0": ("leaky_relu(negative_slope=0.2)", 1, "hidden"),
        "tanh/0": ("tanh", 1, "hidden"),
        "elu/0": ("elu(alpha=0.5)", 1, "hidden"),
        "silu/0": ("silu", 1, "hidden"),
        "softmax/0": ("softmax(dim=-1)", 1, "output"),
    }
    assert functions["relu/2"].kind == "method"
    line = Functional.forward.__code__.co_firstlineno
    assert functions["relu/0"].location == f"{__file__}:{line + 1}"
    assert functions["tanh/0"].location == f"{__file__}:{Functional.helper.__code__.co_firstlineno + 1}"
    assert sites["act"].calls == 3 and sites["dead"].calls == 0
    assert sites["nonlinearity"].kind == "attribute" and sites["nonlinearity"].calls == 1


def test_without_an_example_the_source_shows_them() -> None:
    sites = acts.find(Functional())
    example = acts.find(Functional(), torch.randn(2, 4))
    assert {site.path for site in sites} == {site.path for site in example}
    assert all(site.calls is None for site in sites)


def test_the_function_of_a_transformer_layer() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    function, inside = [site for site in acts.find(layer, torch.randn(2, 3, 8)) if site.kind != "module"]
    assert (function.path, function.kind, function.activation) == ("activation", "attribute", "relu")
    assert (inside.path, inside.activation, inside.role) == ("self_attn/softmax", "softmax(dim=-1)", "attention")
    (left,) = acts.swap(layer, {"relu": "mish"}).left
    assert "inside the kernel of torch.nn.modules.activation.MultiheadAttention" in left.obstacle


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.drop = nn.Dropout()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.drop(self.norm(x)))


def test_looking_leaves_no_trace() -> None:
    model = Counting()
    model.norm.eval()
    hook_calls: list[int] = []
    model.norm.register_forward_hook(lambda *_: hook_calls.append(1))
    state = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    rng = torch.get_rng_state()
    acts.find(model, torch.randn(4, 4, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(rng, torch.get_rng_state())
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_tuples_and_mappings_as_example() -> None:
    class Two(nn.Module):
        def forward(self, a: Tensor, *, b: Tensor) -> Tensor:
            return F.relu(a) + b

    class Pair(nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return F.relu(a) + b

    x = torch.ones(2)
    assert len(acts.find(Two(), {"a": x, "b": x})) == 1
    assert len(acts.find(Pair(), (x, x))) == 1


class Positive(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.abs()


def test_a_parametrized_activation() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.PReLU(), nn.Linear(2, 2))
    nn.utils.parametrize.register_parametrization(model[1], "weight", Positive())
    assert [(site.path, site.activation) for site in acts.find(model)] == [("1", "prelu")]
    acts.swap(model, {"prelu": "mish"})
    assert type(model[1]) is nn.Mish


def test_a_function_within_an_activation_module_is_no_second_site() -> None:
    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, vocab_size=50
    )
    model = transformers.BertModel(config)
    found = acts.find(model, {"input_ids": torch.randint(0, 50, (2, 7))})
    ran = [(site.activation, site.role) for site in found if site.calls and "attention" not in site.path]
    assert ran == [("gelu", "hidden"), ("gelu", "hidden"), ("tanh", "output")]
    # The attention that this configuration does not take.
    assert {(site.activation, site.role) for site in found if not site.calls} == {("softmax(dim=-1)", "attention")}


def test_an_example_that_does_not_run() -> None:
    with pytest.raises(acts.SwapError, match="does not run on example_input: RuntimeError"):
        acts.find(nn.Linear(3, 3), torch.randn(2, 5))


def test_a_model_that_does_not_run_in_train_mode_is_seen_in_eval_mode() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.ReLU())
    report = acts.swap(model, {"relu": "mish"}, example_input=torch.randn(1, 3))
    assert "in train mode the model does not run" in report.notes[0]
    assert model.training and model[1].training


def test_the_parts_of_metrics_are_no_sites() -> None:
    class Odd(torchmetrics.Metric):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU()

        def update(self) -> None: ...
        def compute(self) -> None: ...

    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model.metric = Odd()
    assert [site.path for site in acts.find(model)] == ["1"]


def test_paths_are_those_of_the_original_in_a_compiled_model() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    compiled: Any = torch.compile(model, backend="eager")
    assert [site.path for site in acts.find(compiled)] == ["1"]


class Buffered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.count = self.count + 1
        return x.relu_()


def test_a_reassigned_buffer_and_the_input_stay() -> None:
    model, x = Buffered(), -torch.ones(2)
    buffer = model.count
    acts.find(model, x)
    assert model.count is buffer
    assert model.count == 0
    assert (x == -1).all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:`torch.jit.trace")
def test_torchscript_within_a_model_is_noted() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)))
    report = acts.swap(model, {"relu": "mish"})
    assert report.notes == ("2: TorchScript, whose activations can't be seen",)


def test_a_compiled_function_within_a_forward() -> None:
    class Compiled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.compile(lambda x: F.relu(x) + 1, backend="eager", fullgraph=True)

        def forward(self, x: Tensor) -> Tensor:
            return F.silu(self.inner(x))

    assert "silu" in {site.activation for site in acts.find(Compiled(), torch.ones(2))}


def test_patterns_that_match_nothing_are_noted() -> None:
    report = acts.swap(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), {"relu": "mish"}, exclude="haed.*")
    assert report.notes == ("exclude='haed.*' matches no site",)


class UnknownFormula(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        x = self.b(x * 0.4 * (1.0 + torch.erf(x / 2.0**0.5)))
        return self.act(x).clamp(0.0, float("inf"))


def test_a_formula_of_no_known_activation_is_reported() -> None:
    report = acts.swap(UnknownFormula(), {"relu": "mish"}, example_input=torch.randn(2, 4))
    assert [entry.site.path for entry in report.swapped] == ["act"]
    left = {entry.site.path: (entry.site.activation, entry.site.role) for entry in report.left}
    assert left == {"erf/0": ("unknown activation", "hidden"), "clamp/0": ("relu", "output")}
    with pytest.raises(acts.SwapError, match="formula that is written out"):
        acts.swap(UnknownFormula(), {"unknown activation": "mish"})


FUNCTIONS = {"relu": F.relu, "gelu": F.gelu}


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.name = "relu"


class KeepsLambda(Layers):
    def __init__(self) -> None:
        super().__init__()
        self.act = lambda x: F.relu(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x)))


class KeepsDict(Layers):
    def __init__(self) -> None:
        super().__init__()
        self.acts = {"relu": F.relu}

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.acts["relu"](self.a(x)))


class LooksUp(Layers):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(FUNCTIONS[self.name](self.a(x)))


class Defaults(Layers):
    def forward(self, x: Tensor, act: Any = F.relu) -> Tensor:
        return self.b(act(self.a(x)))


CLASSES = {"relu": nn.ReLU, "linear": nn.Linear}


class LooksUpClass(Layers):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(CLASSES[self.name]()(self.a(x)))


class AsksTorch(Layers):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(getattr(F, self.name)(self.a(x)))


@pytest.mark.parametrize(
    ("cls", "place"),
    [
        (KeepsLambda, "in 'act'"),
        (KeepsDict, "in 'acts'"),
        (LooksUp, "test_sites.py:"),
        (Defaults, "test_sites.py:"),
        (LooksUpClass, "test_sites.py:"),
        (AsksTorch, "test_sites.py:"),
    ],
)
def test_what_only_a_run_shows_is_one_note_for_a_class_without_one(cls: type[Layers], place: str) -> None:
    model = nn.Sequential(cls(), cls(), nn.ReLU())
    report = acts.swap(model, {"relu": "mish"})
    assert [entry.site.path for entry in report.swapped] == ["2"]
    assert report.left == ()
    (note,) = report.notes
    assert note.startswith(f"{type_name(cls)}: applies functions that only a run tells (") and place in note
    assert "example_input= shows them" in note and "see the notes" in report.summary
    report.undo()
    with pytest.raises(acts.SwapError, match="only a run tells"):
        acts.swap(model, {"gelu": "mish"})
    # With a run each is there once; what a lambda holds has no name by which a plan could find it.
    report = acts.swap(model, {"relu": "mish"}, example_input=torch.randn(2, 4))
    swapped, left = ([entry.site.path for entry in group] for group in (report.swapped, report.left))
    calls = ["0/relu/0", "1/relu/0"]
    assert (swapped, left) == ((["2"], calls) if cls is KeepsLambda else (["2", *calls], []))
    assert report.notes == ()


class Critic(Layers):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))

    def q1(self, x: Tensor) -> Tensor:
        return self.b(self.activate(self.a(x)))

    def activate(self, x: Tensor) -> Tensor:
        return F.elu(x)


def test_a_method_to_which_the_forward_does_not_lead() -> None:
    model = Critic()
    (forward, beside) = acts.find(model)
    assert (forward.activation, forward.role) == ("relu", "hidden")
    assert (beside.activation, beside.role) == ("elu", "output")
    assert beside.reason == "in doubt: in activate, to which the forward does not lead"
    acts.swap(model, {"relu": "mish", "elu": "mish"}, role=("hidden", "output"))
    x = torch.randn(2, 4)
    assert torch.equal(model.q1(x), model(x))


class Actor(Layers):
    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.a(x))
        x = torch.tanh(self.b(x))
        return 2.0 * x.view(-1)


class Block(Layers):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.a(x))


def test_a_bounded_function_at_the_end_of_the_model_is_its_output() -> None:
    assert counted(acts.find(Actor())) == {("relu", "hidden", "function"): 1, ("tanh", "output", "function"): 1}
    roles = {site.path: site.role for site in acts.find(nn.Sequential(Block(), Block()))}
    assert roles == {"0/tanh/0": "hidden", "1/tanh/0": "output"}


def test_an_attribute_in_the_place_of_a_method() -> None:
    class Net(Layers):
        def act(self, x: Tensor) -> Tensor:
            return F.relu(x)

        def forward(self, x: Tensor) -> Tensor:
            return self.act(self.a(x))

    model = nn.Sequential(Net(), Net())
    model[0].act = F.elu
    report = acts.swap(model, {"relu": "mish", "elu": "gelu"})
    assert [(entry.site.path, entry.replacement) for entry in report.swapped] == [
        ("0.act", "gelu"),
        ("1/relu/0", "mish"),
    ]
    (left,) = report.left
    assert left.site.path == "0/relu/0"
    assert "keeps the method 'act' in an attribute" in left.obstacle


def test_in_place_or_not_is_known_when_it_runs_only() -> None:
    class Net(Layers):
        inplace = False

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.a(x), inplace=self.inplace)
            y = F.elu(x, inplace=self.inplace)
            return self.b(x + y)

    report = acts.swap(Net(), {"relu": "mish", "elu": "mish"})
    assert [entry.site.path for entry in report.swapped] == ["relu/0"]
    (left,) = report.left
    assert (
        left.obstacle == "the call can't be replaced: whether it writes into x, which is used again, only a run tells"
    )


def test_attention_within_a_kernel_is_reported() -> None:
    class Net(Layers):
        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.a(x))
            return self.b(F.scaled_dot_product_attention(x, x, x))

    for example in (None, torch.randn(2, 3, 4)):
        report = acts.swap(
            Net(), {"relu": "mish", "softmax": "sparsemax"}, role=("hidden", "attention"), example_input=example
        )
        (left,) = report.left
        assert (left.site.activation, left.site.role) == ("softmax(dim=-1)", "attention")
        assert "inside the kernel of torch.nn.functional.scaled_dot_product_attention" in left.obstacle


def test_a_dtype_by_name_is_no_activation() -> None:
    class Net(Layers):
        dtype = "float32"

        def forward(self, x: Tensor) -> Tensor:
            return self.b(F.relu(self.a(x).to(getattr(torch, self.dtype))))

    assert [site.activation for site in acts.find(Net())] == ["relu"]


class KeepsFunctions(Layers):
    def __init__(self, **functions: Any) -> None:
        super().__init__()
        vars(self).update(functions)


class TestFunctionsInAttributes:
    def test_their_roles_are_those_of_their_calls(self) -> None:
        class Net(KeepsFunctions):
            def forward(self, x: Tensor) -> Tensor:
                h = self._act(self.a(x))
                return self.out(self.b(h * self.gate(self.a(h))))

        model = Net(_act=torch.tanh, gate=torch.sigmoid, out=functools.partial(F.softmax, dim=-1))
        for example in (None, torch.randn(2, 4)):
            roles = {site.path: site.role for site in acts.find(model, example)}
            # Without a run, what the tanh is for is open.
            assert roles == {"_act": "hidden" if example is not None else "output", "gate": "gate", "out": "output"}

    def test_a_kernel_is_not_replaced(self) -> None:
        class Net(KeepsFunctions):
            def forward(self, x: Tensor) -> Tensor:
                h = self.a(x)
                return self.b(F.relu(self.attend(h, h, h) + self.table["sdpa"](h, h, h)))

        model = Net(attend=F.scaled_dot_product_attention, table={"sdpa": F.scaled_dot_product_attention})
        x = torch.randn(2, 3, 4)
        for example in (None, x):
            report = acts.swap(
                model, {"relu": "mish", "softmax": "sparsemax"}, role=("hidden", "attention"), example_input=example
            )
            assert [entry.site.activation for entry in report.swapped] == ["relu"]
            assert report.left and all(
                "inside the kernel" in entry.obstacle or "keeps" in entry.obstacle for entry in report.left
            )
            model(x)
            report.undo()

    @pytest.mark.parametrize(
        ("function", "more", "spec"),
        [
            (F.relu, {"inplace": True}, "relu(inplace=True)"),
            (F.leaky_relu, {"negative_slope": 0.3}, "leaky_relu(negative_slope=0.3)"),
            (F.gelu, {"approximate": "tanh"}, "gelu(approximate=tanh)"),
        ],
    )
    def test_one_that_is_given_more_than_its_input(self, function: Any, more: dict[str, Any], spec: str) -> None:
        class Net(KeepsFunctions):
            def forward(self, x: Tensor) -> Tensor:
                return self.b(self.act(self.a(x), **more))

        model, x = nn.Sequential(Net(act=function), nn.Tanhshrink(), nn.Linear(4, 4)), torch.randn(2, 4)
        name = spec.partition("(")[0]
        report = acts.swap(model, {name: "mish", "tanhshrink": "mish"})
        assert [entry.site.path for entry in report.swapped] == ["1"]
        assert "more than its input" in report.left[0].obstacle
        model(x)
        report.undo()
        (site,) = [site for site in acts.find(model, x) if site.kind != "module"]
        assert (site.kind, site.activation) == ("function", spec)
        acts.swap(model, {name: "mish"}, example_input=x)
        assert torch.equal(model(x), model[2](F.tanhshrink(model[0].b(F.mish(model[0].a(x))))))

    def test_one_that_works_in_place(self) -> None:
        class Net(KeepsFunctions):
            def forward(self, x: Tensor) -> Tensor:
                h = self.a(x) + 0
                self.act(h)
                return self.b(h)

        report = acts.swap(nn.Sequential(Net(act=F.relu_), nn.ReLU()), {"relu": "mish"})
        assert [entry.site.path for entry in report.swapped] == ["1"]
        assert report.left[0].obstacle == "it works in place, which a module there would not"


def swish(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


def gelu_by_tanh(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def test_a_loop_over_functions_has_each_once() -> None:
    class Net(Layers):
        def forward(self, x: Tensor) -> Tensor:
            x = self.a(x)
            for function in (swish, gelu_by_tanh):
                x = function(x)
            return self.b(x)

    x = torch.randn(2, 4)
    model = Net()
    assert [(site.activation, site.calls) for site in acts.find(model, x)] == [
        ("silu", 1),
        ("gelu(approximate=tanh)", 1),
    ]
    report = acts.swap(model, {"silu": "relu", "gelu": "relu"}, example_input=x)
    assert len(report.swapped) == 2
    assert torch.equal(model(x), model.b(F.relu(F.relu(model.a(x)))))
    acts.verify(model, x)


def test_a_formula_in_place_is_gone_after_the_swap() -> None:
    class Net(Layers):
        def forward(self, x: Tensor) -> Tensor:
            h = self.a(x)
            h.mul_(torch.sigmoid(h))
            return self.b(h)

    model, x = Net(), torch.randn(2, 4)
    acts.swap(model, {"silu": "softsign"}, example_input=x)
    assert [(site.path, site.kind) for site in acts.find(model, x)] == [("silu_0", "module")]
    acts.swap(model, {"softsign": "relu"}, example_input=x)
    assert torch.equal(model(x), model.b(F.relu(model.a(x))))


SCALE = 1.0


def test_a_number_that_changes_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Net(Layers):
        def forward(self, x: Tensor) -> Tensor:
            x = self.a(x)
            return self.b(x * torch.sigmoid(SCALE * x))

    assert [site.activation for site in acts.find(Net())] == ["silu"]
    monkeypatch.setitem(globals(), "SCALE", 1.702)
    assert [site.activation for site in acts.find(Net())] == ["quick_gelu"]


def test_what_a_generator_yields() -> None:
    class Net(Layers):
        def forward(self, x: Tensor) -> Iterator[Tensor]:
            x = F.relu(self.a(x))
            yield torch.tanh(self.b(x))

    for example in (None, torch.randn(2, 4)):
        assert counted(acts.find(Net(), example)) == {
            ("relu", "hidden", "function"): 1,
            ("tanh", "output", "function"): 1,
        }


def test_maximum_and_zero() -> None:
    class Net(Layers):
        def forward(self, x: Tensor) -> Tensor:
            x = torch.max(self.a(x), torch.zeros_like(x))
            x = self.b(x.max(torch.zeros_like(x)))
            return self.a(torch.maximum(x, torch.tensor(0.0)) + x.max(dim=0).values)

    for example in (None, torch.randn(2, 4)):
        certain, method, clamp = acts.find(Net(), example)
        assert (certain.activation, certain.role) == (method.activation, method.role) == ("relu", "hidden")
        # It goes into a layer, after an addition.
        assert (clamp.activation, clamp.role) == ("relu", "hidden")


class Clipped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return F.relu(x)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Any:
        return slopes[0]


def test_a_custom_autograd_function() -> None:
    class Net(Layers):
        def forward(self, x: Tensor) -> Tensor:
            return self.b(F.relu(Clipped.apply(self.a(x))))

    (left,) = acts.swap(Net(), {"relu": "mish"}, example_input=torch.randn(2, 4)).left
    assert "within a custom autograd.Function, whose backward would stay as it is" in left.obstacle
    (note,) = acts.swap(Net(), {"relu": "mish"}).notes
    assert "applies functions that only a run tells" in note


def test_what_is_handed_to_torch_jit() -> None:
    class Net(Layers):
        def forward(self, x: Tensor) -> Tensor:
            return self.b(torch.jit.script(F.relu)(self.a(x)))

    with pytest.raises(acts.SwapError, match="handed to torch.jit"):
        acts.swap(Net(), {"relu": "mish"})


def test_where_a_bounded_value_goes() -> None:
    class Net(Layers):
        def forward(self, x: Tensor) -> Any:
            x = torch.tanh(self.a(x))  # into a layer
            x = x.view(-1, 4)
            y = self.b(x)
            scale = torch.tanh(self.a(y))  # out, under the same name
            scale = 2 * (scale + 1)
            parts = torch.cat([F.hardtanh(y), y], dim=-1)
            inner = 0.8 * (y + 0.04 * y**3)
            part = 0.5 * y * (1 + torch.tanh(inner))  # of a formula
            y = self.b(part)
            return y, {"scale": scale}, parts

    sites = {site.path: (site.role, site.reason) for site in acts.find(Net())}
    assert sites["tanh/0"] == ("hidden", "goes into a layer")
    assert sites["tanh/1"][0] == "output" and sites["hardtanh/0"][0] == "output"
    assert sites["tanh/2"] == ("output", "in doubt: bounded, and only a run (example_input=) shows what becomes of it")


def block(layer: nn.Module, x: Tensor) -> Tensor:
    return F.relu(layer(x))


def test_a_helper_that_is_given_a_module() -> None:
    class Net(Layers):
        def forward(self, x: Tensor) -> Tensor:
            return block(self.b, block(self.a, x))

    report = acts.swap(Net(), {"relu": "mish"}, example_input=torch.randn(2, 4))
    assert [entry.site.path for entry in report.swapped] == ["relu/0", "relu/1"] and not report.left


def test_an_attribute_by_a_variable_is_one_site() -> None:
    class Net(KeepsFunctions):
        def forward(self, x: Tensor) -> Tensor:
            act = self.act
            return self.b(act(self.a(x)))

    model, x = Net(act=F.relu), torch.randn(2, 4)
    for example in (None, x):
        assert [site.path for site in acts.find(model, example)] == ["act"]
    acts.swap(model, {"relu": "mish"}, example_input=x)
    assert torch.equal(model(x), model.b(F.mish(model.a(x))))
    acts.verify(model, x)


def test_formulas_by_where_with_a_run() -> None:
    class Net(Layers):
        def forward(self, x: Tensor) -> Tensor:
            h = self.a(x)
            return self.b(torch.where(h > 0, h, 0.01 * h) + torch.maximum(torch.zeros_like(h), h))

    assert counted(acts.find(Net(), torch.randn(2, 4))) == {
        ("leaky_relu", "hidden", "function"): 1,
        ("relu", "hidden", "function"): 1,
    }


class SoftmaxMethod(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.b(self.a(x).softmax(1, torch.float32))


class SoftmaxMethodByName(SoftmaxMethod):
    def forward(self, x):
        return self.b(self.a(x).softmax(dim=1, dtype=torch.float32))


class SpecialSoftmax(SoftmaxMethod):
    def forward(self, x):
        return self.b(torch.special.softmax(self.a(x), 1))


class SpecialLogSoftmax(SoftmaxMethod):
    def forward(self, x):
        return self.b(torch.special.log_softmax(self.a(x), dim=1))


@pytest.mark.parametrize("example", [None, torch.randn(3, 4)], ids=["source", "run"])
@pytest.mark.parametrize("cls", [SoftmaxMethod, SoftmaxMethodByName, SpecialSoftmax, SpecialLogSoftmax])
def test_softmax_in_every_spelling(cls: type[SoftmaxMethod], example: torch.Tensor | None) -> None:
    (site,) = acts.find(cls(), example)
    assert site.activation == ("log_softmax(dim=1)" if cls is SpecialLogSoftmax else "softmax(dim=1)")


class TwoNetworks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.networks = []
        for i in range(2):
            network = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
            self.add_module(f"network{i}", network)
            self.networks.append(network)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([network(x) for network in self.networks], 1)


@pytest.mark.parametrize("example", [None, torch.randn(2, 4)], ids=["read", "run"])
def test_children_that_a_list_holds_too_are_named_once(example: Tensor | None) -> None:
    assert [site.path for site in acts.find(TwoNetworks(), example)] == ["network0.1", "network1.1"]
    model = TwoNetworks()
    edited = copy.deepcopy(model)
    for network in edited.networks:
        network[1] = nn.Tanh()
    assert not acts.swap(model, {"relu": "tanh"}, example_input=example).left
    x = torch.randn(3, 4)
    assert torch.equal(model(x), edited(x))


class Held(nn.Module):
    """A child that plain containers hold too, and one that they alone hold."""

    def __init__(self, hold: Callable[[nn.Module], Any]) -> None:
        super().__init__()
        self.fc, self.last = nn.Linear(4, 4), nn.Linear(4, 4)
        self.act = nn.ReLU()
        self.__dict__["kept"] = hold(self.act)
        self.idle = [[nn.ELU()]]


class Runs(Held):
    def forward(self, x: Tensor) -> Tensor:
        kept: Any = self.kept
        while not callable(kept):
            kept = next(iter(kept.values())) if isinstance(kept, dict) else kept[-1]
        return self.last(kept(self.fc(x)))


class Ignores(Held):
    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.act(self.fc(x)))


class Outer(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner.last(self.inner.kept[0](self.inner.fc(x)))


class Keeper:
    def __init__(self, held: list[nn.Module]) -> None:
        self.held = held

    def run(self, x: Tensor) -> Tensor:
        result: Tensor = self.held[0](x)
        return result

    __call__ = run


def _called(act: nn.Module, x: Tensor) -> Any:
    return act(x)


def within_tuples(act: nn.Module) -> Any:
    return [(4, act)]


@pytest.mark.parametrize("example", [None, torch.randn(2, 4)], ids=["read", "run"])
class TestWhatIsKeptBesideTheChildren:
    @pytest.mark.parametrize(
        ("hold", "where"),
        [
            (within_tuples, "kept[0][1]"),
            (lambda act: {"a": [(1, [act])]}, "kept['a'][0][1][0]"),
            (lambda act: act, "kept"),
            (lambda act: [act.forward], "kept[0]"),
            (lambda act: functools.partial(act), "kept.func"),
            (lambda act: functools.partial(_called, act), "kept.args[0]"),
            (lambda act: lambda x: act(x), "kept.act"),
            (lambda act: Keeper([act]), "kept.held[0]"),
            (lambda act: Keeper([act]).run, "kept.__self__.held[0]"),
        ],
    )
    def test_a_child_that_runs_from_there_is_refused(
        self, hold: Callable[[nn.Module], Any], where: str, example: Tensor | None
    ) -> None:
        model = Runs(hold)
        with pytest.raises(acts.SwapError) as refused:
            acts.swap(model, {"relu": "tanh"}, example_input=example)
        assert f"{where} holds it too" in str(refused.value)
        assert isinstance(model.act, nn.ReLU)

    def test_a_child_that_a_hook_runs_is_refused(self, example: Tensor | None) -> None:
        model = Ignores(lambda act: None)
        act = model.act
        model.fc.register_forward_hook(lambda module, given, result: act(result))
        with pytest.raises(acts.SwapError, match=r"fc.forward hooks\[0\]\.act holds it too"):
            acts.swap(model, {"relu": "tanh"}, example_input=example)

    def test_where_another_module_takes_it_from_there(self, example: Tensor | None) -> None:
        model = Outer(Ignores(lambda act: [act]))
        with pytest.raises(acts.SwapError, match=r"inner\.kept\[0\] holds it too"):
            acts.swap(model, {"relu": "tanh"}, example_input=example)

    def test_what_no_forward_mentions_stops_no_swap(self, example: Tensor | None) -> None:
        model = Ignores(within_tuples)
        report = acts.swap(model, {"relu": "tanh"}, example_input=example)
        assert isinstance(model.act, nn.Tanh)
        assert report.left == ()
        assert ["(in 'idle')" in note for note in report.notes] == [True] * (example is None)
        acts.restore(model)
        assert isinstance(model.act, nn.ReLU) and model.kept[0][1] is model.act


class HardSigmoidByHand(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU6()

    def forward(self, x: Tensor) -> Any:
        return self.relu(x + 3) / 6


class HardSwishByHand(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = HardSigmoidByHand()

    def forward(self, x: Tensor) -> Any:
        return x * self.gate(x)


def test_the_parts_of_a_composed_activation_are_activation_modules() -> None:
    model = nn.Sequential(nn.Linear(2, 2), HardSwishByHand(), nn.Linear(2, 2))
    found = locate(model)
    assert [site.activation for site in found.sites] == ["hardswish"]
    assert found.activation_modules == {model[1], model[1].gate, model[1].gate.relu}


@pytest.mark.parametrize("example", [None, torch.ones(3, 2)])
@pytest.mark.parametrize("first", ["act", "composed"])
def test_a_part_of_a_composed_activation_that_stands_elsewhere_too(first: str, example: Tensor | None) -> None:
    composed = HardSwishByHand()
    shared = composed.gate.relu
    order = ["act", "composed"] if first == "act" else ["composed", "act"]
    steps = [nn.Sequential(nn.Linear(2, 2), {"act": shared, "composed": composed}[name]) for name in order]
    model = nn.Sequential(*steps, nn.Linear(2, 2))
    report = acts.swap(model, {"relu6": "mish"}, example_input=example)
    assert [entry.site.paths for entry in report.swapped] == [(f"{order.index('act')}.1",)]
    assert [left.site.activation for left in report.left] == ["hardswish"]
    assert composed.gate.relu is shared and isinstance(steps[order.index("act")][1], nn.Mish)
    # A hook on what still runs in the other is not on the replacement.
    runs: list[nn.Module] = []
    shared.register_forward_hook(lambda module, *_: runs.append(module))
    model(torch.ones(3, 2))
    assert runs == [shared]
    acts.restore(model)
    with pytest.raises(acts.SwapError, match="the module has hooks"):
        acts.swap(model, {"relu6": "mish"}, example_input=example)


class Calling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.kept = nn.Linear(2, 2), F.elu

    def forward(self, x: Tensor) -> Tensor:
        x = self.kept(F.relu(self.fc(x)))
        return 2 * x if type(self) is Calling else x  # of its own class it sees what the author wrote


class AsksForTheClass(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.act, self.out = Calling(), nn.Tanh(), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.inner(x))
        return self.out(-x if type(self.inner) is Calling else x)


@pytest.mark.parametrize("example", [None, torch.ones(3, 2)])
def test_a_class_that_another_module_compares(example: Tensor | None) -> None:
    model = AsksForTheClass()
    output = model(torch.ones(3, 2))
    for left in ("relu", "elu"):
        with pytest.raises(acts.SwapError, match="compares its class, in whose place a swap puts another"):
            acts.swap(model, {left: "mish"}, example_input=example)
    assert type(model.inner) is Calling and torch.equal(model(torch.ones(3, 2)), output)
    assert len(acts.swap(model, {"*": "mish"}, example_input=example).swapped) == 1  # the module
    assert len(acts.swap(Calling(), {"relu": "mish"}, role=("hidden", "output"), example_input=example).swapped) == 1
