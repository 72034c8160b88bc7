"""Activations that are masks: in statements, in variables, in helpers and in graphs, found or reported with and without a run."""

from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn

import lightning_acts as acts


class Base(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)


class SetToZero(Base):
    def forward(self, x):
        h = self.a(x).clone()
        h[h < 0] = 0
        return self.b(h)


class Scaled(Base):
    def forward(self, x):
        h = self.a(x).clone()
        h[h < 0] *= 0.1
        return self.b(h)


class SetToItsPart(Base):
    def forward(self, x):
        h = self.a(x).clone()
        h[h <= 0] = 0.1 * h[h <= 0]
        return self.b(h)


class Multiplied(Base):
    def forward(self, x):
        h = self.a(x)
        h *= h > 0
        return self.b(h)


class InVariable(Base):
    def forward(self, x):
        h = self.a(x)
        mask = h > 0
        return self.b(torch.where(mask, h, 0.1 * h))


def masked(x: Tensor) -> Tensor:
    return x * (x > 0)


class InHelper(Base):
    def forward(self, x):
        return self.b(masked(self.a(x)))


class Doubled(Base):
    def forward(self, x):
        h = self.a(x).clone()
        h[h < 0] = 2 * x[h < 0]
        h *= 2
        return self.b(h)


class MaskOfAnother(Base):
    def forward(self, x):
        h = self.a(x).clone()
        h[x < 0] = 0
        return self.b(h * (x > 0))


class Squeezed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


def squeezed(x):
    return Squeezed.apply(x)


class FloatMaximum(Base):
    def forward(self, x):
        return self.b(torch.fmax(self.a(x), torch.tensor(0.0)))


class Step(Base):
    def forward(self, x):
        h = self.a(x)
        return self.b(h * torch.heaviside(h, torch.zeros(())))


class FunctionBehindHelper(Base):
    def forward(self, x):
        return self.b(squeezed(self.a(x)))


REPORTED = {SetToZero: "relu", Scaled: "leaky_relu(negative_slope=0.1)", SetToItsPart: "leaky_relu(negative_slope=0.1)"}
REPORTED |= {Multiplied: "relu", InVariable: "leaky_relu(negative_slope=0.1)"}
WAYS = [None, torch.linspace(-2, 2, 24).view(3, 8)]


@pytest.mark.parametrize("example", WAYS, ids=["read", "run"])
@pytest.mark.parametrize("cls", REPORTED)
def test_masks_in_statements_are_reported(cls: type[nn.Module], example: Tensor | None) -> None:
    model = cls()
    assert [site.activation for site in acts.find(model, example)] == [REPORTED[cls]]
    with pytest.raises(acts.SwapError, match="can't be replaced: written in statements"):
        acts.swap(model, {REPORTED[cls]: "mish"}, role=["output"], example_input=example)


@pytest.mark.parametrize("example", WAYS, ids=["read", "run"])
@pytest.mark.parametrize("cls", [InHelper, FloatMaximum, Step])
def test_masks_and_maxima_are_swapped(cls: type[Base], example: Tensor | None) -> None:
    model = cls()
    x = torch.randn(3, 8)
    acts.swap(model, {"relu": "mish"}, example_input=example)
    assert torch.equal(model(x), model.b(nn.functional.mish(model.a(x))))


@pytest.mark.parametrize("example", WAYS, ids=["read", "run"])
@pytest.mark.parametrize("cls", [Doubled, MaskOfAnother])
def test_other_masks_are_none(cls: type[nn.Module], example: Tensor | None) -> None:
    assert acts.find(cls(), example) == []


def test_an_autograd_function_behind_a_helper_is_reported_without_a_run() -> None:
    with pytest.raises(acts.SwapError, match="FunctionBehindHelper: applies functions that only a run tells"):
        acts.swap(FunctionBehindHelper(), {"silu": "mish"})


@pytest.mark.parametrize("cls", [InVariable, InHelper, Multiplied])
def test_masks_in_graphs_are_reported(cls: type[nn.Module]) -> None:
    graph = fx.symbolic_trace(cls())
    assert [site.activation for site in acts.find(graph)] == [REPORTED.get(cls, "relu")]
    assert acts.find(fx.symbolic_trace(Masking())) == []


class Masking(Base):
    def forward(self, x):
        h = self.a(x)
        return self.b(h.masked_fill(x > 0, 0.0) * (x < 3))
