from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.datasets import load_sample_images

from lightning_acts.zoo import Digits, Scenes
from lightning_acts.zoo.data import fashion_mnist


def refuse(*_: Any, **__: Any) -> None:
    raise OSError("no network")


def made(**options: Any) -> Scenes:
    data = Scenes(**{"train_scenes": 40, "batch_size": 4, **options})
    data.setup()
    return data


def test_a_scene_depends_on_seed_part_and_index_alone() -> None:
    one, other = made(), made(train_scenes=80)
    torch.manual_seed(1)
    for part in ("train", "val", "test"):
        image, mask = one._parts[part][3]
        again, also = other._parts[part][3]
        assert torch.equal(image, again) and torch.equal(mask, also)
    assert not torch.equal(one._parts["train"][3][0], made(split_seed=1)._parts["train"][3][0])
    assert not torch.equal(one._parts["train"][3][0], one._parts["val"][3][0])


def test_what_is_no_object_is_the_photograph() -> None:
    data = made(image_size=48)
    edges = {"train": (0, 384), "val": (384, 512), "test": (512, 640)}
    photographs = [torch.tensor(image).movedim(-1, 0) / 255 for image in load_sample_images().images]
    for part, (left, right) in edges.items():
        image, mask = data._parts[part][0]
        free = mask == 0
        assert 0.3 < free.float().mean() < 1
        found = False
        for photograph in photographs:
            crops = photograph[..., left:right].unfold(1, 48, 1).unfold(2, 48, 1)
            # One pixel finds the few crops that may be it.
            row, column = free.nonzero()[0].tolist()
            near = (crops[:, :, :, row, column] == image[:, row, column, None, None]).all(0).nonzero()
            found |= any(torch.equal(crops[:, top, side][:, free], image[:, free]) for top, side in near.tolist())
        assert found


def test_masks_are_the_objects() -> None:
    data = made()
    masks = torch.stack([mask for _, mask in data._parts["train"]])
    assert set(masks.unique().tolist()) == set(range(11)) and data.num_classes == len(data.class_names) == 11
    objects = Digits().parts()
    assert torch.equal(data._parts["test"].objects[7][0], objects["test"][7][0])  # type: ignore[attr-defined]
    images = torch.stack([image for image, _ in data._parts["train"]])
    assert images.min() >= 0 and images.max() <= 1


def test_sizes() -> None:
    data = made(image_size=24, val_fraction=0.2, test_fraction=0.5)
    assert {part: len(scenes) for part, scenes in data._parts.items()} == {"train": 40, "val": 8, "test": 20}  # type: ignore[arg-type]
    images, masks = next(iter(data.train_dataloader()))
    assert (images.shape, masks.shape, masks.dtype) == ((4, 3, 24, 24), (4, 24, 24), torch.long)
    with pytest.raises(IndexError, match="scene 40 of 40"):
        data._parts["train"][40]


@pytest.mark.skipif(not Path("/usr/share/datasets/fashion-mnist").exists(), reason="needs Debian's Fashion-MNIST")
def test_garments() -> None:
    data = made(objects="fashion_mnist", folder="/usr/share/datasets/fashion-mnist")
    assert data.class_names[10] == "Ankle boot"
    _, masks = next(iter(data.test_dataloader()))
    assert masks.max() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objects": "cats"}, r"Scenes\(objects='cats'\): digits or fashion_mnist"),
        ({"image_size": 8}, r"Scenes\(image_size=8\): 16 to 128"),
        ({"train_scenes": 0}, r"Scenes\(train_scenes=0\): at least 1"),
        ({"val_fraction": 0.0}, r"Scenes\(val_fraction=0.0"),
        ({"batch_size": 0}, r"Scenes\(batch_size=0\): at least 1"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Scenes(**options)


def test_missing_files_say_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fashion_mnist.urllib.request, "urlopen", refuse)
    with pytest.raises(FileNotFoundError, match="apt install dataset-fashion-mnist"):
        Scenes("fashion_mnist", str(tmp_path)).prepare_data()
