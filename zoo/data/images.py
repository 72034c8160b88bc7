"""Base of data that are images with classes: scaled, normalized, and moved and mirrored in training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset, Subset

from lightning_acts.extras import require

from .base import ZooData, split

Augment: TypeAlias = Literal["none", "crop", "crop_and_flip"]

_AUGMENTS = ("none", "crop", "crop_and_flip")
# More would hold up the start of each process, by hours for ImageNet, and change the digits behind the third.
_MOST_MEASURED = 2_000


class ImageData(ZooData):
    """Images and their classes: ``(in_channels, image_size, image_size)``, and a number from 0.

    Each channel has mean 0 and standard deviation 1 over the training part, of which 2,000 images at most are measured. A
    subclass returns :meth:`normalized` parts of PIL images.

    Images are augmented batch by batch after they were moved to the device, so that a run that was interrupted resumes
    exactly with any number of workers.

    Args:
        gray: One channel instead of three.
        image_size: Edge length that images are scaled to; None for their own.
        augment: What changes in training: ``none``; ``crop``: images are moved by up to an eighth of their edges; or
            ``crop_and_flip``: half of them are mirrored left to right, too.
        options: Those of :class:`ZooData`.

    Raises:
        ValueError: A size is out of range, or ``augment`` is another word.
    """

    def __init__(self, gray: bool, image_size: int | None, augment: Augment, **options: Any) -> None:
        super().__init__(**options)
        if image_size is not None and image_size < 1:
            raise ValueError(f"{type(self).__name__}(image_size={image_size}): at least 1")
        if augment not in _AUGMENTS:
            raise ValueError(f"{type(self).__name__}(augment={augment!r}): one of {', '.join(_AUGMENTS)}")
        self.in_channels, self.image_size, self.augment = 1 if gray else 3, image_size, augment

    def completed(
        self, parts: Mapping[str, Dataset[Any]], labels: Callable[[], Sequence[int] | Tensor]
    ) -> dict[str, Dataset[Any]]:
        """Return the parts of a dataset, of which those that it lacks are cut off its training part.

        Args:
            parts: Its own parts; ``train`` is there.
            labels: Gives the class of each image for training; each part gets the same share of each class.
        """
        missing = {part: self.hparams[f"{part}_fraction"] for part in ("val", "test") if part not in parts}
        if not missing:
            return dict(parts)
        classes, whole = labels(), parts["train"]
        indices = split(
            len(classes), missing.get("val", 0.0), missing.get("test", 0.0), self.hparams["split_seed"], classes
        )
        return {**parts, **{part: Subset(whole, indices[part]) for part in ("train", *missing)}}

    def normalized(self, parts: Mapping[str, Dataset[Any]]) -> dict[str, Dataset[Any]]:
        """Return parts of PIL images and classes as parts of normalized tensors and classes."""
        transforms = require("torchvision.transforms.v2", extra="vision")
        steps = [transforms.Grayscale() if self.in_channels == 1 else transforms.RGB()]
        if self.image_size is not None:
            steps.append(transforms.Resize((self.image_size, self.image_size), antialias=True))
        steps += [transforms.ToImage(), transforms.ToDtype(torch.float32, scale=True)]
        mean, deviation = _statistics(_Transformed(parts["train"], transforms.Compose(steps)))
        whole = transforms.Compose([*steps, transforms.Normalize(mean, deviation)])
        return {name: _Transformed(part, whole) for name, part in parts.items()}

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Augment a batch in training; called by Lightning."""
        if self.augment == "none" or self.trainer is None or not self.trainer.training:
            return batch
        images, *others = batch
        return [cropped(images, max(images.shape[2:]) // 8, self.augment == "crop_and_flip"), *others]


class _Transformed(Dataset[Any]):
    """Pairs of an image and its class, whose images are transformed when they are asked for."""

    def __init__(self, pairs: Dataset[Any], transform: Any) -> None:
        self.pairs, self.transform = pairs, transform

    def __len__(self) -> int:
        return len(self.pairs)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image, label = self.pairs[index]
        return self.transform(image), int(label)


def cropped(images: Tensor, most: int, flip: bool) -> Tensor:
    """Return images moved by random numbers of pixels, and randomly mirrored; their edges are reflected.

    Args:
        images: ``(N, channels, H, W)``.
        most: The most pixels by which they are moved up, down, left and right.
        flip: Whether half of them are mirrored left to right.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> cropped(torch.arange(3.0).expand(2, 1, 1, 3), most=0, flip=True)[:, 0, 0]
        tensor([[2., 1., 0.],
                [0., 1., 2.]])
    """
    count, _, height, width = images.shape
    # Drawn on the CPU: the same on every device.
    down, right = torch.randint(2 * most + 1, (2, count, 1))
    rows, columns = down + torch.arange(height), right + torch.arange(width)
    if flip:
        columns = torch.where(torch.rand(count, 1) < 0.5, columns.flip(1), columns)
    padded = F.pad(images, [most] * 4, mode="reflect")
    members = torch.arange(count)[:, None, None]
    chosen = padded[members, :, rows[:, :, None], columns[:, None, :]]  # (N, H, W, channels)
    return chosen.movedim(-1, 1).contiguous()


def _statistics(images: Dataset[Any]) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel."""
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    number = len(images)  # type: ignore[arg-type]
    for index in range(0, number, max(1, math.ceil(number / _MOST_MEASURED))):
        image: Tensor = images[index][0].double()
        count += image[0].numel()
        total = total + image.sum((1, 2))
        squares = squares + image.square().sum((1, 2))
    mean = total / count
    deviation = (squares / count - mean.square()).clamp_min(1e-8).sqrt()
    return mean.tolist(), deviation.tolist()
