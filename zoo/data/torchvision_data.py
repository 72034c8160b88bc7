"""Datasets of torchvision whose images have one class each."""

from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from lightning_acts.extras import require
from lightning_acts.files import UNFINISHED
from lightning_acts.hints import did_you_mean

from .base import check_fractions
from .images import Augment, ImageData

_Options = Mapping[str, Any]
_BY_FLAG = {"train": {"train": True}, "test": {"train": False}}
# Of datasets that are not divided: their test part is cut off as the validation part is.
_UNDIVIDED: Mapping[str, _Options] = {"train": {}}


def _by_split(train: str = "train", val: str | None = None, test: str = "test") -> Mapping[str, _Options]:
    named = {"train": train, "val": val, "test": test}
    return {part: {"split": name} for part, name in named.items() if name}


@dataclass(frozen=True)
class _Facts:
    """What is known of a dataset of torchvision before its files are there.

    Args:
        classes: How many there are; some options change it.
        size: Edge length of the images; None where they differ.
        parts: The arguments that select each part; a validation part that is missing is cut off the training part.
        gray: Whether the images have one channel.
    """

    classes: int | Callable[[_Options], int]
    size: int | None
    parts: Mapping[str, _Options] = field(default_factory=lambda: _BY_FLAG)
    gray: bool = False


_EMNIST = {"byclass": 62, "bymerge": 47, "balanced": 47, "letters": 27, "digits": 10, "mnist": 10}
_AIRCRAFT = {"variant": 100, "family": 70, "manufacturer": 30}

_DATASETS: Mapping[str, _Facts] = {
    "CIFAR10": _Facts(10, 32),
    "CIFAR100": _Facts(100, 32),
    "Caltech101": _Facts(101, None, _UNDIVIDED),
    "Caltech256": _Facts(257, None, _UNDIVIDED),
    "Country211": _Facts(211, None, _by_split(val="valid")),
    "DTD": _Facts(47, None, _by_split(val="val")),
    "EMNIST": _Facts(lambda options: _EMNIST.get(options["split"], 1), 28, gray=True),
    "EuroSAT": _Facts(10, 64, _UNDIVIDED),
    "FGVCAircraft": _Facts(
        lambda options: _AIRCRAFT.get(options.get("annotation_level", "variant"), 1), None, _by_split(val="val")
    ),
    "FakeData": _Facts(lambda options: options.get("num_classes", 10), None, _UNDIVIDED),
    "FashionMNIST": _Facts(10, 28, gray=True),
    "Flowers102": _Facts(102, None, _by_split(val="val")),
    "Food101": _Facts(101, None, _by_split()),
    "GTSRB": _Facts(43, None, _by_split()),
    "ImageNet": _Facts(1000, None, _by_split(test="val")),
    "KMNIST": _Facts(10, 28, gray=True),
    "MNIST": _Facts(10, 28, gray=True),
    "OxfordIIITPet": _Facts(
        lambda options: 2 if options.get("target_types") == "binary-category" else 37, None, _by_split("trainval")
    ),
    "PCAM": _Facts(2, 96, _by_split(val="val")),
    "Places365": _Facts(365, None, _by_split("train-standard", test="val")),
    "QMNIST": _Facts(10, 28, gray=True),
    "RenderedSST2": _Facts(2, None, _by_split(val="val")),
    "SEMEION": _Facts(10, 16, _UNDIVIDED, gray=True),
    "STL10": _Facts(10, 96, _by_split()),
    "SUN397": _Facts(397, None, _UNDIVIDED),
    "SVHN": _Facts(10, 32, _by_split()),
    "StanfordCars": _Facts(196, None, _by_split()),
    "USPS": _Facts(10, 16, gray=True),
}
# What this class sets itself.
_OWN = {"root", "transform", "target_transform", "transforms", "download", "loader", "compat", "what"}


