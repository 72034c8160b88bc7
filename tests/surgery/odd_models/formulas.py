"""Activations other than relu, and those written as a formula."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from odd_models import helpers
from odd_models.case import Make, case
from odd_models.helpers import Net
from odd_models.twins import Once, ReadsWhatWasWritten, Twin


@case("torch.sigmoid between layers", Once, swapped="sigmoid", original=nn.Sigmoid, role=("hidden", "gate"))
class CallsSigmoid(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.sigmoid(self.a(x)))


@case("x.tanh()", Once, swapped="tanh", original=nn.Tanh, kinds="method")
class CallsTanh(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x).tanh())


class BesideRelu(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x))) + F.relu(x)


@case("x.tanh() beside a relu that stays", BesideRelu, swapped="tanh", original=nn.Tanh, kinds="method", left="mapping")
class CallsTanhBesideRelu(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x).tanh()) + F.relu(x)


@case("x.clamp(min=0)", Once, kinds="method")
class CallsClampMin(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x).clamp(min=0))


@case("torch.clamp(x, 0)", Once)
class CallsClamp(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.clamp(self.a(x), 0))


@case("x.clamp_min(0.0)", Once, kinds="method")
class CallsClampMinZero(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x).clamp_min(0.0))


class ClampStays(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x))).clamp(min=-0.5).clamp(0.1, 0.3)


@case("clamps that are no relu stay", ClampStays)
class OtherClamps(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x))).clamp(min=-0.5).clamp(0.1, 0.3)


@case("torch.maximum(x, zeros)", Once)
class CallsMaximum(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.b(torch.maximum(h, torch.zeros_like(h)))


@case("F.hardtanh", Once, swapped="hardtanh", original=nn.Hardtanh)
class CallsHardtanh(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.hardtanh(self.a(x)))


@case("F.leaky_relu with a slope by position", Once, swapped="leaky_relu(negative_slope=0.1)", original=functools.partial(nn.LeakyReLU, 0.1))  # fmt: skip
class CallsLeaky(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.leaky_relu(self.a(x), 0.1))


@case("F.leaky_relu with a slope of the instance", Once, swapped="leaky_relu(negative_slope=0.3)", original=functools.partial(nn.LeakyReLU, 0.3))  # fmt: skip
class CallsLeakyOfSelf(Net):
    def __init__(self) -> None:
        super().__init__()
        self.slope = 0.3

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.leaky_relu(self.a(x), negative_slope=self.slope))


@case("F.gelu(approximate=)", Once, swapped="gelu(approximate=tanh)", original=functools.partial(nn.GELU, "tanh"))
class CallsGelu(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.gelu(self.a(x), approximate="tanh"))


class TimesSigmoid(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)


@case("x * torch.sigmoid(x)", Once, swapped="silu", original=TimesSigmoid)
class ComposedSilu(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.b(h * torch.sigmoid(h))


class Formula(nn.Module):
    """A formula as a module."""

    def __init__(self, compute: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.compute = compute

    def forward(self, x: Tensor) -> Tensor:
        return self.compute(x)


def formula(compute: Callable[[Tensor], Tensor]) -> Make:
    return functools.partial(Formula, compute)


@case("x.mul(x.sigmoid())", Once, swapped="silu", original=TimesSigmoid)
class ComposedByMethods(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.b(h.mul(h.sigmoid()))


@case("x.mul_(x.sigmoid()), read again", ReadsWhatWasWritten, swapped="silu", original=TimesSigmoid, same_operations=False)  # fmt: skip
class ComposedInPlace(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x) + 0
        y = h.mul_(h.sigmoid())
        return self.b(y) + h


@case("GELU by erf", Once, swapped="gelu", original=formula(lambda h: 0.5 * h * (1.0 + torch.erf(h / math.sqrt(2.0)))))
class GeluByErf(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.b(0.5 * h * (1.0 + torch.erf(h / math.sqrt(2.0))))


ROOT = (2 / math.pi) ** 0.5


@case(
    "GELU by tanh, over several lines",
    Once,
    swapped="gelu(approximate=tanh)",
    original=formula(lambda h: 0.5 * h * (1 + torch.tanh(ROOT * (h + 0.044715 * torch.pow(h, 3))))),
)
class GeluByTanh(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        h = (
            0.5
            * h
            * (
                1
                + torch.tanh(
                    ROOT * (h + 0.044715 * torch.pow(h, 3)),
                )
            )
        )
        return self.b(h)


@case("hardswish by relu6", Once, swapped="hardswish", original=formula(lambda h: h * F.relu6(h + 3) / 6))
class HardswishByRelu6(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.b(h * F.relu6(h + 3, inplace=True) / 6)


@case("softplus by exp", Once, swapped="softplus", original=formula(lambda h: torch.log1p(torch.exp(h))))
class SoftplusByExp(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.log1p(torch.exp(self.a(x))))


@case("relu(layer(x)) ** 2", Once, swapped="squared_relu", original=formula(lambda h: F.relu(h) ** 2))
class SquaredRelu(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)) ** 2)


@case("a formula in a helper of another file", Once, swapped="gelu", original=formula(helpers.gelu_by_erf))
class FormulaElsewhere(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(helpers.gelu_by_erf(self.a(x)))


@case("a formula in a looked up helper", Once, kinds="", swapped="gelu", original=formula(helpers.gelu_by_erf))
class FormulaLookedUp(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(helpers.FORMULAS["gelu"](self.a(x)))


class OnlyTheRelu(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(self.act(x))
        return self.b(h * torch.tanh(0.3 * h))


@case("a formula that is none that is known", OnlyTheRelu, swapped="relu tanh", left="multiplied with its own input")
class UnknownFormula(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(F.relu(x))
        return self.b(h * torch.tanh(0.3 * h))


class Gated(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.a(x)) * self.b(x)


@case("F.silu(g) * u", Gated, swapped="silu", original=nn.SiLU, role=("hidden", "gate"))
class GatedSilu(Net):
    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.a(x)) * self.b(x)
