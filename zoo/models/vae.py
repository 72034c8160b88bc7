"""Variational autoencoder: images from a few normally distributed numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MeanMetric, MetricCollection

from lightning_acts.reports.pictures import plot_image_rows, plot_image_sheet

from .base import MakeOptimizer, MakeScheduler, SupervisedModel
from .image_coding import ImageDecoder, ImageEncoder, divided
from .layers import Activations


class Coded(NamedTuple):
    """What a VAE gives for images.

    Args:
        scores: Of the decoder for each image and draw of its latents, ``(N, draws, C, H, W)``: logits, or means.
        mean: Of the latents, ``(N, latent_dim)``.
        std: Their standard deviation, ``(N, latent_dim)``.
    """

    scores: Tensor
    mean: Tensor
    std: Tensor


class VAE(SupervisedModel):
    r"""A variational autoencoder, trained on the evidence lower bound (ELBO) of the likelihood of images.

    For an image x the encoder gives a normal distribution :math:`q(z|x)` of ``latent_dim`` numbers, and the decoder the
    distribution :math:`p(x|z)` of images. The loss is

    .. math:: E_{q(z|x)}[-\log p(x|z)] + \beta\,KL(q(z|x)\,\|\,N(0, 1))

    in nats an image, the mean over images. Logs ``loss``, and its two terms ``reconstruction`` and ``kl``, in every
    stage; with ``beta=1`` the loss is the negative ELBO. Training draws the latents; elsewhere the expectation is the
    mean over ``draws`` fixed draws, the same for each image, so that results do not depend on batches and processes.

    Args:
        in_channels: Channels of the images, which have values in [0, 1].
        image_size: Edge length of the images.
        latent_dim: Numbers for an image; with 2, the plane of latents is drawn.
        channels: Channels after each convolution of the encoder, which halves the image; the decoder mirrors them.
        hidden: Sizes of the linear layers between convolutions and latents.
        activation: One spec for all hidden layers, or a spec for each, those of the encoder first.
        likelihood: ``bernoulli``, of which gray values are the probabilities, or ``gaussian``.
        scale: Standard deviation of a pixel under the Gaussian likelihood.
        positive: What makes the standard deviation of latents positive: ``softplus``, which grows linearly, or ``exp``,
            which may overflow.
        beta: Weight of the KL divergence.
        warmup_steps: Steps over which this weight rises from 0, so that latents are used before they are paid for.
        draws: Draws of latents in validation and test.
        lr: Peak of the learning rate.
        weight_decay: Weight decay of the weights of layers.
        optimizer: Makes another optimizer from groups of parameters.
        scheduler: Makes another scheduler from the optimizer.

    Shape:
        ``(N, in_channels, image_size, image_size)`` to :class:`Coded`.

    Raises:
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: A number is out of range, a word is another one, or there are more or fewer specs than hidden layers.

    Source:
        Kingma & Welling 2013, arXiv:1312.6114; beta: Higgins et al. 2017, ICLR; warm-up: Sonderby et al. 2016,
        arXiv:1602.02282.

    Example:
        >>> model = VAE(image_size=8, latent_dim=2, channels=[8], hidden=[16], activation="silu")
        >>> model(torch.zeros(3, 1, 8, 8)).mean.shape, model.sample(5).shape
        (torch.Size([3, 2]), torch.Size([5, 1, 8, 8]))
    """

    noise: Tensor

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 28,
        latent_dim: int = 16,
        channels: Sequence[int] = (16, 32),
        hidden: Sequence[int] = (128,),
        activation: Activations = "relu",
        likelihood: Literal["bernoulli", "gaussian"] = "bernoulli",
        scale: float = 0.1,
        positive: Literal["softplus", "exp"] = "softplus",
        beta: float = 1.0,
        warmup_steps: int = 0,
        draws: int = 8,
        lr: float = 2e-3,
        weight_decay: float = 0.0,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, optimizer=optimizer, scheduler=scheduler)
        self.check_at_least(1, in_channels=in_channels, image_size=image_size, latent_dim=latent_dim, draws=draws)
        self.check_at_least(0, beta=beta, warmup_steps=warmup_steps)
        if likelihood not in ("bernoulli", "gaussian") or positive not in ("softplus", "exp") or scale <= 0:
            raise ValueError(
                f"VAE(likelihood={likelihood!r}, positive={positive!r}, scale={scale}): likelihood is bernoulli or "
                "gaussian, positive softplus or exp, scale above 0"
            )
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        self.example_input_array = torch.zeros(2, in_channels, image_size, image_size)
        self.latent_dim, self.likelihood, self.scale, self.positive = latent_dim, likelihood, scale, positive
        self.beta, self.warmup_steps = beta, warmup_steps
        layers = len(channels) + len(hidden)
        encoding, decoding = divided(activation, layers, layers)
        self.encoder = ImageEncoder(in_channels, image_size, 2 * latent_dim, channels, hidden, encoding)
        self.decoder = ImageDecoder(latent_dim, image_size, in_channels, channels, hidden, decoding)
        noise = torch.randn(draws, latent_dim, generator=torch.Generator().manual_seed(0))
        self.register_buffer("noise", noise, persistent=False)
        self.set_metrics({"reconstruction": MeanMetric(), "kl": MeanMetric()})

    def forward(self, images: Tensor) -> Coded:
        """Return the latents' distribution for images, and what the decoder makes of draws from it."""
        mean, score = self.encoder(images).chunk(2, dim=1)
        # Far below 0 softplus rounds to 0, which has no logarithm.
        std = F.softplus(score) + 1e-6 if self.positive == "softplus" else score.exp()
        noise = (
            self.draw_noise(len(mean), mean.shape[1], mean).unsqueeze(1) if self.training else self.noise.to(mean.dtype)
        )
        return Coded(self.decode(mean.unsqueeze(1) + std.unsqueeze(1) * noise), mean, std)

    def decode(self, latents: Tensor) -> Tensor:
        """Return the scores ``(N, draws, C, H, W)`` for latents ``(N, draws, latent_dim)``."""
        latents = latents.to(self.noise.dtype)
        scores: Tensor = self.decoder(latents.flatten(0, 1)).unflatten(0, latents.shape[:2])
        return scores

    def image(self, scores: Tensor) -> Tensor:
        """Return the means of pixels for scores of the decoder."""
        return scores.sigmoid() if self.likelihood == "bernoulli" else scores

    def targets(self, batch: Any) -> Tensor:
        """Return the images themselves."""
        images: Tensor = self.inputs(batch)
        return images

    def loss(self, outputs: Coded, targets: Tensor) -> Tensor:
        """Return the two terms of the negative ELBO together, in training with the weight that warm-up has reached."""
        beta = self.beta
        if self.training and self.warmup_steps:
            beta *= min(1.0, self.global_step / self.warmup_steps)
        return (self.reconstruction_error(outputs, targets) + beta * divergence(outputs)).mean()

    def reconstruction_error(self, outputs: Coded, targets: Tensor) -> Tensor:
        """Return the negative log-likelihood of each image in nats, the mean over draws of its latents."""
        scores, images = outputs.scores, targets.unsqueeze(1).expand_as(outputs.scores)
        if self.likelihood == "bernoulli":
            pixels = F.binary_cross_entropy_with_logits(scores, images, reduction="none")
        else:
            pixels = ((images - scores) / self.scale).square() / 2 + math.log(self.scale * math.sqrt(2 * math.pi))
        return pixels.sum(dim=(2, 3, 4)).mean(dim=1)

    def measure(self, metrics: MetricCollection, outputs: Coded, targets: Tensor) -> None:
        """Update the terms of the loss."""
        metrics["reconstruction"].update(self.reconstruction_error(outputs, targets))
        metrics["kl"].update(divergence(outputs))

    def prediction(self, outputs: Coded) -> Tensor:
        """Return the reconstructions of images from the means of their latents."""
        return self.image(self.decode(outputs.mean.unsqueeze(1)).squeeze(1))

    @torch.no_grad()
    def sample(self, count: int, seed: int = 0) -> Tensor:
        """Return images of latents that are drawn from the normal distribution; the same for the same seed."""
        latents = torch.randn(count, self.latent_dim, generator=torch.Generator().manual_seed(seed))
        return self.image(self.decode(latents.unsqueeze(1).to(self.noise)).squeeze(1))

    def draw_results(self, folder: Path, label: str) -> None:
        """Draw images of the last test above their reconstructions, samples, and the plane of two latents."""
        if (batch := self.first_test_batch()) is not None:
            images = self.inputs(batch)[:12]
            rows = {"image": images, "reconstruction": self.prediction(self(images))}
            plot_image_rows(rows, folder / "reconstructions.png", label)
        plot_image_sheet(self.sample(64), folder / "samples.png", f"{label}: samples")
        if self.latent_dim == 2:
            # Equal shares of the normal distribution lie between neighbors.
            ticks = torch.special.ndtri(torch.linspace(0.03, 0.97, 14))
            plane = torch.cartesian_prod(-ticks, ticks).flip(1).to(self.noise)
            plot_image_sheet(
                self.image(self.decode(plane.unsqueeze(1)).squeeze(1)),
                folder / "latents.png",
                f"{label}: plane of latents",
            )


def divergence(outputs: Coded) -> Tensor:
    """Return the KL divergence of each image's latents from the standard normal distribution, in nats."""
    _, mean, std = outputs
    return ((mean.square() + std.square() - 1) / 2 - std.log()).sum(dim=1)
