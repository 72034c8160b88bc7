"""Findings that are known beforehand, with seeds and margins: what the zoo measures has to show them."""

import lightning as L
import pytest
import sklearn.datasets
import torch
from torch import nn

from lightning_acts.zoo import (
    CollocationPoints,
    ImageField,
    ImplicitField,
    PhysicsField,
    SelfNormalizingMLP,
    TabularRegressor,
    Wine,
)
from lightning_acts.zoo.data.tabular import Table, TabularData
from lightning_acts.zoo.models.layers import MLP

pytestmark = pytest.mark.slow
SEEDS = (0, 1, 2)


def trained(model: L.LightningModule, data: L.LightningDataModule, epochs: int) -> dict[str, float]:
    """Train, and return the metrics of the test."""
    trainer = L.Trainer(
        accelerator="cpu", max_epochs=epochs, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, data)
    return dict(trainer.test(model, data, verbose=False)[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_selu_trains_twenty_plain_layers_where_sigmoid_does_not(seed: int) -> None:
    """Klambauer et al. 2017, arXiv:1706.02515. Sigmoid has the weights that keep its signal, too."""
    accuracies = {}
    for activation in ("selu", "sigmoid"):
        L.seed_everything(seed, verbose=False)
        model = SelfNormalizingMLP(13, 3, depth=20, activation=activation, dropout=0.0)
        accuracies[activation] = trained(model, Wine(), epochs=15)["test/acc"]
    assert accuracies["selu"] > 0.9
    assert accuracies["sigmoid"] < 0.6  # the most frequent class is 0.4 of all


@pytest.mark.parametrize("seed", SEEDS)
def test_gradients_vanish_on_their_way_through_deep_sigmoid_networks(seed: int) -> None:
    """Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks."""
    shares = {}
    for activation, initialize in (("sigmoid", nn.init.xavier_uniform_), ("relu", nn.init.kaiming_normal_)):
        torch.manual_seed(seed)
        network = MLP(64, [64] * 20, 10, activation)
        layers = [layer for layer in network if isinstance(layer, nn.Linear)]
        for layer in layers:
            initialize(layer.weight)
        nn.functional.cross_entropy(network(torch.randn(128, 64)), torch.arange(128) % 10).backward()
        first, last = (layer.weight.grad.norm().item() for layer in (layers[0], layers[-2]))  # type: ignore[union-attr]
        shares[activation] = first / last
    assert shares["sigmoid"] < 1e-9
    assert shares["relu"] > 1e-2


class _AreaError(TabularData):
    """The error of the area of a tumor, a positive number, by the means of its measures."""

    def table(self) -> Table:
        bunch = sklearn.datasets.load_breast_cancer()
        names = list(bunch.feature_names)
        columns = [number for number, name in enumerate(names) if name.startswith("mean")]
        target = bunch.data[:, names.index("area error")]
        return Table(bunch.data[:, columns], target, [names[number] for number in columns])


@pytest.mark.parametrize("seed", SEEDS)
def test_softplus_keeps_a_positive_output_positive_where_a_linear_one_goes_below_0(seed: int) -> None:
    """Both stay above 0 for rows as those of the training; five times as far from the mean only softplus does."""
    lowest = {}
    for output in ("linear", "softplus"):
        L.seed_everything(seed, verbose=False)
        model, data = TabularRegressor(10, output=output), _AreaError()  # type: ignore[arg-type]
        assert trained(model, data, epochs=10)["test/r2"] > 0.5
        assert (data.table().targets > 0).all()
        rows = torch.cat([rows for rows, _ in data.test_dataloader()])
        with torch.no_grad():
            lowest[output] = model(5 * rows).min().item()
    assert lowest["linear"] < -1.0 < 0.0 < lowest["softplus"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_siren_fits_an_image_10_decibels_better_than_relu(seed: int) -> None:
    psnr = {}
    for activation in ("sine", "relu"):
        L.seed_everything(seed, verbose=False)
        model = ImplicitField(width=96, activation=activation)
        psnr[activation] = trained(model, ImageField(size=48), epochs=4)["test/psnr"]
    assert psnr["sine"] > psnr["relu"] + 10


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_physics_informed_network_needs_second_derivatives(seed: int) -> None:
    error = {}
    for activation in ("tanh", "sin", "relu"):
        L.seed_everything(seed, verbose=False)
        model, data = PhysicsField("heat", activation=activation), CollocationPoints("heat", inside=512, edge=192)
        error[activation] = trained(model, data, epochs=5)["test/relative_error"]
    assert max(error["tanh"], error["sin"]) < 0.1
    assert error["relu"] > 0.3
