from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset
from trainers import quiet

import lightning_acts as acts
from lightning_acts.zoo import Autoencoder, Digits
from lightning_acts.zoo.models import autoencoder

SMALL: dict[str, Any] = {"image_size": 8, "latent_dim": 8, "channels": [], "hidden": [64]}


def test_metrics_by_hand() -> None:
    torch.manual_seed(0)
    images = torch.rand(10, 1, 8, 8)
    model = Autoencoder(**SMALL)
    (tested,) = quiet().test(model, DataLoader(TensorDataset(images, torch.zeros(10)), batch_size=4), verbose=False)
    errors = (model(images) - images).detach().double().square().flatten(1).mean(1)
    assert tested["test/mse"] == pytest.approx(errors.mean().item(), rel=1e-5)
    assert tested["test/loss"] == pytest.approx(errors.mean().item(), rel=1e-5)
    assert tested["test/psnr"] == pytest.approx((-10 * errors.log10()).mean().item(), rel=1e-5)


def test_it_beats_principal_components_of_fewer_numbers() -> None:
    torch.manual_seed(0)
    data, model, trainer = Digits(batch_size=64), Autoencoder(**SMALL, lr=5e-3), quiet(max_epochs=8)
    trainer.fit(model, data)
    assert {"train/psnr", "val/psnr"} <= set(trainer.callback_metrics)
    (tested,) = trainer.test(model, data, verbose=False)
    train, test = (torch.stack([image.flatten() for image, _ in data._parts[part]]) for part in ("train", "test"))
    _, _, components = torch.pca_lowrank(train, q=2)
    center = train.mean(0)
    error = (test - center - (test - center) @ components @ components.T).square().mean()
    assert tested["test/mse"] < error


def test_predictions_are_reconstructions() -> None:
    images = torch.rand(5, 1, 8, 8)
    model = Autoencoder(**SMALL)
    predictions = torch.cat(quiet().predict(model, DataLoader(images, batch_size=2)))  # type: ignore[arg-type]
    torch.testing.assert_close(predictions, model(images))


def test_what_the_output_is() -> None:
    images = 10 * torch.randn(4, 1, 8, 8)
    torch.manual_seed(0)
    between = Autoencoder(**SMALL)
    torch.manual_seed(0)
    anything = Autoencoder(**SMALL, output="identity")
    torch.testing.assert_close(between(images), anything(images).sigmoid())


def test_every_hidden_activation_can_be_swapped_and_the_output_stays() -> None:
    model = Autoencoder(image_size=8, channels=[4], hidden=[6], activation=["relu", "tanh", "silu", "elu"])
    assert [site.activation for site in acts.find(model) if site.role == "hidden"] == ["relu", "tanh", "silu", "elu"]
    report = acts.swap(model, dict.fromkeys(["relu", "tanh", "silu", "elu"], "mish"))
    assert len(report.swapped) == 4
    assert [site.role for site in acts.find(model) if site.activation == "sigmoid"] == ["output"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latent_dim": 0}, r"Autoencoder\(latent_dim=0\): at least 1"),
        ({"output": "tanh"}, r"Autoencoder\(output='tanh'\): sigmoid or identity"),
        ({"image_size": 9, "channels": [4]}, "image_size=9 can't be halved 1 times"),
        ({"activation": ["relu"]}, "1 for 6 hidden layers; give one, or 6"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Autoencoder(**options)


def test_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(autoencoder, "plot_image_rows", lambda *arguments: drawn.append(arguments))
    model = Autoencoder(**SMALL)
    model.plot_results(tmp_path, "relu")
    assert not drawn
    images = torch.rand(20, 1, 8, 8)
    quiet().test(model, DataLoader(images, batch_size=16), verbose=False)
    model.plot_results(tmp_path, "relu")
    ((rows, path, title),) = drawn
    assert (path, title) == (tmp_path / "reconstructions.png", "relu")
    torch.testing.assert_close(rows["image"], images[:12])
    torch.testing.assert_close(rows["reconstruction"], model(images[:12]).detach())
