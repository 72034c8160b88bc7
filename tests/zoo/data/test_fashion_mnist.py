import gzip
import struct
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

from lightning_acts.zoo import FashionMNIST
from lightning_acts.zoo.data.fashion_mnist import read_idx

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def idx(array: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for part, count in (("train", 50), ("t10k", 21)):
        images = idx(generator.integers(0, 256, (count, 28, 28)))
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count) % 10))
    return tmp_path


def test_packed_and_unpacked_files(folder: Path) -> None:
    data = FashionMNIST(str(folder), batch_size=7, val_fraction=0.2, download=False)
    data.prepare_data()
    data.setup()
    images, labels = next(iter(data.test_dataloader()))
    expected = np.frombuffer(gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())[16:], np.uint8)
    assert torch.equal(images, torch.tensor(expected[: 7 * 784].reshape(7, 1, 28, 28) / 255, dtype=torch.float32))
    assert labels.tolist() == [0, 1, 2, 3, 4, 5, 6]
    sizes = [len(loader.dataset) for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())]  # type: ignore[arg-type]
    assert sizes == [40, 10, 21]
    parts = [set(loader.dataset.indices) for loader in (data.train_dataloader(), data.val_dataloader())]  # type: ignore[attr-defined]
    assert not parts[0] & parts[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing"),
        (b"PNG\x00", "no IDX file of unsigned bytes"),
        (b"\x00\x00\x0d\x01" + b"\x00" * 8, "no IDX file of unsigned bytes"),
        (b"\x00\x00\x08\x03\x00", "ends within its header"),
        (idx(np.zeros((3, 3)))[:-1], "needs 9 bytes, and it has 8"),
        (idx(np.zeros((3, 3))) + b"x", "needs 9 bytes, and it has 10"),
    ],
)
def test_damaged_files(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(tmp_path / "file")


def test_damaged_archives(tmp_path: Path) -> None:
    whole = gzip.compress(idx(np.zeros((100, 100))))
    for content in (whole[:-20], whole[:5], b"nothing", whole[:40] + b"\xff" * 20 + whole[60:]):
        (tmp_path / "file.gz").write_bytes(content)
        with pytest.raises(ValueError, match="is damaged"):
            read_idx(tmp_path / "file.gz")


def test_files_that_do_not_belong_together(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(3)))
    with pytest.raises(ValueError, match="the train files don't belong together"):
        FashionMNIST(str(folder)).setup()


def test_missing_files_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    with pytest.raises(FileNotFoundError, match="no route to host.*apt install dataset-fashion-mnist.*data.folder="):
        FashionMNIST(str(tmp_path / "none")).prepare_data()
    with pytest.raises(FileNotFoundError, match="downloads are off"):
        FashionMNIST(str(tmp_path / "none"), download=False).prepare_data()


def test_a_download(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(address: str, timeout: float) -> object:
        asked.append(address)
        name = address.rpartition("/")[2]
        packed = folder / name
        content = (
            packed.read_bytes() if packed.exists() else gzip.compress((folder / name.removesuffix(".gz")).read_bytes())
        )
        import io

        return io.BytesIO(content)

    monkeypatch.setattr("urllib.request.urlopen", answer)
    data = FashionMNIST(str(tmp_path / "new"))
    data.prepare_data()
    data.setup()
    assert len(asked) == 4
    assert sorted(path.name for path in (tmp_path / "new").iterdir())[0] == "t10k-images-idx3-ubyte.gz"


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"num_workers": -1}, {"val_fraction": 1.0}])
def test_impossible_arguments(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))}="):
        FashionMNIST(**options)  # type: ignore[arg-type]


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_the_real_files() -> None:
    data = FashionMNIST(str(DEBIAN), download=False)
    data.setup()
    labels = torch.cat([labels for _, labels in data.test_dataloader()])
    assert torch.bincount(labels).tolist() == [1000] * 10
    assert len(data.train_dataloader().dataset) + len(data.val_dataloader().dataset) == 60_000  # type: ignore[arg-type]
