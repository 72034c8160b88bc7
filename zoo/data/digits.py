"""Handwritten digits that need no download."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils.data import Dataset, Subset, TensorDataset

from lightning_acts.extras import require

from .base import ZooData, check_fractions, split


class Digits(ZooData):
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
        ValueError: A size or a fraction is out of range.

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
        super().__init__(batch_size, num_workers)
        if image_size < 8:
            raise ValueError(f"Digits(image_size={image_size}): at least 8, the size of the originals")
        check_fractions("Digits", val_fraction=val_fraction, test_fraction=test_fraction)
        self.save_hyperparameters()

    def parts(self) -> Mapping[str, Dataset[Any]]:
        """Read and split the images."""
        bunch = require("sklearn.datasets", extra="vision").load_digits()
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
        indices = split(len(everything), val, test, seed, bunch.target)
        return {part: Subset(everything, members) for part, members in indices.items()}
