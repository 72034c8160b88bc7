"""Networks for tables, and a base of the models that have them."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import nn

from .base import ZooModel
from .layers import MLP, Activations, Residual, make_activations

Architecture: TypeAlias = Literal["mlp", "residual"]


def make_network(
    architecture: Architecture,
    in_features: int,
    out_features: int,
    width: int,
    depth: int,
    activation: Activations,
    dropout: float,
) -> nn.Module:
    """Return a network for rows of numbers.

    Args:
        architecture: ``mlp``, or ``residual`` for blocks with batch normalization that add to what they are given.
        in_features: Columns of the input.
        out_features: Size of the output.
        width: Size of the hidden layers; within a residual block they are twice as wide.
        depth: Number of hidden layers, or of residual blocks.
        activation: One spec for all hidden layers, or a spec for each: ``depth``, and for ``residual`` one more for the last.
        dropout: Probability with which a hidden value is dropped in training.

    Raises:
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: The architecture has another name, or there are more or fewer specs than hidden layers.

    Source:
        Gorishniy et al. 2021, arXiv:2106.11959, for ``residual``.

    Example:
        >>> make_network("residual", 4, 2, width=8, depth=3, activation="relu", dropout=0.1)(torch.zeros(5, 4)).shape
        torch.Size([5, 2])
    """
    if architecture not in ("mlp", "residual"):
        raise ValueError(f"architecture={architecture!r}: mlp or residual")
    if architecture == "mlp":
        return MLP(in_features, [width] * depth, out_features, activation, dropout)
    *inner, last = make_activations(activation, depth + 1)
    blocks = [
        Residual(
            nn.Sequential(
                nn.BatchNorm1d(width),
                nn.Linear(width, 2 * width),
                module,
                nn.Dropout(dropout),
                nn.Linear(2 * width, width),
                nn.Dropout(dropout),
            )
        )
        for module in inner
    ]
    head = [nn.BatchNorm1d(width), last, nn.Linear(width, out_features)]
    return nn.Sequential(nn.Linear(in_features, width), *blocks, *head)


class RowModel(ZooModel):
    """A model of rows of numbers; it goes before another base of a class, such as a classifier.

    Example:
        >>> from lightning_acts.zoo.models.regressor import Regressor
        >>> class Sum(RowModel, Regressor):
        ...     def __init__(self, in_features: int) -> None:
        ...         super().__init__()
        ...         self.take_rows(in_features)
        ...     def forward(self, rows: torch.Tensor) -> torch.Tensor:
        ...         return self.in_units(rows.sum(dim=1))
        >>> model = Sum(in_features=3)
        >>> model(model.example_input_array)
        tensor([0., 0.])
    """

    in_features: int

    def take_rows(self, in_features: int) -> None:
        """Set the number of columns, and an example of them."""
        self.in_features, self.example_input_array = in_features, torch.zeros(2, in_features)
