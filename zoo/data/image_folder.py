"""A folder of the user's own images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from lightning_acts.extras import require

from .base import ZooData, check_fractions, split

# More would hold up the start of each process, by hours for ImageNet, and change the digits behind the third.
_MOST_MEASURED = 2_000


class ImageFolder(ZooData):
    """Images in folders, one a class: ``FOLDER/cat/1.png``, ``FOLDER/dog/2.jpg``.

    Images are scaled to squares, ``(channels, size, size)``; each channel has mean 0 and standard deviation 1 over the
    training part, of which 2,000 images at most are measured. Labels count the classes in the order of their names, which
    are ``class_names``. Each part has the same share of each class.

    Args:
        folder: The folder of the folders.
        image_size: Edge length that images are scaled to.
        gray: One channel instead of three.
        batch_size: Images a batch.
        val_fraction: The share of the images for validation.
        test_fraction: The share of the images for the test.
        split_seed: Seed of the split.
        num_workers: Processes that load batches.

    Raises:
        ValueError: A size or a fraction is out of range, there are fewer than two classes, a class has too few images, or
            a file is damaged.
        FileNotFoundError: There is no such folder, or a folder of a class has no image.

    Example:
        ::

            data = ImageFolder("my_images", image_size=64)
    """

    def __init__(
        self,
        folder: str,
        image_size: int = 64,
        gray: bool = False,
        batch_size: int = 32,
        val_fraction: float = 0.15,
        test_fraction: float = 0.25,
        split_seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers)
        if image_size < 1:
            raise ValueError(f"ImageFolder(image_size={image_size}): at least 1")
        check_fractions("ImageFolder", val_fraction=val_fraction, test_fraction=test_fraction)
        self.save_hyperparameters()
        self.in_channels = 1 if gray else 3

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes: those of the folders."""
        root = Path(self.hparams["folder"]).expanduser()
        if not root.is_dir():
            raise FileNotFoundError(f"ImageFolder(folder={str(root)!r}): there is no such folder")
        names = tuple(sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")))
        if len(names) < 2:
            raise ValueError(
                f"ImageFolder(folder={str(root)!r}): expected a folder for each of at least two classes, with images in it; "
                f"found {len(names)}"
            )
        return names

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    def parts(self) -> Mapping[str, Dataset[Any]]:
        """Find the images, split them, and measure the training part."""
        datasets = require("torchvision.datasets", extra="vision")
        transforms = require("torchvision.transforms.v2", extra="vision")
        names, size = self.class_names, self.hparams["image_size"]
        to_tensor = transforms.Compose(
            [
                transforms.Grayscale() if self.in_channels == 1 else transforms.RGB(),
                transforms.Resize((size, size), antialias=True),
                transforms.ToImage(),
                transforms.ToDtype(torch.float32, scale=True),
            ]
        )
        whole = datasets.ImageFolder(self.hparams["folder"], transform=to_tensor, loader=_opened)
        assert tuple(whole.classes) == names
        indices = split(
            len(whole),
            self.hparams["val_fraction"],
            self.hparams["test_fraction"],
            self.hparams["split_seed"],
            whole.targets,
        )
        mean, deviation = _statistics(Subset(whole, indices["train"]))
        whole.transform = transforms.Compose([to_tensor, transforms.Normalize(mean, deviation)])
        return {part: Subset(whole, members) for part, members in indices.items()}


def _opened(path: str) -> Any:
    image = require("PIL.Image", extra="vision")
    try:
        with image.open(path) as file:
            return file.convert("RGB")
    except OSError as error:
        raise ValueError(f"{path} can't be read as an image: {error}") from error


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
