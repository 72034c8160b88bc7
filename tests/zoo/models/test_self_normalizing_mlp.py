import pytest
import torch
from torch import nn
from trainers import quiet

import lightning_acts as acts
from lightning_acts.zoo import SelfNormalizingMLP, Wine


def test_weights_are_of_lecuns_normal_initialization() -> None:
    torch.manual_seed(0)
    model = SelfNormalizingMLP(300, 300, width=300, depth=3)
    for layer in model.network:
        if isinstance(layer, nn.Linear):
            assert layer.weight.std().item() * 300**0.5 == pytest.approx(1, abs=0.02)
            assert layer.weight.mean().item() == pytest.approx(0, abs=1e-3)
            assert not layer.bias.any()


@pytest.mark.parametrize("training", [True, False])
def test_mean_and_deviation_stay_over_twenty_layers(training: bool) -> None:
    torch.manual_seed(0)
    model = SelfNormalizingMLP(500, 2, width=500, depth=20).train(training)
    hidden = model.network[:-1](torch.randn(300, 500))
    assert abs(hidden.mean().item()) < 0.15
    assert hidden.std().item() == pytest.approx(1, abs=0.15)


def test_it_learns() -> None:
    torch.manual_seed(0)
    model, data = SelfNormalizingMLP(13, 3, width=32, depth=12), Wine()
    trainer = quiet(max_epochs=15)
    trainer.fit(model, data)
    (tested,) = trainer.test(model, data, verbose=False)
    assert tested["test/acc"] > 0.9


def test_every_activation_is_swapped() -> None:
    model = SelfNormalizingMLP(4, 3, depth=5)
    acts.swap(model, {"selu": "mish"})
    assert [site.activation for site in acts.find(model) if site.role == "hidden"] == ["mish"] * 5


@pytest.mark.parametrize("options", [{"in_features": 0}, {"width": 0}, {"depth": 0}, {"dropout": 1.0}])
def test_mistakes(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"SelfNormalizingMLP\\({next(iter(options))}="):
        SelfNormalizingMLP(**{"in_features": 4, "num_classes": 3, **options})  # type: ignore[arg-type]


def test_data_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"SelfNormalizingMLP\(in_features=4\): Wine has in_features=13"):
        quiet(max_epochs=1).fit(SelfNormalizingMLP(4, 3), Wine())
