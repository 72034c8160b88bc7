"""Facts about an elementwise activation, measured on its curve in float64: at its defaults, in evaluation mode."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lightning_acts.module import build

if TYPE_CHECKING:
    from lightning_acts.definition import Definition


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        range: Infimum and supremum of the values; infinite where it grows without bound.
        monotone: Whether it never decreases.
        decreasing: Whether it never increases.
        at_zero: f(0).
        zero_centred: Whether its mean under the standard normal distribution is 0.
        jumps: Where it is discontinuous.
        kinks: Where its derivative is; with the derivative that is computed there.
        mean: E[f(z)], z standard normal.
        variance: Var[f(z)].
        second_moment: E[f(z)^2]: what an activation makes of a signal of variance 1.
        slope: E[f'(z)^2]: what its derivative makes of a gradient of variance 1.
        growth: By which power the second moment follows that of the input, close to 1: above 1 the deviations of one
            layer grow in the next, and no gain can keep the variance in a deep network.
        at_infinity: The values at minus and plus infinity, as they are computed.
        operations: torch's operations that compute it.
        needs_exp: Whether one of them is an exponential, or made of one.
        cost: ``"arithmetic"``, ``"one transcendental"`` or ``"several transcendentals"``.
    """

    range: tuple[float, float]
    monotone: bool
    decreasing: bool
    at_zero: float
    zero_centred: bool
    jumps: tuple[float, ...]
    kinks: tuple[tuple[float, float], ...]
    mean: float
    variance: float
    second_moment: float
    slope: float
    growth: float
    at_infinity: tuple[float, float]
    operations: tuple[str, ...]
    needs_exp: bool
    cost: str

    @property
    def bounded(self) -> bool:
        """Whether its values are, on both sides."""
        return all(map(math.isfinite, self.range))

    @property
    def smooth(self) -> bool:
        """Whether it is continuously differentiable."""
        return self.smoothness == "differentiable"

    @property
    def smoothness(self) -> str:
        """``"discontinuous"``, ``"continuous"`` (its derivative jumps) or ``"differentiable"`` (continuously)."""
        return "discontinuous" if self.jumps else "continuous" if self.kinks else "differentiable"

    @property
    def forward_gain(self) -> float | None:
        """What weights are scaled by so that a layer keeps the second moment of its signal; None where nothing can."""
        return self.second_moment**-0.5 if 0 < self.second_moment < math.inf else None

    @property
    def backward_gain(self) -> float | None:
        """What weights are scaled by so that a layer keeps the variance of the gradient; None where nothing can."""
        return self.slope**-0.5 if 0 < self.slope < math.inf else None

    def rows(self) -> dict[str, str]:
        """The facts in words, a row each."""
        low, high = self.range
        places = [f"jumps at {_numbers(self.jumps)}"] if self.jumps else []
        places += [f"derivative {slope:.6g} at the kink {at:.6g}" for at, slope in self.kinks[:4]]
        places += [f"{len(self.kinks)} kinks in all"] if len(self.kinks) > 4 else []
        gains = [
            f"{way} {gain:.6g}"
            for way, gain in (("forward", self.forward_gain), ("backward", self.backward_gain))
            if gain is not None
        ]
        return {
            "range": f"[{low:.6g}, {high:.6g}]" + (", bounded" if self.bounded else ""),
            "monotone": "yes" if self.monotone else "no, decreasing" if self.decreasing else "no",
            "smoothness": "; ".join([self.smoothness, *places]),
            "f(0)": f"{self.at_zero:.6g}",
            "f(-inf), f(inf)": ", ".join(f"{end:.6g}" for end in self.at_infinity),
            "normal": f"mean {self.mean:.6g}{', zero-centred' if self.zero_centred else ''}, variance {self.variance:.6g} "
            "for a standard normal input",
            "gain": (", ".join(gains) or "none keeps the variance")
            + ("; deviations grow from layer to layer" if self.growth > 1 + 1e-6 else ""),
            "cost": self.cost + ("" if self.needs_exp or self.cost == "arithmetic" else ", no exponential"),
        }


