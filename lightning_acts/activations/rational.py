"""Polynomials, powers, rational functions and splines, most of them with learned coefficients."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lightning_acts.definition import learnable
from lightning_acts.elementary import clip, cos, modulus, sin, total, where
from lightning_acts.registry import register

_SURVEY = "Kunc & Klema 2024, arXiv:2402.09092, section "
# Least squares on [-3, 3], with a denominator that is positive in all three versions.
_LEAKY_RELU_P = (0.0336, 0.505, 1.6527, 2.0081, 0.9306, 0.1521)
_LEAKY_RELU_Q = (0.0, 3.9765, 0.0, 0.3013)
_FIT = "starts as our fit to leaky_relu, within 0.034 on [-3, 3]"


def _polynomial(coefficients: Sequence[float | Tensor], x: Tensor) -> Tensor:
    """Horner's rule: coefficients from the constant upwards."""
    *others, last = coefficients
    value = torch.zeros_like(x) + last  # not times x, for 0 times an overflowing derivative is NaN
    for coefficient in reversed(others):
        value = value * x + coefficient
    return value


@register(
    aliases=["quadratic"],
    functions=[torch.square, torch.square_, Tensor.square, Tensor.square_],
    formula="x**2",
    source="classic",
    claim="networks on encrypted data",
)
def square(x: Tensor) -> Tensor:
    return x * x


@register(aliases=["squ"], formula="x**2 + x", source="Noel et al. 2021, arXiv:2111.04020")
def shifted_quadratic(x: Tensor) -> Tensor:
    return x * (x + 1)


@register(aliases=["ncu"], formula="x - x**3", source="Noel et al. 2021, arXiv:2111.04020")
def non_monotonic_cubic(x: Tensor) -> Tensor:
    return x * ((1 - x) * (1 + x))


@register(aliases=["cubic"], formula="a * x**3", source="Chen et al.; " + _SURVEY + "3.43")
def triple(x: Tensor, a: float = 1.0) -> Tensor:
    return a * (x * x * x)


@register(
    aliases=["linear_quadratic"],
    formula="where(x >= 2 - 2 * a, a * x + (1 - a)**2, where(x <= -2 + 2 * a, a * x - (1 - a)**2, x * (4 - abs(x)) / 4))",
    source="Wuraola, Patel & Nguang 2021; " + _SURVEY + "3.8.8",
    requires={"a must lie between 0 and 1": lambda a: 0 <= a <= 1},
    notes=["the source gives no single value of a"],
)
def linq(x: Tensor, a: float = 0.1) -> Tensor:
    edge = 2 - 2 * a
    inside = where(x.abs() < edge, x, 0.0)
    outside = a * x + (1 - a) ** 2 * torch.sign(x)
    return where(x.abs() < edge, inside * (1 - 0.25 * modulus(inside)), outside)


@register(
    formula="a * where(x / c + b >= 0, (x / c + b)**3 * ((x / c + b)**5 - 2 * (x / c + b)**4 + 2), x / c + b) "
    "- a * (b**3 * (b**5 - 2 * b**4 + 2))",
    source="Kiselak et al. 2020",
    requires={"b must not be negative": lambda b: b >= 0, "c must be positive": lambda c: c > 0},
    notes=["the source gives families of values; here its bound d is infinite"],
)
def spocu(x: Tensor, a: float = 1.0, b: float = 0.5, c: float = 1.0) -> Tensor:
    coefficients = (0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, -2.0, 1.0)
    start = b**3 * (b**5 - 2 * b**4 + 2)
    y = x / c
    u = y + b
    # Around b the difference to start is a polynomial in y without a constant.
    derivatives = [
        sum(k * math.comb(n, order) * b ** (n - order) for n, k in enumerate(coefficients) if n >= order)
        for order in range(1, 9)
    ]
    around = y.abs() < 0.5 * b
    near = y * _polynomial(derivatives, where(around, y, 0.0))
    right = where(around, near, _polynomial(coefficients, where(around | (u < 0), 0.0, u)) - start)
    return where(u >= 0, a * right, a / c * x + a * (b - start))


