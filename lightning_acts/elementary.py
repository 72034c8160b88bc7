"""Elementary functions of which activations are made, accurate to the ends of the number range, derivatives too.

Torch's own are accurate in value; the derivatives of its sigmoid, tanh and expm1 lose all digits where the function is
flat, because they are computed from the value. Multiplied by a large input, as in ``x * sigmoid(x)``, that shows. For
the same reason inputs are clamped where a function is flat in every type: however large the gradient that comes back,
none gets through, where it would be infinity times zero.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Function: TypeAlias = Callable[[Tensor], Tensor]


class _WithSlope(torch.autograd.Function):
    """A function of one tensor whose value and derivative are computed as given; keeps its input alone."""

    generate_vmap_rule = True

    @staticmethod
    def forward(value: Function, slope: Function, x: Tensor) -> Tensor:
        return value(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, ctx.slope, x = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor]:
        (x,) = ctx.saved_tensors
        # A gradient that has overflowed does not get through where the function is flat.
        limit = torch.finfo(gradient.dtype).max
        return None, None, gradient.clamp(-limit, limit) * ctx.slope(x)


class _WithForwardMode(_WithSlope):
    """The same with derivatives in forward mode, which torch.compile refuses to look at."""

    @staticmethod
    def jvp(ctx: Any, _: None, __: None, tangent: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        derivative: Tensor = tangent * ctx.slope(x)
        return derivative


def _with_slope(slope: Function) -> Callable[[Function], Function]:
    """Give a function the derivative ``slope``, in place of that which follows from its operations."""

    def decorate(value: Function) -> Function:
        @functools.wraps(value)
        def function(x: Tensor) -> Tensor:
            made = _WithSlope if torch.compiler.is_compiling() else _WithForwardMode
            y: Tensor = made.apply(value, slope, x)
            return y

        return function

    return decorate


def _falling(x: Tensor) -> Tensor:
    """Return exp(-|x|)."""
    return torch.exp(-x.abs())


def _slope_of_sigmoid(x: Tensor) -> Tensor:
    e = _falling(x)
    return e / ((1 + e) * (1 + e))


def _slope_of_tanh(x: Tensor) -> Tensor:
    return 4 * _slope_of_sigmoid(2 * x)


@_with_slope(_slope_of_sigmoid)
def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), also where that is a denormal number, of which torch's own makes 0."""
    return torch.exp(x.clamp(max=0.0)) / (1 + _falling(x))


@_with_slope(lambda x: torch.sigmoid(-x))
def log_sigmoid(x: Tensor) -> Tensor:
    """log(sigmoid(x)); torch's own does not keep the memory format."""
    return -F.softplus(-x, threshold=40.0)


@_with_slope(_slope_of_tanh)
def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent."""
    return torch.tanh(x)


@_with_slope(torch.exp)
def expm1(x: Tensor) -> Tensor:
    """exp(x) - 1."""
    return torch.expm1(x)


@_with_slope(torch.sigmoid)
def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)); beyond 40 that is x, in every type."""
    return F.softplus(x, threshold=40.0)


def _slope_of_tanh_softplus(x: Tensor) -> Tensor:
    e = _falling(x)
    far, near = 1 + 2 * e * (1 + e), 2 + e * (2 + e)
    return 4 * e * (1 + e) * torch.where(x >= 0, e / (far * far), 1 / (near * near))


@_with_slope(_slope_of_tanh_softplus)
def tanh_softplus(x: Tensor) -> Tensor:
    """tanh(log(1 + exp(x))), by one exponential."""
    e = torch.exp(x.clamp(max=20.0))
    n = e * (e + 2)
    return n / (n + 2)


@_with_slope(lambda x: 2 * (x >= 0).to(x.dtype) - 1)
def modulus(x: Tensor) -> Tensor:
    """|x|, with the derivative 1 at 0: an even function of it that is smooth keeps its derivative there."""
    return x.abs()


@_with_slope(lambda x: (x >= 0).to(x.dtype))
def positive(x: Tensor) -> Tensor:
    """X where it is positive, else 0, with the derivative 1 at 0: what a branch for positive numbers may safely see."""
    return F.relu(x)


@_with_slope(lambda x: (x <= 0).to(x.dtype))
def negative(x: Tensor) -> Tensor:
    """X where it is negative, else 0, with the derivative 1 at 0: what a branch for negative numbers may safely see."""
    return x.clamp(max=0.0)


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


@_with_slope(lambda x: 1 / (1 + x.abs()).square())
def softsign(x: Tensor) -> Tensor:
    """Return x / (1 + |x|); the derivative of torch's own loses its digits far out."""
    limit = torch.finfo(x.dtype).max
    x = x.clamp(-limit, limit)  # an argument that has overflowed lies where the function is flat
    return x / (1 + x.abs())


@_with_slope(lambda x: -_sech(x) * torch.tanh(x))
def sech(x: Tensor) -> Tensor:
    """1 / cosh(x)."""
    return _sech(x)


def _sech(x: Tensor) -> Tensor:
    e = _falling(x)
    return 2 * e / (1 + e * e)


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


@_with_slope(lambda x: _normal_pdf(x))
def normal_cdf(x: Tensor) -> Tensor:
    """Return the distribution function of the standard normal distribution."""
    return 0.5 * torch.erfc(x * -math.sqrt(0.5))


@_with_slope(lambda x: -x * _normal_pdf(x))
def normal_pdf(x: Tensor) -> Tensor:
    """Return the density of the standard normal distribution."""
    return _normal_pdf(x)


def _normal_pdf(x: Tensor) -> Tensor:
    return torch.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


@_with_slope(lambda x: torch.exp(x.clamp(max=0.0)) * (x <= 0))
def decay(x: Tensor) -> Tensor:
    """exp(x) where x is negative, else 1; with the derivative 1 at 0."""
    return torch.exp(x.clamp(max=0.0))


def total(terms: Iterable[Tensor]) -> Tensor:
    """Return the sum of several tensors, in their memory format."""
    return functools.reduce(torch.add, terms)


def double_exp(x: Tensor) -> Tensor:
    """exp(x) for use within a function that is flat where it exceeds exp(80)."""
    return torch.exp(x.clamp(-800.0, 80.0))
