"""Datasets of images of Hugging Face, on its Hub or in local files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from lightning_acts.extras import require
from lightning_acts.hints import counted, did_you_mean, listed

from .base import check_fractions
from .images import Augment, ImageData

# What a validation part is called, if it is not named.
_VALIDATION = ("validation", "valid", "val")


class HuggingFaceImages(ImageData):
    """Images and their classes from Hugging Face's ``datasets``: of its Hub by name, or of local files.

    Images are ``(in_channels, image_size, image_size)``; each channel has mean 0 and standard deviation 1 over the training
    part, of which 2,000 images at most are measured. A validation or test part that the dataset lacks is cut off its
    training part, with the same share of each class. ``num_classes`` and ``class_names`` are known after ``setup``.

    A dataset of the Hub is downloaded once, to where ``datasets`` keeps its files (``HF_HOME``). No code of a dataset is run.

    Args:
        dataset: A name on the Hub, such as ``uoft-cs/cifar10``; or a file or folder: what ``save_to_disk`` wrote, Parquet,
            or images in folders, one a class.
        config: Which of several configurations of the dataset.
        revision: Which version of a dataset of the Hub: a branch, a tag or a commit.
        image_column: The column of the images.
        label_column: The column of the classes: class labels, whole numbers or text.
        train_split: The split for training.
        val_split: The split for validation; by default ``validation``, ``valid`` or ``val`` if there is one.
        test_split: The split for the test; by default ``test`` if there is one.
        image_size: Edge length that images are scaled to.
        gray: One channel instead of three.
        augment: What changes in training: ``none``, ``crop`` or ``crop_and_flip``; see
            :class:`~lightning_acts.zoo.data.images.ImageData`.
        batch_size: Images a batch.
        val_fraction: The share of the images for validation, for a dataset without such a split.
        test_fraction: The share of the images for the test, for a dataset without such a split.
        split_seed: Seed of what is cut off.
        num_workers: Processes that load batches.

    Raises:
        ValueError: A column or a split is missing, or holds what can't be used; a number is out of range.
        FileNotFoundError: There is no such dataset, or it can't be fetched.
        ImportError: ``datasets`` is not installed.

    Example:
        ::

            data = HuggingFaceImages("uoft-cs/cifar10", image_column="img", image_size=32)
    """

    num_classes: int
    class_names: Sequence[str]

    def __init__(
        self,
        dataset: str,
        config: str | None = None,
        revision: str | None = None,
        image_column: str = "image",
        label_column: str = "label",
        train_split: str = "train",
        val_split: str | None = None,
        test_split: str | None = None,
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
        check_fractions("HuggingFaceImages", val_fraction=val_fraction, test_fraction=test_fraction)
        self.save_hyperparameters()

    def prepare_data(self) -> None:
        """Fetch the dataset, and check its columns; called in one process."""
        self._splits()

    def parts(self) -> Mapping[str, Dataset[Any]]:
        """Read the splits, cut off those that are missing, and measure the training part."""
        splits = self._splits()
        labels = self._labels(splits)
        whole: dict[str, Dataset[Any]] = {
            part: _Pairs(rows, self.hparams["image_column"], labels[part]) for part, rows in splits.items()
        }
        return self.normalized(self.completed(whole, lambda: labels["train"]))

    def _splits(self) -> dict[str, Any]:
        """Return the dataset's own parts, whose columns are there and of the right types."""
        loaded = self._load()
        found = loaded if isinstance(loaded, dict) else {self.hparams["train_split"]: loaded}
        named = {part: self.hparams[f"{part}_split"] for part in ("train", "val", "test")}
        for part, name in named.items():
            if name is not None and name not in found:
                raise self._unknown(f"{part}_split", "split", found)
        named["val"] = named["val"] or next((name for name in _VALIDATION if name in found), None)
        named["test"] = named["test"] or ("test" if "test" in found else None)
        splits = {part: found[name] for part, name in named.items() if name is not None}
        for rows in splits.values():
            self._check_columns(rows.features)
        return splits

    def _load(self) -> Any:
        """Return the dataset: a mapping of splits, or a single one."""
        datasets = require("datasets", extra="datasets")
        name, options = self.hparams["dataset"], {"name": self.hparams["config"]}
        path = Path(name).expanduser()
        try:
            if path.is_file():
                return datasets.load_dataset("parquet", data_files=str(path))
            if any((path / file).is_file() for file in ("dataset_dict.json", "state.json")):
                return datasets.load_from_disk(str(path))
            if path.is_dir():
                return datasets.load_dataset(str(path), **options)
            return datasets.load_dataset(name, revision=self.hparams["revision"], **options)
        except ValueError as error:  # such as a configuration that is not there
            raise ValueError(f"HuggingFaceImages(dataset={name!r}): {error}") from error
        except (OSError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            if path.exists():
                raise ValueError(
                    f"HuggingFaceImages(dataset={name!r}): neither what save_to_disk wrote, nor Parquet, nor folders of "
                    f"images: {error}"
                ) from error
            raise FileNotFoundError(
                f"HuggingFaceImages(dataset={name!r}): {Path.cwd()} has no such file or folder, and it could not be fetched "
                f'from the Hub ({error}). Where there is a network: python -c "import datasets; '
                f"datasets.load_dataset({name!r}).save_to_disk('FOLDER')\"; then give dataset: FOLDER"
            ) from error

    def _unknown(self, argument: str, what: str, known: Mapping[str, Any]) -> ValueError:
        name = self.hparams[argument]
        return ValueError(
            f"HuggingFaceImages({argument}={name!r}): {self.hparams['dataset']} has no such {what}{did_you_mean(name, known)} "
            f"It has: {listed(list(known), most=20)}"
        )

    def _check_columns(self, features: Mapping[str, Any]) -> None:
        for argument in ("image_column", "label_column"):
            if self.hparams[argument] not in features:
                raise self._unknown(argument, "column", features)
        image, label = self.hparams["image_column"], self.hparams["label_column"]
        if type(features[image]).__name__ != "Image":
            raise ValueError(f"HuggingFaceImages(image_column={image!r}): it holds {features[image]}, not images")
        if not getattr(features[label], "dtype", "").startswith(("int", "uint", "bool", "string", "large_string")):
            raise ValueError(
                f"HuggingFaceImages(label_column={label!r}): it holds {features[label]}, neither classes nor whole numbers "
                "nor text"
            )

    def _labels(self, splits: Mapping[str, Any]) -> dict[str, list[int]]:
        """Return the number of the class of each image, by part."""
        column = self.hparams["label_column"]
        values = {part: rows.select_columns([column])[:][column] for part, rows in splits.items()}
        names = getattr(splits["train"].features[column], "names", None)
        known = sorted(set(values["train"]) - {None}) if names is None else range(len(names))
        self.class_names = [str(value) for value in known] if names is None else names
        self.num_classes = len(self.class_names)
        numbers = {value: number for number, value in enumerate(known)}
        for part, found in values.items():
            if others := {value for value in found if value not in numbers}:
                raise ValueError(
                    f"HuggingFaceImages(label_column={column!r}): {counted(sum(value in others for value in found), 'image')} "
                    f"of the {part} part have labels that are no class: {listed(sorted(map(repr, others)))}"
                )
        return {part: [numbers[value] for value in found] for part, found in values.items()}


class _Pairs(Dataset[Any]):
    """Images of a column, and the numbers of their classes."""

    def __init__(self, rows: Any, column: str, labels: Sequence[int]) -> None:
        self.rows, self.column, self.labels = rows.select_columns([column]), column, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        try:
            image = self.rows[index][self.column]
        except OSError as error:
            raise ValueError(f"image {index} can't be read: {error}") from error
        if image is None:
            raise ValueError(f"image {index} is missing")
        return image, self.labels[index]
