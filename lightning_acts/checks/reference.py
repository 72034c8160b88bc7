"""Formulas of elementwise activations evaluated with many digits: value, first and second derivative.

The derivatives are exact, carried along by the rules of differentiation (truncated Taylor series), not differences.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mpmath
from mpmath import mp, mpf

from lightning_acts.formula import FormulaError, parse

#: Enough for the textbook form of the smallest float64: 1 - (1 - 1e-308) keeps 50 digits.
DIGITS = 370
# Beyond this an exponential is 0 or infinite in every type that is checked, and mpmath would take for ever.
_LARGE = mpf(10) ** 7
# Beyond this the phase of a wave takes mpmath minutes, and an ulp of its argument is more than a period in every type.
_WITHOUT_PHASE = mpf(10) ** 100_000


@dataclass(frozen=True)
class Jet:
    """A value and its first two derivatives with respect to the input."""

    value: Any
    first: Any
    second: Any


def evaluate(formula: str, x: float, parameters: Mapping[str, Any]) -> Jet:
    """Return the value of a formula at ``x`` with its derivatives.

    Infinite where it has a pole, NaN where it is undefined.

    Args:
        formula: The formula, as in :mod:`lightning_acts.formula`.
        x: Where, exactly.
        parameters: Values of the other names; a tuple for one that is subscripted.

    Raises:
        FormulaError: It holds a name or a function that is not known here.
    """
    with mp.workdps(DIGITS):
        names: dict[str, Any] = {key: _constant(value) for key, value in parameters.items()}
        names["x"] = Jet(mpf(x), mpf(1), mpf(0))
        result: Jet = _evaluate(parse(formula), names)
        return result


def _constant(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(_constant(element) for element in value)
    return Jet(mpf(value), mpf(0), mpf(0)) if isinstance(value, (int, float, mpf)) else value


def _evaluate(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return _constant(mpf(repr(number)) if isinstance(number, float) else number)
        case ast.Constant(value=str() as text):
            return text
        case ast.Name(id=name):
            if name in names:
                return names[name]
            if name in _CONSTANTS:
                return _constant_of(_CONSTANTS[name])
            raise FormulaError(f"the formula speaks of {name!r}, which is neither x nor a parameter")
        case ast.Subscript(value=value, slice=index):
            return _evaluate(value, names)[int(_evaluate(index, names).value)]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _scaled(_evaluate(operand, names), mpf(-1))
        case ast.BinOp(left=left, op=operator, right=right):
            return _ARITHMETIC[type(operator)](_evaluate(left, names), _evaluate(right, names))
        case ast.Compare(left=left, ops=operators, comparators=comparators):
            values = [_evaluate(entry, names) for entry in (left, *comparators)]
            return all(_COMPARISONS[type(o)](a, b) for o, a, b in zip(operators, values, values[1:], strict=False))
        case ast.BoolOp(op=ast.And(), values=conditions):
            return all(_evaluate(condition, names) for condition in conditions)
        case ast.Call(func=ast.Name(id="where"), args=[condition, value, otherwise]):
            return _evaluate(value if _evaluate(condition, names) else otherwise, names)
        case ast.Call(func=ast.Name(id="sum"), args=[term, ast.Name(id=index)]):
            return _sum(term, index, names)
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in _FUNCTIONS:
            values = [_evaluate(argument, names) for argument in arguments]
            return _FUNCTIONS[name](*values)
    raise FormulaError(f"{ast.unparse(node)!r} can't be evaluated")


def _sum(term: ast.expr, index: str, names: Mapping[str, Any]) -> Jet:
    """Return the sum over all elements of the parameters that ``term`` subscripts by ``index``, counted from 0."""
    lengths = {
        len(_evaluate(node.value, names))
        for node in ast.walk(term)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name) and node.slice.id == index
    }
    if len(lengths) != 1:
        raise FormulaError(f"sum over {index!r}: the parameters with this index have {sorted(lengths)} elements")
    total: Jet = _constant(0)
    for i in range(lengths.pop()):
        total = _add(total, _evaluate(term, {**names, index: _constant(i)}))
    return total


def _times(a: Any, b: Any) -> Any:
    """Multiply as the chain rule does, so that 0 wins: what is flat for good stays so, however fast its input grows."""
    return mpf(0) if a == 0 or b == 0 else a * b


def _constant_of(value: Callable[[], Any]) -> Jet:
    return Jet(value(), mpf(0), mpf(0))


def _scaled(x: Jet, factor: Any) -> Jet:
    return Jet(x.value * factor, x.first * factor, x.second * factor)


def _add(a: Jet, b: Jet) -> Jet:
    return Jet(a.value + b.value, a.first + b.first, a.second + b.second)


def _multiply(a: Jet, b: Jet) -> Jet:
    return Jet(
        a.value * b.value,
        a.first * b.value + a.value * b.first,
        a.second * b.value + 2 * a.first * b.first + a.value * b.second,
    )


def _apply(x: Jet, value: Any, first: Any, second: Any) -> Jet:
    """Return the chain rule: a function with these derivatives at the value of ``x``, which depends on the input."""
    return Jet(value, _times(first, x.first), _times(second, x.first**2) + _times(first, x.second))


def _reciprocal(x: Jet) -> Jet:
    v = x.value
    return _apply(x, mpf("inf"), mpf("-inf"), mpf("inf")) if v == 0 else _apply(x, 1 / v, -1 / v**2, 2 / v**3)


def _power(base: Jet, exponent: Jet) -> Jet:
    p = exponent.value
    if exponent.first != 0 or exponent.second != 0:
        return _exp(_multiply(exponent, _log(base)))
    v = base.value
    if p == 0:
        return Jet(mpf(1), mpf(0), mpf(0))
    derivatives = []
    factor = mpf(1)
    for order in range(3):
        if factor == 0:
            derivatives.append(mpf(0))
        elif v == 0 and p - order < 0:
            derivatives.append(mpf("inf"))
        elif v < 0 and p != int(p):
            derivatives.append(mpf("nan"))
        else:
            derivatives.append(factor * v ** (p - order))
        factor *= p - order
    return _apply(base, *derivatives)


def _e(v: Any) -> Any:
    if v > _LARGE:
        return mpf("inf")
    return mpf(0) if v < -_LARGE else mpmath.exp(v)


def _exp(x: Jet) -> Jet:
    e = _e(x.value)
    return _apply(x, e, e, e)


def _log(x: Jet) -> Jet:
    v = x.value
    if v < 0:
        return _apply(x, mpf("nan"), mpf("nan"), mpf("nan"))
    if v == 0:
        return _apply(x, mpf("-inf"), mpf("inf"), mpf("-inf"))
    return _apply(x, mpmath.log(v), 1 / v, -1 / v**2)


def _sqrt(x: Jet) -> Jet:
    v = x.value
    if v == 0:
        return _apply(x, mpf(0), mpf("inf"), mpf("-inf"))
    root = mpmath.sqrt(v) if v > 0 else mpf("nan")
    return _apply(x, root, 1 / (2 * root), -1 / (4 * root * v))


def _s(v: Any) -> Any:
    return 1 / (1 + _e(-v)) if v > -_LARGE else mpf(0)


def _sigmoid(x: Jet) -> Jet:
    s, other = _s(x.value), _s(-x.value)
    return _apply(x, s, s * other, s * other * (other - s))


def _cosh_sinh(v: Any) -> tuple[Any, Any]:
    growing, falling = _e(v), _e(-v)
    return (growing + falling) / 2, (growing - falling) / 2


def _tanh(x: Jet) -> Jet:
    cosh, _ = _cosh_sinh(x.value)
    t = mpmath.sign(x.value) if cosh == mpf("inf") else mpmath.tanh(x.value)
    slope = 1 / cosh**2
    return _apply(x, t, slope, -2 * t * slope)


def _normal(v: Any) -> Any:
    return _e(-v * v / 2) / mpmath.sqrt(2 * mpmath.pi)


def _erfc_of(v: Any) -> Any:
    """erfc, which mpmath computes slowly where it is 0 or 2 in every type."""
    return mpmath.erfc(v) if abs(v) < 40 else mpf(0) if v > 0 else mpf(2)


def _erf(x: Jet) -> Jet:
    v = x.value
    slope = 2 / mpmath.sqrt(mpmath.pi) * _e(-v * v)
    value = mpmath.erf(v) if abs(v) < 40 else mpmath.sign(v)
    return _apply(x, value, slope, _times(-2 * v, slope))


def _phi_of(x: Jet) -> Jet:
    v, density = x.value, _normal(x.value)
    return _apply(x, _erfc_of(-v / mpmath.sqrt(2)) / 2, density, _times(-v, density))


def _abs(x: Jet) -> Jet:
    return _scaled(x, mpf(1)) if x.value >= 0 else _scaled(x, mpf(-1))


def _sin_cos(v: Any) -> tuple[Any, Any]:
    return (mpmath.sin(v), mpmath.cos(v)) if abs(v) < _WITHOUT_PHASE else (mpf(0), mpf(1))


def _sin(x: Jet) -> Jet:
    sin, cos = _sin_cos(x.value)
    return _apply(x, sin, cos, -sin)


def _cos(x: Jet) -> Jet:
    sin, cos = _sin_cos(x.value)
    return _apply(x, cos, -sin, -cos)


def _sinc(x: Jet) -> Jet:
    if abs(x.value) < mpf(10) ** -60:  # its Taylor series there
        v = x.value
        return _apply(x, 1 - v**2 / 6, -v / 3, mpf(-1) / 3)
    return _multiply(_sin(x), _reciprocal(x))


def _elementary(value: Any, first: Any, second: Any) -> Callable[[Jet], Jet]:
    return lambda x: _apply(x, value(x.value), first(x.value), second(x.value))


def _hyperbolic(even: bool) -> Callable[[Jet], Jet]:
    def function(x: Jet) -> Jet:
        cosh, sinh = _cosh_sinh(x.value)
        return _apply(x, cosh, sinh, cosh) if even else _apply(x, sinh, cosh, sinh)

    return function


def _orthogonal(next_of: Callable[[int, Jet, Jet, Jet], Jet], first: Callable[[Jet], Jet]) -> Callable[[Jet, Jet], Jet]:
    """Return a family of polynomials by its recurrence."""

    def function(degree: Jet, x: Jet) -> Jet:
        before, current = Jet(mpf(1), mpf(0), mpf(0)), first(x)
        if degree.value == 0:
            return before
        for n in range(1, int(degree.value)):
            before, current = current, next_of(n, x, current, before)
        return current

    return function


def _chebyshev(n: int, x: Jet, current: Jet, before: Jet) -> Jet:
    return _add(_scaled(_multiply(x, current), mpf(2)), _scaled(before, mpf(-1)))


def _legendre(n: int, x: Jet, current: Jet, before: Jet) -> Jet:
    return _add(_scaled(_multiply(x, current), mpf(2 * n + 1) / (n + 1)), _scaled(before, mpf(-n) / (n + 1)))


def _hermite(n: int, x: Jet, current: Jet, before: Jet) -> Jet:
    return _add(_scaled(_multiply(x, current), mpf(2)), _scaled(before, mpf(-2 * n)))


def _compare(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda a, b: test(getattr(a, "value", a), getattr(b, "value", b))


_CONSTANTS: dict[str, Callable[[], Any]] = {"pi": lambda: +mpmath.pi, "inf": lambda: mpf("inf")}

_ARITHMETIC: dict[type, Callable[[Jet, Jet], Jet]] = {
    ast.Add: _add,
    ast.Sub: lambda a, b: _add(a, _scaled(b, mpf(-1))),
    ast.Mult: _multiply,
    ast.Div: lambda a, b: _multiply(a, _reciprocal(b)),
    ast.Pow: _power,
}

_COMPARISONS: dict[type, Callable[[Any, Any], bool]] = {
    ast.Lt: _compare(lambda a, b: a < b),
    ast.LtE: _compare(lambda a, b: a <= b),
    ast.Gt: _compare(lambda a, b: a > b),
    ast.GtE: _compare(lambda a, b: a >= b),
    ast.Eq: _compare(lambda a, b: a == b),
    ast.NotEq: _compare(lambda a, b: a != b),
}

_FUNCTIONS: dict[str, Callable[..., Jet]] = {
    "abs": _abs,
    "sign": lambda x: _constant_of(lambda: mpmath.sign(x.value)),
    "max": lambda *xs: functools.reduce(lambda a, b: b if b.value > a.value else a, xs),
    "min": lambda *xs: functools.reduce(lambda a, b: b if b.value < a.value else a, xs),
    "clip": lambda x, low, high: low if x.value < low.value else high if x.value > high.value else x,
    "relu": lambda x: x if x.value > 0 else _constant(0),
    "round": lambda x: _constant_of(lambda: mpmath.nint(x.value)),
    "exp": _exp,
    "expm1": lambda x: _add(_exp(x), _constant(-1)),
    "log": _log,
    "log1p": lambda x: _log(_add(x, _constant(1))),
    "sqrt": _sqrt,
    "sigmoid": _sigmoid,
    "softplus": lambda x: _add(x, _softplus_of(_scaled(x, mpf(-1)))) if x.value > 0 else _softplus_of(x),
    "tanh": _tanh,
    "sinh": _hyperbolic(even=False),
    "cosh": _hyperbolic(even=True),
    "sech": lambda x: _reciprocal(_hyperbolic(even=True)(x)),
    "asinh": _elementary(mpmath.asinh, lambda v: 1 / mpmath.sqrt(1 + v**2), lambda v: -v / (1 + v**2) ** mpf(1.5)),
    "atan": _elementary(mpmath.atan, lambda v: 1 / (1 + v**2), lambda v: -2 * v / (1 + v**2) ** 2),
    "sin": _sin,
    "cos": _cos,
    "sinc": _sinc,
    "erf": _erf,
    "erfc": lambda x: _add(_constant(1), _scaled(_erf(x), mpf(-1))),
    "Phi": _phi_of,
    "phi": lambda x: _apply(x, d := _normal(x.value), _times(-x.value, d), _times(x.value**2 - 1, d)),
    "gamma_function": lambda x: _constant_of(lambda: mpmath.gamma(x.value)),
    "T": _orthogonal(_chebyshev, lambda x: x),
    "P": _orthogonal(_legendre, lambda x: x),
    "H": _orthogonal(_hermite, lambda x: _scaled(x, mpf(2))),
}


def _softplus_of(x: Jet) -> Jet:
    return _log(_add(_constant(1), _exp(x)))
