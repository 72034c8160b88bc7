"""Exponential linear activations: linear on the right, an exponential that saturates on the left."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from lightning_acts.definition import register

register(
    nn.ELU,
    name="elu",
    family="exponential_linear",
    formula="max(0, x) + min(0, alpha * (exp(x) - 1))",
    source="Clevert, Unterthiner & Hochreiter 2015, arXiv:1511.07289",
    range=(-1.0, math.inf),
    monotone=True,
    functions=[F.elu, F.elu_],
    notes=["smooth at 0 for alpha=1 only"],
)

register(
    nn.CELU,
    name="celu",
    family="exponential_linear",
    formula="max(0, x) + min(0, alpha * (exp(x / alpha) - 1))",
    source="Barron 2017, arXiv:1704.07483",
    range=(-1.0, math.inf),
    monotone=True,
    functions=[F.celu, F.celu_, torch.celu, torch.celu_],
    requires={"alpha must not be 0": lambda alpha: alpha != 0},
    notes=["continuously differentiable for every alpha", "elsewhere the name also means a concatenated ELU"],
)

register(
    nn.SELU,
    name="selu",
    family="exponential_linear",
    formula="1.0507009873554805 * (max(0, x) + min(0, 1.6732632423543772 * (exp(x) - 1)))",
    source="Klambauer et al. 2017, arXiv:1706.02515",
    range=(-1.7580993408473766, math.inf),
    monotone=True,
    functions=[F.selu, F.selu_, torch.selu, torch.selu_],
    notes=["normalises itself only with lecun_normal weights, and with AlphaDropout in place of Dropout"],
)