def measure(definition: Definition, parameters: Mapping[str, Any] | None = None) -> Measured | None:
    """Measure an activation at its defaults, or with other parameters; None where it has no curve there."""
    # Imported late: definitions need this module, and the registry's modules need definitions.
    from lightning_acts.definition import REQUIRED

    given = dict(parameters or {})
    needed = [entry for entry in definition.parameters if entry.default is REQUIRED and entry.name not in given]
    if definition.kind != "elementwise" or needed:
        return None
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a user's function may warn of large numbers
        try:
            return _measure(build(definition, given).double().eval())
        except Exception:  # a user's function that is no curve of real numbers has no facts of one
            return None


def _measure(module: nn.Module) -> Measured:
    x = _grid()
    y = _curve(module, x)[0]
    if not bool(y.isfinite().any()):
        raise ValueError("not a function of real numbers")
    known = y[(x.abs() <= 40) & y.isfinite()]
    low, high = _extremum(module, x, y, -1.0), _extremum(module, x, y, 1.0)
    steps = known.diff()
    tolerance = 1e-12 * known.abs().max().item()
    jumps = _breaks(module, order=0)
    kinks = [at for at in _breaks(module, order=1) if at not in jumps]
    z, weights = normal_quadrature([*jumps, *kinks])
    values, slopes = _curve(module, z)
    mean, second = (values * weights).sum().item(), (values**2 * weights).sum().item()
    operations = _operations(module)
    ends = _curve(module, torch.tensor([-math.inf, math.inf], dtype=torch.float64))[0].tolist()
    costly = [name for name in operations if name in _TRANSCENDENTAL]
    at = torch.tensor([0.0, *kinks], dtype=torch.float64)
    at_zero, slopes_there = _curve(module, at)
    return Measured(
        range=(low, high),
        monotone=bool((steps >= -tolerance).all()),
        decreasing=bool((steps <= tolerance).all()),
        at_zero=_tidy(at_zero[0].item()),
        zero_centred=abs(mean) < 1e-9,
        jumps=tuple(map(_tidy, jumps)),
        kinks=tuple(
            (_tidy(place), _tidy(slope)) for place, slope in zip(kinks, slopes_there[1:].tolist(), strict=False)
        ),
        mean=_tidy(mean),
        variance=second - mean**2,
        second_moment=second,
        slope=(slopes**2 * weights).sum().item(),
        growth=(z * values * slopes * weights).sum().item() / second if second > 0 else math.nan,
        at_infinity=(ends[0], ends[1]),
        operations=operations,
        needs_exp=any(name in _MADE_OF_EXP for name in operations),
        cost=("arithmetic", "one transcendental")[len(costly)] if len(costly) < 2 else "several transcendentals",
    )


def _grid() -> Tensor:
    near = torch.linspace(-40.0, 40.0, 16_001, dtype=torch.float64)
    far = torch.logspace(math.log10(40), 300, 600, dtype=torch.float64)
    return torch.cat([-far.flip(0), near, far])


def normal_quadrature(breaks: Sequence[float] = ()) -> tuple[Tensor, Tensor]:
    """Points and weights for means under the standard normal distribution: Gauss-Legendre between the breaks."""
    ends = [-12.0, *sorted(at for at in breaks if abs(at) < 12), 12.0]
    edges = [
        torch.linspace(low, high, max(2, math.ceil((high - low) * 20)), dtype=torch.float64)
        for low, high in itertools.pairwise(ends)
    ]
    low, high = torch.cat([edge[:-1] for edge in edges]), torch.cat([edge[1:] for edge in edges])
    nodes, node_weights = (torch.from_numpy(values) for values in numpy.polynomial.legendre.leggauss(8))
    half = ((high - low) / 2).unsqueeze(1)
    z = ((high + low) / 2).unsqueeze(1) + half * nodes
    weights = half * node_weights * torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return z.flatten(), weights.flatten()


