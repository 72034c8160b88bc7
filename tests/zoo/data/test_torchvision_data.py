import gzip
import hashlib
import os
import pickle
import shutil
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

from lightning_acts.zoo import TorchvisionData
from lightning_acts.zoo.data import torchvision_data

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
needs_debian = pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")


def fake(size: int = 100, **options: Any) -> TorchvisionData:
    options = {"options": {"size": size, "image_size": [3, 8, 8], "num_classes": 4}, "image_size": 8, **options}
    return TorchvisionData("FakeData", **options)


def labels_of(data: TorchvisionData, part: str) -> list[int]:
    return [label for _, label in data._parts[part]]  # type: ignore[attr-defined]


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CIFAR-10 of 80 training images and 20 test images, whose sums torchvision takes for the right ones."""
    folder = tmp_path / "cifar" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)

    def write(name: str, content: Any) -> list[str]:
        (folder / name).write_bytes(pickle.dumps(content))
        return [name, hashlib.md5((folder / name).read_bytes()).hexdigest()]

    def batch(count: int) -> dict[str, Any]:
        return {"data": random.integers(0, 256, (count, 3072), dtype=np.uint8), "labels": (np.arange(count) % 10).tolist()}  # fmt: skip

    made = torchvision.datasets.CIFAR10
    monkeypatch.setattr(made, "train_list", [write("data_batch_1", batch(50)), write("data_batch_2", batch(30))])
    monkeypatch.setattr(made, "test_list", [write("test_batch", batch(20))])
    name, md5 = write("batches.meta", {"label_names": [f"name {number}" for number in range(10)]})
    monkeypatch.setattr(made, "meta", {"filename": name, "key": "label_names", "md5": md5})
    return folder.parent


def unreachable(*_: Any, **__: Any) -> None:
    raise urllib.error.URLError("no route to host")


def test_cifar(cifar: Path) -> None:
    data = TorchvisionData("CIFAR10", str(cifar), download=False, val_fraction=0.25)
    assert (data.num_classes, data.in_channels, data.image_size) == (10, 3, 32)
    data.prepare_data()
    data.setup()
    assert data.class_names == [f"name {number}" for number in range(10)]
    assert {part: np.bincount(labels_of(data, part)).tolist() for part in data._parts} == {
        "train": [6] * 10, "val": [2] * 10, "test": [2] * 10,
    }  # fmt: skip
    pixels = torch.stack([image for image, _ in data._parts["train"]])  # type: ignore[attr-defined]
    torch.testing.assert_close(pixels.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(pixels.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-4, rtol=0)
    raw = pickle.loads((cifar / "cifar-10-batches-py" / "test_batch").read_bytes())["data"].reshape(-1, 3, 32, 32) / 255
    image = data._parts["test"][7][0]
    slope, intercept = np.polyfit(raw[7].reshape(3, -1)[0], image[0].flatten(), 1)
    np.testing.assert_allclose(slope * raw[7][0] + intercept, image[0], atol=1e-4)


def test_pickles_with_other_sums_are_not_read(cifar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(cifar / "ran"),)

    (cifar / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(Bomb()))
    data = TorchvisionData("CIFAR10", str(cifar), download=False)
    for call in (data.prepare_data, data.setup):
        with pytest.raises(FileNotFoundError, match="CIFAR10 .*not found or corrupted"):
            call()
    assert not (cifar / "ran").exists()


@needs_debian
def test_files_of_mnists_format(tmp_path: Path) -> None:
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for path in DEBIAN.glob("*ubyte.gz"):
        (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    data = TorchvisionData("FashionMNIST", str(tmp_path), download=False, image_size=14)
    data.prepare_data()
    data.setup()
    assert (data.in_channels, data.class_names[-1]) == (1, "Ankle boot")
    assert {part: len(images) for part, images in data._parts.items()} == {"train": 54000, "val": 6000, "test": 10000}  # type: ignore[arg-type]
    images, labels = next(iter(data.test_dataloader()))
    assert (images.shape, labels.shape) == ((128, 1, 14, 14), (128,))


def test_an_undivided_dataset_is_divided() -> None:
    data = fake(val_fraction=0.2, test_fraction=0.3)
    data.setup()
    assert (data.num_classes, data.class_names) == (4, ["0", "1", "2", "3"])
    assert {part: len(images) for part, images in data._parts.items()} == {"train": 50, "val": 20, "test": 30}  # type: ignore[arg-type]
    whole = np.bincount(labels_of(data, "train") + labels_of(data, "val") + labels_of(data, "test"))
    np.testing.assert_allclose(np.bincount(labels_of(data, "test")), 0.3 * whole, atol=1)
    again, other = fake(val_fraction=0.2, test_fraction=0.3), fake(val_fraction=0.2, test_fraction=0.3, split_seed=1)
    again.setup()
    other.setup()
    assert labels_of(data, "train") == labels_of(again, "train") != labels_of(other, "train")


@pytest.mark.parametrize("name", torchvision_data._DATASETS)
def test_each_dataset_takes_the_arguments_of_its_parts(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    needed = {"EMNIST": {"split": "letters"}, "FakeData": {"size": 20}}
    data = TorchvisionData(name, str(tmp_path), download=False, image_size=8, options=needed.get(name, {}))
    if name == "FakeData":
        data.prepare_data()
    else:
        # An argument that it does not take would be a TypeError, a value a ValueError.
        with pytest.raises(FileNotFoundError, match=f"has no complete files of {name}"):
            data.prepare_data()


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        ("EMNIST", {"split": "letters"}, 27),
        ("EMNIST", {"split": "balanced"}, 47),
        ("OxfordIIITPet", {"target_types": "binary-category"}, 2),
        ("FGVCAircraft", {"annotation_level": "family"}, 70),
        ("FGVCAircraft", {}, 100),
        ("FakeData", {"num_classes": 3}, 3),
    ],
)
def test_options_change_the_number_of_classes(name: str, options: dict[str, Any], count: int) -> None:
    assert TorchvisionData(name, image_size=8, options=options).num_classes == count


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "CIFAR"}, r"TorchvisionData\(name='CIFAR'\): there is no such dataset; did you mean 'CIFAR10'"),
        ({"name": "VOCDetection"}, "not as images with one class each"),
        ({"name": "Cityscapes"}, "not as images with one class each"),
        ({"name": "ImageFolder"}, r"lightning_acts.zoo.ImageFolder takes a folder of your own"),
        ({"name": "Flowers102"}, "images of Flowers102 differ in size; give an edge length"),
        ({"image_size": 0}, r"TorchvisionData\(image_size=0\): at least 1"),
        ({"augment": "flip"}, "augment='flip'"),
        ({"val_fraction": 1.0}, "val_fraction=1.0"),
        ({"name": "EMNIST"}, "EMNIST needs 'split'"),
        ({"name": "DTD", "options": {"partitions": 2}, "image_size": 8}, "DTD takes no 'partitions'; did you mean 'partition'?"),
        ({"options": {"train": False}}, "CIFAR10 takes no 'train'. It takes: none"),
        ({"options": {"root": "x"}}, "CIFAR10 takes no 'root'"),
    ],
)  # fmt: skip
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TorchvisionData(**options)


def test_values_that_the_dataset_refuses(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"TorchvisionData\(name='FGVCAircraft', options=.*Unknown value 'kind'"):
        TorchvisionData(
            "FGVCAircraft", str(tmp_path), image_size=8, options={"annotation_level": "kind"}
        ).prepare_data()


def test_targets_that_are_no_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision.datasets.FakeData, "__getitem__", lambda *_: (None, {"boxes": []}))
    with pytest.raises(ValueError, match="a target is dict, not the number of a class"):
        fake().setup()


def test_without_a_network_nothing_is_left_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    root = tmp_path / "data"
    data = TorchvisionData("CIFAR10", str(root))
    with pytest.raises(FileNotFoundError, match=r"no route to host.*torchvision.datasets.CIFAR10\('.*', download=True, train=True\)"):  # fmt: skip
        data.prepare_data()
    assert not list(root.iterdir())
    with pytest.raises(FileNotFoundError, match="torchvision can't fetch them"):
        TorchvisionData("ImageNet", str(root), image_size=8).prepare_data()


def test_what_was_fetched_in_part_is_removed(cifar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(self: Any) -> None:
        (Path(self.root) / "cifar-10-batches-py").mkdir()
        raise urllib.error.URLError("the line broke")

    monkeypatch.setattr(torchvision.datasets.CIFAR10, "download", half)
    with pytest.raises(FileNotFoundError, match="the line broke"):
        TorchvisionData("CIFAR10", str(tmp_path / "new")).prepare_data()
    assert not list((tmp_path / "new").iterdir())


def test_a_download_is_moved_where_it_belongs(cifar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = []

    def fetch(self: Any) -> None:
        roots.append(Path(self.root))
        shutil.copytree(cifar, self.root, dirs_exist_ok=True)

    monkeypatch.setattr(torchvision.datasets.CIFAR10, "download", fetch)
    root = tmp_path / "new"
    (root / "cifar-10-batches-py").mkdir(parents=True)  # half of it, of another program
    (root / "cifar-10-batches-py" / "test_batch").write_bytes(b"half")
    data = TorchvisionData("CIFAR10", str(root), val_fraction=0.25)
    data.prepare_data()
    data.setup()
    assert sorted(path.name for path in root.iterdir()) == ["cifar-10-batches-py"]
    assert len(data._parts["test"]) == 20  # type: ignore[arg-type]
    assert roots
    assert all(path.parent == root and path.name.startswith(".CIFAR10.") for path in roots)
    roots.clear()
    data.prepare_data()
    assert not roots
