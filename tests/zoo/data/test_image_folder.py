from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_acts.runs import training
from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import load
from lightning_acts.zoo import ImageFolder
from lightning_acts.zoo.data import image_folder, images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Dark and light pictures of different sizes and kinds."""
    random = np.random.default_rng(0)
    for name, base in (("dark", 40), ("light", 160)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(20):
            size = (10 + number % 3, 12)
            pixels = (base + random.integers(0, 60, (*size, 3))).astype(np.uint8)
            picture = Image.fromarray(pixels)
            picture.save(tmp_path / "pictures" / name / f"{number}.{'png' if number % 2 else 'jpg'}")
    return tmp_path / "pictures"


def test_each_part_has_its_share_and_training_is_normalized(folder: Path) -> None:
    data = ImageFolder(str(folder), image_size=8, val_fraction=0.2, test_fraction=0.3)
    data.setup()
    assert (data.class_names, data.num_classes, data.in_channels) == (("dark", "light"), 2, 3)
    sizes = {}
    for part in ("train", "val", "test"):
        images, labels = zip(*data._parts[part], strict=True)  # type: ignore[call-overload]
        sizes[part] = (len(labels), sum(labels))
        if part == "train":
            pixels = torch.stack(images)
            torch.testing.assert_close(pixels.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
            torch.testing.assert_close(pixels.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-4, rtol=0)
    assert sizes == {"train": (20, 10), "val": (8, 4), "test": (12, 6)}
    (folder / ".ipynb_checkpoints").mkdir()  # no class
    gray = ImageFolder(str(folder), image_size=8, gray=True)
    gray.setup()
    assert next(iter(gray.test_dataloader()))[0].shape == (10, 1, 8, 8)


def test_of_many_images_some_are_measured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    opened = image_folder._opened
    monkeypatch.setattr(image_folder, "_opened", lambda path: read.append(path) or opened(path))
    monkeypatch.setattr(images, "_MOST_MEASURED", 7)
    monkeypatch.setattr(image_folder, "_MOST_OPENED", 39)
    ImageFolder(str(folder), val_fraction=0.2, test_fraction=0.3).setup()
    assert len(read) == len(set(read)) == 7
    assert {Path(path).parent.name for path in read} == {"dark", "light"}


def test_mistakes(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        ImageFolder(str(tmp_path / "no")).setup()
    with pytest.raises(ValueError, match="at least two classes, with images in it; found 1"):
        ImageFolder(str(tmp_path)).setup()
    with pytest.raises(ValueError, match=r"ImageFolder\(image_size=0\)"):
        ImageFolder(str(folder), image_size=0)
    (folder / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty"):
        ImageFolder(str(folder)).setup()


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_a_damaged_picture_is_told_whichever_part_it_is_in(folder: Path, part: str) -> None:
    data = ImageFolder(str(folder))
    data.setup()
    path, _ = data._parts[part].pairs.files[-1]  # type: ignore[attr-defined]
    Path(path).write_bytes(Path(path).read_bytes()[:-300])
    with pytest.raises(ValueError, match=f"{Path(path).name} can't be read as an image"):
        ImageFolder(str(folder)).setup()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pictures_of_ones_own_are_trained_on_by_yaml(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "base: images/cnn_digits\n"
        f"model: {{num_classes: 2, in_channels: 3}}\ndata: {{_target_: lightning_acts.zoo.ImageFolder, folder: {folder}, image_size: 8, batch_size: 8}}\n"
    )
    result = training.train(
        check_config(load([str(tmp_path / "mine.yaml")], ["trainer.max_epochs=5"])), tmp_path, lambda run: None
    )
    assert result.metrics["test/acc"] == 1.0
