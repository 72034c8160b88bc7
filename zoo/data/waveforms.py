"""Breiman's waveforms: three classes of noisy curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils.data import Dataset, Subset, TensorDataset

from .base import ZooData, check_fractions, split


class Waveforms(ZooData):
    r"""Mixtures of two of three triangular waves in noise: which two.

    A sample is :math:`u h_i(t) + (1 - u) h_j(t) + \epsilon_t` at :math:`t = 1, ..., 21`, with u uniform in [0, 1] and
    standard normal noise; :math:`h_1(t) = \max(6 - |t - 11|, 0)`, and :math:`h_2`, :math:`h_3` are the same moved by 4 to
    the right and to the left. The best possible classifier is right on some 86 of 100.

    Sequences are ``(1, 21)``, labels 0 to 2.

    Args:
        count: Number of samples.
        batch_size: Samples a batch.
        val_fraction: The share of the samples for validation.
        test_fraction: The share of the samples for the test.
        data_seed: Seed of the samples and of the split.
        num_workers: Processes that load batches.

    Raises:
        ValueError: A number or a fraction is out of range.

    Source:
        Breiman, Friedman, Olshen & Stone 1984, Classification and Regression Trees, section 2.6.2.

    Example:
        >>> data = Waveforms(count=60, batch_size=4)
        >>> data.setup()
        >>> next(iter(data.test_dataloader()))[0].shape
        torch.Size([4, 1, 21])
    """

    num_classes = 3
    in_channels = 1
    class_names = ("1 and 2", "1 and 3", "2 and 3")

    def __init__(
        self,
        count: int = 5000,
        batch_size: int = 64,
        val_fraction: float = 0.15,
        test_fraction: float = 0.25,
        data_seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers)
        if count < 30:
            raise ValueError(f"Waveforms(count={count}): at least 30")
        check_fractions("Waveforms", val_fraction=val_fraction, test_fraction=test_fraction)
        self.save_hyperparameters()

    def parts(self) -> Mapping[str, Dataset[Any]]:
        """Draw the samples, and split them."""
        count, seed = self.hparams["count"], self.hparams["data_seed"]
        generator = torch.Generator().manual_seed(seed)
        t = torch.arange(1.0, 22.0)
        waves = torch.stack([(6 - (t - center).abs()).clamp_min(0) for center in (11, 15, 7)])
        labels = torch.randint(3, (count,), generator=generator)
        first, second = torch.tensor([[0, 1], [0, 2], [1, 2]])[labels].T
        share = torch.rand(count, 1, generator=generator)
        noise = torch.randn(count, 21, generator=generator)
        samples = share * waves[first] + (1 - share) * waves[second] + noise
        whole = TensorDataset(samples.unsqueeze(1), labels)
        indices = split(count, self.hparams["val_fraction"], self.hparams["test_fraction"], seed, labels)
        return {part: Subset(whole, members) for part, members in indices.items()}
