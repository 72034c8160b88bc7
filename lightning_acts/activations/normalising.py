"""Normalising activations: the values along one dimension become a distribution, or its logarithm."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_acts.definition import register

_NORMALISE = "normalises over dim; without dim torch guesses one, and warns"

register(
    nn.Softmax,
    name="softmax",
    family="normalising",
    kind="normalising",
    formula="exp(x_i) / sum_j exp(x_j)",
    source="Bridle 1990",
    range=(0.0, 1.0),
    functions=[F.softmax, torch.softmax, Tensor.softmax],
    notes=[_NORMALISE, "refuses sparse tensors: see sparse_softmax"],
)

register(
    nn.LogSoftmax,
    name="log_softmax",
    aliases=["logsoftmax"],
    family="normalising",
    kind="normalising",
    formula="x_i - log(sum_j exp(x_j))",
    source="classic",
    range=(-math.inf, 0.0),
    functions=[F.log_softmax, torch.log_softmax, Tensor.log_softmax],
    notes=[_NORMALISE],
)

register(
    nn.Softmin,
    name="softmin",
    family="normalising",
    kind="normalising",
    formula="exp(-x_i) / sum_j exp(-x_j)",
    source="classic",
    range=(0.0, 1.0),
    functions=[F.softmin],
    notes=[_NORMALISE],
)

register(
    nn.Softmax2d,
    name="softmax2d",
    family="normalising",
    kind="normalising",
    formula="exp(x_c) / sum_k exp(x_k) over the channels of (N, C, H, W) or (C, H, W)",
    source="torch.nn.Softmax2d",
    range=(0.0, 1.0),
)


@register(
    family="normalising",
    kind="normalising",
    formula="exp(x_i) / sum_j exp(x_j) over the specified values",
    source="torch.sparse.softmax",
    range=(0.0, 1.0),
    notes=["takes sparse COO tensors; unspecified values count as minus infinity, so they stay unspecified"],
)
def sparse_softmax(x: Tensor, dim: int = -1) -> Tensor:
    """Softmax over the specified values of a sparse COO tensor."""
    if x.layout is not torch.sparse_coo:
        raise ValueError(
            f"sparse_softmax takes sparse COO tensors (x.to_sparse()), not the layout {x.layout}; see softmax"
        )
    if not -x.dim() <= dim < x.dim():
        raise ValueError(f"sparse_softmax(dim={dim}): the input has {x.dim()} dimensions")
    result: Tensor = torch.sparse.softmax(x, dim % x.dim())
    return result