class TorchvisionData(ImageData):
    """A dataset of ``torchvision.datasets`` whose images have one class each, by its name.

    Images are ``(in_channels, image_size, image_size)``; each channel has mean 0 and standard deviation 1 over the training
    part, of which 2,000 images at most are measured. The parts are the dataset's own; a validation or test part that it
    lacks is cut off its training part, with the same share of each class. ``class_names`` are known after ``setup``.

    What is missing is downloaded once, into a folder of its own, and moved to ``root`` when it is complete. The files of
    CIFAR10 and CIFAR100 are pickles, which can run code: torchvision reads them only with the MD5 sums of the originals.

    Args:
        name: Name of the dataset, such as ``CIFAR10``, ``SVHN`` or ``Flowers102``; ``FakeData`` is noise, to try things.
        root: Where the files are, as torchvision lays them out.
        download: Whether missing files may be fetched.
        image_size: Edge length that images are scaled to; by default their own, where all have the same.
        gray: One channel instead of three; by default as the dataset is.
        augment: What changes in training: ``none``, ``crop`` or ``crop_and_flip``; see
            :class:`~lightning_acts.zoo.data.images.ImageData`.
        options: Further arguments of the dataset, such as ``{split: letters}`` of ``EMNIST``.
        batch_size: Images a batch.
        val_fraction: The share of the training images that validates, for a dataset without such a part.
        test_fraction: The share of all images for the test, for a dataset without such a part.
        split_seed: Seed of what is cut off.
        num_workers: Processes that load batches.

    Raises:
        ValueError: There is no such dataset or option, a dataset has no classes, or a number is out of range.
        FileNotFoundError: Files are missing and can't be fetched; the message says how to get them.

    Example:
        >>> data = TorchvisionData("FakeData", options={"image_size": [3, 8, 8]}, image_size=8, batch_size=4)
        >>> data.setup()
        >>> images, labels = next(iter(data.train_dataloader()))
        >>> images.shape, data.num_classes
        (torch.Size([4, 3, 8, 8]), 10)
    """

    class_names: Sequence[str]

    def __init__(
        self,
        name: str = "CIFAR10",
        root: str = "data/torchvision",
        download: bool = True,
        image_size: int | None = None,
        gray: bool | None = None,
        augment: Augment = "none",
        options: Mapping[str, Any] | None = None,
        batch_size: int = 128,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        facts = _facts(name)
        super().__init__(
            facts.gray if gray is None else gray,
            facts.size if image_size is None else image_size,
            augment,
            batch_size=batch_size,
            num_workers=num_workers,
        )
        check_fractions("TorchvisionData", val_fraction=val_fraction, test_fraction=test_fraction)
        self.save_hyperparameters()
        self.root, self.options = Path(root).expanduser(), dict(options or {})
        self._check_options()
        if self.image_size is None:
            raise ValueError(f"TorchvisionData(image_size=None): images of {name} differ in size; give an edge length")
        self.num_classes = facts.classes(self.options) if callable(facts.classes) else facts.classes

    def _class(self) -> Any:
        return getattr(require("torchvision.datasets", extra="vision"), self.hparams["name"])

    def _check_options(self) -> None:
        name = self.hparams["name"]
        parameters = inspect.signature(self._class()).parameters
        taken = _OWN.union(*_DATASETS[name].parts.values())
        known = {
            key: parameter
            for key, parameter in parameters.items()
            if key not in taken and parameter.kind is not parameter.VAR_KEYWORD
        }
        for option in self.options:
            if option not in known:
                hint = did_you_mean(option, known)
                raise ValueError(
                    f"TorchvisionData(options={self.options}): {name} takes no {option!r}{hint} It takes: "
                    f"{', '.join(known) or 'none'}"
                )
        for option, parameter in known.items():
            if parameter.default is parameter.empty and option not in self.options:
                raise ValueError(f"TorchvisionData(options={self.options}): {name} needs {option!r}")

    def prepare_data(self) -> None:
        """Fetch what is missing; called in one process."""
        try:
            self._datasets(self.root)
        except (RuntimeError, OSError) as missing:
            self._fetch(missing)

    def parts(self) -> Mapping[str, Dataset[Any]]:
        """Read the parts, cut off those that are missing, and measure the training part."""
        try:
            parts = self._datasets(self.root)
        except (RuntimeError, OSError) as missing:
            raise self._missing(missing) from missing
        _check_class(parts["train"][0][1], f"TorchvisionData(name={self.hparams['name']!r}, options={self.options})")
        self.class_names = _class_names(parts["train"], self.num_classes)
        return self.normalized(self.completed(parts, lambda: _labels(parts["train"])))

    def _datasets(self, root: Path, **download: bool) -> dict[str, Dataset[Any]]:
        """Return the dataset's own parts, whose files are below ``root``."""
        made, name = self._class(), self.hparams["name"]
        if _takes(made, "root"):
            download["root"] = str(root)  # type: ignore[assignment]
        if _takes(made, "download"):
            download.setdefault("download", False)
        try:
            return {part: made(**download, **self.options, **chosen) for part, chosen in _DATASETS[name].parts.items()}
        except ValueError as error:
            raise ValueError(f"TorchvisionData(name={name!r}, options={self.options}): {error}") from error

    def _fetch(self, missing: Exception) -> None:
        if not self.hparams["download"] or not _takes(self._class(), "download"):
            raise self._missing(missing) from missing
        unfinished = self.root / f".{self.hparams['name']}.{os.getpid()}{UNFINISHED}"
        try:
            unfinished.mkdir(parents=True, exist_ok=True)
            self._datasets(unfinished, download=True)
            _move_into(unfinished, self.root)
        except (RuntimeError, OSError) as error:
            raise self._missing(error) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _missing(self, reason: Exception) -> FileNotFoundError:
        name, made = self.hparams["name"], self._class()
        if _takes(made, "download"):
            chosen = [
                ", ".join(f"{key}={value!r}" for key, value in {"download": True, **self.options, **part}.items())
                for part in _DATASETS[name].parts.values()
            ]
            calls = "; ".join(f"torchvision.datasets.{name}({str(self.root)!r}, {arguments})" for arguments in chosen)
            how = f'Where there is a network, fetch them into such a folder: python -c "import torchvision; {calls}"'
        else:
            how = f"torchvision can't fetch them, and says where they go: help(torchvision.datasets.{name})"
        return FileNotFoundError(f"{self.root.absolute()} has no complete files of {name} ({reason}). {how}")


def _facts(name: str) -> _Facts:
    if name in _DATASETS:
        return _DATASETS[name]
    known = ", ".join(_DATASETS)
    if name in require("torchvision.datasets", extra="vision").__all__:
        here = "; lightning_acts.zoo.ImageFolder takes a folder of your own" if name == "ImageFolder" else ""
        raise ValueError(
            f"TorchvisionData(name={name!r}): torchvision has it, but not as images with one class each, in parts of the same "
            f"classes{here}. Those that are: {known}"
        )
    raise ValueError(
        f"TorchvisionData(name={name!r}): there is no such dataset{did_you_mean(name, _DATASETS)} There are: {known}"
    )


def _takes(made: type, argument: str) -> bool:
    """Return whether a dataset has an argument, or hands it to a class above it."""
    for cls in made.__mro__:
        if "__init__" in vars(cls):
            parameters = inspect.signature(vars(cls)["__init__"]).parameters
            if argument in parameters or not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
                return argument in parameters
    return False


def _check_class(target: Any, who: str) -> None:
    try:
        int(target)
    except (TypeError, ValueError):
        raise ValueError(f"{who}: a target is {type(target).__name__}, not the number of a class") from None


def _labels(dataset: Any) -> Tensor:
    """Return the class of each image, if possible without opening the images."""
    for name in ("targets", "labels", "_labels", "y"):
        if len(found := getattr(dataset, name, ())) == len(dataset):
            labels = torch.as_tensor(found)
            return labels if labels.ndim == 1 else labels[:, 0]
    pairs = getattr(dataset, "_samples", None) or (dataset[index] for index in range(len(dataset)))
    return torch.tensor([int(label) for _, label in pairs])


def _class_names(dataset: Any, count: int) -> list[str]:
    names = getattr(dataset, "classes", getattr(dataset, "categories", ()))
    if len(names) != count:
        return [str(number) for number in range(count)]
    return [name if isinstance(name, str) else name[0] for name in names]


def _move_into(source: Path, target: Path) -> None:
    """Move what a folder holds into another one: folders whole where they are new, else file by file."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.is_dir() and (target / path.name).is_dir():
            _move_into(path, target / path.name)
        else:
            path.replace(target / path.name)
