"""Classification of images by any backbone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lightning_acts.models import ModelError

from .backbones import build_backbone
from .base import MakeOptimizer, MakeScheduler
from .classifier import Classifier, Output
from .layers import Activations
from .vision import ConvNet, VisionTransformer


class ImageClassifier(Classifier):
    """An image classifier around a small network of the zoo, or a backbone of torchvision, timm or your own.

    Trained and measured as :class:`~lightning_acts.zoo.models.classifier.Classifier` says.

    Args:
        backbone: ``cnn`` (:class:`~lightning_acts.zoo.models.vision.ConvNet`), ``vit``
            (:class:`~lightning_acts.zoo.models.vision.VisionTransformer`), ``torchvision:NAME``, ``timm:NAME``, or
            ``package.module:callable``, which is given ``num_classes`` and ``in_channels`` if it takes them;
            ``@WEIGHTS`` after it for pretrained weights.
        num_classes: Number of classes.
        in_channels: Channels of the images; for torchvision another number than 3 replaces the first convolution.
        image_size: Edge length of the images of ``example_input_array``, and of those that ``vit`` takes;
            other backbones take what they take.
        patch_size: Edge length of a patch of ``vit``.
        activation: Of ``cnn`` and ``vit``: one spec for all blocks, or a spec for each; by default ReLU and GELU. The
            activations of other backbones are swapped.
        small_images: Fit the stem of a torchvision ResNet to images of some 8 to 64 pixels: a 3x3 convolution of
            stride 1 in place of the 7x7 one of stride 2, and no pooling after it.
        output: ``logits``, ``log_softmax``, ``softmax``, or ``sigmoid`` for several labels at once.
        lr: Peak of the learning rate.
        weight_decay: Weight decay of the weights of layers.
        optimizer: Makes another optimizer from groups of parameters.
        scheduler: Makes another scheduler from the optimizer.

    Shape:
        ``(N, in_channels, H, W)`` to ``(N, num_classes)``.

    Raises:
        ModelError: There is no such backbone, or it can't be fitted as asked.
        ValueError: A number is out of range.

    Example:
        >>> model = ImageClassifier("torchvision:resnet18", num_classes=10, in_channels=1, small_images=True)
        >>> model(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        backbone: str = "torchvision:resnet18",
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 64,
        patch_size: int = 4,
        activation: Activations | None = None,
        small_images: bool = False,
        output: Output = "logits",
        lr: float = 1e-3,
        weight_decay: float = 0.05,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(
            num_classes, output, lr=lr, weight_decay=weight_decay, optimizer=optimizer, scheduler=scheduler
        )
        self.check_at_least(1, in_channels=in_channels, image_size=image_size)
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        self.example_input_array = torch.zeros(2, in_channels, image_size, image_size)
        if backbone == "cnn":
            self.backbone: nn.Module = ConvNet(in_channels, num_classes, activation=activation or "relu")
        elif backbone == "vit":
            self.backbone = VisionTransformer(
                in_channels, num_classes, image_size, patch_size, activation=activation or "gelu"
            )
        else:
            if activation is not None:
                raise ValueError(
                    f"ImageClassifier(activation={activation!r}): for the backbones cnn and vit; the activations of "
                    f"{backbone} are swapped, as by swap: [{{map: {{relu: mish}}}}] in a config"
                )
            self.backbone = build_backbone(backbone, num_classes, in_channels)
        if small_images:
            _fit_stem(self.backbone, backbone)
        if backbone.startswith("torchvision:"):
            _fit_channels(self.backbone, backbone, in_channels)

    def forward(self, images: Tensor) -> Tensor:
        """Return the output for images."""
        output = self.backbone(images)
        # Inception and GoogLeNet give their auxiliary heads too, while they are trained.
        scores: Tensor = getattr(output, "logits", output)
        return self.activate(scores)


def _fit_stem(backbone: nn.Module, name: str) -> None:
    resnet = name.startswith("torchvision:") and isinstance(getattr(backbone, "conv1", None), nn.Conv2d)
    if not resnet or not isinstance(getattr(backbone, "maxpool", None), nn.MaxPool2d):
        raise ModelError(f"small_images=True fits the stem of torchvision's ResNets only, not of {name}")
    if "@" in name:
        raise ModelError(
            f"small_images=True replaces the first convolution of {name}, and its pretrained weights with it"
        )
    old: Any = backbone.conv1
    backbone.conv1 = nn.Conv2d(old.in_channels, old.out_channels, kernel_size=3, padding=1, bias=False)
    nn.init.kaiming_normal_(backbone.conv1.weight, mode="fan_out", nonlinearity="relu")
    backbone.maxpool = nn.Identity()


def _fit_channels(backbone: nn.Module, name: str, in_channels: int) -> None:
    found = next(((path, module) for path, module in backbone.named_modules() if isinstance(module, nn.Conv2d)), None)
    if found is None or found[1].in_channels == in_channels:
        return
    if "@" in name:
        raise ModelError(
            f"in_channels={in_channels} replaces the first convolution of {name}, and its pretrained weights with it: "
            f"give it images of {found[1].in_channels} channels"
        )
    path, old = found
    new = nn.Conv2d(
        in_channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    backbone.set_submodule(path, new)
