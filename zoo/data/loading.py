"""A data loader that keeps its place, so that a run which was interrupted within an epoch goes on with the next batch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, DistributedSampler


class EpochShuffle(DistributedSampler[int]):
    """A random order that depends on the seed and the epoch alone, not on what else is drawn.

    Over several processes each has its share, so that all of them together go through the samples in the order of one.

    Args:
        size: How many there are to order.
        seed: The seed; by default torch's initial one.
        num_replicas: How many processes there are.
        rank: Which of them this is.

    Example:
        >>> order = EpochShuffle(5, seed=1)
        >>> first = list(order)
        >>> order.set_epoch(1)
        >>> sorted(order) == sorted(first), list(order) == first
        (True, False)
    """

    def __init__(self, size: int, seed: int | None = None, num_replicas: int = 1, rank: int = 0) -> None:
        # A DistributedSampler is what Lightning leaves as it is.
        super().__init__(range(size), num_replicas, rank)  # type: ignore[arg-type]
        self.seed = torch.initial_seed() % 2**31 if seed is None else seed
        self.skip = 0

    def set_epoch(self, epoch: int) -> None:
        """Note the epoch; Lightning calls this at its start."""
        if epoch != self.epoch:
            self.epoch, self.skip = epoch, 0

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        order = torch.randperm(len(self.dataset), generator=generator).tolist()  # type: ignore[arg-type]
        first, self.skip = self.rank + self.skip * self.num_replicas, 0
        # All processes have equally many: at the end the first ones come again.
        return itertools.islice(itertools.cycle(order), first, self.total_size, self.num_replicas)


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
        """Return the epoch, how many of its batches were given, and to how many processes each."""
        return {"epoch": self._epoch, "given": self._given, "processes": self._processes}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on where another loader of the same data stopped; after an epoch's last batch, with the next epoch."""
        if isinstance(self.sampler, EpochShuffle):
            batches = state["given"] * state["processes"] // self._processes
            whole = batches >= len(self)
            self.sampler.epoch = state["epoch"] + whole
            self.sampler.skip = 0 if whole else batches * (self.batch_size or 1)

    @property
    def _processes(self) -> int:
        return self.sampler.num_replicas if isinstance(self.sampler, DistributedSampler) else 1
