"""Gated activations: one half of the channels gates the other, so that the shape changes."""

from __future__ import annotations

import torch.nn.functional as F
from torch import nn

from lightning_acts.definition import register

register(
    nn.GLU,
    name="glu",
    family="gated",
    kind="gated",
    formula="a * sigmoid(b), a and b the halves of x along dim",
    source="Dauphin et al. 2016, arXiv:1612.08083",
    functions=[F.glu],
    notes=["halves the size of dim, so that it can't stand where an elementwise activation stood"],
)
