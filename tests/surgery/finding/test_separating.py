import copy
import json
import pickle
from collections import Counter
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torchvision
from lightning.pytorch import LightningModule
from torch import Tensor, nn

import lightning_acts as acts


def calls_of_each(model: nn.Module, kind: type[nn.Module], x: Tensor) -> Counter[str]:
    calls: Counter[str] = Counter()
    handles = [
        module.register_forward_hook(lambda *_, name=name: calls.update([name]))
        for name, module in model.named_modules()
        if isinstance(module, kind)
    ]
    model(x)
    for handle in handles:
        handle.remove()
    return calls


class Block(nn.Module):
    """As a block of torchvision's ResNet: one ReLU, called at two places."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(3, 3), nn.Linear(3, 3)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.two(self.relu(self.one(x)))
        out += x
        return self.relu(out)


class BlockByHand(Block):
    """The same, as anybody would write it who wants a module for each call."""

    def __init__(self) -> None:
        super().__init__()
        self.relu, self.relu_1 = nn.PReLU(), nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        out = self.two(self.relu(self.one(x)))
        out += x
        return self.relu_1(out)


class Backbone(nn.Module):
    """As YOLO: one SiLU hangs in every layer, each with its own number of channels."""

    def __init__(self) -> None:
        super().__init__()
        act = nn.SiLU()
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(3 + i, 4 + i), act) for i in range(4))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def test_each_call_has_an_instance_as_if_written_by_hand() -> None:
    torch.manual_seed(0)
    model, by_hand, x = Block(), BlockByHand(), torch.randn(5, 3)
    acts.swap(model, {"relu": "prelu"}, share="call")
    assert set(model.state_dict()) == set(by_hand.state_dict())
    by_hand.load_state_dict(model.state_dict())
    for each in (model, by_hand):
        each(x).square().sum().backward()
    assert torch.equal(model(x), by_hand(x))
    gradients = {name: parameter.grad for name, parameter in by_hand.named_parameters()}
    assert all(torch.equal(parameter.grad, gradients[name]) for name, parameter in model.named_parameters())
    assert not torch.equal(gradients["relu.weight"], gradients["relu_1.weight"])


def test_a_resnet_has_no_activation_that_is_called_twice() -> None:
    model, x = torchvision.models.resnet18(num_classes=2).eval(), torch.randn(1, 3, 32, 32)
    before, names = model(x), list(model.state_dict())
    assert max(calls_of_each(model, nn.ReLU, x).values()) == 2
    report = acts.swap(model, {"relu": "relu"}, share="call")
    assert calls_of_each(model, nn.ReLU, x) == dict.fromkeys((entry.path for entry in report.swapped), 1)
    assert len(report.swapped) == 17 and report.swapped[2].site.path == "layer1.0/self.relu/1"
    assert torch.equal(model(x), before) and list(model.state_dict()) == names
    assert not any(module.inplace for module in model.modules() if isinstance(module, nn.ReLU))


@pytest.mark.filterwarnings("ignore:Setting forward, backward hooks", "ignore:Input Tensor 0 did not")
def test_deep_lift_explains_a_resnet() -> None:
    attribution = pytest.importorskip("captum.attr")
    torch.manual_seed(0)
    model, x = torchvision.models.resnet18(num_classes=3).eval(), torch.randn(2, 3, 32, 32)
    zero = torch.zeros_like(x)
    with pytest.raises(RuntimeError):
        attribution.DeepLift(model).attribute(x, zero, target=1)
    acts.swap(model, {"relu": "relu"}, share="call")
    found, delta = attribution.DeepLift(model).attribute(x, zero, target=1, return_convergence_delta=True)
    # What DeepLift promises: the attributions sum to what the output changes by.
    change = (model(x) - model(zero))[:, 1]
    torch.testing.assert_close(found.sum(dim=(1, 2, 3)), change, rtol=1e-4, atol=1e-5)
    assert delta.abs().max() < 1e-4


def test_copies_pickles_plans_and_the_way_back() -> None:
    torch.manual_seed(0)
    model, x = Block(), torch.randn(5, 3)
    original, relu = model(x), model.relu
    report = acts.swap(model, {"relu": "prelu(init=0.3)"}, share="call")
    swapped = model(x)
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    again = Block()
    acts.swap(again, acts.Plan.from_dict(json.loads(json.dumps(report.plan.to_dict()))))
    again.load_state_dict(model.state_dict())
    for each in (*copies, again):
        assert torch.equal(each(x), swapped)
        assert acts.verify(each, x).summary == "2 sites execute what was promised: prelu(init=0.3)"
        acts.restore(each)
        assert torch.equal(each(x), original)
        assert set(each._modules) == {"one", "two", "relu"} and type(each) is Block
    report.undo()
    assert model.relu is relu and type(model) is Block and torch.equal(model(x), original)


def test_a_later_swap_finds_each_instance() -> None:
    model, x = Block(), torch.randn(5, 3)
    original = model(x)
    acts.swap(model, {"relu": "mish"}, share="call")
    acts.swap(model, {"relu_1": "gelu"})
    assert type(model.relu) is nn.Mish and type(model.relu_1) is nn.GELU
    assert acts.verify(model, x).summary == "2 sites execute what was promised: mish, gelu"
    acts.restore(model)
    assert torch.equal(model(x), original)


def test_a_swap_of_one_instance_is_told_apart_later() -> None:
    model, x = Block(), torch.randn(5, 3)
    acts.swap(model, {"relu": "mish"})
    acts.swap(model, {"mish": "gelu"}, share="call")
    assert type(model.relu) is type(model.relu_1) is nn.GELU
    verified = acts.verify(model, x)
    assert [(site.original, site.calls) for site in verified.sites] == [("relu(inplace=True)", (1, 1))] * 2


@pytest.mark.parametrize(
    ("options", "edit"),
    [
        ({"exclude": "self.relu/1"}, lambda self, out, x: F.relu(self.two(F.mish(self.one(x))) + x)),
        ({"include": "self.relu/1"}, lambda self, out, x: F.mish(self.two(F.relu(self.one(x))) + x)),
        ({"include": "relu"}, lambda self, out, x: F.mish(self.two(F.mish(self.one(x))) + x)),
    ],
)
def test_one_call_alone(options: dict[str, str], edit: Callable[..., Tensor]) -> None:
    model, x = Block(), torch.randn(5, 3)
    report = acts.swap(model, {"relu": "mish"}, share="call", **options)
    assert torch.equal(model(x), edit(model, None, x))
    assert acts.verify(model, x).never_called == ()
    again = Block()
    again.load_state_dict(model.state_dict())
    acts.swap(again, report.plan)
    assert torch.equal(again(x), model(x))
    acts.restore(model)
    assert torch.equal(model(x), model.relu(model.two(model.relu(model.one(x))) + x))


class Loop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(3))
        self.relu, self.head = nn.ReLU(), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = self.relu(layer(x))
        return self.relu(self.head(x))


@pytest.mark.parametrize("with_example", [True, False])
def test_what_a_loop_calls_is_named(with_example: bool) -> None:
    x = torch.randn(2, 3)
    report = acts.swap(Loop(), {"relu": "mish"}, share="call", example_input=x if with_example else None)
    assert [entry.site.path for entry in report.swapped] == ["relu", "self.relu/1"]
    (note,) = report.notes
    assert note.startswith("relu: written once and run several times")
    assert acts.swap(Loop(), {"relu": "mish"}).notes == ()


class TestOneModuleInManyPlaces:
    @pytest.mark.parametrize("option", ["include", "mapping"])
    def test_naming_one_path_says_that_all_are_swapped(self, option: str) -> None:
        model = Backbone()
        path = "layers.1.1"
        report = (
            acts.swap(model, {"silu": "mish"}, include=path)
            if option == "include"
            else acts.swap(model, {path: "mish"})
        )
        (note,) = report.notes
        assert note.startswith("layers.1.1: one module that hangs in 4 places, of which") and "share='place'" in note
        assert all(type(layer[1]) is nn.Mish for layer in model.layers)
        assert acts.swap(Backbone(), {"silu": "mish"}, include="layers.*").notes == ()

    def test_excluding_one_path_says_that_all_are_left(self) -> None:
        with pytest.raises(
            acts.SwapError, match="excluded.*layers.1.1: one module .* in 4 places.*all are left.*'place'"
        ):
            acts.swap(Backbone(), {"silu": "mish"}, exclude="layers.1.1")

    def test_each_place_has_its_own(self) -> None:
        torch.manual_seed(0)
        model, x = Backbone(), torch.randn(5, 3)
        original, silu = model(x), model.layers[0][1]
        report = acts.swap(model, {"silu": "prelu(per=channel)"}, share="place", exclude="layers.2.1", example_input=x)
        shown = ["PReLU(num_parameters=4)", "PReLU(num_parameters=5)", "SiLU()", "PReLU(num_parameters=7)"]
        assert [repr(layer[1]) for layer in model.layers] == shown
        assert [(entry.site.path, entry.site.calls) for entry in report.swapped] == [
            ("layers.0.1", 1), ("layers.1.1", 1), ("layers.3.1", 1),
        ]  # fmt: skip
        assert len(acts.verify(model, x).sites) == 3
        again = Backbone()
        acts.swap(again, report.plan)
        again.load_state_dict(model.state_dict())
        assert torch.equal(again(x), model(x))
        acts.restore(model)
        assert torch.equal(model(x), original) and all(layer[1] is silu for layer in model.layers)

    def test_roles_are_those_of_each_place(self) -> None:
        class Gated(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                act = nn.Sigmoid()
                self.hidden, self.gate = nn.Sequential(nn.Linear(3, 3), act, nn.Linear(3, 3)), act

            def forward(self, x: Tensor) -> Tensor:
                return x * self.gate(self.hidden(x))

        found = acts.swap(Gated(), {"sigmoid": "mish"}, share="place", example_input=torch.randn(2, 3))
        assert [entry.site.path for entry in found.swapped] == ["hidden.1"]
        assert [(entry.site.path, entry.site.role) for entry in found.left] == [("gate", "gate")]

    def test_hooks_are_not_shared_out(self) -> None:
        model = Backbone()
        model.layers[0][1].register_forward_hook(lambda *_: None)
        report = acts.swap(model, {"silu": "mish"}, share="place")
        assert [entry.site.path for entry in report.swapped] == ["layers.0.1"]
        assert {entry.obstacle for entry in report.left} == {
            "the module has hooks, which lie on the first of its places and calls: remove them first"
        }

    def test_looking_leaves_the_model_as_it_was(self) -> None:
        model = Backbone()
        with pytest.raises(acts.SwapError, match="does not run on example_input"):
            acts.swap(model, {"silu": "mish"}, share="place", example_input=torch.randn(2, 5))
        assert len({layer[1] for layer in model.layers}) == 1


class Shared(nn.Module):
    """Whoever holds the input of the call reads what it has written there."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        skip = x
        F.relu(x, inplace=True)
        return self.b(x) + skip


