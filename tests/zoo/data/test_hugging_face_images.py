from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_acts.zoo import HuggingFaceImages

datasets = pytest.importorskip("datasets")
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")]

COLORS = {"cyan": (10, 200, 200), "red": (200, 10, 10), "white": (240, 240, 240)}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps what the library writes, and lets it ask nobody."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


def rows(count: int, kind: Any = None, labels: Any = None) -> Any:
    """Images of one color each, with its name or another label."""
    names = [list(COLORS)[number % 3] for number in range(count)]
    images = [Image.new("RGB", (6, 5), COLORS[name]) for name in names]
    kind = kind or datasets.ClassLabel(names=list(COLORS))
    made = {"image": images, "label": labels or names, "note": ["x"] * count}
    features = {"image": datasets.Image(), "label": kind, "note": datasets.Value("string")}
    return datasets.Dataset.from_dict(made, features=datasets.Features(features))


def made(path: Path, **options: Any) -> HuggingFaceImages:
    data = HuggingFaceImages(str(path), **{"image_size": 4, "batch_size": 3, **options})
    data.prepare_data()
    data.setup()
    return data


def labels_of(data: HuggingFaceImages, part: str) -> list[int]:
    return [label for _, label in data._parts[part]]  # type: ignore[attr-defined]


def check_colors(data: HuggingFaceImages) -> None:
    """Each image has the color that its label says, to a line."""
    for channel in range(3):
        pairs = [(COLORS[data.class_names[label]][channel], float(image[channel].mean()))
                 for part in ("train", "val", "test") for image, label in data._parts[part]]  # type: ignore[attr-defined]  # fmt: skip
        given, found = np.array(pairs).T
        np.testing.assert_allclose(np.polyval(np.polyfit(given, found, 1), given), found, atol=1e-3)


def test_a_dataset_on_disk_without_splits(tmp_path: Path) -> None:
    rows(60).save_to_disk(str(tmp_path / "saved"))
    data = made(tmp_path / "saved", val_fraction=0.2, test_fraction=0.3)
    assert (data.num_classes, list(data.class_names), data.in_channels) == (3, list(COLORS), 3)
    assert {part: np.bincount(labels_of(data, part)).tolist() for part in ("train", "val", "test")} == {
        "train": [10] * 3, "val": [4] * 3, "test": [6] * 3,
    }  # fmt: skip
    check_colors(data)
    pixels = torch.stack([image for image, _ in data._parts["train"]])  # type: ignore[attr-defined]
    torch.testing.assert_close(pixels.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(pixels.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-4, rtol=0)
    assert next(iter(data.train_dataloader()))[0].shape == (3, 3, 4, 4)


def test_splits_of_the_dataset(tmp_path: Path) -> None:
    parts = {"train": rows(30), "valid": rows(6), "test": rows(9), "extra": rows(12)}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "saved"))
    data = made(tmp_path / "saved")
    assert {part: len(pairs) for part, pairs in data._parts.items()} == {"train": 30, "val": 6, "test": 9}  # type: ignore[arg-type]
    data = made(tmp_path / "saved", test_split="extra", gray=True)
    assert len(data._parts["test"]) == 12  # type: ignore[arg-type]
    assert next(iter(data.test_dataloader()))[0].shape == (3, 1, 4, 4)


@pytest.mark.parametrize("place", ["rows.parquet", ""])
def test_parquet_with_text_for_labels(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    rows(30, datasets.Value("string")).to_parquet(str(tmp_path / "folder" / "rows.parquet"))
    data = made(tmp_path / "folder" / place)
    assert list(data.class_names) == ["cyan", "red", "white"]
    check_colors(data)


def test_whole_numbers_for_labels(tmp_path: Path) -> None:
    rows(30, datasets.Value("int32"), [(5, 7, 11)[number % 3] for number in range(30)]).save_to_disk(
        str(tmp_path / "a")
    )
    data = made(tmp_path / "a")
    assert (data.class_names, set(labels_of(data, "train"))) == (["5", "7", "11"], {0, 1, 2})


def test_images_in_folders(tmp_path: Path) -> None:
    for name, color in COLORS.items():
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(8):
            Image.new("RGB", (5, 5), color).save(tmp_path / "images" / name / f"{number}.png")
    data = made(tmp_path / "images")
    assert list(data.class_names) == list(COLORS)
    check_colors(data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_column": "img"}, r"HuggingFaceImages\(image_column='img'\): .* has no such column.*It has: image, label, note"),
        ({"label_column": "labels"}, "has no such column; did you mean 'label'?"),
        ({"train_split": "training"}, "has no such split; did you mean 'train'?"),
        ({"val_split": "dev"}, "val_split='dev'.*It has: train, test"),
        ({"image_column": "label"}, "it holds ClassLabel.*, not images"),
        ({"label_column": "image"}, r"it holds Image\(.*, neither classes nor whole numbers nor text"),
    ],
)  # fmt: skip
def test_columns_and_splits_are_checked_before_work(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    datasets.DatasetDict({"train": rows(30), "test": rows(9)}).save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(ValueError, match=message):
        HuggingFaceImages(str(tmp_path / "saved"), **options).prepare_data()


def test_labels_that_are_no_class(tmp_path: Path) -> None:
    hidden = rows(9, labels=[-1] * 9)
    datasets.DatasetDict({"train": rows(30), "test": hidden}).save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(ValueError, match="9 images of the test part have labels that are no class: -1"):
        made(tmp_path / "saved")


def test_damaged_images(tmp_path: Path) -> None:
    damaged = {"image": [{"bytes": b"no image", "path": None}] * 30, "label": [0, 1, 2] * 10}
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(COLORS))})
    datasets.Dataset.from_dict(damaged, features=features).save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(ValueError, match=r"image \d+ can't be read"):
        made(tmp_path / "saved")


def test_what_can_not_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such file or folder, and it could not be fetched.*save_to_disk"):
        HuggingFaceImages("somebody/something").prepare_data()
    (tmp_path / "script").mkdir()
    (tmp_path / "script" / "script.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ValueError, match="neither what save_to_disk wrote, nor Parquet, nor folders"):
        HuggingFaceImages(str(tmp_path / "script")).prepare_data()
    assert not (tmp_path / "ran").exists()
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    with pytest.raises(ValueError, match="a.parquet"):
        HuggingFaceImages(str(tmp_path / "a.parquet")).prepare_data()


def test_mistakes() -> None:
    with pytest.raises(ValueError, match=r"HuggingFaceImages\(image_size=0\)"):
        HuggingFaceImages("x", image_size=0)
    with pytest.raises(ValueError, match=r"HuggingFaceImages\(val_fraction=0"):
        HuggingFaceImages("x", val_fraction=0)
