from pathlib import Path

import pytest
import sklearn.metrics
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from trainers import on_one_and_two_processes, quiet

import lightning_acts as acts
from lightning_acts.zoo import Diabetes
from lightning_acts.zoo.models.regressor import Regressor


class Line(Regressor):
    def __init__(self, output: str = "linear", inputs: int = 10) -> None:
        super().__init__(output)  # type: ignore[arg-type]
        self.linear = nn.Linear(inputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.in_units(self.linear(x))


@pytest.mark.parametrize("output", ["linear", "softplus"])
def test_metrics_are_scikit_learns_in_the_units_of_the_targets(output: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    data, model = Diabetes(), Line(output)
    trainer = quiet(max_epochs=3)
    trainer.fit(model, data)
    (tested,) = trainer.test(model, data, verbose=False)
    rows, targets = (torch.cat(parts) for parts in zip(*data.test_dataloader(), strict=True))
    predicted = torch.cat(trainer.predict(model, data)).numpy()  # type: ignore[arg-type]
    mse = sklearn.metrics.mean_squared_error(targets, predicted)
    assert tested["test/mse"] == pytest.approx(mse, rel=1e-5)
    assert tested["test/mae"] == pytest.approx(sklearn.metrics.mean_absolute_error(targets, predicted), rel=1e-5)
    assert tested["test/r2"] == pytest.approx(sklearn.metrics.r2_score(targets, predicted), rel=1e-5)
    training = torch.stack([target for _, target in data.train_dataloader().dataset])  # type: ignore[attr-defined]
    std = training.double().std(correction=0).item()
    assert tested["test/loss"] == pytest.approx(mse / std**2, rel=1e-5)
    scores = model.linear(rows).squeeze(1).detach()
    expected = training.mean() + std * scores if output == "linear" else std * nn.functional.softplus(scores)
    torch.testing.assert_close(torch.from_numpy(predicted), expected)
    torch.testing.assert_close(model.test_pairs, torch.stack([torch.from_numpy(predicted), targets], dim=1))
    model.plot_results(tmp_path, "a line")
    assert (tmp_path / "parity.png").stat().st_size > 5000


def test_the_scale_is_in_the_checkpoint(tmp_path: Path) -> None:
    model = Line()
    trainer = quiet(max_epochs=1)
    trainer.fit(model, Diabetes())
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = Line.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    assert again.target_mean == model.target_mean > 100
    quiet().test(again, DataLoader(TensorDataset(torch.zeros(4, 10), torch.arange(4.0))), verbose=False)
    assert again.target_mean == model.target_mean


def test_data_without_a_scale_have_the_scale_1() -> None:
    model = Line(inputs=2)
    quiet(max_epochs=1).fit(model, DataLoader(TensorDataset(torch.randn(8, 2), torch.randn(8)), batch_size=4))
    assert (model.target_mean, model.target_std) == (0, 1)


def test_r2_of_targets_far_from_0() -> None:
    torch.manual_seed(0)
    targets = 2000 + torch.randn(500)
    predicted = targets + 0.1 * torch.randn(500)
    metric = Line().test_metrics["r2"]
    for start in range(0, 500, 100):
        metric.update(predicted[start : start + 100], targets[start : start + 100])
    assert metric.compute().item() == pytest.approx(sklearn.metrics.r2_score(targets, predicted), abs=1e-6)


def test_a_single_sample_has_no_r2() -> None:
    data = DataLoader(TensorDataset(torch.zeros(1, 10), torch.ones(1)))
    (tested,) = quiet().test(Line(), data, verbose=False)
    assert tested["test/r2"] != tested["test/r2"]
    assert tested["test/mse"] > 0


def test_a_lower_precision_keeps_the_digits_of_the_mean() -> None:
    model = Line()
    model.target_mean.fill_(1234.5)
    with torch.autocast("cpu", torch.bfloat16):
        assert model(torch.zeros(2, 10)).dtype is torch.float32


def test_softplus_is_an_output() -> None:
    model = Line("softplus")
    (site,) = acts.find(model, example_input=torch.zeros(2, 10))
    assert (site.activation, site.role) == ("softplus", "output")


def test_mistakes() -> None:
    with pytest.raises(ValueError, match=r"Line\(output='softmax'\): linear or softplus"):
        Line("softmax")


@pytest.mark.slow
@pytest.mark.parametrize("count", [111, 3, 1])
def test_two_processes_count_each_sample_once(tmp_path: Path, count: int) -> None:
    body = f"""
from torch.utils.data import DataLoader, Subset
from lightning_acts.zoo import Diabetes, TabularRegressor

class Fewer(Diabetes):
    def _loader(self, part):
        return DataLoader(Subset(self._parts[part], range({count})), batch_size=16)

def measure(trainer):
    model = TabularRegressor(in_features=10)
    (tested,) = trainer.test(model, Fewer(), verbose=False)
    return tested, sorted(map(tuple, model.test_pairs.tolist()))
"""
    (one, pairs), (two, others) = on_one_and_two_processes(body, tmp_path)
    assert len(pairs) == count
    # Batches of other sizes are rounded otherwise.
    torch.testing.assert_close(torch.tensor(pairs), torch.tensor(others))
    assert set(one) == {f"test/{name}" for name in ("loss", "mse", "mae", "r2")}
    assert two == pytest.approx(one, rel=1e-5, nan_ok=True)
