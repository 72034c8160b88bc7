"""Compression of images to a few numbers, and their reconstruction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric, MeanSquaredError, MetricCollection
from torchmetrics.functional.image import peak_signal_noise_ratio

from lightning_acts.reports.pictures import plot_image_rows

from .base import MakeOptimizer, MakeScheduler, SupervisedModel
from .image_coding import ImageDecoder, ImageEncoder, divided
from .layers import Activations


class Autoencoder(SupervisedModel):
    """An autoencoder: an encoder gives ``latent_dim`` numbers for an image, a decoder gives the image back.

    Convolutional by ``channels``, fully connected with ``channels=[]``. Trained on the mean squared error. Logs
    ``loss``, ``mse`` and ``psnr`` (peak signal-to-noise ratio in decibels, mean over images) in every stage; classes in
    the batches are not looked at.

    Args:
        in_channels: Channels of the images.
        image_size: Edge length of the images.
        latent_dim: Numbers for an image.
        channels: Channels after each convolution of the encoder, which halves the image; the decoder mirrors them.
        hidden: Sizes of the linear layers between convolutions and latents.
        activation: One spec for all hidden layers, or a spec for each, those of the encoder first.
        output: ``sigmoid`` for images with values in [0, 1], or ``identity``.
        lr: Peak of the learning rate.
        weight_decay: Weight decay of the weights of layers.
        optimizer: Makes another optimizer from groups of parameters.
        scheduler: Makes another scheduler from the optimizer.

    Shape:
        ``(N, in_channels, image_size, image_size)`` to the same.

    Raises:
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: A number is out of range, or there are more or fewer specs than hidden layers.

    Source:
        Hinton & Salakhutdinov 2006, Science 313, doi:10.1126/science.1127647.

    Example:
        >>> model = Autoencoder(image_size=8, latent_dim=4, channels=[8, 16], hidden=[32], activation="mish")
        >>> model.encoder(torch.zeros(2, 1, 8, 8)).shape, model(torch.zeros(2, 1, 8, 8)).shape
        (torch.Size([2, 4]), torch.Size([2, 1, 8, 8]))
    """

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 28,
        latent_dim: int = 16,
        channels: Sequence[int] = (16, 32),
        hidden: Sequence[int] = (128,),
        activation: Activations = "relu",
        output: Literal["sigmoid", "identity"] = "sigmoid",
        lr: float = 2e-3,
        weight_decay: float = 0.0,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, optimizer=optimizer, scheduler=scheduler)
        self.check_at_least(1, in_channels=in_channels, image_size=image_size, latent_dim=latent_dim)
        if output not in ("sigmoid", "identity"):
            raise ValueError(f"Autoencoder(output={output!r}): sigmoid or identity")
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        self.example_input_array = torch.zeros(2, in_channels, image_size, image_size)
        layers = len(channels) + len(hidden)
        encoding, decoding = divided(activation, layers, layers)
        self.encoder = ImageEncoder(in_channels, image_size, latent_dim, channels, hidden, encoding)
        self.decoder = ImageDecoder(latent_dim, image_size, in_channels, channels, hidden, decoding)
        self.output = nn.Sigmoid() if output == "sigmoid" else nn.Identity()
        self.set_metrics({"mse": MeanSquaredError(), "psnr": MeanMetric()})

    def forward(self, images: Tensor) -> Tensor:
        """Return the reconstructions of images."""
        reconstructions: Tensor = self.output(self.decoder(self.encoder(images)))
        return reconstructions

    def targets(self, batch: Any) -> Tensor:
        """Return the images themselves."""
        images: Tensor = self.inputs(batch)
        return images

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean squared error."""
        return nn.functional.mse_loss(outputs, targets)

    def measure(self, metrics: MetricCollection, outputs: Tensor, targets: Tensor) -> None:
        """Update the metrics; an image's ratio is its own, so that the mean over images does not depend on batches."""
        metrics["mse"].update(outputs, targets)
        ratios = peak_signal_noise_ratio(outputs, targets, data_range=1.0, reduction="none", dim=(1, 2, 3))
        metrics["psnr"].update(ratios)

    def draw_results(self, folder: Path, label: str) -> None:
        """Draw images of the last test above their reconstructions."""
        if (batch := self.first_test_batch()) is not None:
            images = self.inputs(batch)[:12]
            rows = {"image": images, "reconstruction": self(images)}
            plot_image_rows(rows, folder / "reconstructions.png", label)
