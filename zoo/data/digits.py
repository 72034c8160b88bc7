"""Handwritten digits that need no download."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

from lightning_acts.extras import require

from .loading import ResumableLoader


class Digits(L.LightningDataModule):
    """The 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn.

    Images are ``(1, size, size)`` with values in [0, 1], labels 0 to 9. The three parts have the same share of each
    digit; which images are in which part depends on ``split_seed`` alone.

    Args:
        batch_size: Images a batch. By default few, so that an epoch has steps enough for a network to learn something,
            and for the running statistics of batch normalization to settle.
        val_fraction: The share of the images for validation.
        test_fraction: The share of the images for the test.
        image_size: Edge length in pixels; above 8 the images are enlarged bilinearly.
        split_seed: Seed of the split.
        num_workers: Processes that load batches.

    Raises:
        ValueError: A size or a fraction can't be.

    Source:
        Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, UCI.

    Example:
        >>> data = Digits(batch_size=32)
        >>> data.setup("fit")
        >>> images, labels = next(iter(data.train_dataloader()))
        >>> images.shape, labels.shape
        (torch.Size([32, 1, 8, 8]), torch.Size([32]))
    """

    num_classes = 10
    in_channels = 1

    def __init__(
        self,
        batch_size: int = 16,
        val_fraction: float = 0.15,
        test_fraction: float = 0.25,
        image_size: int = 8,
        split_seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"Digits(batch_size={batch_size}): at least 1")
        if image_size < 8:
            raise ValueError(f"Digits(image_size={image_size}): at least 8, the size of the originals")
        if min(val_fraction, test_fraction) <= 0 or val_fraction + test_fraction >= 1:
            raise ValueError(
                f"Digits(val_fraction={val_fraction}, test_fraction={test_fraction}): both above 0, their sum below 1"
            )
        if num_workers < 0:
            raise ValueError(f"Digits(num_workers={num_workers}): not below 0")
        self.save_hyperparameters()
        self.batch_size = batch_size
        self._parts: dict[str, Dataset[tuple[Tensor, ...]]] = {}

    def setup(self, stage: str | None = None) -> None:
        """Read and split the images; the same parts in every stage and process."""
        if self._parts:
            return
        datasets = require("sklearn.datasets", extra="vision")
        split = require("sklearn.model_selection", extra="vision").train_test_split
        bunch = datasets.load_digits()
        seed, val, test = (self.hparams[name] for name in ("split_seed", "val_fraction", "test_fraction"))
        images = torch.tensor(bunch.images / 16, dtype=torch.float32).unsqueeze(1)
        if self.hparams["image_size"] > 8:
            size = self.hparams["image_size"]
            images = torch.nn.functional.interpolate(images, size=size, mode="bilinear", align_corners=False)
        smallest = min(val, test, 1 - val - test) * len(images)
        if smallest < len(bunch.target_names):
            raise ValueError(
                f"Digits(val_fraction={val}, test_fraction={test}): a part of {smallest:.1f} images can't hold "
                f"one of each of the {len(bunch.target_names)} digits"
            )
        everything = TensorDataset(images, torch.tensor(bunch.target))
        rest, tested = split(range(len(everything)), test_size=test, stratify=bunch.target, random_state=seed)
        trained, validated = split(rest, test_size=val / (1 - test), stratify=bunch.target[rest], random_state=seed)
        for name, indices in (("train", trained), ("val", validated), ("test", tested)):
            self._parts[name] = Subset(everything, indices)

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Shuffled; the last, smaller batch is dropped, for batch normalization can't take a batch of one."""
        return ResumableLoader(self._parts["train"], drop_last=True, **self._options())

    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Return all images of the validation part, in order."""
        return self._loader("val")

    def test_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Return all images of the test part, in order."""
        return self._loader("test")

    def predict_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Return the test part."""
        return self._loader("test")

    def _loader(self, part: str) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(self._parts[part], generator=torch.Generator(), **self._options())

    def _options(self) -> dict[str, Any]:
        workers = self.hparams["num_workers"]
        return {"batch_size": self.batch_size, "num_workers": workers, "persistent_workers": workers > 0}
