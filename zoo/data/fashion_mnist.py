"""Fashion-MNIST from its original files."""

from __future__ import annotations

import gzip
import math
import struct
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset, TensorDataset

from lightning_acts.files import replacing

from .base import ZooData, check_fractions

_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
_DEBIAN = "/usr/share/datasets/fashion-mnist"
_UNSIGNED_BYTE = 0x08


class FashionMNIST(ZooData):
    """60,000 and 10,000 gray images of clothes, 28 x 28, in ten classes; the validation part is cut off the first.

    Images are ``(1, 28, 28)`` with values in [0, 1], labels 0 to 9, called ``class_names``.

    Args:
        folder: Where the four IDX files are, packed (``.gz``) or not; what is missing is downloaded there.
        batch_size: Images a batch.
        val_fraction: The share of the 60,000 that validates.
        split_seed: Seed of the split.
        num_workers: Processes that load batches.
        download: Whether missing files may be fetched.

    Raises:
        ValueError: A size or a fraction is out of range, or a file is damaged.
        FileNotFoundError: A file is missing and can't be fetched; the message says how to get it.

    Source:
        Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747.

    Example:
        ::

            data = FashionMNIST("/usr/share/datasets/fashion-mnist")
    """

    num_classes = 10
    class_names = (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip
    in_channels = 1

    def __init__(
        self,
        folder: str = "data/fashion_mnist",
        batch_size: int = 128,
        val_fraction: float = 0.1,
        split_seed: int = 0,
        num_workers: int = 0,
        download: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers)
        check_fractions("FashionMNIST", val_fraction=val_fraction)
        self.save_hyperparameters()

    def prepare_data(self) -> None:
        """Fetch what is missing; called in one process."""
        for name in (name for names in _FILES.values() for name in names):
            self._file(name)

    def parts(self) -> Mapping[str, Dataset[Any]]:
        """Read the images, and cut the validation part off the first 60,000."""
        whole = {part: self._read(part) for part in _FILES}
        order = torch.randperm(len(whole["train"]), generator=torch.Generator().manual_seed(self.hparams["split_seed"]))
        validated = round(self.hparams["val_fraction"] * len(order))
        return {
            "train": Subset(whole["train"], order[validated:].tolist()),
            "val": Subset(whole["train"], order[:validated].tolist()),
            "test": whole["test"],
        }

    def _read(self, part: str) -> TensorDataset:
        images, labels = (read_idx(self._file(name)) for name in _FILES[part])
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or labels.max() > 9:
            raise ValueError(
                f"{self.hparams['folder']}: the {part} files don't belong together: images {tuple(images.shape)}, "
                f"labels {tuple(labels.shape)} up to {int(labels.max())}"
            )
        return TensorDataset(images.unsqueeze(1).float() / 255, labels.long())

    def _file(self, name: str) -> Path:
        folder = Path(self.hparams["folder"]).expanduser()
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
        target, address = folder / f"{name}.gz", f"{_ADDRESS}/{name}.gz"
        reason: object = "downloads are off"
        if self.hparams["download"]:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with urllib.request.urlopen(address, timeout=30) as answer, replacing(target) as unfinished:
                    unfinished.write_bytes(answer.read())
                return target
            except (urllib.error.URLError, OSError) as error:
                reason = error
        raise FileNotFoundError(
            f"{folder} has no {name}, packed or not, and {address} could not be fetched ({reason}). Put the four files of "
            f"Fashion-MNIST there; or, on Debian: apt install dataset-fashion-mnist, then data.folder={_DEBIAN}"
        )


def read_idx(path: Path) -> Tensor:
    """Return the unsigned bytes in a file of the IDX format, packed by gzip or not.

    Raises:
        ValueError: It is damaged, or of another format.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, OSError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if len(content) < 4 or content[:2] != b"\x00\x00" or content[2] != _UNSIGNED_BYTE:
        raise ValueError(f"{path} is no IDX file of unsigned bytes: it begins with {content[:4].hex() or 'nothing'}")
    dimensions = content[3]
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise ValueError(f"{path} is damaged: it ends within its header")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    if len(content) - header != math.prod(shape):
        raise ValueError(
            f"{path} is damaged: {shape} needs {math.prod(shape)} bytes, and it has {len(content) - header}"
        )
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy())
