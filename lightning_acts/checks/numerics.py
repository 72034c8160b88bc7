"""Accuracy of an elementwise activation: value and derivative against its formula with many digits, in every type."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mpmath import mp, mpf
from torch import Tensor, nn

from lightning_acts.checks.reference import DIGITS, Jet, evaluate
from lightning_acts.definition import REQUIRED, Definition
from lightning_acts.formula import FormulaError
from lightning_acts.kernels.backends import Backend, with_backend
from lightning_acts.measuring import Measured, measured
from lightning_acts.module import build

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
#: The error that is allowed, in units in the last place times the condition number.
ULPS = 4.0
#: As much with parameters other than the defaults: terms of some formulas cancel there.
ULPS_OF_OTHERS = 32.0

_NEAR = (1e-9, 1e-6, 1e-4, 0.01, 0.1, 0.25, 0.5, 0.7, 1, 1.5, 2, 3, 4.5, 6, 8, 12, 16.6, 20, 30, 50, 88, 300)
_MAGNITUDES = (*_NEAR, 1e3, 1e4, 1e6, 1e12)
# From here on exponentials are infinite in the formula, and its derivative may be lost.
_FORMULA_ENDS = 1e7


@dataclass(frozen=True)
class Defect:
    """Something that an activation falls short of: which check, and what was seen."""

    check: str
    what: str

    def __str__(self) -> str:
        return f"{self.check}: {self.what}"


@dataclass(frozen=True)
class Errors:
    """The largest errors in one type, in units in the last place times the condition number, and where they lie."""

    dtype: torch.dtype
    value: float
    value_at: float
    derivative: float
    derivative_at: float


def grid(dtype: torch.dtype, breaks: tuple[float, ...] = ()) -> Tensor:
    """Return the points of the check: both zeros, both signs of many magnitudes, the largest numbers, kinks and neighbors."""
    limits = torch.finfo(dtype)
    magnitudes = torch.tensor([limits.tiny, *_MAGNITUDES, limits.max], dtype=torch.float64)
    points = torch.cat([torch.tensor([0.0, -0.0]), magnitudes, -magnitudes]).to(dtype)
    at = torch.tensor(breaks, dtype=torch.float64).to(dtype)
    around = [at, *(torch.nextafter(at, at.new_full((), end)) for end in (math.inf, -math.inf))]
    found = torch.cat([points, *around])
    return found[found.isfinite()]


class _Subject:
    """An activation under test, at its defaults or with other parameters."""

    def __init__(
        self, definition: Definition, parameters: Mapping[str, Any] | None, backend: Backend = "torch"
    ) -> None:
        if definition.formula is None:
            raise FormulaError(f"{definition.name} has no formula to compare it with")
        self.definition, self.formula, self.backend = definition, definition.formula, backend
        self.given = definition.check(parameters or {})
        self.measured = measured(definition, self.given)
        kinks = () if self.measured is None else tuple(at for at, _ in self.measured.kinks)
        self.breaks = kinks if self.measured is None else (*self.measured.jumps, *kinks)

    def module(self, dtype: torch.dtype) -> nn.Module:
        """Return the module in evaluation mode."""
        module = build(self.definition, dict(self.given)).to(dtype).eval()
        return with_backend(module, self.definition, self.backend)

    def sized(self) -> nn.Module:
        """Return the module in float64, with parameters for one channel."""
        module = self.module(torch.float64)
        module(torch.ones(1, 1, 1, dtype=torch.float64))
        return module


def check_numerics(definition: Definition, parameters: Mapping[str, Any] | None = None) -> list[Defect]:
    """Check an elementwise activation against its formula, ends and kinks included, and its derivatives by differences.

    Args:
        definition: The activation.
        parameters: Values for its parameters beside the defaults.

    Raises:
        FormulaError: The formula can't be evaluated.
    """
    subject = _Subject(definition, parameters)
    defects = []
    for dtype in DTYPES:
        errors = _errors(subject, dtype)
        for what, error, at in (
            ("value", errors.value, errors.value_at),
            ("derivative", errors.derivative, errors.derivative_at),
        ):
            if error > ULPS:
                seen = "is not finite" if error == math.inf else f"is off by {error:.3g} ulp times its condition number"
                defects.append(Defect(what, f"the {what} at {at!r} in {str(dtype)[6:]} {seen}"))
    return [*defects, *_check_ends(subject), *_check_kinks(subject), *_check_derivatives(subject)]


def measure_errors(
    definition: Definition,
    dtype: torch.dtype,
    parameters: Mapping[str, Any] | None = None,
    backend: Backend = "torch",
) -> Errors:
    """Measure the errors of an activation in one type.

    The error of a value f is measured in ulp times the condition number: what a change of the input or of a parameter
    by one ulp does is not held against it. That of a derivative is measured likewise.
    """
    return _errors(_Subject(definition, parameters, backend), dtype)


def _errors(subject: _Subject, dtype: torch.dtype) -> Errors:
    definition, formula, breaks, module = subject.definition, subject.formula, subject.breaks, subject.module(dtype)
    x = grid(dtype, breaks)
    y, slope = value_and_slope(module, x)
    parameters = _parameters_of(definition, module)
    worst = {"value": (0.0, 0.0), "derivative": (0.0, 0.0)}
    limits = torch.finfo(dtype)
    for at, got, got_slope in zip(x.tolist(), y.tolist(), slope.tolist(), strict=False):
        if at not in breaks and _ambiguous(at, breaks, limits.eps):
            continue  # the formula changes between this number and the next
        jet = evaluate(formula, at, parameters)
        true, first, second = (_plain(entry) for entry in (jet.value, jet.first, jet.second))
        moved, moved_slope = sensitivity(formula, at, parameters, jet)
        size = max(abs(true), abs(at * first), moved)
        steepness = max(abs(first), abs(at * second), moved_slope)
        if abs(at) > _FORMULA_ENDS:
            steepness = max(steepness, abs(true / at))
        for what, seen, exact, scale in (("value", got, true, size), ("derivative", got_slope, first, steepness)):
            if what == "derivative" and _at_break(at, breaks, limits):
                exact, scale = 0.0, math.inf  # any finite one is as good as another: it is stated as a fact
            error = _error(seen, exact, scale, limits)
            if error > ULPS:  # what curves so much that a step of one ulp is more than its differential
                scale = max(scale, _steps(formula, at, parameters, jet, limits.eps)[what == "derivative"])
                error = _error(seen, exact, scale, limits)
            if error > worst[what][0]:
                worst[what] = (error, at)
    return Errors(dtype, *worst["value"], *worst["derivative"])


def sensitivity(formula: str, at: float, parameters: Mapping[str, Any], jet: Jet) -> tuple[float, float]:
    """Return how far value and derivative move, relative to the change, when a parameter does: the most over all."""
    moved = [(0.0, 0.0)]
    with mp.workdps(DIGITS):
        step = mpf(10) ** -40
        for name, value in parameters.items():
            for changed in _changed(value, step):
                other = evaluate(formula, at, {**parameters, name: changed})
                changes = ((other.value - jet.value) / step, (other.first - jet.first) / step)
                moved.append((abs(_plain(changes[0])), abs(_plain(changes[1]))))
    values, slopes = zip(*moved, strict=False)
    return max(values), max(slopes)


def _steps(formula: str, at: float, parameters: Mapping[str, Any], jet: Jet, eps: float) -> tuple[float, float]:
    """Return how far value and derivative move, relative to the change, when input or a parameter moves by one ulp."""
    with mp.workdps(DIGITS):
        moved = [(at * (1 + sign * mpf(eps)), parameters) for sign in (-1, 1)]
        for name, value in parameters.items():
            moved += [
                (mpf(at), {**parameters, name: other}) for s in (-1, 1) for other in _changed(value, s * mpf(eps))
            ]
        others = [evaluate(formula, x, given) for x, given in moved]
        changes = [((other.value - jet.value) / eps, (other.first - jet.first) / eps) for other in others]
        values, slopes = zip(*changes, strict=True)
        return max(abs(_plain(entry)) for entry in values), max(abs(_plain(entry)) for entry in slopes)


def _changed(value: Any, step: Any) -> list[Any]:
    """Return a parameter, changed by a relative step: one number, or one of several at a time."""
    if isinstance(value, tuple):
        return [
            (*value[:i], other, *value[i + 1 :]) for i, entry in enumerate(value) for other in _changed(entry, step)
        ]
    return [value * (1 + step)] if isinstance(value, float) and value != 0 else []


def value_and_slope(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return values and derivatives of an elementwise module at the points ``(N,)``, as autograd computes them."""
    points = x.detach().clone().requires_grad_()
    y = module(points.clone().view(-1, 1, 1)).flatten()
    slope = torch.autograd.grad(y.sum(), points)[0] if y.requires_grad else torch.zeros_like(x)
    return y.detach().double(), slope.double()


