"""An elementwise activation evaluated on a grid."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lightning_acts import registry
from lightning_acts.registry import ActivationLike


class CurveError(ValueError):
    """A function is no curve: not elementwise, or not one of numbers."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A function on a grid: name, points ``(N,)``, values ``(N,)``, derivatives ``(N,)`` or None if there are none."""

    name: str
    x: Tensor
    y: Tensor
    derivative: Tensor | None
    second: Tensor | None


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
    module = copy.deepcopy(registry.create(activation)).to(x.dtype).eval()
    spec = registry.spec_of(module)
    name = _name(activation, module)
    kind = "elementwise" if spec is None else registry.info(spec.name).kind
    if kind != "elementwise":
        raise CurveError(f"{name} is not elementwise but {kind}")
    points = x.detach().clone().requires_grad_()
    # One channel, first or last, so that one learnable slope a channel fits too; a clone, for it may work in place.
    y = _evaluate(module, points.clone().view(-1, 1, 1, 1), name)
    with torch.no_grad():
        # With other neighbours, or none in any dimension, an elementwise function gives the same.
        others = [_evaluate(module, x.clone().view(shape), name) for shape in ((-1, 1), (1, 1, -1, 1))]
        others.append(_evaluate(module, x.flip(0)[: len(x) // 2 + 1].view(1, 1, -1, 1), name).flip(2))
        if spec is None:  # a registered one may have a parameter for each place of the last dimension
            others.append(_evaluate(module, x.clone().view(1, 1, 1, -1), name))
    for other in others:
        flat, same = other.flatten(), y.detach().flatten()[-other.numel() :]
        if not torch.allclose(flat, same, rtol=1e-3, atol=1e-6, equal_nan=True):
            raise CurveError(f"{name} is not elementwise: a value depends on its neighbours")
    derivative = _gradient(y, points, create_graph=True)
    second = None if derivative is None else _gradient(derivative, points)
    return Curve(name, x, y.detach().flatten(), None if derivative is None else derivative.detach(), second)


def _gradient(values: Tensor, points: Tensor, create_graph: bool = False) -> Tensor | None:
    """The derivative of each value by its point; 0 where the values are flat, None where torch has no derivative."""
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
    spec = registry.spec_of(module)
    return str(spec) if spec else getattr(activation, "__name__", None) or repr(module)
