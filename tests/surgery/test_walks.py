"""Who walks the children of a swapped module as its layers, against a module whose author wrote the activation."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
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
