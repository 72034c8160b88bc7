"""Base of data that are points of a field: coordinates, and the field's values there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from .base import ZooData, split


class Points(Dataset[tuple[Tensor, ...]]):
    """Points, as columns of equal length, of which a whole batch is taken at once.

    Args:
        columns: Tensors with a row for each point.
        passes: How often each point occurs.

    Example:
        >>> points = Points(torch.arange(3.0), torch.arange(3.0) ** 2, passes=2)
        >>> len(points), points.__getitems__([1, 2, 5])
        (6, (tensor([1., 2., 2.]), tensor([1., 4., 4.])))
    """

    def __init__(self, *columns: Tensor, passes: int = 1) -> None:
        self.columns, self.passes = columns, passes

    def __len__(self) -> int:
        return len(self.columns[0]) * self.passes

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(column[index % len(column)] for column in self.columns)

    def __getitems__(self, indices: Sequence[int]) -> tuple[Tensor, ...]:
        """Return the columns of several points; DataLoader asks for a batch like this."""
        rows = torch.tensor(indices) % len(self.columns[0])
        return tuple(column[rows] for column in self.columns)


class FieldData(ZooData):
    """Points of a field, which is known on a grid: for pictures, and for the test.

    A subclass defines :meth:`grid` and :meth:`parts`, of :class:`Points`.

    Args:
        batch_size: Points a batch.
        passes: How often an epoch goes over the points: an epoch of one step would cost more than its step.
        num_workers: Processes that load batches.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(self, batch_size: int, passes: int, num_workers: int = 0) -> None:
        super().__init__(batch_size, num_workers)
        if passes < 1:
            raise ValueError(f"{type(self).__name__}(passes={passes}): at least 1")
        self.passes = passes

    def grid(self) -> tuple[Tensor, Tensor]:
        """Return coordinates ``(*sizes, dimensions)`` and values ``(*sizes, channels)`` on a grid."""
        raise NotImplementedError(f"{type(self).__name__} has no grid")

    def _options(self) -> dict[str, Any]:
        return {**super()._options(), "collate_fn": _as_it_is}


class KnownField(FieldData):
    """A field whose values on the grid are what a model is trained on; a subclass defines :meth:`grid`.

    Args:
        held_out: Share of the points that are not trained on; half of them validate, half test. With 0 all points are in
            all parts.
        batch_size: Points a batch.
        passes: How often an epoch goes over the points of its part.
        split_seed: Seed of the choice of points that are held out.
        num_workers: Processes that load batches.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(self, held_out: float, batch_size: int, passes: int, split_seed: int, num_workers: int) -> None:
        super().__init__(batch_size, passes, num_workers)
        if not 0 <= held_out < 1:
            raise ValueError(f"{type(self).__name__}(held_out={held_out}): from 0 to below 1")
        self._held_out, self._split_seed = held_out, split_seed

    def parts(self) -> Mapping[str, Dataset[Any]]:
        """Split the points."""
        columns = [column.flatten(0, -2) for column in self.grid()]
        indices: Mapping[str, Any] = dict.fromkeys(("train", "val", "test"), slice(None))
        if self._held_out:
            half = self._held_out / 2
            indices = split(len(columns[0]), half, half, self._split_seed)
        return {
            part: Points(*(column[rows] for column in columns), passes=self.passes if part == "train" else 1)
            for part, rows in indices.items()
        }


def _as_it_is(batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return batch


def centers(*sizes: int) -> Tensor:
    """Return coordinates ``(*sizes, dimensions)`` of the centers of the cells that [-1, 1] is divided into.

    Example:
        >>> centers(4).flatten().tolist()
        [-0.75, -0.25, 0.25, 0.75]
    """
    axes = [(2 * torch.arange(size) + 1) / size - 1 for size in sizes]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