def test_nothing_is_written_back_where_that_is_not_wanted() -> None:
    torch.manual_seed(0)
    model, x = Shared(), torch.randn(3, 4, requires_grad=True)
    original = model(x)
    report = acts.swap(model, {"relu": "relu"})
    assert torch.equal(model(x), original) and "needs write_back=False" in report.notes[0]
    model.a.register_full_backward_hook(lambda module, into, out: None)
    with pytest.raises(RuntimeError, match="view and is being modified inplace"):
        model(x).sum().backward()
    report.undo()
    report = acts.swap(model, {"relu": "relu"}, write_back=False)
    model(x).sum().backward()
    h = model.a(x)
    assert torch.equal(model(x), model.b(F.relu(h)) + h)
    (note,) = report.notes
    assert note.startswith("relu/0: worked in place")
    again = Shared()
    again.load_state_dict(model.state_dict())
    acts.swap(again, report.plan)
    assert torch.equal(again(x), model(x)) and torch.equal(pickle.loads(pickle.dumps(again))(x), model(x))
    acts.restore(again)
    assert torch.equal(again(x), original)


class LitBlock(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.block = Block()

    def training_step(self, batch: Tensor) -> Tensor:
        return self.block(batch).sum()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": "calls"}, "share='calls': one instance for each 'call', .*did you mean 'call'"),
        ({"share": None}, "share=None: one instance"),
        ({"write_back": "no"}, "write_back='no': True or False"),
    ],
)
@pytest.mark.parametrize("callback", [True, False])
def test_mistakes(options: dict[str, str], message: str, callback: bool) -> None:
    model = Block()
    with pytest.raises(acts.SwapError, match=message):
        _ = (
            acts.ActivationSwap({"relu": "mish"}, **options)
            if callback
            else acts.swap(model, {"relu": "mish"}, **options)
        )
    assert type(model.relu) is nn.ReLU
