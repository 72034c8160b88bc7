"""Learned mixtures: weighted sums of other activations, and transformed ones."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_acts.definition import learnable
from lightning_acts.elementary import expm1, negative, sigmoid, tanh, total, where
from lightning_acts.registry import register

_SURVEY = "Kunc & Klema 2024, arXiv:2402.09092, section "


@register(
    aliases=["transformative_af"],
    formula="alpha * tanh(beta * x + gamma) + delta",
    source="Kunc & Klema 2024, arXiv:2402.09249",
    notes=["the transformation of tanh; the source applies it to any activation"],
    related=["tanh"],
)
def taaf(
    x: Tensor,
    alpha: float = learnable(1.0, per="channel"),
    beta: float = learnable(1.0, per="channel"),
    gamma: float = learnable(0.0, per="channel"),
    delta: float = learnable(0.0, per="channel"),
) -> Tensor:
    return alpha * tanh(beta * x + gamma) + delta


@register(
    formula="a * sigmoid(x) + b",
    source="Trentin 2001; " + _SURVEY + "4.3.2",
    notes=["the amplitude of the sigmoid; the source applies it to any activation"],
    related=["sigmoid"],
)
def trainable_amplitude(
    x: Tensor, a: float = learnable(1.0, per="channel"), b: float = learnable(0.0, per="channel")
) -> Tensor:
    return a * sigmoid(x) + b


@register(
    aliases=["abu"],
    formula="a[0] * tanh(x) + a[1] * where(x > 0, x, expm1(x)) + a[2] * relu(x) + a[3] * x * sigmoid(x) + a[4] * x",
    source="Suetfeld et al. 2018, arXiv:1806.10064",
    requires={"a must have 5 elements": lambda a: len(a) == 5},
)
def adaptive_blending_unit(x: Tensor, a: tuple[float, ...] = learnable((0.2, 0.2, 0.2, 0.2, 0.2))) -> Tensor:
    pool = (tanh(x), where(x > 0, x, expm1(negative(x))), torch.relu(x), x * sigmoid(x), x)
    return total([weight * function for weight, function in zip(a, pool, strict=False)])


@register(
    formula="(exp(w[0]) * x + exp(w[1]) * relu(x) + exp(w[2]) * tanh(x)) / (exp(w[0]) + exp(w[1]) + exp(w[2]))",
    source="Manessi & Rozza 2018, arXiv:1801.09403",
    notes=["the weights are a softmax of w"],
    requires={"w must have 3 elements": lambda w: len(w) == 3},
)
def convex_combination(x: Tensor, w: tuple[float, ...] = learnable((0.0, 0.0, 0.0))) -> Tensor:
    weights = torch.softmax(torch.stack([torch.as_tensor(entry, dtype=x.dtype, device=x.device) for entry in w]), 0)
    return weights[0] * x + weights[1] * torch.relu(x) + weights[2] * tanh(x)


@register(
    aliases=["apaf"],
    formula="(a[0] * relu(x) + a[1] * sigmoid(x) + a[2] * tanh(x) + a[3] * x) / (a[0] + a[1] + a[2] + a[3])",
    source="Liao 2020; " + _SURVEY + "4.48.2",
    requires={"a must have 4 elements": lambda a: len(a) == 4},
)
def average_pool_af(
    x: Tensor, a: tuple[float, ...] = learnable((1.0, 1.0, 1.0, 1.0), per="channel", constraint="positive")
) -> Tensor:
    pool = (torch.relu(x), sigmoid(x), tanh(x), x)
    weights = [torch.as_tensor(weight, dtype=x.dtype, device=x.device) for weight in a]
    whole = total(weights)
    return total([weight / whole * function for weight, function in zip(weights, pool, strict=False)])


@register(
    aliases=["gabu"],
    formula="sigmoid(a[0]) * relu(x) + sigmoid(a[1]) * sigmoid(x) + sigmoid(a[2]) * tanh(x) + sigmoid(a[3]) * x",
    source="Dushkoff & Ptucha 2016; " + _SURVEY + "4.48.3",
    requires={"a must have 4 elements": lambda a: len(a) == 4},
    notes=["the source gives no initial values"],
)
def gated_abu(x: Tensor, a: tuple[float, ...] = learnable((0.0, 0.0, 0.0, 0.0), per="channel")) -> Tensor:
    pool = (torch.relu(x), sigmoid(x), tanh(x), x)
    gates = [torch.sigmoid(torch.as_tensor(gate, dtype=x.dtype, device=x.device)) for gate in a]
    return total([gate * function for gate, function in zip(gates, pool, strict=False)])


@register(
    aliases=["tcav2"],
    formula="(tanh(exp(b[0]) * x + c[0]) + tanh(exp(b[1]) * x + c[1])) / 2",
    source="Baggenstoss; " + _SURVEY + "4.48.1",
    notes=["two shifted and scaled tanh; the source applies it to any activation and gives no initial shifts"],
    requires={"b and c must have 2 elements": lambda b, c: len(b) == len(c) == 2},
)
def trained_compound(
    x: Tensor,
    b: tuple[float, ...] = learnable((0.0, 0.0), per="channel"),
    c: tuple[float, ...] = learnable((-1.0, 1.0), per="channel"),
) -> Tensor:
    parts = [
        tanh(torch.exp(torch.as_tensor(scale, dtype=x.dtype, device=x.device)) * x + shift)
        for scale, shift in zip(b, c, strict=False)
    ]
    return total(parts) / len(parts)


@register(
    aliases=["vaf"],
    formula="start + sum(a[j] * tanh(b[j] * x + c[j]), j)",
    source="Apicella, Isgro & Prevete 2019",
    notes=["a network of one hidden layer from number to number; the source gives no initial values"],
    requires={"a, b and c must have as many elements": lambda a, b, c: len(a) == len(b) == len(c)},
)
def variable_af(
    x: Tensor,
    start: float = learnable(0.0),
    a: tuple[float, ...] = learnable((0.5, 0.5, 0.5)),
    b: tuple[float, ...] = learnable((1.0, 1.0, 1.0)),
    c: tuple[float, ...] = learnable((-1.0, 0.0, 1.0)),
) -> Tensor:
    parts = [weight * tanh(scale * x + shift) for weight, scale, shift in zip(a, b, c, strict=False)]
    return start + total(parts)


@register(
    formula="where(x >= 0, a * tanh(x), tanh(x)) + m",
    aliases=["dpaf"],
    source=_SURVEY + "4.2.23",
    notes=["the source applies it to any activation"],
    related=["tanh"],
)
def dual_parametric_tanh(
    x: Tensor, a: float = learnable(1.0, per="channel"), m: float = learnable(0.0, per="channel")
) -> Tensor:
    t = tanh(x)
    return where(x >= 0, a * t, t) + m


@register(
    formula="where(x >= 0, a * x, b * tanh(x))",
    aliases=["fpaf"],
    source=_SURVEY + "4.2.24",
    notes=["relu and tanh; the source applies it to any two activations"],
    related=["tanh_negative_linear"],
)
def fully_parameterized(
    x: Tensor, a: float = learnable(1.0, per="channel"), b: float = learnable(1.0, per="channel")
) -> Tensor:
    return where(x >= 0, a * x, b * tanh(x))


@register(
    aliases=["dknn"],
    formula="sum(a[j] * tanh(b[j] * x), j)",
    source="Jagtap et al. 2021, arXiv:2105.09513",
    notes=["the source mixes any activations"],
    requires={"a and b must have as many elements": lambda a, b: len(a) == len(b)},
    related=["tanh"],
)
def kronecker_af(
    x: Tensor, a: tuple[float, ...] = learnable((0.5, 0.5)), b: tuple[float, ...] = learnable((1.0, 1.0))
) -> Tensor:
    return total([weight * tanh(scale * x) for weight, scale in zip(a, b, strict=False)])
