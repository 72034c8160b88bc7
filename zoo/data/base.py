"""Base of the zoo's data: parts that depend on a seed alone, and loaders that resume exactly."""

from __future__ import annotations

import inspect
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lightning_acts.extras import require
from lightning_acts.hints import listed

from .loading import EpochShuffle, ResumableLoader


class ZooData(L.LightningDataModule):
    """Data in three parts: ``train``, shuffled, ``val`` and ``test``, in order. ``predict`` gives the test part.

    A subclass defines :meth:`parts`, and :meth:`prepare_data` where something has to be fetched.

    Args:
        batch_size: Samples a batch.
        num_workers: Processes that load batches.

    Raises:
        ValueError: A number is out of range.

    Example:
        >>> class Numbers(ZooData):
        ...     def parts(self) -> dict[str, Dataset[Any]]:
        ...         numbers = list(range(10))
        ...         return {"train": numbers[:6], "val": numbers[6:8], "test": numbers[8:]}
        >>> data = Numbers(batch_size=2)
        >>> data.setup()
        >>> [batch.tolist() for batch in data.test_dataloader()]
        [[8, 9]]
    """

    def __init__(self, batch_size: int = 32, num_workers: int = 0) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"{type(self).__name__}(batch_size={batch_size}): at least 1")
        if num_workers < 0:
            raise ValueError(f"{type(self).__name__}(num_workers={num_workers}): at least 0")
        self.batch_size, self.num_workers = batch_size, num_workers
        self._parts: Mapping[str, Dataset[Any]] = {}

    def save_hyperparameters(self, *names: Any, **options: Any) -> None:
        """Keep the arguments of the constructor, out of loggers.

        Lightning refuses to log arguments of a model and of data that have one name and different values.
        """
        frame = inspect.currentframe()
        assert frame is not None
        super().save_hyperparameters(*names, **{"logger": False, "frame": frame.f_back, **options})

    def parts(self) -> Mapping[str, Dataset[Any]]:
        """Return the datasets ``train``, ``val`` and ``test``: the same in every process."""
        raise NotImplementedError(f"{type(self).__name__} has no parts")

    def setup(self, stage: str | None = None) -> None:
        """Read and split the data once."""
        self._parts = self._parts or self.parts()

    def check(self) -> None:
        """Fetch and read the data: a run has what is wrong with them told before it makes a folder."""
        self.prepare_data()
        self.setup()

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the training part, shuffled; it resumes within an epoch where it was interrupted.

        A last, smaller batch is dropped, for batch normalization can't take a batch of one. Over several processes each
        has its share of the samples, and all have the same seed.
        """
        part = self._parts["train"]
        options: dict[str, Any] = {}
        if self.trainer is not None:
            seed = self.trainer.strategy.broadcast(torch.initial_seed() % 2**31)
            options = {"seed": seed, **(self.trainer.distributed_sampler_kwargs or {})}
        order = EpochShuffle(len(part), **options)  # type: ignore[arg-type]
        return ResumableLoader(part, sampler=order, drop_last=len(order) >= self.batch_size, **self._options())

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the validation part, in order."""
        return self._loader("val")

    def test_dataloader(self) -> DataLoader[Any]:
        """Return the test part, in order."""
        return self._loader("test")

    def predict_dataloader(self) -> DataLoader[Any]:
        """Return the test part, in order."""
        return self._loader("test")

    def _loader(self, part: str) -> DataLoader[Any]:
        return DataLoader(self._parts[part], generator=torch.Generator(), **self._options())

    def _options(self) -> dict[str, Any]:
        workers = self.num_workers
        return {"batch_size": self.batch_size, "num_workers": workers, "persistent_workers": workers > 0}


def check_fractions(name: str, **fractions: float) -> None:
    """Refuse shares of the data that leave nothing for a part.

    Args:
        name: Who is given them.
        fractions: Shares by argument; what they leave is for training.

    Raises:
        ValueError: One is not above 0, or they leave nothing.
    """
    if min(fractions.values()) <= 0 or sum(fractions.values()) >= 1:
        listed = ", ".join(f"{argument}={value}" for argument, value in fractions.items())
        raise ValueError(f"{name}({listed}): each above 0, their sum below 1")


def check_classes(name: str, labels: Iterable[int], class_names: Sequence[str]) -> None:
    """Refuse classes that can't be in all three parts.

    Args:
        name: Who is given them.
        labels: The class of each sample.
        class_names: Names of the classes.

    Raises:
        ValueError: One has fewer than 3 samples.
    """
    counts = Counter(labels)
    few = [f"{title} ({counts[label]})" for label, title in enumerate(class_names) if counts[label] < 3]
    if few:
        raise ValueError(f"{name}: classes of fewer than 3 samples can't be in all three parts: {listed(few)}")


def split(
    count: int, val_fraction: float, test_fraction: float, seed: int, labels: Sequence[int] | Tensor | None = None
) -> dict[str, list[int]]:
    """Split indices into ``train``, ``val`` and ``test`` by a seed.

    Args:
        count: How many there are.
        val_fraction: Share of the validation part.
        test_fraction: Share of the test part; 0 for none.
        seed: Seed of the split.
        labels: Classes, of which each part gets the same shares.

    Raises:
        ValueError: A part can't hold one of each class, or a class has a single member.

    Example:
        >>> {part: len(indices) for part, indices in split(10, 0.2, 0.3, seed=0).items()}
        {'train': 5, 'val': 2, 'test': 3}
    """
    train_test_split = require("sklearn.model_selection", extra="vision").train_test_split
    classes = None if labels is None else torch.as_tensor(labels)
    rest = list(range(count))
    parts: dict[str, list[int]] = {"train": [], "val": [], "test": []}
    for part, share, left in (("test", test_fraction, 1.0), ("val", val_fraction, 1 - test_fraction)):
        if share:
            stratify = None if classes is None else classes[rest].numpy()
            try:
                # Rounded, for 0.2 / 0.7 of 7 is a little more than 2.
                size = round(share / left * len(rest), 9)
                rest, parts[part] = train_test_split(
                    rest, test_size=math.ceil(size), stratify=stratify, random_state=seed
                )
            except ValueError as error:
                raise ValueError(f"{part}_fraction={share} of {count}: {error}") from error
    return {**parts, "train": rest}
