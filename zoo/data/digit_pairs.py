"""Pairs of handwritten digits that belong together or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from .base import ZooData
from .digits import Digits


class DigitPairs(ZooData):
    """Pairs of scikit-learn's digits: for each image one that belongs to it, and one that does not.

    Batches are ``((left, right), labels)``, labels 1 for pairs that belong together, else 0. Both images of a pair are in one
    part, and in no other part.

    Args:
        pairs: ``halves``: the left and the right half of an image, ``(1, 8, 4)``, or of images of two digits; ``images``: two
            images, ``(1, 8, 8)``, of one digit, or of two.
        batch_size: Pairs a batch.
        val_fraction: The share of the images for validation.
        test_fraction: The share of the images for the test.
        split_seed: Seed of the split, and of what is paired with what.
        num_workers: Processes that load batches.

    Raises:
        ValueError: A number is out of range, or ``pairs`` is another word.

    Example:
        >>> data = DigitPairs()
        >>> data.setup()
        >>> (left, right), labels = next(iter(data.test_dataloader()))
        >>> left.shape, right.shape, labels[:4]
        (torch.Size([32, 1, 8, 4]), torch.Size([32, 1, 8, 4]), tensor([1, 0, 1, 0]))
    """

    def __init__(
        self,
        pairs: Literal["halves", "images"] = "halves",
        batch_size: int = 32,
        val_fraction: float = 0.15,
        test_fraction: float = 0.25,
        split_seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers)
        if pairs not in ("halves", "images"):
            raise ValueError(f"DigitPairs(pairs={pairs!r}): halves or images")
        self.save_hyperparameters()
        self.digits = Digits(val_fraction=val_fraction, test_fraction=test_fraction, split_seed=split_seed)

    def parts(self) -> Mapping[str, Dataset[Any]]:
        """Pair the images within each part."""
        generator = torch.Generator().manual_seed(self.hparams["split_seed"])
        return {part: self._paired(images, generator) for part, images in self.digits.parts().items()}

    def _paired(self, dataset: Dataset[Any], generator: torch.Generator) -> Dataset[Any]:
        members = [dataset[index] for index in range(len(dataset))]  # type: ignore[arg-type]
        images, digits = (torch.stack(values) for values in zip(*members, strict=True))
        one = torch.arange(len(images))
        other = partners(digits, generator, alike=False)
        if self.hparams["pairs"] == "halves":
            left, right = images.tensor_split(2, dim=3)
            match = one
        else:
            left = right = images
            match = partners(digits, generator, alike=True)
        # One that belongs together, one that does not, in turns.
        first, second = one.repeat_interleave(2), torch.stack([match, other], dim=1).flatten()
        labels = torch.tensor([1, 0]).repeat(len(images))
        return _Pairs(left[first], right[second], labels)


class _Pairs(TensorDataset):
    """Pairs and their labels: ``((left, right), label)``."""

    def __getitem__(self, index: int) -> Any:
        left, right, label = (tensor[index] for tensor in self.tensors)
        return (left, right), label


def partners(labels: Tensor, generator: torch.Generator, alike: bool) -> Tensor:
    """Return for each label the position of another one, drawn among those that are equal, or different.

    Args:
        labels: ``(N,)``; at least two of each, and two different ones.
        generator: Draws.
        alike: Whether the partner has the same label.

    Example:
        >>> labels = torch.tensor([0, 0, 1, 1])
        >>> partners(labels, torch.Generator(), alike=True)
        tensor([1, 0, 3, 2])
    """
    fits = (labels[:, None] == labels) == alike
    fits.fill_diagonal_(False)
    return torch.multinomial(fits.float(), 1, generator=generator).squeeze(1)
