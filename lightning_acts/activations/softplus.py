"""Softplus-like activations: smooth versions of max(0, x) and min(0, x) made of log(1 + exp(x))."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import nn

from lightning_acts.definition import register

register(
    nn.Softplus,
    name="softplus",
    family="softplus",
    formula="log(1 + exp(beta * x)) / beta",
    source="Dugas et al. 2001",
    range=(0.0, math.inf),
    monotone=True,
    functions=[F.softplus],
    requires={"beta must not be 0": lambda beta: beta != 0},
    notes=["torch switches to x where beta * x > threshold: off by 2e-9 in float64 there, second derivative 0"],
)

register(
    nn.LogSigmoid,
    name="logsigmoid",
    aliases=["log_sigmoid"],
    family="softplus",
    formula="-log(1 + exp(-x))",
    source="classic",
    range=(-math.inf, 0.0),
    monotone=True,
    functions=[F.logsigmoid],
)
