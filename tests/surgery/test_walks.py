"""Who walks the children of a swapped module as its layers, against a module whose author wrote the activation."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

import lightning_acts as acts

X = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))  # type: ignore[no-any-return]


class Walks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = Block()

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.block.children():
            x = layer(x)
        for _, layer in self.block.named_children():
            x = layer(x)
        return self.block(x)  # type: ignore[no-any-return]


class Features(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = F.relu(layer(x))
        return x


@pytest.mark.parametrize("example", [None, X], ids=["without an example", "with one"])
@pytest.mark.parametrize(("name", "function"), [("softplus", F.softplus), ("prelu", lambda x: F.leaky_relu(x, 0.25))])
def test_a_parent_that_walks_the_children(name: str, function: object, example: Tensor | None) -> None:
    model = Walks()
    acts.swap(model, {"relu": name}, example_input=example)
    a, b = model.block.a, model.block.b
    for copied in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        torch.testing.assert_close(copied(X), b(function(a(b(a(b(a(X))))))), rtol=0, atol=0)  # type: ignore[operator]
    assert list(nn.Sequential(*list(model.block.children())[:-1])) == [a]


@pytest.mark.parametrize("name", ["rrelu", "prelu"])
def test_what_a_module_does_with_all_its_children_reaches_the_new_ones(name: str) -> None:
    model = Block()
    acts.swap(model, {"relu": name})
    new = model.get_submodule("relu_0")
    assert new in list(model.modules()) and not model.eval().relu_0.training and model.train().relu_0.training  # type: ignore[union-attr]
    applied: list[nn.Module] = []
    model.double().apply(applied.append)
    assert sorted(map(id, applied)) == sorted(map(id, model.modules()))
    assert all(parameter.dtype is torch.float64 for parameter in new.parameters())
    acts.restore(model)
    assert "children" not in vars(type(model)) and model(X.double()).dtype is torch.float64


@pytest.mark.parametrize("name", ["softplus", "prelu"])
def test_a_slice_has_the_new_activations(name: str) -> None:
    features = Features(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)).eval()
    acts.swap(nn.Sequential(features, nn.Linear(4, 4)), {"relu": name})
    act = features.get_submodule("relu_0")
    assert torch.equal(features[:2](X), act(features[1](act(features[0](X)))))
    assert torch.equal(features[1:](X), act(features[2](act(features[1](X)))))
    assert features[0] is next(iter(features)) and len(features[:2]) == 2 and not features[:2].training
    assert torch.equal(copy.deepcopy(features[:1])(X), act(features[0](X)))


class Keeps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.act = nn.Linear(4, 4), nn.Linear(4, 4), F.relu

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x)))  # type: ignore[no-any-return]


class WalksModules(Walks):
    def forward(self, x: Tensor) -> Tensor:
        for layer in list(self.block.modules())[1:]:
            x = layer(x)
        return self.block(x)  # type: ignore[no-any-return]


class WalksTheDictionary(Walks):
    def forward(self, x: Tensor) -> Tensor:
        for layer in self.block._modules.values():
            x = layer(x)  # type: ignore[misc]
        return self.block(x)  # type: ignore[no-any-return]


def walking(walks: type[Walks], block: nn.Module) -> nn.Module:
    model: nn.Module = walks()
    model.block = block
    return model


@pytest.mark.parametrize("example", [None, X], ids=["without an example", "with one"])
def test_a_function_in_an_attribute_is_not_a_child_either(example: Tensor | None) -> None:
    model = walking(Walks, Keeps())
    a, b = model.block.a, model.block.b  # type: ignore[union-attr]
    report = acts.swap(model, {"relu": "softplus"}, example_input=example)
    assert not report.notes
    for copied in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        torch.testing.assert_close(copied(X), b(F.softplus(a(b(a(b(a(X))))))), rtol=0, atol=0)  # type: ignore[operator]
    acts.restore(model)
    assert type(model.block) is Keeps and vars(model.block)["act"] is F.relu


@pytest.mark.parametrize("walks", [WalksModules, WalksTheDictionary])
@pytest.mark.parametrize("make", [Block, Keeps, lambda: torch.fx.symbolic_trace(Block())])
def test_who_goes_through_modules_in_other_ways_is_named_or_seen(walks: type[Walks], make: Any) -> None:
    (note,) = acts.swap(walking(walks, make()), {"relu": "softplus"}).notes
    assert f"{__file__}:" in note and "goes through the modules in others" in note
    with pytest.raises(acts.SwapError, match="it ran 1 times, and what was put in its place 2 times"):
        acts.swap(walking(walks, make()), {"relu": "softplus"}, example_input=X)


def test_who_walks_the_children_of_a_graph_is_named() -> None:
    (note,) = acts.swap(walking(Walks, torch.fx.symbolic_trace(Block())), {"relu": "softplus"}).notes
    assert "goes through the modules in others" in note


@pytest.mark.filterwarnings("ignore:`torch.jit.trace:FutureWarning")
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(torchvision.models.densenet121, marks=pytest.mark.slow, id="densenet121"),
        pytest.param(lambda: torchvision.models.googlenet(aux_logits=False, init_weights=False), id="googlenet"),
        pytest.param(Walks, id="walks"),
        pytest.param(lambda: nn.Sequential(Keeps(), Block()), id="attributes"),
    ],
)
def test_compilers_hooks_and_loading_go_on(make: Any) -> None:
    torch.compiler.reset()  # other tests have compiled the same functions, up to the limit
    model = make().eval()
    given = X if isinstance(model, (Walks, nn.Sequential)) else torch.rand(2, 3, 64, 64)
    state = copy.deepcopy(model.state_dict())
    acts.swap(model, {"relu": "softplus"}, example_input=given)
    assert model.load_state_dict(state).missing_keys == []
    with torch.no_grad():
        expected = model(given)
        traced = torch.jit.trace(model, given)  # type: ignore[no-untyped-call]
        exported = torch.export.export(model, (given,)).module()
        for run in (torch.compile(model, backend="eager", fullgraph=True), traced, exported):
            assert torch.equal(run(given), expected)
        assert torch.allclose(torch.fx.symbolic_trace(model)(given), expected, rtol=1e-4, atol=1e-4)
        assert torch.equal(pickle.loads(pickle.dumps(model))(given), expected)
        ran: list[str] = []
        handles = [
            module.register_forward_hook(lambda *_, name=name: ran.append(name))
            for name, module in model.named_modules()
            if isinstance(module, nn.Softplus)
        ]
        model(given)
    assert handles and len(set(ran)) == len(handles)
