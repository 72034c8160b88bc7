"""Facts about an elementwise activation, measured on its curve in float64: at its defaults, in evaluation mode."""

from __future__ import annotations

import functools
import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lightning_acts.definition import REQUIRED, Definition
from lightning_acts.module import build


class Measured:
    """What is measured, each fact when it is asked for first.

    Args:
        module: The activation, in float64 and in evaluation mode.

    Raises:
        ValueError: It is no elementwise function of real numbers.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        if not bool(_curve(module, torch.linspace(-4.1, 4.3, 43, dtype=torch.float64))[0].isfinite().any()):
            raise ValueError("not a function of real numbers")

    @functools.cached_property
    def range(self) -> tuple[float, float]:
        """Infimum and supremum of the values; infinite where it grows without bound."""
        x = _grid()
        y = _values(self._module, x)
        return _extremum(self._module, x, y, -1.0), _extremum(self._module, x, y, 1.0)

    @functools.cached_property
    def _directions(self) -> tuple[bool, bool]:
        y = _values(self._module, torch.linspace(-40.0, 40.0, 16_001, dtype=torch.float64))
        known = y[y.isfinite()]
        steps, tolerance = known.diff(), 1e-12 * known.abs().max()
        return bool((steps >= -tolerance).all()), bool((steps <= tolerance).all())

    @property
    def monotone(self) -> bool:
        """Whether it never decreases."""
        return self._directions[0]

    @property
    def decreasing(self) -> bool:
        """Whether it never increases."""
        return self._directions[1]

    @functools.cached_property
    def at_zero(self) -> float:
        """f(0)."""
        return _tidy(_values(self._module, torch.zeros(1, dtype=torch.float64)).item())

    @functools.cached_property
    def at_infinity(self) -> tuple[float, float]:
        """The limits at minus and plus infinity, as far as they are seen; NaN where there is none."""
        return _limit(self._module, -1.0), _limit(self._module, 1.0)

    @functools.cached_property
    def computed_at_infinity(self) -> tuple[float, float]:
        """The values at minus and plus infinity, as they are computed: NaN for zero times infinity."""
        low, high = _values(self._module, torch.tensor([-math.inf, math.inf], dtype=torch.float64)).tolist()
        return low, high

    @functools.cached_property
    def at_nan(self) -> float:
        """The value at NaN, as it is computed: NaN, unless it is lost."""
        return float(_values(self._module, torch.tensor([math.nan], dtype=torch.float64)))

    @functools.cached_property
    def jumps(self) -> tuple[float, ...]:
        """Where it is discontinuous."""
        return tuple(map(_tidy, _breaks(self._module, order=0)))

    @functools.cached_property
    def _bent(self) -> tuple[tuple[float, float], ...]:
        places = [at for at in map(_tidy, _breaks(self._module, order=1)) if at not in self.jumps]
        slopes = _curve(self._module, torch.tensor(places, dtype=torch.float64))[1].tolist() if places else []
        return tuple(zip(places, map(_tidy, slopes), strict=True))

    @property
    def kinks(self) -> tuple[tuple[float, float], ...]:
        """Where its derivative is, if it is continuous itself; with the derivative that is computed there."""
        return tuple((at, slope) for at, slope in self._bent if math.isfinite(slope))

    @property
    def cusps(self) -> tuple[float, ...]:
        """Where its derivative is infinite, if it is continuous itself."""
        return tuple(at for at, slope in self._bent if not math.isfinite(slope))

    @functools.cached_property
    def bends(self) -> tuple[float, ...] | None:
        """Where its second derivative is, if it is smooth; None where torch has no second derivative of it."""
        if not self.smooth:
            return ()
        try:
            return tuple(map(_tidy, _breaks(self._module, order=2)))
        except RuntimeError:
            return None

    @functools.cached_property
    def _moments(self) -> tuple[float, float, float, float]:
        return _moments(self._module, [*self.jumps, *(at for at, _ in self._bent)])

    @property
    def mean(self) -> float:
        """E[f(z)], z standard normal."""
        return _tidy(self._moments[0])

    @property
    def zero_centered(self) -> bool:
        """Whether its mean under the standard normal distribution is 0."""
        return abs(self.mean) < 1e-9

    @property
    def variance(self) -> float:
        """Var[f(z)]."""
        return self.second_moment - self.mean**2 if math.isfinite(self.second_moment) else self.second_moment

    @property
    def second_moment(self) -> float:
        """E[f(z)^2]: what an activation makes of a signal of variance 1."""
        return self._moments[1]

    @property
    def slope(self) -> float:
        """E[f'(z)^2], f' as torch computes it: what its derivative makes of a gradient of variance 1."""
        return self._moments[2]

    @property
    def growth(self) -> float:
        """By which power the second moment follows that of the input, close to 1.

        By this factor a small deviation of the variance is larger after the next layer: see :attr:`stability`.
        """
        return _tidy(self._moments[3])

    @functools.cached_property
    def operations(self) -> tuple[str, ...]:
        """Torch's operations on each element that compute it, as it is implemented here."""
        return _operations(self._module)

    @property
    def needs_exp(self) -> bool:
        """Whether one of its operations is an exponential, or made of one."""
        return any(name in _MADE_OF_EXP for name in self.operations)

    @property
    def cost(self) -> str:
        """``"arithmetic"``, ``"one transcendental"`` or ``"several transcendentals"``, by its operations."""
        costly = [name for name in self.operations if name in _TRANSCENDENTAL]
        return ("arithmetic", "one transcendental")[len(costly)] if len(costly) < 2 else "several transcendentals"

    @property
    def bounded(self) -> bool:
        """Whether its values are, on both sides."""
        return all(map(math.isfinite, self.range))

    @property
    def smooth(self) -> bool:
        """Whether it is continuously differentiable."""
        return not self.jumps and not self._bent

    @property
    def smoothness(self) -> str:
        """The class of its smoothness.

        ``"discontinuous"``, ``"continuous"`` (its derivative jumps), ``"differentiable"`` (continuously, once as far as
        is known), ``"twice differentiable"`` (continuously, twice at least).
        """
        if not self.smooth:
            return "discontinuous" if self.jumps else "continuous"
        return "twice differentiable" if self.bends == () else "differentiable"

    @property
    def stability(self) -> Stability | None:
        """What becomes of a small deviation of the variance in a deep network of wide layers with the forward gain.

        ``"stable"``: it fades. ``"marginal"``: it stays, as for ReLU, and the deviations by chance of layers of finite
        width add up. ``"unstable"``: it grows from layer to layer, so that no gain keeps the variance at 1. None where
        there is no forward gain.
        """
        if self.forward_gain is None:
            return None
        return "stable" if self.growth < 1 - 1e-3 else "marginal" if self.growth < 1 + 1e-3 else "unstable"

    @property
    def forward_gain(self) -> float | None:
        """What weights are scaled by so that a layer keeps the second moment of its signal; None where nothing can."""
        return self.second_moment**-0.5 if 0 < self.second_moment < math.inf else None

    @property
    def backward_gain(self) -> float | None:
        """What weights are scaled by so that a layer keeps the variance of the gradient; None where nothing can."""
        return self.slope**-0.5 if 0 < self.slope < math.inf else None

    def rows(self) -> dict[str, str]:
        """Return the facts in words, a row each."""
        low, high = self.range
        places = [f"jumps at {_numbers(self.jumps)}"] if self.jumps else []
        places += [f"derivative {slope:.6g} at the kink {at:.6g}" for at, slope in self.kinks[:4]]
        places += [f"infinite derivative at {_numbers(self.cusps)}"] if self.cusps else []
        places += [f"{len(self.kinks)} kinks in all"] if len(self.kinks) > 4 else []
        places += [f"second derivative jumps at {_numbers(self.bends)}"] if self.bends else []
        gains = [
            f"{mode} {gain:.6g}"
            for mode, gain in (("forward", self.forward_gain), ("backward", self.backward_gain))
            if gain is not None
        ]
        return {
            "range": f"[{low:.6g}, {high:.6g}]" + (", bounded" if self.bounded else ""),
            "monotone": "yes" if self.monotone else "no, decreasing" if self.decreasing else "no",
            "smoothness": "; ".join([self.smoothness, *places]),
            "f(0)": f"{self.at_zero:.6g}",
            "f(±inf)": self._ends() + ("" if math.isnan(self.at_nan) else f"; f(nan) = {self.at_nan:.6g}"),
            "normal": f"mean {self.mean:.6g}{', zero-centered' if self.zero_centered else ''}, variance {self.variance:.6g} "
            "for a standard normal input",
            "gain": ", ".join(gains) or "none keeps the variance",
            "depth": self._depth(),
            "cost": self.cost + ("" if self.needs_exp or self.cost == "arithmetic" else ", no exponential"),
        }

    def _ends(self) -> str:
        limits, computed = (
            _numbers(tuple(end + 0.0 for end in ends)) for ends in (self.at_infinity, self.computed_at_infinity)
        )
        return limits if limits == computed else f"{limits}; computed as {computed}"

    def _depth(self) -> str:
        deviation = f"a deviation of the variance is {self.growth:.3g} times as large after the next layer"
        ends = {
            "stable": "",
            "marginal": "; those of finite width add up",
            "unstable": ": no gain keeps the variance over many layers",
        }
        return f"{self.stability}, {deviation}{ends[self.stability]}" if self.stability else ""


#: The values of :attr:`Measured.stability`.
Stability = Literal["stable", "marginal", "unstable"]


def measured(definition: Definition, parameters: Mapping[str, Any] | None = None) -> Measured | None:
    """Return what is measured at the defaults, or with other parameters; None where there is no curve of real numbers."""
    return _measured(definition, parameters) if parameters else _measured_at_defaults(definition)


def is_bounded(definition: Definition) -> bool:
    """Return whether the values of an activation at its defaults lie in a finite interval."""
    facts = measured(definition)
    return facts is not None and facts.bounded


def is_gate_like(definition: Definition) -> bool:
    """Return whether the values of an activation at its defaults lie in [0, 1]."""
    facts = measured(definition)
    return facts is not None and facts.range[0] >= 0 and facts.range[1] <= 1


@functools.cache
def _measured_at_defaults(definition: Definition) -> Measured | None:
    return _measured(definition, {})


def _measured(definition: Definition, parameters: Mapping[str, Any]) -> Measured | None:
    given = dict(parameters)
    needed = [entry for entry in definition.parameters if entry.default is REQUIRED and entry.name not in given]
    if definition.kind != "elementwise" or needed:
        return None
    with torch.random.fork_rng(devices=[]):
        try:
            return Measured(build(definition, given).double().eval())
        except Exception:  # a user's function that is no curve of real numbers has no facts of one
            return None


def _grid() -> Tensor:
    near = torch.linspace(-40.0, 40.0, 16_001, dtype=torch.float64)
    far = torch.logspace(math.log10(40), 300, 600, dtype=torch.float64)
    return torch.cat([-far.flip(0), near, far])


def _moments(module: nn.Module, breaks: Sequence[float]) -> tuple[float, float, float, float]:
    """E[f], E[f^2], E[f'^2] and the growth: infinite, and NaN, where a pole lies between."""

    def of(density: int) -> Tensor:
        z, weights = normal_quadrature(breaks, density)
        values, slopes = _curve(module, z)
        # The growth is E[z f f'] / E[f^2]; by parts, so that it holds for jumps too.
        terms = weights * torch.stack([values, values**2, slopes**2, (z**2 - 1) / 2 * values**2])
        return torch.stack([terms.sum(1), terms.abs().sum(1)])

    (rough, _), (fine, size) = of(32), of(50)
    infinite = (rough - fine).abs() > 1e-2 * size  # beside a pole the nearest point says it all
    mean, second, slope, growing = torch.where(infinite, torch.inf, fine).tolist()
    return mean, second, slope, growing / second if 0 < second < math.inf else math.nan


def normal_quadrature(breaks: Sequence[float] = (), density: int = 20) -> tuple[Tensor, Tensor]:
    """Return points and weights for means under the standard normal distribution: Gauss-Legendre between the breaks.

    Round numbers are always among the ends of its intervals: there formulas change most often.
    """
    ends = sorted({-12.0, 0.0, *(at for at in breaks if abs(at) < 12), 12.0})
    edges = [
        torch.linspace(low, high, 1 + math.ceil((high - low) * density), dtype=torch.float64)
        for low, high in itertools.pairwise(ends)
    ]
    low, high = torch.cat([edge[:-1] for edge in edges]), torch.cat([edge[1:] for edge in edges])
    nodes, node_weights = (torch.from_numpy(values) for values in numpy.polynomial.legendre.leggauss(8))
    half = ((high - low) / 2).unsqueeze(1)
    z = ((high + low) / 2).unsqueeze(1) + half * nodes
    weights = half * node_weights * torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return z.flatten(), weights.flatten()


def _values(module: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a user's function may warn of large numbers
        y: Tensor = module(x.clone().view(-1, 1, 1)).flatten()
    if y.shape != x.shape:
        raise ValueError("not elementwise")
    return y


# A fact is kept, and may be asked for first where gradients are off.
@torch.inference_mode(False)
@torch.enable_grad()
def _curve(module: nn.Module, x: Tensor, order: int = 1) -> tuple[Tensor, Tensor]:
    """Return the derivatives of the orders ``order - 1`` and ``order``."""
    points = x.clone().requires_grad_()
    y = module(points.view(-1, 1, 1)).flatten()
    if y.shape != x.shape:
        raise ValueError("not elementwise")
    derivatives = [y, y]
    for each in range(order):
        flat = not derivatives[-1].requires_grad
        slope = None
        if not flat:
            (slope,) = torch.autograd.grad(
                derivatives[-1].sum(), points, create_graph=each + 1 < order, allow_unused=True
            )
        derivatives.append(torch.zeros_like(x) if slope is None else slope)
    return derivatives[-2].detach(), derivatives[-1].detach()


def _extremum(module: nn.Module, x: Tensor, y: Tensor, sign: float) -> float:
    """Supremum (or infimum, for the sign -1): infinite if the ends go on growing, else refined around the best point."""
    heights = (sign * y).nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    within = heights[x.abs() <= 1e3].max().item()
    if heights.max().item() > 4 * max(within, 1e-9):
        return sign * math.inf
    best = int(heights.argmax())
    low, high = x[max(best - 1, 0)].item(), x[min(best + 1, len(x) - 1)].item()
    found = heights[best].item()
    for step in range(5):
        finer = torch.linspace(low, high, 1001, dtype=torch.float64)
        values = (sign * _values(module, finer)).nan_to_num(nan=-torch.inf)
        best = int(values.argmax())
        before, found = found, max(found, values[best].item())
        if step == 3 and found - before > 1e-3 * max(1.0, abs(found)):  # within 1e-10 it still rises: a pole
            return sign * math.inf
        low, high = finer[max(best - 1, 0)].item(), finer[min(best + 1, 1000)].item()
    return _tidy(sign * found)


def _limit(module: nn.Module, sign: float) -> float:
    """Return the limit at plus or minus infinity: where far values settle, infinity if they go on growing, else NaN."""
    far = _values(module, sign * torch.logspace(8, 30, 45, dtype=torch.float64))
    last = far[-1].item()
    if bool(((far == last) | ((far - last).abs() <= 1e-6 * max(1.0, abs(last)))).all()):
        return _tidy(last)
    grows = bool((far.abs().diff() >= 0).all()) and abs(last) > 2 * abs(far[0].item())
    one_sided = bool((far.sign() == math.copysign(1.0, last)).all())
    return math.copysign(math.inf, last) if grows and one_sided else math.nan


def _breaks(module: nn.Module, order: int) -> list[float]:
    """Return where the derivative of this order jumps (the values for 0): steep steps, narrowed down to two neighbors."""
    x = torch.linspace(-40.0, 40.0, 16_002, dtype=torch.float64)  # no round number is on it
    below, wanted = _curve(module, x, max(order, 1))
    # What the derivative does not explain shows jumps, and cusps where it is infinite on both sides.
    unexplained = below.diff() - x.diff() * (wanted[1:] + wanted[:-1]) / 2
    index = _steep(unexplained, below, x)
    if order == 0:
        wanted = below
    else:
        index = torch.unique(torch.cat([index, _steep(wanted.diff(), wanted, x)]))
    if not len(index):
        return []
    index = index[:64]
    around = index + torch.arange(-3, 5)[:, None]
    usual = wanted[around.clamp(0, len(x) - 1)].abs().nan_to_num(nan=0.0).amax(0)
    jumped = wanted.diff()[index].abs()
    # Twice: toward the steepest step, and toward the highest values, where a pole is.
    low, high = x[index].repeat(2), x[index + 1].repeat(2)
    upwards = torch.arange(len(low)) >= len(index)
    parts = torch.linspace(0.0, 1.0, 17, dtype=torch.float64)
    rows = torch.arange(len(low))
    for _ in range(14):  # 16^14 = 2^56: to neighboring numbers
        points = torch.lerp(low.unsqueeze(1), high.unsqueeze(1), parts)
        heights = _derivative(module, points.flatten(), order).view_as(points)
        sizes = heights[:, 1:].abs() + heights[:, :-1].abs()
        steepness = heights.diff().abs().nan_to_num(nan=-1.0)
        score = torch.where(upwards[:, None], sizes.nan_to_num(nan=torch.inf), steepness)
        best = score.argmax(1)
        low, high = points[rows, best], points[rows, best + 1]
    away = torch.maximum(low.abs(), high.abs()).clamp(min=1.0)[:, None]
    away = away * torch.tensor([1e-9, 2e-9, 3e-9, 5e-9, 1e-8], dtype=torch.float64)
    beside = torch.stack([low[:, None] - away, high[:, None] + away])
    left, right = sides = _derivative(module, beside.flatten(), order).view_as(beside)
    sizes = sides.abs().amax(0).nan_to_num(nan=0.0)
    rises = (sizes[:, 0] > 100 * usual.repeat(2)) & (sizes[:, 0] > 2.5 * sizes[:, -1])
    # Waves too short to be resolved look broken everywhere: beside a break the curve is calm.
    jump = (right[:, 0] - left[:, 0]).abs()
    unrest = torch.maximum(left.amax(1) - left.amin(1), right.amax(1) - right.amin(1))
    is_break = (jump > 0.3 * jumped.repeat(2)) & (jump > 1e-6) & (unrest < 0.3 * jump)
    kept = rises | is_break
    pairs = zip(low[kept].tolist(), high[kept].tolist(), strict=False)
    return sorted({_rounder(one, other) for one, other in pairs})


def _steep(steps: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Return where a step from point to point is not like its neighbors, as it is on a smooth curve."""
    steps = steps.abs().nan_to_num(nan=0.0, posinf=0.0)
    size = y[x.abs() < 10].abs().nan_to_num(nan=0.0, posinf=0.0).max().item()
    around = torch.minimum(nn.functional.pad(steps, (2, 0))[:-2], nn.functional.pad(steps, (0, 2))[2:])
    return ((steps > 1e-6 * max(1.0, size)) & (steps > 3 * around)).nonzero().flatten()


def _derivative(module: nn.Module, x: Tensor, order: int) -> Tensor:
    return _values(module, x) if order == 0 else _curve(module, x, order)[1]


def _rounder(one: float, other: float) -> float:
    """Of two neighboring numbers, or a round one that they surround, that at which a formula is likely to change."""
    near = round((one + other) / 2, 9)
    return near + 0.0 if abs(near - one) < 1e-12 else min(one, other, key=lambda value: len(repr(value)))


def _tidy(value: float) -> float:
    """``value`` without the rounding errors of the measurement."""
    rounded = round(value, 12)
    return (rounded + 0.0) if abs(value - rounded) < 1e-13 else value


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the operations whose results have this many elements at least."""

    def __init__(self, size: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []
        self._size = size

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # to skip it, torch would import it, which takes seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        if any(isinstance(result, Tensor) and result.numel() >= self._size for result in tree_leaves(results)):
            name = func.overloadpacket.__name__
            whole = name == "pow" and isinstance(args[1], (int, float)) and args[1] == int(args[1])
            self.names.append("mul" if whole else name)
        return results


def _operations(module: nn.Module) -> tuple[str, ...]:
    # More elements than parameters have: what is computed of these alone is computed once, not for each element.
    x = torch.ones(1000, 1, 1, dtype=torch.float64)
    with _Recorder(x.numel()) as recorder, torch.no_grad():
        module(x)
    return tuple(name for name in recorder.names if name not in ("view", "detach", "_to_copy", "alias", "expand"))


_MADE_OF_EXP = frozenset(
    [
        "exp",
        "exp2",
        "expm1",
        "sigmoid",
        "tanh",
        "sinh",
        "cosh",
        "softplus",
        "log_sigmoid_forward",
        "silu",
        "mish",
        "gelu",
        "elu",
        "celu",
        "logaddexp",
        "erf",
        "erfc",
        "special_erfcx",
        "special_ndtr",
        "special_log_ndtr",
        "softmax",
        "_softmax",
        "logsumexp",
    ]
)
_TRANSCENDENTAL = _MADE_OF_EXP | frozenset(
    ["log", "log1p", "log2", "sin", "cos", "tan", "asinh", "acosh", "atan", "pow", "sinc"]
)
