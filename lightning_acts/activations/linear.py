"""The identity, and the transfer layers: linear maps made by the same factory, which no swap ever touches."""

from __future__ import annotations

import torch.nn.functional as F
from torch import nn

from lightning_acts.registry import register

register(
    nn.Identity,
    name="identity",
    aliases=["linear"],
    family="linear",
    formula="x",
    source="classic",
    notes=["never a site of a swap: models use nn.Identity as a placeholder"],
)

register(
    nn.Linear,
    name="linear_layer",
    family="linear",
    kind="transfer",
    formula="A * x + b",
    source="classic",
    functions=[F.linear],
    requires={
        "in_features must be at least 1": lambda in_features: in_features >= 1,
        "out_features must be at least 1": lambda out_features: out_features >= 1,
    },
    notes=["input (*, in_features), output (*, out_features)"],
)

register(
    nn.Bilinear,
    name="bilinear_layer",
    aliases=["bilinear"],
    family="linear",
    kind="transfer",
    formula="x_1 * A * x_2 + b",
    source="classic",
    functions=[F.bilinear],
    requires={
        "in1_features must be at least 1": lambda in1_features: in1_features >= 1,
        "in2_features must be at least 1": lambda in2_features: in2_features >= 1,
        "out_features must be at least 1": lambda out_features: out_features >= 1,
    },
    notes=["inputs (*, in1_features) and (*, in2_features), output (*, out_features)"],
)
