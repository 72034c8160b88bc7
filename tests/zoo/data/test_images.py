from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from PIL import Image
from torch import Tensor
from trainers import quiet

from lightning_acts.zoo import ImageClassifier, TorchvisionData
from lightning_acts.zoo.data.images import ImageData, cropped


def test_parts_are_scaled_and_normalized_by_the_training_part() -> None:
    train = [(Image.new("RGB", (6, 4), (60 * number, 0, 100)), number) for number in range(5)]
    test = [(Image.new("L", (3, 3), 255), 1)]
    parts = ImageData(False, 2, "none").normalized({"train": train, "test": test})  # type: ignore[dict-item]
    images = torch.stack([image for image, _ in parts["train"]])  # type: ignore[attr-defined]
    assert images.shape == (5, 3, 2, 2)
    red = torch.arange(0, 300, 60) / 255
    torch.testing.assert_close(images[:, 0, 0, 0], (red - red.mean()) / red.std(correction=0))
    image, label = parts["test"][0]
    torch.testing.assert_close(image[0, 0, 0], (1 - red.mean()) / red.std(correction=0))
    assert (image.shape, label) == ((3, 2, 2), 1)


def test_gray_images() -> None:
    pairs: Any = [(Image.new("RGB", (2, 2), (255, 0, 0)), 0), (Image.new("RGB", (2, 2), (0, 0, 0)), 1)]
    image, _ = ImageData(True, None, "none").normalized({"train": pairs})["train"][0]
    torch.testing.assert_close(image, torch.ones(1, 2, 2))


@pytest.mark.parametrize("flip", [False, True])
def test_crops_are_windows_of_the_reflected_image(flip: bool) -> None:
    images = torch.rand(40, 2, 5, 6)
    torch.manual_seed(0)
    result = cropped(images, 1, flip)
    padded = torch.nn.functional.pad(images, [1, 1, 1, 1], mode="reflect")
    found: set[tuple[int, int, bool]] = set()
    for number in range(40):
        windows = {
            (top, left, mirrored): window.flip(-1) if mirrored else window
            for top in range(3)
            for left in range(3)
            for mirrored in {False, flip}
            for window in [padded[number, :, top : top + 5, left : left + 6]]
        }
        (which,) = [key for key, window in windows.items() if torch.equal(window, result[number])]
        found.add(which)
    assert len(found) > 7
    assert {mirrored for _, _, mirrored in found} == {False, flip}


class Seen(Callback):
    """Keeps the batches that each stage was given."""

    def __init__(self) -> None:
        self.train: list[Tensor] = []
        self.val: list[Tensor] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.train.append(batch[0].clone())

    def on_validation_batch_start(self, trainer: Any, pl_module: Any, batch: Any, *_: Any) -> None:
        self.val.append(batch[0].clone())


def run(augment: Any) -> Seen:
    torch.manual_seed(0)
    fake = {"size": 40, "image_size": [3, 16, 16], "num_classes": 3}
    data = TorchvisionData("FakeData", image_size=16, augment=augment, options=fake, batch_size=8)
    seen = Seen()
    trainer = quiet(max_epochs=1, callbacks=[seen])
    trainer.fit(ImageClassifier("cnn", num_classes=3), datamodule=data)
    return seen


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_training_alone_is_augmented() -> None:
    plain, augmented = run("none"), run("crop_and_flip")
    assert len(plain.train) == 3
    assert all(torch.equal(one, other) for one, other in zip(plain.val, augmented.val, strict=True))
    assert not any(torch.equal(one, other) for one, other in zip(plain.train, augmented.train, strict=True))
    for one, other in zip(plain.train, augmented.train, strict=True):
        torch.testing.assert_close(other.mean(), one.mean(), atol=0.05, rtol=0)
    assert all(torch.equal(one, other) for one, other in zip(augmented.train, run("crop_and_flip").train, strict=True))


def test_without_a_trainer_nothing_changes() -> None:
    data = ImageData(False, 8, "crop")
    batch = [torch.rand(2, 3, 8, 8), torch.zeros(2)]
    assert data.on_after_batch_transfer(batch, 0) is batch
    data.trainer = SimpleNamespace(training=False)  # type: ignore[assignment]
    assert data.on_after_batch_transfer(batch, 0) is batch


def test_mistakes() -> None:
    with pytest.raises(ValueError, match=r"ImageData\(image_size=0\): at least 1"):
        ImageData(False, 0, "none")
    with pytest.raises(ValueError, match=r"augment='flip'\): one of none, crop, crop_and_flip"):
        ImageData(False, 8, "flip")  # type: ignore[arg-type]
