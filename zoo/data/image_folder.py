"""A folder of the user's own images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from lightning_acts.extras import require

from .base import check_fractions, split
from .images import Augment, ImageData

# More would hold up the start of each process.
_MOST_OPENED = 2_000


class ImageFolder(ImageData):
    """Images in folders, one a class: ``FOLDER/cat/1.png``, ``FOLDER/dog/2.jpg``.

    Images are scaled to squares, ``(channels, size, size)``; each channel has mean 0 and standard deviation 1 over the
    training part, of which 2,000 images at most are measured. If there are no more in all, every image is opened before
    work starts. Labels count the classes in the order of their names, which are ``class_names``. Each part has the same
    share of each class.

    Args:
        folder: The folder of the folders.
        image_size: Edge length that images are scaled to.
        gray: One channel instead of three.
        augment: What changes in training: ``none``, ``crop`` or ``crop_and_flip``; see
            :class:`~lightning_acts.zoo.data.images.ImageData`.
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
        augment: Augment = "none",
        batch_size: int = 32,
        val_fraction: float = 0.15,
        test_fraction: float = 0.25,
        split_seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(gray, image_size, augment, batch_size=batch_size, num_workers=num_workers)
        check_fractions("ImageFolder", val_fraction=val_fraction, test_fraction=test_fraction)
        self.save_hyperparameters()

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
        folder = require("torchvision.datasets.folder", extra="vision")
        numbers = {name: number for number, name in enumerate(self.class_names)}
        root = Path(self.hparams["folder"]).expanduser()
        files = folder.make_dataset(str(root), numbers, folder.IMG_EXTENSIONS)
        indices = split(
            len(files),
            self.hparams["val_fraction"],
            self.hparams["test_fraction"],
            self.hparams["split_seed"],
            [label for _, label in files],
        )
        if len(files) <= _MOST_OPENED:
            for index in (*indices["val"], *indices["test"]):
                _opened(files[index][0])  # a damaged one is told now, not after the training
        return self.normalized({part: _Files([files[index] for index in members]) for part, members in indices.items()})


class _Files(Dataset[Any]):
    """Images in files, and their classes."""

    def __init__(self, files: Sequence[tuple[str, int]]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        path, label = self.files[index]
        return _opened(path), label


def _opened(path: str) -> Any:
    image = require("PIL.Image", extra="vision")
    try:
        with image.open(path) as file:
            return file.convert("RGB")
    except OSError as error:
        raise ValueError(f"{path} can't be read as an image: {error}") from error
