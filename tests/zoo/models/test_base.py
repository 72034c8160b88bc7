from pathlib import Path

import pytest
import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import MeanAbsoluteError, MeanSquaredError
from trainers import quiet

from lightning_acts.zoo import Digits, ImageClassifier, ImageFolder, Scenes, TableFile, TabularRegressor, Wine
from lightning_acts.zoo.models.base import SupervisedModel, ZooModel, share_of_peak


class Line(SupervisedModel):
    def __init__(self) -> None:
        super().__init__(lr=0.1, weight_decay=0.0)
        self.linear = nn.Linear(1, 1)
        self.set_metrics({"mse": MeanSquaredError()}, mae=MeanAbsoluteError())

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs, targets)


def loader(count: int = 21) -> DataLoader[tuple[Tensor, ...]]:
    x = torch.linspace(-1, 1, count).unsqueeze(1)
    return DataLoader(TensorDataset(x, 2 * x + 1), batch_size=4)


def test_it_learns_and_is_measured() -> None:
    torch.manual_seed(0)
    model, trainer = Line(), quiet(max_epochs=40)
    trainer.fit(model, loader(), loader())
    assert {"train/loss", "train/mse", "val/loss", "val/mse"} == set(trainer.callback_metrics)
    (tested,) = trainer.test(model, loader(), verbose=False)
    x, y = next(iter(DataLoader(loader().dataset, batch_size=21)))
    gap = (model(x) - y).detach().double()
    assert tested["test/mse"] == pytest.approx(gap.square().mean().item(), rel=1e-4)
    assert tested["test/loss"] == pytest.approx(gap.square().mean().item(), rel=1e-4)
    assert tested["test/mae"] == pytest.approx(gap.abs().mean().item(), rel=1e-4)
    assert tested["test/mse"] < 1e-3
    torch.testing.assert_close(torch.cat(trainer.predict(model, loader())), model(x))  # type: ignore[arg-type]


def test_an_epoch_is_measured_from_its_beginning() -> None:
    model, trainer = Line(), quiet()
    first = trainer.validate(model, loader(), verbose=False)
    assert trainer.validate(model, loader(), verbose=False) == first


@pytest.mark.parametrize("stage", ["validate", "test"])
def test_a_fit_and_a_test_may_follow_one_in_inference_mode(stage: str) -> None:
    model = Line()
    first = getattr(quiet(inference_mode=True), stage)(model, loader(), verbose=False)
    assert getattr(quiet(inference_mode=False), stage)(model, loader(), verbose=False) == first
    quiet(max_epochs=1).fit(model, loader(), loader())


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_metrics_keep_their_precision_in_a_model_of_half_precision() -> None:
    torch.manual_seed(0)
    model = Line()
    (tested,) = quiet(precision="bf16-true").test(model, loader(1000), verbose=False)
    x, y = (column.bfloat16() for column in loader(1000).dataset.tensors)  # type: ignore[attr-defined]
    assert model.linear.weight.dtype == torch.bfloat16
    gap = (model(x).float() - y.float()).detach()
    # 250 batches: in bfloat16 the sum of 256 samples and 4 more is that of 256.
    assert tested["test/mse"] == pytest.approx(gap.square().mean().item(), rel=1e-3)
    assert tested["test/loss"] == pytest.approx(gap.square().mean().item(), rel=1e-3)
    assert tested["test/mae"] == pytest.approx(gap.abs().mean().item(), rel=1e-3)


def test_processes_draw_what_one_would_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ZooModel()
    torch.manual_seed(0)
    whole = model.draw_noise(6, 3, torch.zeros(()))
    model.trainer = quiet()
    monkeypatch.setattr(type(model), "global_rank", property(lambda self: rank))
    monkeypatch.setattr(type(model.trainer), "world_size", 2)
    for rank in range(2):
        torch.manual_seed(0)
        assert torch.equal(model.draw_noise(3, 3, torch.zeros(())), whole[rank::2])


def test_optimizer_and_scheduler_of_ones_own() -> None:
    model = ZooModel(
        optimizer=lambda groups: torch.optim.SGD(groups, lr=3.0),
        scheduler=lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 1),
    )
    model.linear = nn.Linear(2, 2)
    made = model.configure_optimizers()
    assert isinstance(made["optimizer"], torch.optim.SGD)  # type: ignore[index, call-overload]
    assert [group["lr"] for group in made["optimizer"].param_groups] == [3.0, 3.0]  # type: ignore[index, call-overload]


def test_the_rate_rises_and_falls() -> None:
    shares = [share_of_peak(step, 100) for step in range(100)]
    assert shares.index(max(shares)) == 10
    assert max(shares) == 1.0
    assert 0 < shares[0] < 0.2
    assert shares[-1] < 0.01
    assert share_of_peak(150, 100) == 0


@pytest.mark.parametrize("options", [{"lr": 0.0}, {"lr": -1.0}, {"weight_decay": -1.0}])
def test_mistakes(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="ZooModel.*lr above 0, weight_decay not below"):
        ZooModel(**options)
    with pytest.raises(ValueError, match=r"ZooModel\(depth=0\): at least 1"):
        ZooModel().check_at_least(1, depth=0)
    assert issubclass(ZooModel, LightningModule)


def test_the_first_batch_of_the_last_test_is_there_for_pictures() -> None:
    model = Line()
    assert model.first_test_batch() is None
    quiet().test(model, loader(), verbose=False)
    x, y = model.first_test_batch()
    torch.testing.assert_close((x, y), tuple(next(iter(loader()))))


def test_pictures_are_drawn_in_eval_mode_and_without_gradients(tmp_path: Path) -> None:
    seen: list[object] = []

    class Drawn(Line):
        def draw_results(self, folder: Path, label: str) -> None:
            seen.extend([self.training, torch.is_grad_enabled(), folder, label])

    model = Drawn().train()
    model.plot_results(tmp_path, "relu")
    assert seen == [False, False, tmp_path, "relu"]


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_a_dropout_is_a_probability_below_1(dropout: float) -> None:
    with pytest.raises(ValueError, match=r"ZooModel\(dropout=.*\): from 0 to below 1"):
        ZooModel().check_dropout(dropout)


@pytest.mark.parametrize("stage", ["fit", "validate", "test", "predict"])
def test_sizes_that_differ_from_those_of_the_data_are_refused_before_the_first_batch(stage: str) -> None:
    model, given = ImageClassifier("cnn", num_classes=7, in_channels=3), []
    model.forward = given.append  # type: ignore[assignment, method-assign]
    message = r"ImageClassifier\(num_classes=7\): Digits has num_classes=10; ImageClassifier\(in_channels=3\): Digits has in_ch"
    with pytest.raises(ValueError, match=message):
        getattr(quiet(fast_dev_run=True), stage)(model, datamodule=Digits())
    assert not given


def test_sizes_of_data_that_are_not_made_yet_are_compared_as_far_as_they_are_known() -> None:
    assert list(ImageClassifier.wrong_sizes({"num_classes": 7, "in_channels": 3}, Scenes)) == ["num_classes"]
    for data in (ImageFolder, TableFile, Wine, Wine(), object(), None):
        assert not ImageClassifier.wrong_sizes({"num_classes": 7, "in_channels": 3}, data)


def test_what_classes_and_columns_there_are_is_told() -> None:
    data = Wine()
    data.setup()
    wrong = TabularRegressor.wrong_sizes({"in_features": 4}, data)
    assert wrong["in_features"].startswith(
        "TabularRegressor(in_features=4): Wine has in_features=13: alcohol, malic_acid"
    )