def _error(seen: float, exact: float, scale: float, limits: Any) -> float:
    if not math.isfinite(exact) or abs(exact) >= limits.max * (1 - 4 * limits.eps):
        return 0.0  # not representable: any value is as good
    if not math.isfinite(seen):
        within = abs(exact) + ULPS * limits.eps * scale < limits.max
        return math.inf if within or math.isnan(seen) else 0.0
    if not math.isfinite(scale):
        return 0.0
    # Subnormal results may come out as 0; in half types those of float32, in which they are computed.
    wide = torch.finfo(torch.float32 if limits.bits == 16 else getattr(torch, limits.dtype))
    unit: float = max(limits.eps * max(scale, limits.tiny, 4096 * wide.tiny), wide.tiny / ULPS)
    return abs(seen - exact) / unit


def _plain(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def _ambiguous(at: float, breaks: tuple[float, ...], eps: float) -> bool:
    near = [place for place in breaks if abs(at - place) <= 8 * eps * abs(place)]
    # Zero and small dyadic numbers are exact in every type, and so is every step away from them.
    return any(place * 1024 != int(place * 1024) for place in near)


def _at_break(at: float, breaks: tuple[float, ...], limits: Any) -> bool:
    """Check whether a number is a kink, or so close that rounding its image may put it on the other side."""
    return any(abs(at - place) <= max(4 * limits.eps * abs(place), limits.tiny / 2) for place in breaks)


def _parameters_of(definition: Definition, module: nn.Module) -> dict[str, Any]:
    names = [entry.name for entry in definition.parameters] + [name for name, _ in module.named_parameters()]
    found: dict[str, Any] = {}
    for name in names:
        value = getattr(module, name, None)
        if isinstance(value, Tensor):
            plain = value.detach().double()
            value = plain[..., 0].tolist() if plain.dim() and _is_per_channel(definition, name) else plain.tolist()
            value = tuple(value) if isinstance(value, list) else value
        found[name] = value
    return {name: value[0] if value == (value,) else value for name, value in found.items() if value is not None}


def _is_per_channel(definition: Definition, name: str) -> bool:
    entry = next((entry for entry in definition.parameters if entry.name == name), None)
    return entry is None or (entry.learnable is not None and entry.learnable.per == "channel")


def _check_ends(subject: _Subject) -> Iterator[Defect]:
    """NaN stays NaN; an infinity gives the limit of the formula, or NaN where ``info`` says so, which states limits."""
    formula, measured = subject.formula, subject.measured
    sized = subject.sized()
    parameters = _parameters_of(subject.definition, sized)
    limits = [_limit(formula, end, parameters) for end in (-math.inf, math.inf)]
    if measured is not None:
        # Measured on this very module, for parameters may start at random.
        for end, stated, limit in zip(("-inf", "inf"), Measured(sized).at_infinity, limits, strict=True):
            if limit is not None and not _close(stated, limit):
                yield Defect(
                    "infinity", f"info states the limit {stated!r} at {end}, that of the formula is {limit:.6g}"
                )
    for dtype in DTYPES:
        module = subject.module(dtype)
        ends = torch.tensor([-math.inf, math.inf, math.nan], dtype=dtype).view(-1, 1, 1)
        with torch.no_grad():
            *infinite, nan = module(ends).flatten().tolist()
        if not math.isnan(nan):
            yield Defect("nan", f"NaN becomes {nan!r} in {str(dtype)[6:]}")
        for index, (seen, limit) in enumerate(zip(infinite, limits, strict=True)):
            where = f"at {('-inf', 'inf')[index]} in {str(dtype)[6:]}"
            if measured is None or math.isnan(measured.computed_at_infinity[index]) != math.isnan(seen):
                yield Defect("infinity", f"the value {where} is {seen!r}, which info does not say")
            if limit is not None and not math.isnan(seen) and not _close(seen, limit):
                yield Defect("infinity", f"the value {where} is {seen!r}, the limit of its formula {limit:.6g}")


def _close(seen: float, limit: float) -> bool:
    return seen == limit or abs(seen - limit) <= 0.01 * max(1.0, abs(limit))


def _limit(formula: str, end: float, parameters: Mapping[str, Any]) -> float | None:
    """Return the limit of a formula at an infinity, roughly; None where there is none to be seen, as that of a sine."""
    near, far, *later = (
        _plain(evaluate(formula, math.copysign(x, end), parameters).value) for x in (1e3, 1e4, 1e4 + 1, 1e4 + 2.5)
    )
    if math.isinf(far):
        return far
    steady = all(abs(value - far) <= 1e-3 * max(1.0, abs(far)) for value in later)
    if not steady or math.isnan(near):
        return None
    if abs(far - near) <= 1e-3 * max(1.0, abs(far)):
        return far
    return math.copysign(math.inf, far) if abs(far) > abs(near) + 1 else None


def _check_kinks(subject: _Subject) -> Iterator[Defect]:
    """Yield the derivative that ``info`` states for a kink lies between those on its sides, by the formula."""
    if subject.measured is None:
        return
    formula = subject.formula
    parameters = _parameters_of(subject.definition, subject.sized())
    for at, slope in subject.measured.kinks:
        step = 1e-9 * max(1.0, abs(at))
        sides = [_plain(evaluate(formula, at + distance, parameters).first) for distance in (-step, step)]
        there = evaluate(formula, at, parameters)
        if not all(map(math.isfinite, (*sides, _plain(there.value), _plain(there.first)))):
            continue  # a pole, a cusp, or the end of its domain
        low, high = sorted(sides)
        slack = 1e-6 * max(1.0, abs(low), abs(high))
        if high - low <= slack:
            yield Defect("kink", f"its derivative jumps at {at!r}, that of its formula does not")
        elif not low - slack <= slope <= high + slack:
            yield Defect("kink", f"its derivative at {at!r} is {slope!r}, beside it {sides[0]:.6g} and {sides[1]:.6g}")


def _check_derivatives(subject: _Subject) -> Iterator[Defect]:
    """First and second derivatives against finite differences, away from kinks."""
    module = subject.sized().requires_grad_(False)
    points = torch.linspace(-3.937, 4.113, 24, dtype=torch.float64)
    for place in subject.breaks:
        points = points[(points - place).abs() > 0.01]
    x = points.view(-1, 1, 1).requires_grad_()
    if not module(x).requires_grad:
        return  # its derivative is 0 wherever it has one
    checks: tuple[tuple[str, Callable[..., bool]], ...] = (
        ("first derivative", torch.autograd.gradcheck),
        ("second derivative", torch.autograd.gradgradcheck),
    )
    for what, check in checks:
        try:
            check(module, x)
        except Exception as error:
            yield Defect(what, str(error).split("\n")[0])


def defaults_exist(definition: Definition) -> bool:
    """Check whether it can be made without arguments."""
    return all(entry.default is not REQUIRED for entry in definition.parameters)
