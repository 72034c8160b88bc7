import math
from pathlib import Path

import lightning as L
import matplotlib.image
import pytest
import torch
from torch import nn
from trainers import quiet

import lightning_acts as acts
from lightning_acts.zoo import ImageField, ImplicitField, SignalField
from lightning_acts.zoo.models.implicit_field import FourierFeatures


def linear(model: ImplicitField) -> list[nn.Linear]:
    return [layer for layer in model.network if isinstance(layer, nn.Linear)]


def test_it_learns_and_is_measured(tmp_path: Path) -> None:
    L.seed_everything(0, verbose=False)
    model, data = ImplicitField(1, 1, width=32, depth=2), SignalField("harmonics", size=200, held_out=0.0)
    trainer = quiet(max_epochs=4)
    trainer.fit(model, data)
    (tested,) = trainer.test(model, data, verbose=False)
    times, values = data.grid()
    mse = (model(times) - values).detach().double().square().mean().item()
    assert tested["test/mse"] == tested["test/loss"] == pytest.approx(mse, rel=1e-3)
    assert tested["test/psnr"] == pytest.approx(10 * math.log10(4 / mse), abs=1e-3)
    assert tested["test/psnr"] > 25
    model.plot_results(tmp_path, "sine")
    assert matplotlib.image.imread(tmp_path / "field.png").std() > 0.01


def test_sines_start_as_sirens_do() -> None:
    model = ImplicitField(width=400, activation="sine(omega=20)")
    first, *others = linear(model)
    assert first.weight.abs().max().item() == pytest.approx(1 / 2, rel=0.01)
    for layer in others:
        assert layer.weight.abs().max().item() == pytest.approx(math.sqrt(6 / 400) / 20, rel=0.01)
    layers = list(model.network)
    signals = [nn.Sequential(*layers[:depth])(torch.rand(500, 2) * 2 - 1) for depth in (3, 5)]
    # What a sine is given has the variance 1 from layer to layer, and that of torch's biases.
    assert all((20 * signal).var().item() == pytest.approx(1 + 20**2 / (3 * 400), rel=0.2) for signal in signals)


def test_others_start_as_he_proposes_and_features_are_no_coordinates() -> None:
    relu = linear(ImplicitField(width=400, activation="relu"))[1]
    assert relu.weight.std().item() == pytest.approx(math.sqrt(2 / 400), rel=0.02)
    first = linear(ImplicitField(width=400, fourier_features=50))[0]
    assert first.weight.abs().max().item() == pytest.approx(math.sqrt(6 / 100) / 30, rel=0.01)


def test_fourier_features() -> None:
    features = FourierFeatures(2, 3, scale=2.0)
    points = torch.rand(4, 2)
    angles = 2 * math.pi * points @ features.frequencies
    expected = torch.stack([angles.cos(), angles.sin()], dim=-1).flatten(1)
    torch.testing.assert_close(features(points), expected)


@pytest.mark.parametrize("fourier_features", [0, 4])
def test_every_hidden_activation_is_found_and_swapped(fourier_features: int) -> None:
    model = ImplicitField(depth=3, width=8, fourier_features=fourier_features)
    assert [site.role for site in acts.find(model, model.example_input_array)] == ["hidden"] * 3
    acts.swap(model, {"sine": "mish"})
    assert [str(acts.spec_of(model.network[index])) for index in (1, 3, 5)] == ["mish"] * 3


@pytest.mark.parametrize("channels", [1, 3])
def test_the_picture_of_an_image(channels: int, tmp_path: Path) -> None:
    model, data = ImplicitField(2, channels, width=8), ImageField(size=8, gray=channels == 1)
    quiet().test(model, data, verbose=False)
    model.plot_results(tmp_path, "sine")
    assert (tmp_path / "field.png").exists()


@pytest.mark.parametrize("options", [{"in_features": 0}, {"width": 0}, {"depth": 0}, {"fourier_features": -1}])
def test_mistakes(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=rf"ImplicitField\({next(iter(options))}="):
        ImplicitField(**options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="2 for 3 hidden layers"):
        ImplicitField(activation=["sine", "relu"])
