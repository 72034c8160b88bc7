"""Hard forms: piecewise polynomials that stand in for smooth activations, where exponentials are dear."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_acts.definition import learnable
from lightning_acts.elementary import sigmoid, tanh, where
from lightning_acts.registry import register

_SURVEY = "Kunc & Klema 2024, arXiv:2402.09092, section "

register(
    nn.Hardsigmoid,
    name="hardsigmoid",
    aliases=["hard_sigmoid"],
    family="hard",
    formula="min(max(0, x / 6 + 1 / 2), 1)",
    source="Howard et al. 2019, arXiv:1905.02244",
    functions=[F.hardsigmoid],
    notes=[
        "equals general_hardsigmoid(bias=3, divisor=6); keras 2 had 0.2 * x + 0.5",
        "torch's derivative is 1/6 rounded to float32, in float64 too",
    ],
    used_in=["MobileNetV3's squeeze-and-excitation gates"],
    limits={
        "derivative": "torch's is 1/6 rounded to float32, in float64 too",
        "second derivative": "torch has none",
    },
)

register(
    nn.Hardswish,
    name="hardswish",
    aliases=["hard_swish", "hard_silu"],
    family="hard",
    formula="x * min(max(0, x + 3), 6) / 6",
    source="Howard et al. 2019, arXiv:1905.02244",
    functions=[F.hardswish],
    notes=["its minimum lies at x = -1.5"],
    used_in=["MobileNetV3", "PP-LCNet"],
)


@register(
    family="hard",
    formula="max(min_value, min(max_value, (x + bias) / divisor))",
    source="Courbariaux et al. 2016, arXiv:1602.02830, for the defaults",
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
    formula="where(abs(x) > lambd, x, 0)",
    source="Donoho & Johnstone 1994",
    functions=[F.hardshrink, torch.hardshrink, Tensor.hardshrink],
    from_output=lambda lambd: lambda gradient, y: torch.ops.aten.hardshrink_backward(gradient, y, lambd),
    notes=["jumps at -lambd and lambd"],
)

register(
    nn.Softshrink,
    name="softshrink",
    aliases=["soft_shrink"],
    family="hard",
    formula="where(x > lambd, x - lambd, where(x < -lambd, x + lambd, 0))",
    source="Donoho 1995",
    functions=[F.softshrink],
    from_output=lambda lambd: lambda gradient, y: torch.ops.aten.hardshrink_backward(gradient, y, 0.0),
    requires={"lambd must not be negative": lambda lambd: lambd >= 0},
)


def _tanhshrink(x: Tensor) -> Tensor:
    return x - tanh(x)


register(
    nn.Tanhshrink,
    kernel=_tanhshrink,
    name="tanhshrink",
    aliases=["tanh_shrink"],
    family="hard",
    formula="x - tanh(x)",
    limits={
        "value": "torch computes the difference, which loses its digits near 0",
        "derivative": "torch computes tanh^2 as the difference 1 - (1 - tanh^2), which loses its digits near 0",
    },
    source="torch.nn.Tanhshrink",
    functions=[F.tanhshrink],
)


@register(
    formula="clip(0.2 * x + 0.5, 0, 1)",
    source="Theano; ONNX",
    notes=["keras 1 and 2 called it hard_sigmoid; the default of ONNX's HardSigmoid"],
)
def hard_sigmoid_02(x: Tensor) -> Tensor:
    return (0.2 * x + 0.5).clamp(0, 1)


@register(
    aliases=["hard_sigmoid_half"],
    formula="clip((x + 1) / 2, 0, 1)",
    source="Courbariaux et al. 2015, arXiv:1511.00363; jax.nn",
    related=["general_hardsigmoid"],
)
def sparse_sigmoid(x: Tensor) -> Tensor:
    return (0.5 * x + 0.5).clamp(0, 1)


@register(
    aliases=["svhardtanh", "shhardtanh"],
    formula="clip(x + a, -1, 1) + b",
    source="Kim et al.; " + _SURVEY + "3.6.19",
    notes=["the source gives no values"],
    related=["hardtanh"],
)
def shifted_hard_tanh(x: Tensor, a: float = 0.0, b: float = 0.0) -> Tensor:
    return (x + a).clamp(-1, 1) + b


@register(
    formula="clip(a * (x - b), -1, 1)",
    source=_SURVEY + "4.2.18",
    notes=["a grows from epoch to epoch toward a step; set it by hand"],
    related=["hardtanh"],
)
def adaptive_hard_tanh(x: Tensor, b: float = learnable(0.0), a: float = 1.0) -> Tensor:
    return (a * (x - b)).clamp(-1, 1)


@register(
    aliases=["hswish2019"],
    formula="2 * x * clip(0.2 * b * x + 0.5, 0, 1)",
    source="Avenash & Viswanath 2019; " + _SURVEY + "4.32.3",
    notes=["published as hard swish, but with a slope that tends to 2"],
)
def hard_swish_adaptive(x: Tensor, b: float = learnable(1.0)) -> Tensor:
    return x * (2 * (0.2 * b * x + 0.5).clamp(0, 1))


@register(
    aliases=["hmish"],
    formula="x / 2 * clip(x + 2, 0, 2)",
    source="Misra, H-Mish; timm",
    notes=["its minimum -1/2 lies at x = -1"],
)
def hard_mish(x: Tensor) -> Tensor:
    return x * (0.5 * (x + 2).clamp(0, 2))


@register(
    aliases=["binarize"],
    formula="where(x >= 0, 1, -1)",
    source="Courbariaux et al. 2016, arXiv:1602.02830; Bengio, Leonard & Courville 2013, arXiv:1308.3432",
    notes=["its derivative is that of hardtanh: the straight-through estimator"],
    claim="binary networks",
    related=["sign"],
    limits={
        "kink": "the straight-through estimator, on purpose",
        "derivative": "the straight-through estimator, on purpose",
        "first derivative": "the straight-through estimator, on purpose",
    },
)
def sign_ste(x: Tensor) -> Tensor:
    line = x.clamp(-1, 1)
    return line + (where(x >= 0, 1.0, -1.0) - line).detach()


@register(
    aliases=["react_sign"],
    formula="where(x >= a, 1, -1)",
    source="Liu et al. 2020, arXiv:2003.03488; its derivative: Liu et al. 2018, arXiv:1808.00278",
    notes=["its derivative is 2 - 2 |x - a| between a - 1 and a + 1, else 0: a parabola's in place of the step's"],
    used_in=["ReActNet"],
    claim="binary networks",
    related=["sign"],
    limits={
        "parameter gradients": "the straight-through estimator, on purpose",
        "derivative": "that of a parabola, on purpose",
        "first derivative": "that of a parabola, on purpose",
    },
)
def rsign(x: Tensor, a: float = learnable(0.0, per="channel")) -> Tensor:
    u = (x - a).clamp(-1, 1)
    parabola = u * (2 - u.abs())
    return parabola + (where(x >= a, 1.0, -1.0) - parabola).detach()


@register(
    formula="round(x)",
    source="Bengio, Leonard & Courville 2013, arXiv:1308.3432",
    notes=["its derivative is 1: the straight-through estimator"],
    claim="quantization",
    limits={
        "derivative": "the straight-through estimator, on purpose",
        "first derivative": "the straight-through estimator, on purpose",
    },
)
def round_ste(x: Tensor) -> Tensor:
    return x + (torch.round(x) - x).detach()


@register(
    aliases=["psigramp"],
    formula="a * sigmoid(x) + (1 - a) * clip(b * x + 0.5, 0, 1)",
    source=_SURVEY + "4.15",
    notes=["the source gives no initial values"],
)
def p_sig_ramp(x: Tensor, a: float = learnable(0.5, constraint=(0.0, 1.0)), b: float = learnable(1.0)) -> Tensor:
    return a * sigmoid(x) + (1 - a) * (b * x + 0.5).clamp(0, 1)
