"""Two activations side by side: how far apart they are, in value and in derivative, and where."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from lightning_acts.factory import ActivationLike
from lightning_acts.reports.curves import Curve, CurveError, curve_of
from lightning_acts.reports.pictures import plot_comparison


@dataclass(frozen=True)
class Difference:
    """The largest difference of two curves, and where it lies; infinite where only one of them is finite."""

    size: float
    at: float

    def __str__(self) -> str:
        return f"{self.size:.3g} at x = {self.at:.6g}"


@dataclass(frozen=True, eq=False)
class Comparison:
    """What :func:`compare` found; ``print`` shows it, :meth:`plot` draws it.

    Attributes:
        names: What was compared.
        value: The largest difference of the values.
        ulps: The largest difference of the values in units in the last place of the second one; infinite where only
            one of them is finite.
        derivative: The largest difference of the derivatives; None where one of the two has none.
        second: The same of the second derivatives.
        note: Why there is no derivative.
    """

    names: tuple[str, str]
    value: Difference
    ulps: Difference
    derivative: Difference | None
    second: Difference | None
    note: str | None
    _curves: tuple[Curve, Curve] = field(repr=False)

    def __str__(self) -> str:
        derivative = str(self.derivative) if self.derivative else f"not compared: {self.note}"
        low, high = self._curves[0].x[0].item(), self._curves[0].x[-1].item()
        return (
            f"{self.names[0]} against {self.names[1]} on [{low:g}, {high:g}]\n"
            f"  largest difference in value:      {self.value}\n"
            f"  the same in ulp:                  {self.ulps}\n"
            f"  largest difference in derivative: {derivative}\n"
            f"  the same in second derivative:    {self.second or 'not compared'}"
        )

    def plot(self, path: str | os.PathLike[str]) -> Path:
        """Draw both curves, their derivatives and the differences; returns the path of the picture.

        Args:
            path: The file to write; its suffix says which kind of picture.

        Raises:
            ModuleNotFoundError: matplotlib is not installed.
        """
        return plot_comparison(*self._curves, Path(path))


def compare(
    activation: ActivationLike,
    *,
    against: ActivationLike,
    low: float = -10.0,
    high: float = 10.0,
    points: int = 2001,
    dtype: torch.dtype = torch.float64,
) -> Comparison:
    """Compare two elementwise activations on a grid: one's own formula against torch's, say.

    Args:
        activation: Anything that :func:`create` takes.
        against: Anything that :func:`create` takes.
        low: Left end of the grid.
        high: Right end of the grid.
        points: Number of points, ends included; 0 is added where it lies between them.
        dtype: The type in which both are evaluated.

    Raises:
        CurveError: The grid is empty, or one of the two is not elementwise.
        SpecError: An activation's name or a parameter is wrong.

    Example:
        >>> import torch, lightning_acts as acts
        >>> def my_softplus(x):
        ...     return torch.log(1 + torch.exp(x))
        >>> comparison = acts.compare("softplus", against=my_softplus, low=-5, high=5)
        >>> comparison.value.size < 1e-12
        True
    """
    if not (math.isfinite(low) and math.isfinite(high) and low < high and points >= 2):
        raise CurveError(
            f"compare(low={low}, high={high}, points={points}): two finite ends, low below high, and 2 points at least"
        )
    grid = torch.linspace(low, high, points, dtype=torch.float64).tolist()
    x = torch.tensor(sorted({*grid, 0.0} if low < 0 < high else grid), dtype=dtype)
    one, other = (curve_of(given, x) for given in (activation, against))
    missing = [curve.name for curve in (one, other) if curve.derivative is None]
    derivative = _of_both(one.derivative, other.derivative, x)
    second = _of_both(one.second, other.second, x)
    note = f"{' and '.join(missing)} can't be differentiated" if missing else None
    value = _largest_difference(one.y, other.y, x)
    return Comparison(
        (one.name, other.name), value, _in_ulps(one.y, other.y, x), derivative, second, note, (one, other)
    )


def _of_both(one: Tensor | None, other: Tensor | None, x: Tensor) -> Difference | None:
    return None if one is None or other is None else _largest_difference(one, other, x)


def _in_ulps(one: Tensor, other: Tensor, x: Tensor) -> Difference:
    size = other.abs()
    unit = torch.nextafter(size, torch.full_like(size, torch.inf)) - size
    unit = torch.where(unit.isfinite(), unit, 1.0)
    return _largest_difference(one / unit, other / unit, x)


def _largest_difference(one: Tensor, other: Tensor, x: Tensor) -> Difference:
    same = (one == other) | (one.isnan() & other.isnan())
    gap = torch.where(same, torch.zeros_like(one), (one - other).abs())
    gap = torch.where(gap.isnan(), torch.full_like(gap, torch.inf), gap).double()
    index = int(gap.argmax())
    return Difference(gap[index].item(), x[index].item())
