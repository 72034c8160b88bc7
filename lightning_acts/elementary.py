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
from torch.fx.experimental.proxy_tensor import get_proxy_mode

Function: TypeAlias = Callable[[Tensor], Tensor]


#: Of a gradient and an input: the gradient times the derivative there.
Pull: TypeAlias = Callable[[Tensor, Tensor], Tensor]

_threshold_backward: Any = torch.ops.aten.threshold_backward.default  # gradient where x > threshold, else 0
_hardtanh_backward: Any = torch.ops.aten.hardtanh_backward.default  # gradient where low < x < high, else 0
_leaky_relu_backward: Any = torch.ops.aten.leaky_relu_backward.default


class _WithSlope(torch.autograd.Function):
    """A function of one tensor whose value and derivative are computed as given; keeps its input alone."""

    generate_vmap_rule = True

    @staticmethod
    def forward(value: Function, pull: Pull, x: Tensor) -> Tensor:
        return value(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, ctx.pull, x = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor]:
        (x,) = ctx.saved_tensors
        # A gradient that has overflowed does not get through where the function is flat.
        limit = torch.finfo(gradient.dtype).max
        return None, None, ctx.pull(gradient.clamp(-limit, limit), x)


class _WithForwardMode(_WithSlope):
    """The same with derivatives in forward mode, which torch.compile refuses to look at."""

    @staticmethod
    def jvp(ctx: Any, _: None, __: None, tangent: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        derivative: Tensor = ctx.pull(tangent, x)
        return derivative


def with_slope(slope: Function) -> Callable[[Function], Function]:
    """Give a function the derivative ``slope``, in place of that which follows from its operations."""
    return _with_pull(lambda gradient, x: gradient * slope(x))


def _with_pull(pull: Pull) -> Callable[[Function], Function]:
    """Give a function the derivative by which ``pull`` multiplies a gradient."""

    def decorate(value: Function) -> Function:
        @functools.wraps(value)
        def function(x: Tensor) -> Tensor:
            made = _WithSlope if torch.compiler.is_compiling() else _WithForwardMode
            y: Tensor = made.apply(value, pull, x)
            return y

        return function

    return decorate


def where(condition: Tensor, right: Tensor | float, left: Tensor | float) -> Tensor:
    """Return ``right`` where the condition holds, else ``left``.

    Torch's own branches for each element on a CPU: it takes ten times as long as a product, and as long again backward.
    """
    if condition.dim() == 0 or condition.device.type != "cpu" or is_traced():
        return torch.where(condition, right, left)
    like = right if isinstance(right, Tensor) else left
    mask = condition.to(like.dtype if isinstance(like, Tensor) else torch.get_default_dtype())
    parts = []
    if isinstance(right, Tensor) or right:
        parts.append(_threshold_backward(_tensor(right, mask), mask, 0.5))
    if isinstance(left, Tensor) or left:
        parts.append(_hardtanh_backward(_tensor(left, mask), mask, -1.0, 0.5))
    return total(parts)


def _tensor(value: Tensor | float, like: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else torch.full_like(like, value)


def is_traced() -> bool:
    """Return whether operations are recorded: for a compiler or another runtime, which know fewer of them, and fuse."""
    return torch.compiler.is_compiling() or torch._C._is_tracing() or get_proxy_mode() is not None


def clip(x: Tensor, low: float = -math.inf, high: float = math.inf) -> Tensor:
    """Return x between two bounds, as clamp does, with the derivative 0 at them; four times as fast backward."""
    return F.hardtanh(x, low, high)


def _falling(x: Tensor) -> Tensor:
    """Return exp(-|x|)."""
    return torch.exp(-x.abs())


def _slope_of_sigmoid(x: Tensor) -> Tensor:
    e = _falling(x)
    inverse = 1 / (1 + e)
    return e * inverse * inverse


def _slope_of_tanh(x: Tensor) -> Tensor:
    e = torch.exp(-2 * x.abs())
    return 4 * e / (1 + e).square()


@with_slope(_slope_of_sigmoid)
def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), also where that is a denormal number, of which torch's own makes 0."""
    if is_traced():  # compiled, it shares the exponential and the quotient with its derivative
        e = _falling(x)
        return torch.where(x < 0, e, 1.0) * (1 / (1 + e))
    e = torch.exp(x.clamp(max=80.0))
    return e / (1 + e)


@with_slope(lambda x: torch.sigmoid(-x))
def log_sigmoid(x: Tensor) -> Tensor:
    """log(sigmoid(x)); torch's own does not keep the memory format."""
    return -F.softplus(-x, threshold=40.0)


@with_slope(_slope_of_tanh)
def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent."""
    return torch.tanh(x)


@with_slope(torch.exp)
def expm1(x: Tensor) -> Tensor:
    """exp(x) - 1."""
    return torch.expm1(x)


@with_slope(torch.sigmoid)
def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)); beyond 40 that is x, in every type."""
    return F.softplus(x, threshold=40.0)


def softplus_rise(x: Tensor, k: float) -> Tensor:
    """(softplus(k x) - softplus(k (x - 1))) / k, for x up to 1/2 and positive k.

    It is 0 where exp(k x) is a denormal number, which takes a processor a hundred times as long as others.
    """
    if k > 80:  # the second term is nothing beside the first
        return softplus(k * x) / k

    def exponential(x: Tensor) -> Tensor:
        y = k * x
        is_flat = y < math.log(torch.finfo(x.dtype).tiny) + 1e-3
        return torch.exp(where(is_flat, 0.0, y)) * is_flat.logical_not()

    def share(e: Tensor) -> Tensor:
        return math.expm1(k) / (math.exp(k) + e)

    def slope(x: Tensor) -> Tensor:
        e = exponential(x)
        return e * share(e) / (1 + e)

    @with_slope(slope)
    def value(x: Tensor) -> Tensor:
        e = exponential(x)
        return torch.log1p(e * share(e)) / k

    return value(x)


def _slope_of_tanh_softplus(x: Tensor) -> Tensor:
    e = torch.exp(x.clamp(max=22.0))
    slope = 4 * e * (1 + e) / (e * (e + 2) + 2).square()
    return slope * (x < 22)  # beyond, it is nothing beside 1 in every type


@with_slope(_slope_of_tanh_softplus)
def tanh_softplus(x: Tensor) -> Tensor:
    """tanh(log(1 + exp(x))), by one exponential."""
    e = torch.exp(x.clamp(max=20.0))
    n = e * (e + 2)
    return n / (n + 2)


@_with_pull(lambda gradient, x: -_leaky_relu_backward(gradient, -x, -1.0, False))
def modulus(x: Tensor) -> Tensor:
    """|x|, with the derivative 1 at 0: an even function of it that is smooth keeps its derivative there."""
    return x.abs()


def _where_negative(gradient: Tensor, x: Tensor) -> Tensor:
    """Return the gradient where x is 0 or negative, else 0."""
    kept: Tensor = _hardtanh_backward(gradient, x.sign(), -2.0, 0.5)
    return kept


@_with_pull(lambda gradient, x: _threshold_backward(gradient, x.sign(), -0.5))
def positive(x: Tensor) -> Tensor:
    """X where it is positive, else 0, with the derivative 1 at 0: what a branch for positive numbers may safely see."""
    return F.relu(x)


@_with_pull(_where_negative)
def negative(x: Tensor) -> Tensor:
    """X where it is negative, else 0, with the derivative 1 at 0: what a branch for negative numbers may safely see."""
    return x.clamp(max=0.0)


def hypot(x: Tensor, c: float | Tensor) -> Tensor:
    """sqrt(x^2 + c^2), without overflow."""
    if not isinstance(c, Tensor) and not is_traced():
        return _hypot_of_number(x, c)
    # ONNX has no operation for torch's own.
    far = x.abs() > 1e9 * (1 + (c.abs() if isinstance(c, Tensor) else abs(c)))
    near = where(far, 0.0, x)
    return where(far, x.abs(), torch.sqrt(near * near + c * c))


def _hypot_of_number(x: Tensor, c: float) -> Tensor:
    def slope(x: Tensor) -> Tensor:
        limit = torch.finfo(x.dtype).max
        x = x.clamp(-limit, limit)  # at infinity it is 1
        return x / value(x)

    def value(x: Tensor) -> Tensor:
        return torch.hypot(x, x.new_tensor(c))

    return with_slope(slope)(value)(x)


def over_hypot(x: Tensor, c: float, k: float = 0.0) -> Tensor:
    """Return x / (k + sqrt(x^2 + c^2)), c positive.

    The derivative is that of the quotient in one fraction, without the difference of two terms that are nearly equal.
    """

    def slope(x: Tensor) -> Tensor:
        h = hypot(x, c)
        return (k + c * (c / h)) / (k + h).square()

    @with_slope(slope)
    def value(x: Tensor) -> Tensor:
        limit = torch.finfo(x.dtype).max
        x = x.clamp(-limit, limit)  # at infinity it is 1
        return x / (k + hypot(x, c))

    return value(x)


@with_slope(lambda x: 1 / (1 + x.abs()).square())
def softsign(x: Tensor) -> Tensor:
    """Return x / (1 + |x|); the derivative of torch's own loses its digits far out."""
    limit = torch.finfo(x.dtype).max
    x = x.clamp(-limit, limit)  # an argument that has overflowed lies where the function is flat
    return x / (1 + x.abs())


def _sinh_twice(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return 2 sinh(|x| / 2) and 2 cosh(|x| / 2), by one exponential."""
    e = torch.expm1(0.5 * x.abs())
    inverse = 1 / (1 + e)
    return e * (1 + inverse), e + (1 + inverse)


@with_slope(lambda x: _cosh(x))
def sinh(x: Tensor) -> Tensor:
    """Return the hyperbolic sine; torch's own takes forty times the time of an exponential on a CPU."""
    s, c = _sinh_twice(x)
    return x.sign() * (s * (0.5 * c))


@with_slope(sinh)
def cosh(x: Tensor) -> Tensor:
    """Return the hyperbolic cosine; as :func:`sinh`."""
    return _cosh(x)


def _cosh(x: Tensor) -> Tensor:
    s, _ = _sinh_twice(x)
    return 1 + s * (0.5 * s)


@with_slope(lambda x: 1 / hypot(x, 1.0))
def asinh(x: Tensor) -> Tensor:
    """Return the inverse hyperbolic sine; as :func:`sinh`."""
    # Twice that of x / sqrt(2 + 2 sqrt(1 + x^2)), for x + sqrt(1 + x^2) may overflow.
    u = x.abs()
    finite = u.clamp(max=torch.finfo(x.dtype).max)
    root = (0.5 + 0.5 * hypot(finite, 1.0)).sqrt()
    half = 0.5 * (finite / root)
    y = 2 * torch.log1p(half + half * (half / (1 + root)))
    return x.sign() * (y + (u - finite))


@with_slope(tanh)
def log_cosh(x: Tensor) -> Tensor:
    """Return log(cosh(x))."""
    u = x.abs()
    s, _ = _sinh_twice(u.clamp(max=1.0))
    near = torch.log1p(s * (0.5 * s))  # cosh(x) - 1 = 2 sinh(x / 2)^2
    return where(u < 1, near, u + (torch.log1p(torch.exp(-2 * u)) - math.log(2)))


@with_slope(lambda x: -_sech(x) * torch.tanh(x))
def sech(x: Tensor) -> Tensor:
    """1 / cosh(x)."""
    return _sech(x)


def _sech(x: Tensor) -> Tensor:
    e = _falling(x)
    return 2 * e / (1 + e * e)


def _finite(x: Tensor) -> Tensor:
    """Return x, and 0 in place of infinities."""
    return torch.nan_to_num(x, math.nan, 0.0, 0.0)


@with_slope(lambda x: torch.cos(x).nan_to_num(0.0))
def sin(x: Tensor) -> Tensor:
    """Return the sine.

    That of 0 where the argument has overflowed, where neighboring numbers lie many periods apart.
    """
    return torch.sin(_finite(x))


@with_slope(lambda x: -torch.sin(_finite(x)))
def cos(x: Tensor) -> Tensor:
    """Return the cosine; as :func:`sin`."""
    return torch.cos(_finite(x))


def _slope_of_sinc(x: Tensor) -> Tensor:
    near = x.abs() < 1
    inside = where(near, x, 0.0)
    far = where(near, 1.0, x)
    square, series = inside * inside, torch.ones_like(x)
    for factor in (304.0, 238.0, 180.0, 130.0, 88.0, 54.0, 28.0, 10.0):
        series = 1 - square * (series / factor)
    return where(near, inside / -3 * series, (torch.cos(far) - torch.sin(far) / far) / far)


@with_slope(_slope_of_sinc)
def sinc(x: Tensor) -> Tensor:
    """sin(x) / x."""
    x = x + (x == 0).to(x.dtype) * torch.finfo(x.dtype).tiny
    return torch.sin(x) / x


@with_slope(lambda x: _normal_pdf(x))
def normal_cdf(x: Tensor) -> Tensor:
    """Return the distribution function of the standard normal distribution."""
    return 0.5 * torch.erfc(x * -math.sqrt(0.5))


@with_slope(lambda x: -x * _normal_pdf(x))
def normal_pdf(x: Tensor) -> Tensor:
    """Return the density of the standard normal distribution."""
    return _normal_pdf(x)


def _normal_pdf(x: Tensor) -> Tensor:
    return torch.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


@with_slope(lambda x: _where_negative(torch.exp(x.clamp(max=0.0)), x))
def decay(x: Tensor) -> Tensor:
    """exp(x) where x is negative, else 1; with the derivative 1 at 0."""
    return torch.exp(x.clamp(max=0.0))


def total(terms: Iterable[Tensor]) -> Tensor:
    """Return the sum of several tensors, in their memory format."""
    return functools.reduce(torch.add, terms)


def double_exp(x: Tensor) -> Tensor:
    """exp(x) for use within a function that is flat where it exceeds exp(80)."""
    return torch.exp(clip(x, -800.0, 80.0))
