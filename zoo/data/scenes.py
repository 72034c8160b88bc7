"""Scenes of objects on photographs, with the class of each pixel; no download."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from lightning_acts.extras import require

from .base import ZooData, check_fractions
from .digits import Digits
from .fashion_mnist import FashionMNIST

# An object's pixels are those above this brightness; fainter ones are left to the photograph.
_LEAST = 0.25
_PARTS = ("train", "val", "test")


class Scenes(ZooData):
    """Crops of scikit-learn's two photographs with one to three objects on them: handwritten digits or garments.

    An object is drawn in a color and a size of its own, as its gray values make it opaque. Images are
    ``(3, image_size, image_size)`` with values in [0, 1]; masks ``(image_size, image_size)`` hold 0 for the photograph
    and else the object's class, from 1. A scene depends on ``split_seed``, its part and its index alone. The parts share
    neither objects nor photographs: the left 60 % of each are for training, the rest for validation and test.

    Args:
        objects: ``digits``, those of scikit-learn, or ``fashion_mnist``.
        folder: Where the files of Fashion-MNIST are; see :class:`~lightning_acts.zoo.FashionMNIST`.
        image_size: Edge length in pixels.
        train_scenes: Scenes for training.
        val_fraction: Scenes for validation, as a share of those for training.
        test_fraction: Scenes for the test, likewise.
        batch_size: Scenes a batch.
        split_seed: Seed of the scenes, and of the split of the objects.
        num_workers: Processes that load batches.

    Raises:
        ValueError: A size or a fraction is out of range, or there are no such objects.
        FileNotFoundError: Files of Fashion-MNIST are missing.

    Source:
        The photographs are china.jpg and flower.jpg of scikit-learn.

    Example:
        >>> data = Scenes(train_scenes=64, batch_size=4)
        >>> data.setup()
        >>> images, masks = next(iter(data.train_dataloader()))
        >>> images.shape, masks.shape, data.class_names[:2]
        (torch.Size([4, 3, 32, 32]), torch.Size([4, 32, 32]), ('background', '0'))
    """

    num_classes = 11
    in_channels = 3

    def __init__(
        self,
        objects: Literal["digits", "fashion_mnist"] = "digits",
        folder: str = "data/fashion_mnist",
        image_size: int = 32,
        train_scenes: int = 2000,
        val_fraction: float = 0.15,
        test_fraction: float = 0.25,
        batch_size: int = 16,
        split_seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers)
        if objects not in ("digits", "fashion_mnist"):
            raise ValueError(f"Scenes(objects={objects!r}): digits or fashion_mnist")
        # A third of the smaller edge of the photographs, so that crops differ.
        if not 16 <= image_size <= 128:
            raise ValueError(f"Scenes(image_size={image_size}): 16 to 128")
        if train_scenes < 1:
            raise ValueError(f"Scenes(train_scenes={train_scenes}): at least 1")
        check_fractions("Scenes", val_fraction=val_fraction, test_fraction=test_fraction)
        self.save_hyperparameters()
        names = map(str, range(10)) if objects == "digits" else FashionMNIST.class_names
        self.class_names = ("background", *names)

    def prepare_data(self) -> None:
        """Fetch the objects; called in one process."""
        self._objects().prepare_data()

    def parts(self) -> Mapping[str, Dataset[Any]]:
        """Read the photographs and the objects."""
        size, count = self.hparams["image_size"], self.hparams["train_scenes"]
        objects = self._objects().parts()
        photographs = [
            torch.tensor(photograph).movedim(-1, 0) / 255
            for photograph in require("sklearn.datasets", extra="vision").load_sample_images().images
        ]
        width = photographs[0].shape[-1]
        edges = {"train": (0, 0.6 * width), "val": (0.6 * width, 0.8 * width), "test": (0.8 * width, width)}
        counts = {part: max(1, round(self.hparams.get(f"{part}_fraction", 1) * count)) for part in _PARTS}
        return {
            part: _Scenes(
                [photograph[..., int(edges[part][0]) : int(edges[part][1])] for photograph in photographs],
                objects[part],
                size,
                counts[part],
                self.hparams["split_seed"] * 3 + number,
            )
            for number, part in enumerate(_PARTS)
        }

    def _objects(self) -> ZooData:
        # Not made in __init__: Lightning would give it the hyperparameters of the scenes.
        return Digits() if self.hparams["objects"] == "digits" else FashionMNIST(self.hparams["folder"])


class _Scenes(Dataset[tuple[Tensor, Tensor]]):
    """Scenes that are put together when they are asked for."""

    def __init__(self, photographs: list[Tensor], objects: Dataset[Any], size: int, count: int, seed: int) -> None:
        self.photographs, self.objects = photographs, objects
        self.size, self.count, self.seed = size, count, seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if not 0 <= index < self.count:
            raise IndexError(f"scene {index} of {self.count}")
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + index)

        def draw(low: int, high: int) -> int:
            return int(torch.randint(low, high + 1, (), generator=generator))

        photograph = self.photographs[draw(0, len(self.photographs) - 1)]
        top, left = (draw(0, edge - self.size) for edge in photograph.shape[1:])
        image = photograph[:, top : top + self.size, left : left + self.size].clone()
        mask = torch.zeros(self.size, self.size, dtype=torch.long)
        for _ in range(draw(1, 3)):
            gray, label = self.objects[draw(0, len(self.objects) - 1)]  # type: ignore[arg-type]
            edge = draw(self.size * 3 // 8, self.size * 5 // 8)
            opacity = F.interpolate(gray[None], size=edge, mode="bilinear", align_corners=False, antialias=True)[0]
            color = torch.rand(3, 1, 1, generator=generator)
            top, left = draw(0, self.size - edge), draw(0, self.size - edge)
            rows, columns = slice(top, top + edge), slice(left, left + edge)
            opacity = opacity * (opacity > _LEAST)
            image[:, rows, columns] = (1 - opacity) * image[:, rows, columns] + opacity * color
            mask[rows, columns] = torch.where(opacity[0] > 0, label + 1, mask[rows, columns])
        return image, mask
