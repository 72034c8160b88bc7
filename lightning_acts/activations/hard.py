"""Hard forms: piecewise polynomials that stand in for smooth activations, where exponentials are dear."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_acts.definition import register

register(
    nn.Hardsigmoid,
    name="hardsigmoid",
    aliases=["hard_sigmoid"],
    family="hard",
    formula="min(max(0, x / 6 + 1 / 2), 1)",
    source="Howard et al. 2019, arXiv:1905.02244",
    range=(0.0, 1.0),
    monotone=True,
    functions=[F.hardsigmoid],
    notes=[
        "equals general_hardsigmoid(bias=3, divisor=6); keras 2 had 0.2 * x + 0.5",
        "torch's derivative is 1/6 rounded to float32, in float64 too",
    ],
)

register(
    nn.Hardswish,
    name="hardswish",
    aliases=["hard_swish", "hard_silu"],
    family="hard",
    formula="x * min(max(0, x + 3), 6) / 6",
    source="Howard et al. 2019, arXiv:1905.02244",
    range=(-0.375, math.inf),
    monotone=False,
    functions=[F.hardswish],
    notes=["its minimum lies at x = -1.5"],
)


@register(
    family="hard",
    formula="max(min_value, min(max_value, (x + bias) / divisor))",
    source="Courbariaux et al. 2016, arXiv:1602.02830, for the defaults",
    range=(0.0, 1.0),
    monotone=True,
    requires={
        "divisor must not be 0": lambda divisor: divisor != 0,
        "min_value must not be above max_value": lambda min_value, max_value: min_value <= max_value,
    },
    notes=["its slope 1 / divisor is constant between the bounds; decreasing for a negative divisor"],
)
def general_hardsigmoid(
    x: Tensor, bias: float = 1.0, divisor: float = 2.0, min_value: float = 0.0, max_value: float = 1.0
) -> Tensor:
    """Hard sigmoid with free slope, shift and bounds."""
    return torch.clamp((x + bias) / divisor, min_value, max_value)


register(
    nn.Hardshrink,
    name="hardshrink",
    aliases=["hard_shrink"],
    family="hard",
    formula="x if |x| > lambd else 0",
    source="Donoho & Johnstone 1994",
    range=(-math.inf, math.inf),
    monotone=True,
    functions=[F.hardshrink, torch.hardshrink, Tensor.hardshrink],
    notes=["jumps at -lambd and lambd"],
)

register(
    nn.Softshrink,
    name="softshrink",
    aliases=["soft_shrink"],
    family="hard",
    formula="sign(x) * max(|x| - lambd, 0)",
    source="Donoho 1995",
    range=(-math.inf, math.inf),
    monotone=True,
    functions=[F.softshrink],
    requires={"lambd must not be negative": lambda lambd: lambd >= 0},
)

register(
    nn.Tanhshrink,
    name="tanhshrink",
    aliases=["tanh_shrink"],
    family="hard",
    formula="x - tanh(x)",
    source="torch.nn.Tanhshrink",
    range=(-math.inf, math.inf),
    monotone=True,
    functions=[F.tanhshrink],
)
