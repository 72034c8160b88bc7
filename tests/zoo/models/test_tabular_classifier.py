from pathlib import Path

import lightning as L
import pytest
import torch
from torch import nn
from trainers import quiet

import lightning_acts as acts
from lightning_acts.zoo import BreastCancer, TabularClassifier, Wine


def hidden(model: nn.Module) -> list[str]:
    return [site.activation for site in acts.find(model) if site.role == "hidden"]


@pytest.mark.parametrize("architecture", ["mlp", "residual"])
def test_it_learns(architecture: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = TabularClassifier(13, 3, architecture, width=16, dropout=0.1, lr=0.01)  # type: ignore[arg-type]
    trainer, data = quiet(max_epochs=10), Wine()
    trainer.fit(model, data)
    (tested,) = trainer.test(model, data, verbose=False)
    assert tested["test/acc"] > 0.9
    model.plot_results(tmp_path, "wine")
    assert {path.name for path in tmp_path.iterdir()} == {"confusion_matrix.png", "calibration.png"}


@pytest.mark.parametrize(("architecture", "count"), [("mlp", 2), ("residual", 3)])
def test_every_activation_is_swapped(architecture: str, count: int) -> None:
    model = TabularClassifier(4, 3, architecture)  # type: ignore[arg-type]
    assert hidden(model) == ["relu"] * count
    acts.swap(model, {"relu": "mish"})
    assert hidden(model) == ["mish"] * count
    assert model(torch.randn(2, 4)).shape == (2, 3)


def test_activations_by_layer() -> None:
    model = TabularClassifier(4, 3, depth=2, activation=["relu", "leaky_relu(negative_slope=0.2)"])
    assert hidden(model) == ["relu", "leaky_relu(negative_slope=0.2)"]


def test_two_runs_of_a_seed_are_equal() -> None:
    results = []
    for _ in range(2):
        L.seed_everything(3, verbose=False)
        model = TabularClassifier(30, 2, "residual", width=8, dropout=0.2)
        quiet(max_epochs=1).fit(model, BreastCancer())
        results.append(nn.utils.parameters_to_vector(model.parameters()))
    assert torch.equal(*results)


def test_data_of_another_size_are_refused_before_the_first_batch() -> None:
    with pytest.raises(ValueError, match=r"TabularClassifier\(in_features=4\): Wine has in_features=13: alcohol, mal"):
        quiet(max_epochs=1).fit(TabularClassifier(4, 3), Wine())
    with pytest.raises(ValueError, match=r"TabularClassifier\(num_classes=2\): Wine has num_classes=3"):
        quiet(max_epochs=1).fit(TabularClassifier(13, 2), Wine())


@pytest.mark.parametrize(
    "options", [{"in_features": 0}, {"num_classes": 0}, {"width": 0}, {"depth": 0}, {"dropout": 1.0}, {"dropout": -0.1}]
)
def test_mistakes(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"TabularClassifier\\({next(iter(options))}="):
        TabularClassifier(**{"in_features": 4, "num_classes": 3, **options})  # type: ignore[arg-type]
