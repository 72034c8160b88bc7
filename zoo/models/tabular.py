"""Networks for tables: rows of numbers."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from lightning import LightningModule
from torch import nn

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
        >>> import torch
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


def check_dropout(model: LightningModule, dropout: float) -> None:
    """Refuse a dropout that is not a probability below 1.

    Raises:
        ValueError: It is not.
    """
    if not 0 <= dropout < 1:
        raise ValueError(f"{type(model).__name__}(dropout={dropout}): from 0 to below 1")


def check_sizes(model: LightningModule) -> None:
    """Refuse data of other sizes than the model's, before its first batch.

    Raises:
        ValueError: The data's ``in_features`` or ``num_classes`` differ from the model's.
    """
    data: Any = getattr(model.trainer, "datamodule", None)
    for name in ("in_features", "num_classes"):
        own, given = (getattr(owner, name, None) for owner in (model, data))
        if None not in (own, given) and own != given:
            columns = (
                f": {', '.join(data.feature_names)}" if name == "in_features" and hasattr(data, "feature_names") else ""
            )
            raise ValueError(f"{type(model).__name__}({name}={own}): {type(data).__name__} has {name}={given}{columns}")
