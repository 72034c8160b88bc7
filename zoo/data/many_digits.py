"""Images of several handwritten digits, with all the digits on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils.data import Dataset, TensorDataset

from .base import ZooData, check_fractions
from .digits import Digits

_PARTS = ("train", "val", "test")


class ManyDigits(ZooData):
    """Images of one to four of scikit-learn's digits, and which digits are on them: several labels at once.

    Images are ``(1, 16, 16)`` with values in [0, 1]: four fields of 8 x 8 pixels, some of them empty. Targets are ``(10,)``, 1
    for each digit that is there at least once, else 0. No digit is in images of two parts.

    Args:
        train_images: Images for training.
        batch_size: Images a batch.
        val_fraction: Images for validation, as a share of those for training.
        test_fraction: Images for the test, likewise.
        split_seed: Seed of the images, and of the split of the digits.
        num_workers: Processes that load batches.

    Raises:
        ValueError: A number is out of range.

    Example:
        >>> data = ManyDigits(train_images=100)
        >>> data.setup()
        >>> images, present = next(iter(data.test_dataloader()))
        >>> images.shape, present[0]
        (torch.Size([25, 1, 16, 16]), tensor([0, 0, 0, 0, 1, 0, 0, 0, 0, 0]))
    """

    num_classes = 10
    in_channels = 1

    def __init__(
        self,
        train_images: int = 3000,
        batch_size: int = 32,
        val_fraction: float = 0.15,
        test_fraction: float = 0.25,
        split_seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers)
        if train_images < 1:
            raise ValueError(f"ManyDigits(train_images={train_images}): at least 1")
        check_fractions("ManyDigits", val_fraction=val_fraction, test_fraction=test_fraction)
        self.save_hyperparameters()

    def parts(self) -> Mapping[str, Dataset[Any]]:
        """Put the images of each part together."""
        generator = torch.Generator().manual_seed(self.hparams["split_seed"])
        digits = Digits(split_seed=self.hparams["split_seed"]).parts()
        shares = {"train": 1.0, "val": self.hparams["val_fraction"], "test": self.hparams["test_fraction"]}
        return {
            part: _together(digits[part], max(1, round(shares[part] * self.hparams["train_images"])), generator)
            for part in _PARTS
        }


def _together(digits: Dataset[Any], count: int, generator: torch.Generator) -> TensorDataset:
    members = [digits[index] for index in range(len(digits))]  # type: ignore[arg-type]
    images, labels = (torch.stack(values) for values in zip(*members, strict=True))
    chosen = torch.randint(len(labels), (count, 4), generator=generator)
    held = torch.randint(1, 5, (count, 1), generator=generator)
    shown = torch.rand(count, 4, generator=generator).argsort(dim=1) < held
    fields = images[chosen].squeeze(2) * shown[..., None, None]
    rows = fields.reshape(count, 2, 2, 8, 8).transpose(2, 3)  # (count, 2, 8, 2, 8): fields beside and below each other
    present = (F.one_hot(labels[chosen], 10) * shown[..., None]).amax(dim=1)
    return TensorDataset(rows.reshape(count, 1, 16, 16), present)
