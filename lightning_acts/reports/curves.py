"""An elementwise activation evaluated on a grid."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from lightning_acts import catalogue, factory
from lightning_acts.errors import ActsError
from lightning_acts.factory import ActivationLike
from lightning_acts.measuring import Measured


class CurveError(ActsError, ValueError):
    """A function is no curve: not elementwise, or not one of numbers."""

    exit_status = 2


@dataclass(frozen=True, eq=False)
class Curve:
    """A function on a grid: name, points ``(N,)``, values ``(N,)``, derivatives ``(N,)`` or None if there are none."""

    name: str
    x: Tensor
    y: Tensor
    derivative: Tensor | None
    second: Tensor | None
    module: nn.Module = field(repr=False)


@dataclass(frozen=True)
class Breaks:
    """Where a function jumps, where its derivative does, and where its second derivative does; each includes the former."""

    value: tuple[float, ...] = ()
    derivative: tuple[float, ...] = ()
    second: tuple[float, ...] = ()

    @classmethod
    def of(cls, measured: Measured) -> Breaks:
        """Return the breaks of a measured activation."""
        jumps = measured.jumps
        kinks = (*jumps, *(at for at, _ in measured.kinks))
        return cls(jumps, kinks, (*kinks, *(measured.bends or ())))


def curve_of(activation: ActivationLike, x: Tensor) -> Curve:
    """Evaluate an activation, in eval mode, and its derivative at the points ``x``, in the type of ``x``.

    Args:
        activation: Anything that :func:`lightning_acts.create` takes; a module of the caller's stays as it is.
        x: The points ``(N,)``.

    Raises:
        CurveError: The activation is not elementwise.
        SpecError: Its name or a parameter is wrong.

    Example:
        >>> curve = curve_of("relu", torch.tensor([-1.0, 2.0]))
        >>> curve.y.tolist(), curve.derivative.tolist()
        ([0.0, 2.0], [0.0, 1.0])
    """
    module = copy.deepcopy(factory.create(activation)).to(x.dtype).eval()
    spec = factory.spec_of(module)
    name = _name(activation, module)
    kind = "elementwise" if spec is None else catalogue.info(spec.name).kind
    if kind != "elementwise":
        raise CurveError(f"{name} is not elementwise but {kind}")
    points = x.detach().clone().requires_grad_()
    # One channel, first or last, so that one learnable slope a channel fits too; a clone, for it may work in place.
    y = _evaluate(module, points.clone().view(-1, 1, 1, 1), name)
    with torch.no_grad():
        # With other neighbors, or none in any dimension, an elementwise function gives the same.
        others = [_evaluate(module, x.clone().view(shape), name) for shape in ((-1, 1), (1, 1, -1, 1))]
        others.append(_evaluate(module, x.flip(0)[: len(x) // 2 + 1].view(1, 1, -1, 1), name).flip(2))
        if spec is None:  # a registered one may have a parameter for each place of the last dimension
            others.append(_evaluate(module, x.clone().view(1, 1, 1, -1), name))
    for other in others:
        flat, same = other.flatten(), y.detach().flatten()[-other.numel() :]
        if not torch.allclose(flat, same, rtol=1e-3, atol=1e-6, equal_nan=True):
            raise CurveError(f"{name} is not elementwise: a value depends on its neighbors")
    derivative = _gradient(y, points, create_graph=True)
    second = None if derivative is None else _gradient(derivative, points)
    slope = None if derivative is None else derivative.detach()
    return Curve(name, x, y.detach().flatten(), slope, second, module)


def breaks_of(activation: ActivationLike) -> Breaks:
    """Find where an elementwise activation and its derivatives jump.

    Args:
        activation: Anything that :func:`lightning_acts.create` takes; a module of the caller's stays as it is.

    Raises:
        SpecError: Its name or a parameter is wrong.

    Example:
        >>> breaks_of("relu"), breaks_of("hardshrink").value
        (Breaks(value=(), derivative=(0.0,), second=(0.0,)), (-0.5, 0.5))
    """
    module = copy.deepcopy(factory.create(activation)).double().eval()
    try:
        return Breaks.of(Measured(module))
    except Exception:  # a user's function may refuse numbers that no picture asks for
        return Breaks()


def grid(breaks: Sequence[float], low: float, high: float, intervals: int) -> Tensor:
    """Return points to evaluate; a place where the curve breaks is replaced by one on each side.

    Example:
        >>> grid([0.0], -1, 1, 2).tolist()
        [-1.0, -1e-06, 1e-06, 1.0]
    """
    inside = [at for at in breaks if low < at < high]
    even = torch.linspace(low, high, intervals + 1, dtype=torch.float64).tolist()
    kept = [at for at in even if all(abs(at - place) > _BESIDE for place in inside)]
    beside = [place + side for place in inside for side in (-_BESIDE, _BESIDE)]
    return torch.tensor(sorted([*kept, *beside]), dtype=torch.float64)


def pieces(x: Tensor, y: Tensor, breaks: Sequence[float]) -> list[tuple[Tensor, Tensor]]:
    """Return the finite parts of a curve between its breaks, without the values at these.

    Example:
        >>> x = torch.tensor([-2.0, -1.0, 1.0, 2.0])
        >>> [y.tolist() for _, y in pieces(x, x.sign(), [0.0])]
        [[-1.0, -1.0], [1.0, 1.0]]
    """
    places = torch.tensor(sorted(breaks), dtype=x.dtype)
    shown = y.isfinite() & ((x.unsqueeze(1) - places).abs() > _BESIDE / 2).all(1)
    piece = torch.searchsorted(places, x) + (~shown).cumsum(0)
    chosen = ((piece == number) & shown for number in range(int(piece[-1]) + 1))
    return [(x[part], y[part]) for part in chosen if int(part.sum()) > 1]


# How far beside a break a curve is evaluated.
_BESIDE = 1e-6


def _gradient(values: Tensor, points: Tensor, create_graph: bool = False) -> Tensor | None:
    """Return the derivative of each value by its point.

    0 where the values are flat, None where torch has no derivative.
    """
    if not values.requires_grad:
        return torch.zeros_like(points) if create_graph is False else None
    try:
        (slope,) = torch.autograd.grad(values.sum(), points, create_graph=create_graph, allow_unused=True)
    except RuntimeError:  # torch has no second derivative of hardsigmoid
        return None
    return slope


def _evaluate(module: nn.Module, values: Tensor, name: str) -> Tensor:
    try:
        y = module(values)
    except Exception as error:
        raise CurveError(f"{name} does not take numbers of the shape {tuple(values.shape)}: {error}") from error
    if not isinstance(y, Tensor) or y.shape != values.shape:
        became = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise CurveError(f"{name} is not elementwise: the shape {tuple(values.shape)} becomes {became}")
    return y.to(values.dtype)


def _name(activation: ActivationLike, module: nn.Module) -> str:
    spec = factory.spec_of(module)
    return str(spec) if spec else getattr(activation, "__name__", None) or repr(module)
