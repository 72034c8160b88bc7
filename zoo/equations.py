"""Differential equations with solutions that are known by other means."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


class Equation:
    """A differential equation for u of two coordinates in a rectangle, with conditions on some of its edges.

    A subclass gives the residual, which is 0 for a solution, and the solution with these conditions.
    """

    #: Names of the coordinates.
    coordinates = ("x", "t")
    #: Lower and upper ends of both.
    low, high = (0.0, 0.0), (1.0, 1.0)
    #: Edges on which u is given, each a coordinate and the value it has there.
    edges: tuple[tuple[int, float], ...] = ((0, 0.0), (0, 1.0), (1, 0.0))

    def residual(self, u: Tensor, points: Tensor) -> Tensor:
        """Return how far u is from satisfying the equation, ``(N,)``.

        Args:
            u: ``(N,)``, computed from the points.
            points: ``(N, 2)``, which require gradients.
        """
        raise NotImplementedError

    def solution(self, points: Tensor) -> Tensor:
        """Return u at points ``(N, 2)``, in float64."""
        raise NotImplementedError


class Heat(Equation):
    """Heat in a rod with ends of temperature 0: u_t = a u_xx, at first 4 x (1 - x); solved by a Fourier series."""

    diffusivity = 0.1

    def residual(self, u: Tensor, points: Tensor) -> Tensor:
        """Return u_t - a u_xx."""
        u_x, u_t = derivatives(u, points)
        u_xx, _ = derivatives(u_x, points)
        return u_t - self.diffusivity * u_xx

    def solution(self, points: Tensor) -> Tensor:
        """Return the sum of 32 / (n pi)^3 sin(n pi x) exp(-a (n pi)^2 t) over odd n."""
        x, t = points.double().unbind(dim=1)
        waves = math.pi * torch.arange(1, 400, 2, dtype=torch.float64, device=x.device)
        terms = 32 / waves**3 * torch.sin(x[:, None] * waves) * torch.exp(-self.diffusivity * waves**2 * t[:, None])
        return terms.sum(dim=1)


class Burgers(Equation):
    """A wave that steepens: u_t + u u_x = nu u_xx, at first -sin(pi x), 0 at both ends.

    Solved by the formula of Cole and Hopf, its integrals by Gauss-Hermite quadrature (Basdevant et al. 1986).
    """

    low, high = (-1.0, 0.0), (1.0, 1.0)
    edges = ((0, -1.0), (0, 1.0), (1, 0.0))
    viscosity = 0.1 / math.pi

    def residual(self, u: Tensor, points: Tensor) -> Tensor:
        """Return u_t + u u_x - nu u_xx."""
        u_x, u_t = derivatives(u, points)
        u_xx, _ = derivatives(u_x, points)
        return u_t + u * u_x - self.viscosity * u_xx

    def solution(self, points: Tensor) -> Tensor:
        """Return -E[sin(pi y) w(y)] / E[w(y)], y normal around x with variance 2 nu t, w = exp(-cos(pi y) / (2 pi nu))."""
        x, t = points.double().unbind(dim=1)
        nodes, weights = (torch.as_tensor(values, device=x.device) for values in np.polynomial.hermite.hermgauss(100))
        y = x[:, None] - torch.sqrt(4 * self.viscosity * t)[:, None] * nodes
        # The largest exponent is taken out of both integrals.
        density = weights * torch.exp(-(torch.cos(math.pi * y) + 1) / (2 * math.pi * self.viscosity))
        return -(torch.sin(math.pi * y) * density).sum(dim=1) / density.sum(dim=1)


class Poisson(Equation):
    """A membrane under a load: u_xx + u_yy = f, 0 on the whole edge; f made for u = sin(pi x) sin(2 pi y)."""

    coordinates = ("x", "y")
    edges = ((0, 0.0), (0, 1.0), (1, 0.0), (1, 1.0))

    def residual(self, u: Tensor, points: Tensor) -> Tensor:
        """Return u_xx + u_yy - f."""
        u_x, u_y = derivatives(u, points)
        u_xx, _ = derivatives(u_x, points)
        _, u_yy = derivatives(u_y, points)
        load = -5 * math.pi**2 * torch.sin(math.pi * points[:, 0]) * torch.sin(2 * math.pi * points[:, 1])
        return u_xx + u_yy - load

    def solution(self, points: Tensor) -> Tensor:
        """Return sin(pi x) sin(2 pi y)."""
        x, y = points.double().unbind(dim=1)
        return torch.sin(math.pi * x) * torch.sin(2 * math.pi * y)


EQUATIONS: Mapping[str, Equation] = {"heat": Heat(), "burgers": Burgers(), "poisson": Poisson()}


def equation(name: str) -> Equation:
    """Return the equation of a name.

    Raises:
        ValueError: There is none of this name.

    Example:
        >>> equation("heat").coordinates
        ('x', 't')
    """
    if name not in EQUATIONS:
        raise ValueError(f"equation={name!r}: one of {', '.join(EQUATIONS)}")
    return EQUATIONS[name]


def derivatives(u: Tensor, points: Tensor) -> tuple[Tensor, ...]:
    """Return the partial derivatives of u ``(N,)`` by each coordinate of its points, ``(N,)`` each; 0 where it has none.

    Example:
        >>> points = torch.tensor([[2.0, 3.0]], requires_grad=True)
        >>> [derivative.item() for derivative in derivatives(points[:, 0] ** 2 * points[:, 1], points)]
        [12.0, 4.0]
    """
    if not u.requires_grad:
        return torch.zeros_like(points).unbind(dim=1)
    # Each u depends on its own point alone, so that the gradient of the sum holds the derivatives of all.
    (gradient,) = torch.autograd.grad(u.sum(), points, create_graph=True, materialize_grads=True)
    return gradient.unbind(dim=1)