@register(
    formula="where(x >= 0, a * x**b, c * sign(x) * abs(x)**d)",
    source=_SURVEY + "4.13",
    notes=["the source's power of negative numbers is taken of the modulus, with the sign"],
    related=["identity"],
)
def scaled_gamma_tanh(
    x: Tensor,
    b: float = learnable(1.0, per="channel", constraint="positive"),
    d: float = learnable(1.0, per="channel", constraint="positive"),
    a: float = 1.0,
    c: float = 1.0,
) -> Tensor:
    u = modulus(x)
    exponent = where(x >= 0, b, d)
    at_zero = where(exponent > 1, 0.0, u)  # its derivative is 0, or 1 where that of the power is infinite
    power = where(u == 0, at_zero, where(u == 0, 1.0, u) ** exponent)
    return where(x >= 0, a * power, -c * power)


@register(
    aliases=["slaf"],
    formula="sum(a[j] * x**j, j)",
    source="Goyal, Goyal & Lall 2019, arXiv:1906.09529",
    notes=["its inputs have to be normalized"],
)
def polynomial_af(
    x: Tensor, a: tuple[float, ...] = learnable((0.1, 0.5, 0.25, 0.0, -0.02, 0.001), per="channel")
) -> Tensor:
    return _polynomial(a, x)


def _orthogonal(
    x: Tensor, a: Sequence[float | Tensor], first: float, step: Callable[[int], tuple[float, float]]
) -> Tensor:
    """Return the sum of polynomials with the weights ``a``: 1, ``first`` times x, and so on by their recurrence.

    The factors of ``step(j)`` lead to number j + 1: the first times x times number j, less the second times number j - 1.
    Far out powers are summed up, for there differences of the recurrence are those of infinities.
    """
    far = x.abs() > 1e3
    near = where(far, 0.0, x)
    basis, powers = [torch.ones_like(x), first * near], [[1.0], [0.0, first]]
    for j in range(1, len(a) - 1):
        rise, fall = step(j)
        basis.append(rise * near * basis[-1] - fall * basis[-2])
        shifted, before = [0.0, *powers[-1]], [*powers[-2], 0.0, 0.0]
        powers.append([rise * one - fall * other for one, other in zip(shifted, before, strict=True)])
    coefficients = [
        functools.reduce(
            operator.add, (weight * entry[k] for weight, entry in zip(a, powers, strict=False) if k < len(entry))
        )
        for k in range(len(a))
    ]
    return where(
        far,
        _polynomial(coefficients, where(far, x, 1.0)),
        total([weight * function for weight, function in zip(a, basis, strict=False)]),
    )


@register(
    aliases=["chpaf"],
    formula="sum(a[j] * T(j, x), j)",
    source="Deepthi et al.; " + _SURVEY + "4.48.7",
    notes=["its inputs have to lie between -1 and 1"],
)
def chebyshev_af(x: Tensor, a: tuple[float, ...] = learnable((0.0, 1.0, 0.1, 0.05))) -> Tensor:
    return _orthogonal(x, a, 1.0, lambda j: (2.0, 1.0))


@register(
    aliases=["lpaf"],
    formula="sum(a[j] * P(j, x), j)",
    source=_SURVEY + "4.48.8",
    notes=["its inputs have to lie between -1 and 1"],
)
def legendre_af(x: Tensor, a: tuple[float, ...] = learnable((0.0, 1.0, 0.1, 0.05))) -> Tensor:
    return _orthogonal(x, a, 1.0, lambda j: ((2 * j + 1) / (j + 1), j / (j + 1)))


@register(
    aliases=["hpaf"],
    formula="sum(a[j] * H(j, x), j)",
    source=_SURVEY + "4.48.9",
    notes=["the polynomials of physics: H_1 = 2 x"],
)
def hermite_af(x: Tensor, a: tuple[float, ...] = learnable((0.0, 0.5, 0.05, 0.01))) -> Tensor:
    return _orthogonal(x, a, 2.0, lambda j: (2.0, 2.0 * j))


@register(
    aliases=["fsa"],
    formula="a + sum(b[j] * cos((j + 1) * d * x) + c[j] * sin((j + 1) * d * x), j)",
    source="Liao 2020; " + _SURVEY + "4.48.11",
    notes=["the source gives no initial values; it takes five harmonics"],
    requires={"b and c must have as many elements": lambda b, c: len(b) == len(c)},
)
def fourier_series_af(
    x: Tensor,
    a: float = learnable(0.0, per="channel"),
    b: tuple[float, ...] = learnable((0.1, 0.1, 0.1, 0.1, 0.1), per="channel"),
    c: tuple[float, ...] = learnable((1.0, 0.1, 0.1, 0.1, 0.1), per="channel"),
    d: float = learnable(1.0, per="channel"),
) -> Tensor:
    waves = []
    for j, (even, odd) in enumerate(zip(b, c, strict=False), 1):
        angle = j * d * x
        waves.append(even * cos(angle) + odd * sin(angle))
    return a + total(waves)


