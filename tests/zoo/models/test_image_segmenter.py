import sys
from pathlib import Path
from typing import Any

import pytest
import sklearn.metrics
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from trainers import quiet

import lightning_acts as acts
from lightning_acts.models import ModelError
from lightning_acts.zoo import ImageSegmenter, Scenes
from lightning_acts.zoo.models import image_segmenter

SMALL: dict[str, Any] = {"num_classes": 4, "channels": [4, 8]}


def test_metrics_are_scikit_learns() -> None:
    torch.manual_seed(0)
    images, masks = torch.rand(10, 3, 8, 8), torch.randint(4, (10, 8, 8))
    masks[0, 0] = -100
    model = ImageSegmenter(**SMALL)
    (tested,) = quiet().test(model, DataLoader(TensorDataset(images, masks), batch_size=5), verbose=False)
    logits = model.eval()(images).detach()
    known = masks >= 0
    truth, predicted = masks[known].numpy(), logits.argmax(1)[known].numpy()
    probabilities = logits.double().softmax(1).movedim(1, -1)[known].numpy()
    assert tested["test/acc"] == pytest.approx(sklearn.metrics.accuracy_score(truth, predicted), abs=1e-6)
    assert tested["test/iou"] == pytest.approx(
        sklearn.metrics.jaccard_score(truth, predicted, average="macro"), abs=1e-6
    )
    assert tested["test/dice"] == pytest.approx(sklearn.metrics.f1_score(truth, predicted, average="macro"), abs=1e-6)
    # Each batch's mean of pixels counts by its images.
    assert tested["test/loss"] == pytest.approx(sklearn.metrics.log_loss(truth, probabilities), rel=0.01)


def test_the_dice_loss_of_hard_predictions_is_scikit_learns_f1() -> None:
    torch.manual_seed(0)
    truth, predicted = torch.randint(3, (4, 6, 6)), torch.randint(4, (4, 6, 6))
    truth[0, 0], truth[1] = -100, 2
    logits = 200.0 * nn.functional.one_hot(predicted, 4).movedim(-1, 1)
    scores = []
    for true, found in zip(truth, predicted, strict=True):
        known = true >= 0
        occurring = true[known].unique().tolist()
        scores.append(
            sklearn.metrics.f1_score(true[known], found[known], labels=occurring, average="macro", zero_division=0)
        )
    dice = image_segmenter.dice_loss(logits, truth)
    assert dice.item() == pytest.approx(1 - sum(scores) / 4, abs=1e-6)
    model = ImageSegmenter(**SMALL, dice_weight=0.5)
    cross_entropy = nn.functional.cross_entropy(logits, truth)
    torch.testing.assert_close(model.loss(logits, truth), cross_entropy + 0.5 * dice)
    assert image_segmenter.dice_loss(logits, torch.full_like(truth, -100)) == 1


def test_it_learns() -> None:
    torch.manual_seed(0)
    images = torch.rand(128, 3, 8, 8)
    loader = DataLoader(TensorDataset(images, images.argmax(1)), batch_size=16)
    model, trainer = ImageSegmenter(num_classes=3, channels=[8, 16], lr=0.01), quiet(max_epochs=8)
    trainer.fit(model, loader, loader)
    assert {f"{stage}/{name}" for stage in ("train", "val") for name in ("loss", "iou", "dice", "acc")} == set(
        trainer.callback_metrics
    )
    assert trainer.callback_metrics["val/iou"] > 0.5


def test_the_unet_by_hand() -> None:
    torch.manual_seed(0)
    network = image_segmenter.UNet(1, 2, [4, 8], ["relu", "tanh", "silu", "mish", "gelu", "elu"]).eval()
    x = torch.randn(2, 1, 8, 8)
    whole, half = network.down
    beside = whole(x)
    joined = torch.cat([beside, network.enlarge[0](half(nn.functional.max_pool2d(beside, 2)))], 1)
    torch.testing.assert_close(network(x), network.last(network.up[0](joined)))
    sites = [type(module) for module in network.modules() if type(module).__module__ == "torch.nn.modules.activation"]
    assert sites == [nn.ReLU, nn.Tanh, nn.SiLU, nn.Mish, nn.GELU, nn.ELU]


def test_every_hidden_activation_can_be_swapped() -> None:
    model = ImageSegmenter(**SMALL, activation="silu")
    assert len(acts.swap(model, {"silu": "mish"}).swapped) == 6
    assert model(torch.rand(1, 3, 16, 16)).shape == (1, 4, 16, 16)


@pytest.mark.parametrize("name", ["lraspp_mobilenet_v3_large"])
def test_torchvisions_backbones_without_a_download(name: str) -> None:
    model = ImageSegmenter(f"torchvision:{name}", num_classes=3).eval()
    assert model(torch.rand(1, 3, 32, 32)).shape == (1, 3, 32, 32)


class Pixelwise(nn.Module):
    """A backbone of the user's own."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


def test_a_backbone_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = type(sys)("pixelwise")
    module.Pixelwise = Pixelwise
    monkeypatch.setitem(sys.modules, "pixelwise", module)
    assert ImageSegmenter("pixelwise:Pixelwise", num_classes=5)(torch.rand(1, 3, 4, 4)).shape == (1, 5, 4, 4)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"num_classes": 0}, ValueError, r"ImageSegmenter\(num_classes=0\): at least 1"),
        ({"dice_weight": -1.0}, ValueError, r"ImageSegmenter\(dice_weight=-1.0\): at least 0"),
        ({"channels": []}, ValueError, r"UNet\(channels=\[\]\): at least one number"),
        ({"activation": ["relu"]}, ValueError, "1 for 10 hidden layers; give one, or 10"),
        ({"backbone": "torchvision:lraspp"}, ModelError, "torchvision has no model 'lraspp'"),
    ],
)
def test_mistakes(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ImageSegmenter(**options)


def test_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(image_segmenter, "plot_segmentations", lambda *arguments: drawn.append(arguments))
    model, data = ImageSegmenter(num_classes=11, channels=[4]), Scenes(train_scenes=40)
    quiet().test(model, data, verbose=False)
    model.plot_results(tmp_path, "relu")
    ((images, truth, predicted, path, names, title),) = drawn
    assert (path, names, title) == (tmp_path / "segmentations.png", data.class_names, "relu")
    assert torch.equal(truth, torch.stack([mask for _, mask in data._parts["test"]])[:8])
    torch.testing.assert_close(predicted, model(images).argmax(1))
