"""Generative adversarial network: images from noise, trained against a judge of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.core.optimizer import do_nothing_closure
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics import CatMetric

import lightning_acts as acts
from lightning_acts.reports.pictures import plot_image_sheet

from .base import MakeOptimizer, MakeScheduler, ZooModel, at_least_single
from .image_coding import ImageDecoder, ImageEncoder
from .image_quality import image_quality
from .layers import Activations


class GAN(ZooModel):
    """A small DCGAN: a generator makes images of noise, and a discriminator says which images are real.

    Both are trained in each step, each by an Adam of its own; ``trainer.global_step`` counts the generator's alone, one
    a batch. The losses are the non-saturating ones: binary cross-entropy for the discriminator, and for the generator
    that of its images with the labels of real ones. Logs ``train/generator_loss`` and ``train/discriminator_loss``, and for validation and
    test how like the real images as many generated ones are: ``frechet_pca``, ``precision`` and ``recall`` (see
    :func:`~lightning_acts.zoo.models.image_quality.image_quality`; no FID, whose network would have to be downloaded).

    Over several processes it needs ``strategy: ddp_find_unused_parameters_true``: each loss trains one network alone.

    Args:
        in_channels: Channels of the images, which have values in [0, 1].
        image_size: Edge length of the images.
        latent_dim: Numbers that an image is made of.
        channels: Channels after each convolution of the discriminator, which halves the image; the generator mirrors
            them, with batch normalization.
        hidden: Sizes of linear layers between convolutions and vector, in both.
        activation: Of the generator: one spec for all hidden layers, or a spec for each.
        discriminator_activation: Of the discriminator, likewise. With ReLU no gradient may reach the generator.
        lr: Learning rate of the generator.
        discriminator_lr: Learning rate of the discriminator; default: that of the generator.
        weight_decay: Weight decay of the weights of layers.
        optimizer: Makes other optimizers, one for each network, from groups of parameters.
        scheduler: Makes a scheduler for each optimizer, stepped once an epoch; by default the rates are constant.

    Shape:
        Noise ``(N, latent_dim)`` to images ``(N, in_channels, image_size, image_size)``.

    Raises:
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: A number is out of range, or there are more or fewer specs than hidden layers.

    Source:
        Goodfellow et al. 2014, arXiv:1406.2661; Radford, Metz & Chintala 2015, arXiv:1511.06434.

    Example:
        >>> model = GAN(image_size=8, latent_dim=4, channels=[8, 16])
        >>> model(torch.randn(3, 4)).shape, model.discriminator(torch.zeros(3, 1, 8, 8)).shape
        (torch.Size([3, 1, 8, 8]), torch.Size([3, 1]))
    """

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 28,
        latent_dim: int = 32,
        channels: Sequence[int] = (32, 64),
        hidden: Sequence[int] = (),
        activation: Activations = "relu",
        discriminator_activation: Activations = "leaky_relu(negative_slope=0.2)",
        lr: float = 1e-3,
        discriminator_lr: float | None = None,
        weight_decay: float = 0.0,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, optimizer=optimizer, scheduler=scheduler)
        self.check_at_least(1, in_channels=in_channels, image_size=image_size, latent_dim=latent_dim)
        if discriminator_lr is not None and discriminator_lr <= 0:
            raise ValueError(f"GAN(discriminator_lr={discriminator_lr}): above 0")
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        self.automatic_optimization = False
        self.example_input_array = torch.zeros(2, latent_dim)
        self.latent_dim, self.discriminator_lr = latent_dim, discriminator_lr or lr
        self.generator = ImageDecoder(
            latent_dim, image_size, in_channels, channels, hidden, activation, batch_norm=True
        )
        self.output = nn.Sigmoid()
        self.discriminator = ImageEncoder(in_channels, image_size, 1, channels, hidden, discriminator_activation)
        self.val_images, self.test_images = CatMetric(), CatMetric()

    def forward(self, noise: Tensor) -> Tensor:
        """Return images for noise."""
        images: Tensor = self.output(self.generator(noise))
        return images

    @torch.no_grad()
    def sample(self, count: int, seed: int = 0) -> Tensor:
        """Return images of noise that is drawn from the normal distribution; the same for the same seed."""
        noise = torch.randn(count, self.latent_dim, generator=torch.Generator().manual_seed(seed))
        parameter = next(self.parameters())
        return torch.cat([self(part) for part in noise.to(parameter.device, parameter.dtype).chunk(1 + count // 1000)])

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return an optimizer for each network, the generator's first."""
        optimizers: list[torch.optim.Optimizer] = []
        for network, lr in ((self.generator, self._lr), (self.discriminator, self.discriminator_lr)):
            groups = acts.parameter_groups(network)
            if self._make_optimizer is not None:
                optimizers.append(self._make_optimizer(groups))
            else:
                # A long memory of gradients makes the two networks chase each other.
                adam = torch.optim.AdamW(groups, lr=lr, betas=(0.5, 0.999), weight_decay=self._weight_decay)
                optimizers.append(adam)
        schedulers = [] if self._make_scheduler is None else list(map(self._make_scheduler, optimizers))
        return optimizers, schedulers

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Train the discriminator on real and generated images, and then the generator against it."""
        images = self.inputs(batch)
        optimizers: Any = self.optimizers()
        of_generator, of_discriminator = optimizers
        # Lightning counts the steps of every optimizer, and has no public way to leave one out (its issue 17958).
        of_discriminator._on_before_step = of_discriminator._on_after_step = do_nothing_closure
        generated = self(self.draw_noise(len(images), self.latent_dim, images))
        loss = _real_loss(self.discriminator(images)) + _generated_loss(self.discriminator(generated.detach()))
        of_discriminator.zero_grad()
        self.manual_backward(loss)
        of_discriminator.step()
        self._log("train/discriminator_loss", loss, images)
        loss = _real_loss(self.discriminator(generated))
        of_generator.zero_grad()
        self.manual_backward(loss)
        of_generator.step()
        self._log("train/generator_loss", loss, images)

    def on_train_epoch_end(self) -> None:
        """Step the schedulers, which nobody else does without automatic optimization."""
        schedulers: Any = self.lr_schedulers()
        for scheduler in schedulers or ():
            scheduler.step()

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Collect real images."""
        self._collect(self.val_images, batch, self.trainer.val_dataloaders, dataloader_idx)

    def on_validation_epoch_end(self) -> None:
        """Log how like them as many generated ones are."""
        self._measure("val", self.val_images)

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Collect real images."""
        self._collect(self.test_images, batch, self.trainer.test_dataloaders, dataloader_idx)

    def on_test_epoch_end(self) -> None:
        """Log how like them as many generated ones are."""
        self._measure("test", self.test_images)

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Return as many generated images as there are real ones in a batch."""
        return self.sample(len(self.inputs(batch)), seed=batch_idx)

    def draw_results(self, folder: Path, label: str) -> None:
        """Draw generated images."""
        plot_image_sheet(self.sample(64), folder / "samples.png", f"{label}: samples")

    def _log(self, name: str, loss: Tensor, images: Tensor) -> None:
        self.log(name, loss.detach(), on_step=False, on_epoch=True, batch_size=len(images), sync_dist=True)

    def _collect(self, collected: CatMetric, batch: Any, loaders: Any, index: int) -> None:
        images = self.inputs(batch)
        collected.update(images[self.not_padding(loaders, index, len(images))].flatten(1))

    def _measure(self, stage: str, collected: CatMetric) -> None:
        real = collected.compute()
        collected.reset()
        # With fewer, as in a batch that is tried out, there are no neighbors.
        if len(real) > 3:
            quality = image_quality(real, self.sample(len(real)).flatten(1))
            self.log_dict({f"{stage}/{name}": value.float() for name, value in quality.items()}, sync_dist=True)


def _real_loss(scores: Tensor) -> Tensor:
    scores = at_least_single(scores)
    return F.binary_cross_entropy_with_logits(scores, torch.ones_like(scores))


def _generated_loss(scores: Tensor) -> Tensor:
    scores = at_least_single(scores)
    return F.binary_cross_entropy_with_logits(scores, torch.zeros_like(scores))
