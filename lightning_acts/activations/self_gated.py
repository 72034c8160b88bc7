"""Self-gated activations: x times a smooth gate of x; none of them is monotone."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import nn

from lightning_acts.definition import register

register(
    nn.SiLU,
    name="silu",
    aliases=["swish"],
    family="self_gated",
    formula="x * sigmoid(x)",
    source="Hendrycks & Gimpel 2016, arXiv:1606.08415; Elfwing et al. 2018, arXiv:1702.03118",
    range=(-0.27846454276107380, math.inf),
    monotone=False,
    functions=[F.silu],
    notes=["Swish with beta=1; its minimum lies at x = -1.27846"],
)

register(
    nn.GELU,
    name="gelu",
    family="self_gated",
    formula="x * Phi(x), Phi the normal distribution; approximate='tanh': "
    "x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))",
    source="Hendrycks & Gimpel 2016, arXiv:1606.08415",
    range=(-0.16997120747990369, math.inf),
    monotone=False,
    functions=[F.gelu],
    requires={"approximate must be 'none' or 'tanh'": lambda approximate: approximate in ("none", "tanh")},
    variants={"gelu_tanh": {"approximate": "tanh"}},
    notes=[
        "the tanh form is off by up to 4.7e-4",
        "torch and keras compute the exact form by default, jax.nn.gelu the tanh form",
        "its minimum lies at x = -0.75179",
    ],
)

register(
    nn.Mish,
    name="mish",
    family="self_gated",
    formula="x * tanh(softplus(x))",
    source="Misra 2019, arXiv:1908.08681",
    range=(-0.30884341301725043, math.inf),
    monotone=False,
    functions=[F.mish],
    notes=["its minimum lies at x = -1.19245"],
)
