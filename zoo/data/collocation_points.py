"""Points at which a differential equation and its conditions shall hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine
from torch.utils.data import Dataset

from ..equations import equation as equation_of
from .field import FieldData, Points


class CollocationPoints(FieldData):
    """Points of the rectangle of an equation, for a physics-informed network.

    Samples are a point ``(2,)``, whether the equation shall hold there (True) or a condition (False), and u ``(1,)``.
    For training and validation u is given for conditions alone, and 0 elsewhere: nothing is learned from the solution.
    The test has the solution, on a grid. Points are Sobol sequences, shuffled by the seed: the same in every process.

    Args:
        equation: ``heat``, ``burgers`` or ``poisson``, as for the model.
        inside: How many points the equation is trained at.
        edge: How many points the conditions are trained at, over all edges. A quarter as many of both validate.
        size: Points along each side of the grid of the test.
        batch_size: Points a batch; by default all, as usual for such networks.
        passes: How often an epoch goes over the points.
        seed: Seed of the points.
        num_workers: Processes that load batches.

    Raises:
        ValueError: A number is out of range, or there is no such equation.

    Example:
        >>> data = CollocationPoints("poisson")
        >>> data.setup()
        >>> [tuple(part.shape) for part in next(iter(data.train_dataloader()))]
        [(1280, 2), (1280,), (1280, 1)]
    """

    def __init__(
        self,
        equation: str = "heat",
        inside: int = 1024,
        edge: int = 256,
        size: int = 64,
        batch_size: int | None = None,
        passes: int = 100,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(inside + edge if batch_size is None else batch_size, passes, num_workers)
        for name, value, least in (("inside", inside, 4), ("edge", edge, 16), ("size", size, 2)):
            if value < least:
                raise ValueError(f"CollocationPoints({name}={value}): at least {least}")
        self.save_hyperparameters()
        self.equation = equation_of(equation)

    def grid(self) -> tuple[Tensor, Tensor]:
        """Return points ``(size, size, 2)``, edges included, and the solution ``(size, size, 1)``."""
        size = self.hparams["size"]
        axes = [torch.linspace(*ends, size) for ends in zip(self.equation.low, self.equation.high, strict=True)]
        points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
        return points, self.equation.solution(points.flatten(0, 1)).float().reshape(size, size, 1)

    def parts(self) -> Mapping[str, Dataset[Any]]:
        """Make the points."""
        inside, edge, seed = (self.hparams[name] for name in ("inside", "edge", "seed"))
        points, u = (column.flatten(0, 1) for column in self.grid())
        return {
            "train": Points(*self._draw(inside, edge, 2 * seed), passes=self.passes),
            "val": Points(*self._draw(inside // 4, edge // 4, 2 * seed + 1)),
            "test": Points(points, torch.ones(len(points), dtype=torch.bool), u),
        }

    def _draw(self, inside: int, edge: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        low, high = torch.tensor(self.equation.low), torch.tensor(self.equation.high)
        points = low + (high - low) * SobolEngine(2, scramble=True, seed=seed).draw(inside + edge)  # type: ignore[no-untyped-call]
        # In a row: of a Sobol sequence every fourth point lies in one half.
        edges = points[inside:].tensor_split(len(self.equation.edges))
        for on_edge, (coordinate, value) in zip(edges, self.equation.edges, strict=True):
            on_edge[:, coordinate] = value
        holds = torch.arange(len(points)) < inside
        u = self.equation.solution(points).float().masked_fill(holds, 0.0)
        return points, holds, u.unsqueeze(1)
