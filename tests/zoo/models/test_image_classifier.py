import sys
from pathlib import Path

import lightning as L
import pytest
import sklearn.metrics
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, DistributedSampler, Subset, TensorDataset
from trainers import on_one_and_two_processes, quiet

import lightning_acts as acts
from lightning_acts.models import ModelError
from lightning_acts.zoo import Digits, ImageClassifier
from lightning_acts.zoo.models.base import samples_once


class Tiny(nn.Module):
    """A backbone of the user's own."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(64, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.flatten(1))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    module = type(sys)("tiny_backbone")
    module.Tiny = Tiny
    monkeypatch.setitem(sys.modules, "tiny_backbone", module)
    return "tiny_backbone:Tiny"


def test_metrics_are_scikit_learns(tiny: str) -> None:
    torch.manual_seed(0)
    data, model = Digits(batch_size=64), ImageClassifier(tiny, in_channels=1)
    quiet(max_epochs=2).fit(model, data)
    trainer = quiet()
    (metrics,) = trainer.test(model, data, verbose=False)
    batches = [(images, labels) for images, labels in data.test_dataloader()]
    labels = torch.cat([batch[1] for batch in batches]).numpy()
    logits = model(torch.cat([batch[0] for batch in batches])).detach()
    probabilities = logits.double().softmax(1).numpy()
    predicted = probabilities.argmax(1)
    assert metrics["test/acc"] == pytest.approx(sklearn.metrics.accuracy_score(labels, predicted), abs=1e-6)
    assert metrics["test/f1"] == pytest.approx(sklearn.metrics.f1_score(labels, predicted, average="macro"), abs=1e-6)
    expected = sklearn.metrics.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    assert metrics["test/auroc"] == pytest.approx(expected, abs=1e-6)
    assert metrics["test/loss"] == pytest.approx(sklearn.metrics.log_loss(labels, probabilities), abs=1e-5)
    assert metrics["test/calibration_error"] == pytest.approx(calibration_error(probabilities, labels), abs=1e-5)
    assert model.test_confusion is not None
    assert model.test_confusion.tolist() == sklearn.metrics.confusion_matrix(labels, predicted).tolist()
    predictions = torch.cat(trainer.predict(model, data))  # type: ignore[arg-type]
    torch.testing.assert_close(predictions, logits.softmax(1))


def calibration_error(probabilities: object, labels: object) -> float:
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels  # type: ignore[attr-defined]
    total = 0.0
    for index in range(15):
        inside = (confidence > index / 15) & (confidence <= (index + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


def test_classes_that_do_not_occur_make_no_noise_and_no_difference(tiny: str) -> None:
    torch.manual_seed(0)
    images, labels = torch.randn(60, 1, 8, 8), torch.arange(60) % 3
    model = ImageClassifier(tiny, num_classes=5)
    (metrics,) = quiet().test(model, DataLoader(TensorDataset(images, labels), batch_size=16), verbose=False)
    probabilities = model(images).detach().double().softmax(1)
    expected = sum(sklearn.metrics.roc_auc_score(labels == c, probabilities[:, c]) for c in range(3)) / 3
    assert metrics["test/auroc"] == pytest.approx(expected, abs=1e-6)


def test_it_learns_and_logs(tiny: str) -> None:
    torch.manual_seed(0)
    trainer = quiet(max_epochs=15)
    trainer.fit(ImageClassifier(tiny, in_channels=1, lr=0.02), Digits())
    assert {"train/loss", "train/acc", "val/loss", "val/acc", "val/f1"} <= set(trainer.callback_metrics)
    assert trainer.callback_metrics["val/acc"] > 0.9


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"backbone": "torchvision:resnet18", "in_channels": 1, "small_images": True}, (2, 1, 8, 8)),
        ({"backbone": "torchvision:mobilenet_v3_small", "in_channels": 2}, (2, 2, 32, 32)),
        ({"backbone": "torchvision:resnet18"}, (2, 3, 32, 32)),
        ({"backbone": "timm:resnet10t", "in_channels": 1}, (2, 1, 32, 32)),
    ],
)
def test_backbones(options: dict[str, object], shape: tuple[int, ...]) -> None:
    model = ImageClassifier(num_classes=4, **options).eval()  # type: ignore[arg-type]
    assert model(torch.randn(shape)).shape == (2, 4)


def test_the_fitted_stem() -> None:
    model = ImageClassifier(small_images=True, in_channels=1)
    stem = model.backbone.conv1
    assert (stem.kernel_size, stem.stride, stem.in_channels) == ((3, 3), (1, 1), 1)
    assert type(model.backbone.maxpool) is nn.Identity


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"backbone": "torchvision:resnet81"}, ModelError, "did you mean 'resnet18'"),
        (
            {"backbone": "timm:resnet10t", "small_images": True},
            ModelError,
            "torchvision's ResNets only, not of timm:resnet10t",
        ),
        ({"backbone": "torchvision:vgg11", "small_images": True}, ModelError, "torchvision's ResNets only"),
        ({"num_classes": 0}, ValueError, "num_classes=0"),
        ({"in_channels": 0}, ValueError, "in_channels=0"),
        ({"lr": -1.0}, ValueError, "lr above 0"),
        ({"weight_decay": -1.0}, ValueError, "weight_decay not below"),
    ],
)
def test_mistakes(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ImageClassifier(**options)  # type: ignore[arg-type]


def test_checkpoints_hold_plain_hyperparameters(tiny: str, tmp_path: Path) -> None:
    model = ImageClassifier(tiny, in_channels=1)
    trainer = quiet(max_epochs=1)
    trainer.fit(model, Digits())
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = ImageClassifier.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    assert again.hparams == model.hparams


def test_a_logger_takes_what_model_and_data_call_alike(tiny: str, tmp_path: Path) -> None:
    model, data = ImageClassifier(tiny, in_channels=1, image_size=64), Digits(image_size=8, batch_size=100)
    trainer = quiet(max_steps=1, num_sanity_val_steps=0, limit_val_batches=0)
    trainer.logger = L.pytorch.loggers.CSVLogger(tmp_path)
    trainer.fit(model, data)
    assert "image_size: 64" in next(tmp_path.rglob("hparams.yaml")).read_text()


def test_training_without_an_end_has_a_rate(tiny: str) -> None:
    model = ImageClassifier(tiny, in_channels=1)
    before = model.backbone.fc.weight.clone()
    trainer = quiet(max_epochs=-1, max_time={"seconds": 1}, limit_val_batches=0)
    trainer.fit(model, Digits())
    assert trainer.optimizers[0].param_groups[0]["lr"] == 1e-3
    assert not torch.equal(before, model.backbone.fc.weight)


@pytest.mark.filterwarnings("ignore:The default weight initialization of GoogleNet:FutureWarning")
def test_auxiliary_heads() -> None:
    model = ImageClassifier("torchvision:googlenet", num_classes=3)
    batch = (torch.randn(2, 3, 64, 64), torch.tensor([0, 1]))
    quiet(fast_dev_run=True).fit(model, DataLoader(TensorDataset(*batch), batch_size=2))


def test_several_loaders_are_measured_together(tiny: str) -> None:
    model, data = ImageClassifier(tiny, in_channels=1), Digits()
    data.setup()
    (whole,) = quiet().test(model, data.test_dataloader(), verbose=False)
    odd = [Subset(data.test_dataloader().dataset, range(start, stop)) for start, stop in ((0, 101), (101, 450))]
    results = quiet().test(model, [DataLoader(part, batch_size=16) for part in odd], verbose=False)
    assert results[0] == pytest.approx(whole, abs=1e-6)
    assert len(quiet().predict(model, [DataLoader(part, batch_size=500) for part in odd])) == 2  # type: ignore[arg-type]


def test_biases_and_activation_parameters_are_not_decayed(tiny: str) -> None:
    model = ImageClassifier("torchvision:resnet18")
    model.backbone.relu = nn.PReLU(64)
    acts.swap(model, {"backbone.layer1.0.relu": "polynomial_af(num_parameters=64)"})
    model.trainer = quiet(max_epochs=1)
    model.trainer.strategy._lightning_module = model
    model.trainer.fit_loop._data_source.instance = DataLoader(TensorDataset(torch.zeros(4, 3, 8, 8), torch.zeros(4)))
    optimizer = model.configure_optimizers()["optimizer"]  # type: ignore[index, call-overload]
    decayed, others = optimizer.param_groups
    assert decayed["weight_decay"] == 0.05
    assert others["weight_decay"] == 0
    coefficients = model.backbone.layer1[0].relu.a
    assert coefficients.dim() == 2
    for own in (model.backbone.relu.weight, coefficients, model.backbone.bn1.weight, model.backbone.fc.bias):
        assert any(parameter is own for parameter in others["params"])
    assert len(decayed["params"]) + len(others["params"]) == len(list(model.parameters()))


@pytest.mark.parametrize("count", [1, 2, 7, 10, 13])
@pytest.mark.parametrize("processes", [1, 2, 3, 4])
@pytest.mark.parametrize("shuffle", [False, True])
def test_padding_is_found_by_position(count: int, processes: int, shuffle: bool) -> None:
    dataset = list(range(count))
    kept: list[int] = []
    for rank in range(processes):
        sampler = DistributedSampler(dataset, processes, rank, shuffle=shuffle)
        loader = DataLoader(dataset, batch_size=3, sampler=sampler)
        first = 0
        for batch in loader:
            kept += batch[samples_once(loader, first, len(batch))].tolist()
            first += len(batch)
    assert sorted(kept) == dataset


@pytest.mark.slow
@pytest.mark.parametrize("count", [97, 3, 1])
def test_two_processes_count_each_sample_once(tmp_path: Path, count: int) -> None:
    body = f"""
from torch.utils.data import DataLoader, Subset
from lightning_acts.zoo import Digits, ImageClassifier

class OddDigits(Digits):
    def _loader(self, part):
        odd = Subset(super()._loader(part).dataset, range({count}))
        return DataLoader(odd, batch_size=16)  # two processes: 49 each of 97, the last batch holds 1

def measure(trainer):
    model = ImageClassifier("torchvision:resnet18", in_channels=1, small_images=True)
    (tested,) = trainer.test(model, OddDigits(), verbose=False)
    (validated,) = trainer.validate(model, OddDigits(), verbose=False)
    return {{**tested, **validated, "matrix": model.test_confusion.tolist()}}
"""
    one, two = on_one_and_two_processes(body, tmp_path)
    assert sum(map(sum, one["matrix"])) == count
    assert one.pop("matrix") == two.pop("matrix")
    scores = ("loss", "acc", "f1", "calibration_error", *(["auroc"] if count > 1 else []))
    assert set(one) == {f"test/{name}" for name in scores} | {f"val/{name}" for name in ("loss", "acc", "f1")}
    assert two == pytest.approx(one, abs=1e-6)
