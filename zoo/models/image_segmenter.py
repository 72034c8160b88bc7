"""Segmentation of images: a class for each pixel."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score, MulticlassJaccardIndex

from lightning_acts.reports.pictures import plot_segmentations

from .backbones import build_backbone
from .base import MakeOptimizer, MakeScheduler, SupervisedModel
from .layers import Activations, make_activations

# Where the data have no class: torch's number for that.
_NO_CLASS = -100


class ImageSegmenter(SupervisedModel):
    """A segmenter around a U-Net of its own, or a backbone of torchvision or one's own.

    Trained on the cross-entropy of the pixels, to which :func:`dice_loss` may be added: it counts a class that has few
    pixels in an image as much as the background. Logs ``loss``, ``iou`` (intersection over union), ``dice`` (F1), both the
    mean over classes that occur, and ``acc`` (share of right pixels) in every stage.

    Args:
        backbone: ``unet``; ``torchvision:NAME`` of a segmentation model, such as ``torchvision:lraspp_mobilenet_v3_large``;
            or ``package.module:callable``, which is given ``num_classes`` and ``in_channels`` if it takes them and whose
            module gives ``(N, num_classes, H, W)``.
        num_classes: Number of classes, the background among them.
        in_channels: Channels of the images; 3 for torchvision.
        channels: Channels of the U-Net at each size of the image, from the whole one down, each half of the one before.
        activation: Of the U-Net: one spec for all hidden layers, or two for each size on the way down and then two for
            each on the way up.
        image_size: Edge length of the images of ``example_input_array``; a U-Net takes multiples of ``2 ** (len(channels) - 1)``.
        dice_weight: Weight of the Dice loss beside the cross-entropy.
        lr: Peak of the learning rate.
        weight_decay: Weight decay of the weights of layers.
        optimizer: Makes another optimizer from groups of parameters.
        scheduler: Makes another scheduler from the optimizer.

    Shape:
        ``(N, in_channels, H, W)`` to ``(N, num_classes, H, W)``. Targets are ``(N, H, W)``, -100 where there is none.

    Raises:
        ModelError: There is no such backbone.
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: A number is out of range, or there are more or fewer specs than hidden layers.

    Source:
        Ronneberger, Fischer & Brox 2015, arXiv:1505.04597; Dice loss: Milletari, Navab & Ahmadi 2016, arXiv:1606.04797.

    Example:
        >>> model = ImageSegmenter(num_classes=4, channels=[8, 16], activation="mish")
        >>> model(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 4, 32, 32])
    """

    def __init__(
        self,
        backbone: str = "unet",
        num_classes: int = 2,
        in_channels: int = 3,
        channels: Sequence[int] = (16, 32, 64),
        activation: Activations = "relu",
        image_size: int = 32,
        dice_weight: float = 0.0,
        lr: float = 3e-3,
        weight_decay: float = 0.01,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, optimizer=optimizer, scheduler=scheduler)
        self.check_at_least(1, num_classes=num_classes, in_channels=in_channels, image_size=image_size)
        self.check_at_least(0, dice_weight=dice_weight)
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        self.dice_weight = dice_weight
        self.example_input_array = torch.zeros(2, in_channels, image_size, image_size)
        # Torchvision's builders fetch weights of the classifier within, unless they are told not to.
        plain = backbone.startswith("torchvision:") and "@" not in backbone
        own = {"weights_backbone": None} if plain else {}
        self.backbone = (
            UNet(in_channels, num_classes, channels, activation)
            if backbone == "unet"
            else build_backbone(backbone, num_classes, in_channels, **own)
        )
        options: Any = {"num_classes": num_classes, "ignore_index": _NO_CLASS}
        self.set_metrics(
            {
                "iou": MulticlassJaccardIndex(**options),
                "dice": MulticlassF1Score(**options),
                "acc": MulticlassAccuracy(average="micro", **options),
            }
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the classes of each pixel."""
        output = self.backbone(images)
        # Torchvision's give a dict, with those of an auxiliary head beside.
        logits: Tensor = output["out"] if isinstance(output, dict) else output
        return logits

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy of the pixels, and the Dice loss by its weight."""
        loss = F.cross_entropy(outputs, targets, ignore_index=_NO_CLASS)
        return loss + self.dice_weight * dice_loss(outputs, targets) if self.dice_weight else loss

    def prediction(self, outputs: Tensor) -> Tensor:
        """Return the probabilities of the classes of each pixel, ``(N, num_classes, H, W)``."""
        return outputs.softmax(dim=1)

    def draw_results(self, folder: Path, label: str) -> None:
        """Draw images of the last test with their true and predicted classes."""
        if (batch := self.first_test_batch()) is not None:
            images, truth = self.inputs(batch)[:8], self.targets(batch)[:8]
            predicted = self(images).argmax(dim=1)
            names = self.of_data("class_names", ())
            plot_segmentations(images, truth, predicted, folder / "segmentations.png", names, label)


def dice_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return 1 less the mean overlap of predicted probabilities and truth: of each image, the mean over its classes.

    Args:
        logits: ``(N, classes, H, W)``.
        targets: Classes ``(N, H, W)``, -100 where there is none.

    Example:
        >>> targets = torch.tensor([[[0, 1]]])
        >>> dice_loss(torch.tensor([[[[9.0, 0.0]], [[0.0, 9.0]]]]), targets).item() < 0.001
        True
    """
    known = (targets != _NO_CLASS).unsqueeze(1)
    truth = F.one_hot(targets.clamp(min=0), logits.shape[1]).movedim(-1, 1) * known
    probabilities = logits.softmax(dim=1) * known
    occurs = truth.flatten(2).any(dim=2)
    overlap, both = ((part.flatten(2).sum(dim=2)) for part in (probabilities * truth, probabilities + truth))
    dice = torch.where(occurs, 2 * overlap / both.clamp(min=1), 0)
    return 1 - (dice.sum(dim=1) / occurs.sum(dim=1).clamp(min=1)).mean()


