"""Implicit neural representations: an image or a signal as a function of its coordinates."""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MeanSquaredError
from torchmetrics.image import PeakSignalNoiseRatio

import lightning_acts as acts
from lightning_acts.reports.pictures import plot_field

from .base import MakeOptimizer, MakeScheduler, SupervisedModel
from .layers import MLP, Activations


class FourierFeatures(nn.Module):
    """Cosines and sines of random projections of coordinates, with which an MLP sees fine detail.

    Args:
        in_features: How many coordinates there are.
        count: How many projections.
        scale: Standard deviation of their frequencies; higher for finer detail.

    Shape:
        ``(*, in_features)`` to ``(*, 2 * count)``.

    Source:
        Tancik et al. 2020, arXiv:2006.10739.

    Example:
        >>> FourierFeatures(2, 8, scale=1.0)(torch.zeros(3, 2)).shape
        torch.Size([3, 16])
    """

    frequencies: Tensor

    def __init__(self, in_features: int, count: int, scale: float) -> None:
        super().__init__()
        self.register_buffer("frequencies", scale * torch.randn(in_features, count))

    def forward(self, coordinates: Tensor) -> Tensor:
        """Return the features of coordinates."""
        angles = 2 * math.pi * coordinates @ self.frequencies
        # As points of the unit circle: no activation that a swap would take for one of the network's.
        return torch.view_as_real(torch.polar(torch.ones_like(angles), angles)).flatten(-2)


class ImplicitField(SupervisedModel):
    """A field, such as the colors of an image, as an MLP of the coordinates.

    Layers before and after a ``sine`` start as those of SIREN do: the first from U(-1 / n, 1 / n), the others from
    U(-b, b), b = sqrt(6 / n) / omega, n the number of inputs. Layers of other activations start as He et al. propose
    for ReLU. A swap changes no weights: give the activation itself to start as it needs.

    Logs ``loss`` and ``mse``, the mean squared error, and ``psnr``, the peak signal-to-noise ratio in decibels.

    Args:
        in_features: How many coordinates there are.
        out_features: How many values the field has at a point.
        width: Size of the hidden layers.
        depth: How many hidden layers there are.
        activation: One spec for all hidden layers, or a spec for each.
        fourier_features: How many random frequencies the coordinates are turned into first; 0 for none.
        fourier_scale: Standard deviation of these frequencies.
        data_range: Distance from the lowest to the highest value that is possible, for ``psnr``.
        lr: Peak of the learning rate.
        weight_decay: Weight decay of the weights of layers.
        optimizer: Makes another optimizer from groups of parameters.
        scheduler: Makes another scheduler from the optimizer.

    Shape:
        ``(N, in_features)`` to ``(N, out_features)``.

    Raises:
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: A number is out of range, or there are more or fewer specs than hidden layers.

    Source:
        Sitzmann et al. 2020, arXiv:2006.09661.

    Example:
        >>> ImplicitField(activation="sine(omega=20)")(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        in_features: int = 2,
        out_features: int = 3,
        width: int = 128,
        depth: int = 3,
        activation: Activations = "sine",
        fourier_features: int = 0,
        fourier_scale: float = 5.0,
        data_range: float = 2.0,
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, optimizer=optimizer, scheduler=scheduler)
        self.check_at_least(1, in_features=in_features, out_features=out_features, width=width, depth=depth)
        self.check_at_least(0, fourier_features=fourier_features, fourier_scale=fourier_scale, data_range=data_range)
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        self.example_input_array = torch.zeros(2, in_features)
        size = 2 * fourier_features or in_features
        self.features = FourierFeatures(in_features, fourier_features, fourier_scale) if fourier_features else None
        self.network = MLP(size, [width] * depth, out_features, activation)
        initialize_(self.network, first_is_coordinates=not fourier_features)
        self.set_metrics({"mse": MeanSquaredError(), "psnr": PeakSignalNoiseRatio(data_range=data_range)})

    def forward(self, coordinates: Tensor) -> Tensor:
        """Return the field at coordinates."""
        features = coordinates if self.features is None else self.features(coordinates)
        field: Tensor = self.network(features)
        return field

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean squared error."""
        return F.mse_loss(outputs, targets)

    def draw_results(self, folder: Path, label: str) -> None:
        """Draw the field beside the truth, and the error, if the data has a grid."""
        grid = self.of_data("grid")
        if grid is not None:
            coordinates, truth = grid()
            field = self(coordinates.flatten(0, -2).to(self.device)).reshape(truth.shape).float().cpu()
            plot_field(field, truth, folder / "field.png", label, coordinates)


def initialize_(network: MLP, first_is_coordinates: bool) -> None:
    """Give linear layers the weights that SIREN starts from where a sine follows, or precedes the last; or He's.

    Args:
        network: Linear layers with an activation after each but the last.
        first_is_coordinates: Whether the first layer is given coordinates, not features like those of hidden layers.
    """
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    activations = [layer for layer in network if not isinstance(layer, nn.Linear)]
    for index, (layer, activation) in enumerate(zip(layers, [*activations, activations[-1]], strict=True)):
        spec = acts.spec_of(activation)
        if spec is None or spec.name != "sine":
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            continue
        bound = math.sqrt(6 / layer.in_features) / abs(float(activation.omega))  # type: ignore[arg-type]
        if index == 0 and first_is_coordinates:
            bound = 1 / layer.in_features
        nn.init.uniform_(layer.weight, -bound, bound)