def _curve(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    points = x.clone().requires_grad_()
    y = module(points.view(-1, 1, 1)).flatten()
    if y.shape != x.shape:
        raise ValueError("not elementwise")
    slope = torch.autograd.grad(y.sum(), points)[0] if y.requires_grad else torch.zeros_like(x)
    return y.detach(), slope


def _extremum(module: nn.Module, x: Tensor, y: Tensor, sign: float) -> float:
    """Supremum (or infimum, for the sign -1): infinite if the ends go on growing, else refined around the best point."""
    heights = (sign * y).nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    within = heights[x.abs() <= 1e3].max().item()
    if heights.max().item() > 4 * max(within, 1e-9):
        return sign * math.inf
    best = int(heights.argmax())
    low, high = x[max(best - 1, 0)].item(), x[min(best + 1, len(x) - 1)].item()
    found = heights[best].item()
    for _ in range(8):
        finer = torch.linspace(low, high, 101, dtype=torch.float64)
        values = (sign * _curve(module, finer)[0]).nan_to_num(nan=-torch.inf)
        best = int(values.argmax())
        found = max(found, values[best].item())
        low, high = finer[max(best - 1, 0)].item(), finer[min(best + 1, 100)].item()
    return _tidy(sign * found)


def _breaks(module: nn.Module, order: int) -> list[float]:
    """Where the values (order 0) or the derivatives (order 1) jump: steep steps, bisected to neighbouring numbers."""
    x = torch.linspace(-40.0, 40.0, 16_002, dtype=torch.float64)  # no round number is on it
    y, slope = _curve(module, x)
    unexplained = y.diff() - x.diff() * (slope[1:] + slope[:-1]) / 2  # by the derivative
    steps = (unexplained, slope.diff())[order].abs().nan_to_num(nan=0.0, posinf=0.0)
    size = (y, slope)[order][x.abs() < 10].abs().nan_to_num(nan=0.0, posinf=0.0).max().item()
    # A smooth function's steps are like their neighbours'.
    around = torch.minimum(nn.functional.pad(steps, (2, 0))[:-2], nn.functional.pad(steps, (0, 2))[2:])
    index = ((steps > 1e-6 * max(1.0, size)) & (steps > 3 * around)).nonzero().flatten()[:64]
    if not len(index):
        return []
    low, high, steps = x[index], x[index + 1], steps[index]
    for _ in range(50):
        middle = (low + high) / 2
        at_low, at_middle, at_high = _curve(module, torch.cat([low, middle, high]))[order].chunk(3)
        left = (at_middle - at_low).abs() > (at_high - at_middle).abs()
        low, high = torch.where(left, low, middle), torch.where(left, middle, high)
    at_low, at_high = _curve(module, torch.cat([low, high]))[order].chunk(2)
    kept = (at_high - at_low).abs() > 0.3 * steps
    pairs = zip(low[kept].tolist(), high[kept].tolist(), strict=False)
    return sorted({_rounder(one, other) for one, other in pairs})


def _rounder(one: float, other: float) -> float:
    """Of two neighbouring numbers, or a round one that they surround, that at which a formula is likely to change."""
    near = round((one + other) / 2, 9)
    return near + 0.0 if abs(near - one) < 1e-12 else min(one, other, key=lambda value: len(repr(value)))


def _tidy(value: float) -> float:
    """``value`` without the rounding errors of the measurement."""
    rounded = round(value, 12)
    return (rounded + 0.0) if abs(value - rounded) < 1e-13 else value


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def _operations(module: nn.Module) -> tuple[str, ...]:
    with _Recorder() as recorder, torch.no_grad():
        module(torch.ones(1, 1, 3, dtype=torch.float64))
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
    ["log", "log1p", "log2", "sin", "cos", "tan", "asinh", "acosh", "atan", "pow", "sinc", "hypot"]
) - {"hypot"}