class UNet(nn.Module):
    """A U-Net: down to small images of many channels, and up again, joined at each size by what was there on the way down.

    ::

        image -> block ----------------> join -> block -> 1x1 convolution
                   | halve                ^ enlarge
                 block ------> join -> block
                   | halve      ^ enlarge
                   +-- block ---+

    Args:
        in_channels: Channels of the images.
        out_channels: Channels of the output.
        channels: Channels at each size of the image, from the whole one down.
        activation: One spec for all hidden layers, or two for each size on the way down and then two for each on the way up.

    Shape:
        ``(N, in_channels, H, W)`` to ``(N, out_channels, H, W)``, H and W multiples of ``2 ** (len(channels) - 1)``.

    Raises:
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: There are no channels, or more or fewer specs than hidden layers.

    Example:
        >>> UNet(1, 2, [4, 8], activation="silu")(torch.zeros(3, 1, 8, 8)).shape
        torch.Size([3, 2, 8, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: Sequence[int] = (16, 32, 64),
        activation: Activations = "relu",
    ) -> None:
        super().__init__()
        if not channels:
            raise ValueError("UNet(channels=[]): at least one number")
        activations = iter(make_activations(activation, 2 * (2 * len(channels) - 1)))
        self.down = nn.ModuleList(
            _block(before, after, next(activations), next(activations))
            for before, after in itertools.pairwise([in_channels, *channels])
        )
        steps = list(itertools.pairwise(reversed(channels)))
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(below, here, 2, stride=2) for below, here in steps)
        self.up = nn.ModuleList(_block(2 * here, here, next(activations), next(activations)) for _, here in steps)
        self.last = nn.Conv2d(channels[0], out_channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for each pixel of images."""
        passed = []
        for number, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if number else x)
            passed.append(x)
        for enlarge, block, beside in zip(self.enlarge, self.up, reversed(passed[:-1]), strict=True):
            x = block(torch.cat([beside, enlarge(x)], dim=1))
        output: Tensor = self.last(x)
        return output


def _block(before: int, after: int, first: nn.Module, second: nn.Module) -> nn.Sequential:
    """Return two convolutions, each with batch normalization and an activation."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), first,
        nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), second,
    )  # fmt: skip
