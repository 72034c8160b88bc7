"""Regression from the rows of a table."""

from __future__ import annotations

from torch import Tensor

from .base import MakeOptimizer, MakeScheduler
from .layers import Activations
from .regressor import RegressionOutput, Regressor
from .tabular import Architecture, RowModel, make_network


class TabularRegressor(RowModel, Regressor):
    """A regressor from rows of numbers: a perceptron of several layers, or a residual network.

    Trained and measured as :class:`~lightning_acts.zoo.models.regressor.Regressor` says.

    Args:
        in_features: Columns of the input; text that is one-hot encoded has one for each of its categories.
        architecture: ``mlp`` for plain layers; ``residual`` for blocks with batch normalization and a shortcut.
        width: Size of the hidden layers.
        depth: Number of hidden layers, or of residual blocks.
        activation: One spec for all hidden layers, or a spec for each: ``depth``, for ``residual`` one more.
        dropout: Probability with which a hidden value is dropped in training.
        output: ``linear``, or ``softplus`` for what must be positive.
        lr: Peak of the learning rate.
        weight_decay: Weight decay of the weights of layers.
        optimizer: Makes another optimizer from groups of parameters.
        scheduler: Makes another scheduler from the optimizer.

    Shape:
        ``(N, in_features)`` to ``(N,)``.

    Raises:
        SpecError: An activation's spec can't be read, or none is called so.
        ValueError: An argument is out of range, or the data have other sizes.

    Source:
        Gorishniy et al. 2021, arXiv:2106.11959, for both architectures.

    Example:
        >>> import torch
        >>> model = TabularRegressor(in_features=10, activation="gelu", output="softplus")
        >>> bool((model(torch.randn(100, 10)) > 0).all())
        True
    """

    def __init__(
        self,
        in_features: int,
        architecture: Architecture = "mlp",
        width: int = 64,
        depth: int = 2,
        activation: Activations = "relu",
        dropout: float = 0.0,
        output: RegressionOutput = "linear",
        lr: float = 1e-3,
        weight_decay: float = 0.05,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(output, lr=lr, weight_decay=weight_decay, optimizer=optimizer, scheduler=scheduler)
        self.check_at_least(1, in_features=in_features, width=width, depth=depth)
        self.check_dropout(dropout)
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        self.take_rows(in_features)
        self.network = make_network(architecture, in_features, 1, width, depth, activation, dropout)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the number for each row."""
        return self.in_units(self.network(rows))
