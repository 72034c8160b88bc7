"""Elementary functions by a few products, for Inductor's vectors on a CPU.

There each of them is a call, which keeps the processor from working at several vectors at once, and the erf of float32
has an absolute error alone, which near 0 leaves it no digit. Where a form would cancel near 0, another one stands for it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._decomp import get_decompositions

aten: Any = torch.ops.aten

# tanh(x) / x as a quotient of polynomials of x^2: its continued fraction 1 / (1 + x^2 / (3 + x^2 / (5 + ...))), cut off.
_ABOVE = (135135.0, 17325.0, 378.0, 1.0)
_BELOW = (135135.0, 62370.0, 3150.0, 28.0)
# (x + 2) exp(x^2) erfc(x) as a polynomial of (x - 2) / (x + 2), which maps positive numbers to [-1, 1]: interpolated at
# Chebyshev nodes, off by less than 2e-8.
_SCALED_ERFC = (
    1.02158271, -0.687160625, 0.279471892, -0.0364434982, -0.0215066218, 0.00648746614, 0.00306769409, -0.000862080043,
    -0.000609438173, 7.35287233e-05, 8.85768293e-05,
)  # fmt: skip


def _polynomial(coefficients: Sequence[float], x: Tensor) -> Tensor:
    """Return a polynomial with these coefficients, that of the constant term first."""
    last, *others = reversed(coefficients)
    return functools.reduce(lambda sum, coefficient: (sum + coefficient) * x, others[:-1], last * x) + others[-1]


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    e = torch.exp(-x.abs())
    return torch.where(x < 0, e, 1.0) / (1 + e)


def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent."""
    square, e = x * x, torch.exp(-2 * x.abs())
    near = x.abs() < 0.45
    above = torch.where(near, x * _polynomial(_ABOVE, square), torch.where(x < 0, e - 1, 1 - e))
    return above / torch.where(near, _polynomial(_BELOW, square), 1 + e)


def expm1(x: Tensor) -> Tensor:
    """exp(x) - 1."""
    count = 7 if x.dtype == torch.float32 else 13
    series = _polynomial([1 / math.factorial(power + 1) for power in range(count)], x)
    return torch.where(x.abs() < 0.35, x * series, torch.exp(x) - 1)


def log1p(x: Tensor) -> Tensor:
    """log(1 + x)."""
    sum = 1 + x
    lost = x - (sum - 1)  # by rounding; NaN where x is infinite
    return torch.log(sum) + torch.where(lost.abs() > 0, lost / sum, 0.0)


def erfc(x: Tensor) -> Tensor:
    """1 - erf(x)."""
    tail = _tail(x)
    return torch.where(x < 0, 2 - tail, tail)


def erf(x: Tensor) -> Tensor:
    """Return the error function."""
    factors = [(-1) ** n * 2 / math.sqrt(math.pi) / (math.factorial(n) * (2 * n + 1)) for n in range(7)]
    series, tail = _polynomial(factors, x * x), _tail(x)
    return torch.where(x.abs() < 0.5, x * series, torch.where(x < 0, tail - 1, 1 - tail))


def _tail(x: Tensor) -> Tensor:
    """erfc(|x|)."""
    inverse = 1 / (x.abs() + 2)
    return torch.exp(-x * x) * (inverse * _polynomial(_SCALED_ERFC, 1 - 4 * inverse))


def _for(function: Callable[[Tensor], Tensor], *dtypes: torch.dtype) -> Callable[[Tensor], Any]:
    """Return a decomposition for tensors of these types; others are left to the operator."""
    return lambda x: function(x) if x.dtype in dtypes else NotImplemented


_COMPOSED = (aten.softplus, aten.log_sigmoid_forward, aten.elu, aten.gelu, aten.gelu_backward, aten.mish)
#: By operator, with those that Inductor would compose of them later, when it is too late for these.
CPU_DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {
    **get_decompositions(_COMPOSED),
    aten.sigmoid.default: _for(sigmoid, torch.float32, torch.float64),
    aten.tanh.default: _for(tanh, torch.float32, torch.float64),
    aten.expm1.default: _for(expm1, torch.float32, torch.float64),
    aten.log1p.default: _for(log1p, torch.float32, torch.float64),
    aten.erf.default: _for(erf, torch.float32),
    aten.erfc.default: _for(erfc, torch.float32),
}
