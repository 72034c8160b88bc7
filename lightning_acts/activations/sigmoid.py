"""Sigmoid-like activations: smooth, monotone, bounded on both sides."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_acts.definition import register

register(
    nn.Sigmoid,
    name="sigmoid",
    aliases=["logistic"],
    family="sigmoid",
    formula="1 / (1 + exp(-x))",
    source="classic",
    range=(0.0, 1.0),
    monotone=True,
    functions=[F.sigmoid, torch.sigmoid, torch.sigmoid_, torch.special.expit, Tensor.sigmoid, Tensor.sigmoid_],
    notes=["saturates on both sides, where its gradient vanishes"],
)

register(
    nn.Tanh,
    name="tanh",
    family="sigmoid",
    formula="(exp(x) - exp(-x)) / (exp(x) + exp(-x))",
    source="classic",
    range=(-1.0, 1.0),
    monotone=True,
    functions=(F.tanh, torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_),
    notes=["equals 2 * sigmoid(2 * x) - 1"],
)

register(
    nn.Softsign,
    name="softsign",
    family="sigmoid",
    formula="x / (1 + |x|)",
    source="Bergstra et al. 2009; Glorot & Bengio 2010",
    range=(-1.0, 1.0),
    monotone=True,
    functions=[F.softsign],
    notes=["saturates polynomially, slower than tanh"],
)
