"""Rectified activations: piecewise linear, the identity (or a line) on the right of zero."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import UninitializedParameter

from lightning_acts.definition import register

register(
    nn.ReLU,
    name="relu",
    aliases=["rectifier"],
    family="rectified",
    formula="max(0, x)",
    source="Fukushima 1969; Nair & Hinton 2010",
    range=(0.0, math.inf),
    monotone=True,
    functions=[F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_],
    notes=["torch's derivative at 0 is 0"],
)

register(
    nn.ReLU6,
    name="relu6",
    family="rectified",
    formula="min(max(0, x), 6)",
    source="Krizhevsky 2010; Howard et al. 2017, arXiv:1704.04861",
    range=(0.0, 6.0),
    monotone=True,
    functions=[F.relu6],
    notes=["torch's derivative at 0 and at 6 is 0"],
)

register(
    nn.LeakyReLU,
    name="leaky_relu",
    aliases=["lrelu"],
    family="rectified",
    formula="max(0, x) + negative_slope * min(0, x)",
    source="Maas, Hannun & Ng 2013",
    range=(-math.inf, math.inf),
    monotone=True,
    functions=[F.leaky_relu, F.leaky_relu_],
    notes=["torch and jax: negative_slope=0.01; keras.activations: 0.2; keras.layers.LeakyReLU: 0.3"],
)


class LazyPReLU(LazyModuleMixin, nn.PReLU):
    """A PReLU with one slope a channel that takes the number of channels from its first input."""

    cls_to_become = nn.PReLU
    weight: UninitializedParameter  # type: ignore[assignment]

    def __init__(self, init: float = 0.25) -> None:
        super().__init__(num_parameters=1, init=init)
        self.num_parameters = 0
        self.weight = UninitializedParameter()

    def initialize_parameters(self, input: Tensor) -> None:
        """Size the slopes by the channels of ``input``, as torch's PReLU counts them: dimension 1, or 1 below 2-d."""
        if self.has_uninitialized_params():
            with torch.no_grad():
                self.weight.materialize((input.shape[1] if input.dim() > 1 else 1,))
                self.weight.fill_(self.init)
        self.num_parameters = self.weight.numel()


register(
    nn.PReLU,
    name="prelu",
    family="rectified",
    formula="max(0, x) + weight * min(0, x)",
    source="He et al. 2015, arXiv:1502.01852",
    range=(-math.inf, math.inf),
    monotone=True,
    functions=[F.prelu, torch.prelu, Tensor.prelu],
    requires={"the number of parameters must be at least 1": lambda num_parameters: num_parameters >= 1},
    notes=[
        "the weight is learned: one for all channels, or num_parameters, one a channel of dimension 1",
        "initial weight: torch 0.25, flax 0.01, keras 0",
        "its authors train it without weight decay",
    ],
    per_channel=LazyPReLU,
)

register(
    nn.RReLU,
    name="rrelu",
    family="rectified",
    formula="max(0, x) + a * min(0, x), a ~ U(lower, upper) in training, (lower + upper) / 2 in evaluation",
    source="Xu et al. 2015, arXiv:1505.00853",
    range=(-math.inf, math.inf),
    monotone=True,
    functions=[F.rrelu, F.rrelu_, torch.rrelu, torch.rrelu_],
    requires={"lower must not be above upper": lambda lower, upper: lower <= upper},
    notes=["random in training: one slope an element", "the paper divides by U(3, 8), whose mean is another slope"],
)

register(
    nn.Hardtanh,
    name="hardtanh",
    aliases=["hard_tanh"],
    family="rectified",
    formula="min(max(min_val, x), max_val)",
    source="Collobert 2004",
    range=(-1.0, 1.0),
    monotone=True,
    functions=[F.hardtanh, F.hardtanh_],
    requires={"min_val must be below max_val": lambda min_val, max_val: min_val < max_val},
)

register(
    nn.Threshold,
    name="threshold",
    family="rectified",
    formula="x if x > threshold else value",
    source="torch.nn.Threshold",
    functions=[F.threshold, F.threshold_, torch.threshold, torch.threshold_],  # type: ignore[attr-defined]
)
