"""Radial activations and wavelets: bumps, and bumps that oscillate."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lightning_acts.definition import learnable
from lightning_acts.elementary import clip, cos, modulus, sech, total, where
from lightning_acts.registry import register

_SURVEY = "Kunc & Klema 2024, arXiv:2402.09092, section "
_RICKER: float = 2 / (math.sqrt(3) * math.pi**0.25)


def _bump(y: Tensor) -> Tensor:
    """exp(-y^2), without overflow of the square."""
    safe = clip(y, -40.0, 40.0)
    return torch.exp(-safe * safe)


def _parabola(y: Tensor) -> Tensor:
    """1 - y^2: near 1 as a product, for the value's sake, else as a difference, for the derivative's."""
    return where(y.abs() < 0.5, 1 - y * y, (1 - y) * (1 + y))


@register(
    aliases=["rbf"],
    formula="exp(-x**2 / (2 * sigma**2))",
    source="classic; Ramasinghe & Lucey 2021, arXiv:2111.15135, for neural fields",
    requires={"sigma must be positive": lambda sigma: sigma > 0},
    notes=["neural fields use a small sigma, such as 0.05"],
)
def gaussian(x: Tensor, sigma: float = 1.0) -> Tensor:
    return _bump(x * (math.sqrt(0.5) / sigma))


@register(
    aliases=["arbf"],
    formula="exp(-(x - a)**2 / (2 * b**2))",
    source=_SURVEY + "4.8",
    related=["gaussian"],
)
def adaptive_rbf(
    x: Tensor,
    a: float = learnable(0.0, per="channel"),
    b: float = learnable(1.0, per="channel", constraint="positive"),
) -> Tensor:
    return _bump((x - a) * (math.sqrt(0.5) / b))


@register(
    formula="exp(-abs(x) / a)",
    source="Ramasinghe & Lucey 2021, arXiv:2111.15135",
    requires={"a must be positive": lambda a: a > 0},
)
def laplacian(x: Tensor, a: float = 1.0) -> Tensor:
    return torch.exp(-clip(x.abs() / a, high=800.0))


@register(name="sech", formula="sech(x)", source="classic")
def hyperbolic_secant(x: Tensor) -> Tensor:
    return sech(x)


@register(aliases=["sigmoid_derivative"], formula="sigmoid(x) * (1 - sigmoid(x))", source=_SURVEY + "3.3.9")
def dsigmoid(x: Tensor) -> Tensor:
    return (0.5 * sech(0.5 * x)) ** 2


@register(
    aliases=["ricker"],
    formula="2 / (sqrt(3) * pi**(1 / 4)) * (1 - x**2) * exp(-x**2 / 2)",
    source="Ricker 1953",
)
def mexican_hat(x: Tensor) -> Tensor:
    y = clip(x, -40.0, 40.0)
    return _RICKER * _parabola(y) * _bump(math.sqrt(0.5) * x)


@register(
    aliases=["pmaf"],
    formula="2 / (sqrt(3) * pi**(1 / 4)) * (1 - (abs(x) - a)**2) * exp(-(abs(x) - a)**2 / 2)",
    source="Liu, Zeng & Wang 2021; " + _SURVEY + "3.23",
)
def piecewise_mexican_hat(x: Tensor, a: float = 4.0) -> Tensor:
    return mexican_hat(modulus(x) - a)


@register(
    aliases=["prbf"],
    formula="where(x >= a, exp(-(x - 2 * a)**2 / b**2), where(x <= -a, exp(-(x + 2 * a)**2 / b**2), exp(-x**2 / b**2)))",
    source="Liu, Zeng & Wang 2021; " + _SURVEY + "3.24",
    requires={"a and b must be positive": lambda a, b: a > 0 and b > 0},
)
def piecewise_rbf(x: Tensor, a: float = 3.0, b: float = 1.0) -> Tensor:
    u = modulus(x)
    return _bump(where(u >= a, u - 2 * a, u) / b)


@register(
    formula="(a * x**2 + b * x + c) * exp(-d * x**2)",
    source=_SURVEY + "3.38",
    requires={"d must be positive": lambda d: d > 0},
    notes=["the source gives no values"],
)
def polyexp(x: Tensor, a: float = 1.0, b: float = 1.0, c: float = 1.0, d: float = 1.0) -> Tensor:
    edge = 40 / math.sqrt(d)
    y = clip(x, -edge, edge)
    return (y * (a * y + b) + c) * _bump(math.sqrt(d) * x)


@register(
    formula="(1 - x**2) * exp(-a * x**2)",
    source=_SURVEY + "3.41",
    requires={"a must be positive": lambda a: a > 0},
    notes=["the source gives no value; a = 1/2 is the mexican hat up to scale"],
)
def wave(x: Tensor, a: float = 1.0) -> Tensor:
    edge = 40 / math.sqrt(a)
    y = clip(x, -edge, edge)
    return _parabola(y) * _bump(math.sqrt(a) * x)


@register(
    formula="cos(w * x) * exp(-x**2 / 2)",
    source="Goupillaud, Grossmann & Morlet 1984",
    notes=["real, without the correction that makes its mean 0"],
)
def morlet(x: Tensor, w: float = 5.0) -> Tensor:
    return cos(w * x) * _bump(math.sqrt(0.5) * x)


@register(aliases=["dog"], formula="-x * exp(-x**2 / 2)", source="classic")
def gaussian_derivative(x: Tensor) -> Tensor:
    return -x * _bump(math.sqrt(0.5) * x)


@register(
    aliases=["kaf"],
    formula="sum(a[i] * exp(-gamma * (x - d[i])**2), i)",
    source="Scardapane et al. 2017, arXiv:1707.04035",
    notes=["a dictionary of fixed places d; its authors take 20 of them, and draw a or fit it to another activation"],
    requires={
        "gamma must be positive": lambda gamma: gamma > 0,
        "a and d must have as many elements": lambda a, d: len(a) == len(d),
    },
)
def kernel_activation(
    x: Tensor,
    a: tuple[float, ...] = learnable((-0.3, 0.1, 0.4, -0.2, 0.3), per="channel"),
    d: tuple[float, ...] = (-2.0, -1.0, 0.0, 1.0, 2.0),
    gamma: float = 1 / 6,
) -> Tensor:
    return total([height * _bump((x - place) * math.sqrt(gamma)) for height, place in zip(a, d, strict=False)])


@register(
    aliases=["mogu"],
    formula="sum(a[j] / sqrt(2 * pi * s[j]**2) * exp(-(x - m[j])**2 / (2 * s[j]**2)), j)",
    source="Wang, Liu & Foroosh; " + _SURVEY + "4.48.10",
    notes=["the source gives no initial values"],
    requires={"a, m and s must have as many elements": lambda a, m, s: len(a) == len(m) == len(s)},
)
def mixture_of_gaussians(
    x: Tensor,
    a: tuple[float, ...] = learnable((1.0, -1.0, 1.0), per="channel"),
    m: tuple[float, ...] = learnable((-1.0, 0.0, 1.0), per="channel"),
    s: tuple[float, ...] = learnable((1.0, 1.0, 1.0), per="channel", constraint="positive"),
) -> Tensor:
    bumps = [
        height / width * _bump((x - place) * (math.sqrt(0.5) / width)) / math.sqrt(2 * math.pi)
        for height, place, width in zip(a, m, s, strict=False)
    ]
    return total(bumps)
