"""Elementary functions of which activations are made, accurate to the ends of the number range, derivatives too.

Torch's own are accurate in value; the derivatives of its sigmoid, tanh and expm1 lose all digits where the function is
flat, because they are computed from the value. Multiplied by a large input, as in ``x * sigmoid(x)``, that shows. For
the same reason inputs are clamped where a function is flat in every type: however large the gradient that comes back,
none gets through, where it would be infinity times zero.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    return torch.exp(log_sigmoid(x))


def log_sigmoid(x: Tensor) -> Tensor:
    """log(sigmoid(x)); torch's own does not keep the memory format."""
    return -F.softplus(-x.clamp(-800.0, 800.0), threshold=40.0)


def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent."""
    e = torch.exp(-2 * modulus(x).clamp(max=400.0))
    far = (1 - e) / (1 + e)
    return torch.where(x.abs() < 0.5, torch.tanh(x), torch.where(x >= 0, far, -far))


def expm1(x: Tensor) -> Tensor:
    """exp(x) - 1."""
    near = x.abs() < 0.5
    return torch.where(near, torch.expm1(torch.where(near, x, 0.0)), torch.exp(x.clamp(min=-800.0)) - 1)


def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)); beyond 40 that is x, in every type."""
    return F.softplus(x.clamp(min=-800.0), threshold=40.0)


def modulus(x: Tensor) -> Tensor:
    """|x|, with the derivative 1 at 0: an even function of it that is smooth keeps its derivative there."""
    return torch.where(x >= 0, x, -x)


def positive(x: Tensor) -> Tensor:
    """X where it is positive, else 0: what a branch for positive numbers may safely see."""
    return torch.where(x < 0, 0.0, x)  # clamp's derivative at 0 differs between versions of torch


def negative(x: Tensor) -> Tensor:
    """X where it is negative, else 0: what a branch for negative numbers may safely see."""
    return torch.where(x > 0, 0.0, x)


def hypot(x: Tensor, c: float | Tensor) -> Tensor:
    """sqrt(x^2 + c^2), without overflow; ONNX has no operation for torch's own."""
    far = x.abs() > 1e9 * (1 + (c.abs() if isinstance(c, Tensor) else abs(c)))
    near = torch.where(far, 0.0, x)
    return torch.where(far, x.abs(), torch.sqrt(near * near + c * c))


def over_hypot(x: Tensor, c: float, k: float = 0.0) -> Tensor:
    """Return x / (k + sqrt(x^2 + c^2)), c positive.

    Far out it is 1 less a small part, whose derivative keeps its digits; that of the quotient would be the difference of
    two terms that are nearly equal.
    """
    near = x.abs() < k + c
    start = torch.where(near, x, 0.0)
    u = modulus(torch.where(near, k + c, x))
    h = hypot(u, c)
    end = 1 - (k + c * (c / (h + u))) / (k + h)
    return torch.where(near, start / (k + hypot(start, c)), torch.where(x >= 0, end, -end))


def softsign(x: Tensor) -> Tensor:
    """Return x / (1 + |x|), as :func:`over_hypot` does; the derivative of torch's own loses its digits far out."""
    near = x.abs() < 1
    start = torch.where(near, x, 0.0)
    end = 1 - 1 / (1 + modulus(torch.where(near, 1.0, x)))
    return torch.where(near, start / (1 + modulus(start)), torch.where(x >= 0, end, -end))


def sech(x: Tensor) -> Tensor:
    """1 / cosh(x)."""
    near = x.abs() < 1  # here its derivative is small, and that of the exponentials is not
    e = torch.exp(-modulus(torch.where(near, 1.0, x)).clamp(max=800.0))
    return torch.where(near, 1 / torch.cosh(torch.where(near, x, 0.0)), 2 * e / (1 + e * e))


def sin(x: Tensor) -> Tensor:
    """Return the sine.

    That of 0 where the argument has overflowed, where neighboring numbers lie many periods apart.
    """
    return torch.sin(torch.where(x.isinf(), 0.0, x))


def cos(x: Tensor) -> Tensor:
    """Return the cosine; as :func:`sin`."""
    return torch.cos(torch.where(x.isinf(), 0.0, x))


def sinc(x: Tensor) -> Tensor:
    """sin(x) / x."""
    near = x.abs() < 1
    far = torch.where(near, 1.0, x)
    square = torch.where(near, x, 0.0) ** 2
    series = torch.ones_like(x)
    for factor in (342.0, 272.0, 210.0, 156.0, 110.0, 72.0, 42.0, 20.0, 6.0):
        series = 1 - square / factor * series
    return torch.where(near, series, torch.sin(far) / far)


def normal_cdf(x: Tensor) -> Tensor:
    """Return the distribution function of the standard normal distribution."""
    return 0.5 * torch.erfc(x.clamp(-40.0, 40.0) * -math.sqrt(0.5))


def normal_pdf(x: Tensor) -> Tensor:
    """Return the density of the standard normal distribution."""
    y = x.clamp(-40.0, 40.0)
    return torch.exp(-0.5 * y * y) / math.sqrt(2 * math.pi)


def decay(x: Tensor) -> Tensor:
    """exp(x) where x is negative, else 1."""
    return torch.exp(negative(x).clamp(min=-800.0))


def total(terms: Iterable[Tensor]) -> Tensor:
    """Return the sum of several tensors, in their memory format."""
    return functools.reduce(torch.add, terms)


def double_exp(x: Tensor) -> Tensor:
    """exp(x) for use within a function that is flat where it exceeds exp(80)."""
    return torch.exp(x.clamp(-800.0, 80.0))
