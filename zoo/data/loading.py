"""A data loader that keeps its place, so that a run which was interrupted within an epoch goes on with the next batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler


class EpochShuffle(Sampler[int]):
    """A random order that depends on the seed and the epoch alone, not on what else is drawn.

    Args:
        size: How many there are to order.
        seed: The seed; by default torch's initial one.

    Example:
        >>> order = EpochShuffle(5, seed=1)
        >>> first = list(order)
        >>> order.set_epoch(1)
        >>> sorted(order) == sorted(first), list(order) == first
        (True, False)
    """

    def __init__(self, size: int, seed: int | None = None) -> None:
        self.size = size
        self.seed = torch.initial_seed() % 2**31 if seed is None else seed
        self.epoch = 0
        self.skip = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of each epoch."""
        if epoch != self.epoch:
            self.epoch, self.skip = epoch, 0

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        order = torch.randperm(self.size, generator=generator).tolist()
        skip, self.skip = self.skip, 0
        yield from order[skip:]

    def __len__(self) -> int:
        return self.size


class ResumableLoader(DataLoader[Any]):
    """A shuffling DataLoader with ``state_dict`` and ``load_state_dict``, which Lightning keeps in checkpoints.

    Args:
        dataset: A dataset with a length.
        batch_size: Samples a batch.
        options: Further arguments of ``DataLoader``, without ``shuffle``, ``sampler`` and ``generator``.

    Example:
        >>> loader = ResumableLoader(list(range(6)), batch_size=2)
        >>> batches = iter(loader)
        >>> first, state = next(batches), loader.state_dict()
        >>> again = ResumableLoader(list(range(6)), batch_size=2)
        >>> again.load_state_dict(state)
        >>> [batch.tolist() for batch in again] == [batch.tolist() for batch in batches]
        True
    """

    def __init__(self, dataset: Dataset[Any], batch_size: int = 1, **options: Any) -> None:
        if options.get("sampler") is None:
            options["sampler"] = EpochShuffle(len(dataset))  # type: ignore[arg-type]
        self._seed = torch.initial_seed() % 2**31
        options["generator"] = torch.Generator()
        super().__init__(dataset, batch_size, **options)
        self._epoch, self._given = 0, 0

    def __iter__(self) -> Any:
        sampler = self.sampler
        size = self.batch_size or 1
        self._epoch, self._given = (
            (sampler.epoch, sampler.skip // size) if isinstance(sampler, EpochShuffle) else (0, 0)
        )
        # Its workers' seeds are the loader's own: nothing is drawn from what the model draws from.
        self.generator.manual_seed(self._seed + self._epoch)
        for batch in super().__iter__():
            self._given += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return the epoch, and how many of its batches were given."""
        return {"epoch": self._epoch, "given": self._given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on where another loader of the same data stopped; after an epoch's last batch, with the next epoch.

        Over several processes the samplers are Lightning's, and an epoch begins again.
        """
        if isinstance(self.sampler, EpochShuffle):
            whole = state["given"] >= len(self)
            self.sampler.epoch = state["epoch"] + whole
            self.sampler.skip = 0 if whole else state["given"] * (self.batch_size or 1)