def _ratio(p: tuple[float, ...], q: tuple[float, ...], x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Numerator, denominator less 1 and the 1 of a rational function; all divided by a power of x where |x| > 1."""
    outside = x.abs() > 1
    inverse = 1 / where(outside, clip(x, -1e18, 1e18), 1.0)
    y = where(outside, inverse, x)
    near = _polynomial(p, y), y * _polynomial(q, y), torch.ones_like(y)
    far = _polynomial(list(p)[::-1], y), _polynomial(list(q)[::-1], y), y ** len(q)
    top, bottom, one = (where(outside, a, b) for a, b in zip(far, near, strict=False))
    return top, bottom, one


def _growth(p: tuple[float, ...], q: tuple[float, ...], x: Tensor) -> Tensor:
    """Return the power of x by which numerator and denominator of ``_ratio`` differ where |x| > 1."""
    return where(x.abs() > 1, x, 1.0) ** (len(p) - 1 - len(q))


@register(
    aliases=["pau"],
    formula="sum(p[j] * x**j, j) / (1 + sum(q[k] * x**(k + 1), k))",
    source="Molina, Schramowski & Kersting 2019, arXiv:1907.06732",
    notes=[_FIT, "has poles once training moves q there: see safe_pade_unit"],
    related=["safe_pade_unit"],
)
def pade_unit(
    x: Tensor,
    p: tuple[float, ...] = learnable(_LEAKY_RELU_P),
    q: tuple[float, ...] = learnable(_LEAKY_RELU_Q),
) -> Tensor:
    top, bottom, one = _ratio(p, q, x)
    return _growth(p, q, x) * (top / (one + bottom))


@register(
    aliases=["rational_b"],
    formula="sum(p[j] * x**j, j) / (1 + abs(sum(q[k] * x**(k + 1), k)))",
    source="Molina, Schramowski & Kersting 2019, arXiv:1907.06732",
    notes=[_FIT, "its denominator never vanishes"],
    related=["pade_unit", "rational_a"],
)
def safe_pade_unit(
    x: Tensor,
    p: tuple[float, ...] = learnable(_LEAKY_RELU_P),
    q: tuple[float, ...] = learnable(_LEAKY_RELU_Q),
) -> Tensor:
    top, bottom, one = _ratio(p, q, x)
    return _growth(p, q, x) * (top / (one + where(one < 0, -1.0, 1.0) * modulus(bottom)))


@register(
    formula="sum(p[j] * x**j, j) / (1 + sum(abs(q[k]) * abs(x)**(k + 1), k))",
    source="Delfosse et al. 2020, the package rational_activations, version A",
    notes=[_FIT, "its denominator never vanishes"],
    related=["safe_pade_unit"],
)
def rational_a(
    x: Tensor,
    p: tuple[float, ...] = learnable(_LEAKY_RELU_P),
    q: tuple[float, ...] = learnable(_LEAKY_RELU_Q),
) -> Tensor:
    sizes = [torch.as_tensor(entry, dtype=x.dtype, device=x.device).abs() for entry in q]
    outside = x.abs() > 1
    y = where(outside, 1 / where(outside, clip(x, -1e18, 1e18), 1.0), x)
    u = modulus(y)
    top = where(outside, _polynomial(list(p)[::-1], y), _polynomial(p, y))
    bottom = where(outside, _polynomial([*sizes[::-1], 1.0], u), 1 + u * _polynomial(sizes, u))
    sign = where(x < 0, -1.0, 1.0) ** len(q)
    return _growth(p, q, x) * (top / bottom) * where(outside, sign, 1.0)


@register(
    aliases=["fractional_relu"],
    formula="where(x > 0, x**(1 - a) / gamma_function(2 - a), 0)",
    source="Zamora-Esquivel et al. 2019; " + _SURVEY + "4.19.1",
    notes=["its slope at 0 is infinite from the right; the source gives no initial value"],
    limits={"onnx": "it has no gamma function"},
)
def frac_relu(x: Tensor, a: Tensor = learnable(0.5, constraint=(0.0, 1.0))) -> Tensor:
    a = torch.as_tensor(a, dtype=x.dtype, device=x.device)
    safe = where(x <= 0, 1.0, x)
    return where(x <= 0, 0.0, safe ** (1 - a) / torch.exp(torch.lgamma(2 - a)))
