"""Gated activations, and others that change the shape: channels are halved, doubled or grouped.

The half that gates is the second one, as in torch, keras and jax; ``gate_first=True`` is the order of LLaMA's fused
projections.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_acts.definition import learnable
from lightning_acts.registry import register

_SHAZEER = "Shazeer 2020, arXiv:2002.05202"
_HALVES = "z1 and z2 are the halves of dim; gate_first=True exchanges them, as LLaMA's fused projections need"

register(
    nn.GLU,
    name="glu",
    family="gated",
    kind="gated",
    formula="z1 * sigmoid(z2)",
    source="Dauphin et al. 2016, arXiv:1612.08083",
    functions=[F.glu],
    notes=["z1 and z2 are the halves of dim: it can't stand where an elementwise activation stood"],
)


def _halves(x: Tensor, dim: int, gate_first: bool = False) -> tuple[Tensor, Tensor]:
    """Return what is gated, and what gates."""
    if not -x.dim() <= dim < x.dim():
        raise ValueError(f"dim={dim}: the input has {x.dim()} dimensions")
    if x.shape[dim] % 2:
        raise ValueError(f"halves dimension {dim}, whose size {x.shape[dim]} is odd")
    first, second = x.chunk(2, dim)
    return (second, first) if gate_first else (first, second)


@register(
    kind="gated",
    formula="tanh(z1) * sigmoid(z2)",
    source="van den Oord et al. 2016, arXiv:1606.05328",
    notes=[_HALVES],
    used_in=["WaveNet", "PixelCNN"],
)
def gtu(x: Tensor, dim: int = -1, gate_first: bool = False) -> Tensor:
    value, gate = _halves(x, dim, gate_first)
    return torch.tanh(value) * torch.sigmoid(gate)


@register(kind="gated", formula="z1 * z2", source=_SHAZEER, notes=[_HALVES])
def bilinear_glu(x: Tensor, dim: int = -1) -> Tensor:
    value, gate = _halves(x, dim)
    return value * gate


@register(kind="gated", formula="z1 * relu(z2)", source=_SHAZEER, notes=[_HALVES])
def reglu(x: Tensor, dim: int = -1, gate_first: bool = False) -> Tensor:
    value, gate = _halves(x, dim, gate_first)
    return value * torch.relu(gate)


@register(
    kind="gated",
    formula="z1 * gelu(z2)",
    source=_SHAZEER,
    notes=[_HALVES, "Gemma gates with the tanh form of gelu"],
    used_in=["T5 v1.1", "Gemma", "Stable Diffusion"],
)
def geglu(x: Tensor, dim: int = -1, gate_first: bool = False, approximate: str = "none") -> Tensor:
    value, gate = _halves(x, dim, gate_first)
    return value * F.gelu(gate, approximate=approximate)


@register(
    kind="gated",
    formula="z1 * z2 * sigmoid(beta * z2)",
    source=_SHAZEER,
    notes=[_HALVES, "beta=1 in practice"],
    used_in=["LLaMA", "PaLM", "Mistral"],
)
def swiglu(x: Tensor, dim: int = -1, gate_first: bool = False, beta: float = 1.0) -> Tensor:
    value, gate = _halves(x, dim, gate_first)
    return value * (F.silu(gate) if beta == 1.0 else gate * torch.sigmoid(beta * gate))


@register(kind="gated", formula="z1 * selu(z2)", source=_SHAZEER + ", with selu for its gate", notes=[_HALVES])
def seglu(x: Tensor, dim: int = -1, gate_first: bool = False) -> Tensor:
    value, gate = _halves(x, dim, gate_first)
    return value * F.selu(gate)


@register(
    kind="gated",
    formula="(clip(u, -limit, limit) + 1) * min(g, limit) * sigmoid(alpha * min(g, limit))",
    source="OpenAI 2025, gpt-oss",
    notes=["gates g and values u alternate: channels 0, 2, 4... and 1, 3, 5..."],
    used_in=["gpt-oss"],
)
def swiglu_oai(x: Tensor, dim: int = -1, alpha: float = 1.702, limit: float = 7.0) -> Tensor:
    gate, value = channel_groups(x, 2, dim).unbind(dim % x.dim() + 1)
    gate, value = gate.clamp(max=limit), value.clamp(-limit, limit)
    return (value + 1) * (gate * torch.sigmoid(alpha * gate))


@register(
    kind="gated",
    formula="silu(min(g, limit)) * clip(u, -limit, limit)",
    source="transformers, DeepSeek V4",
    notes=["g is the first half, u the second"],
    used_in=["DeepSeek V4"],
)
def swiglu_clamped(x: Tensor, dim: int = -1, limit: float = 10.0) -> Tensor:
    gate, value = _halves(x, dim)
    return F.silu(gate.clamp(max=limit)) * value.clamp(-limit, limit)


@register(
    kind="gated",
    aliases=["concatenated_relu"],
    formula="concat(relu(x), relu(-x))",
    source="Shang et al. 2016, arXiv:1603.05201",
    notes=["doubles the size of dim", "elsewhere the name also means a complex or a clipped relu"],
)
def crelu(x: Tensor, dim: int = 1) -> Tensor:
    return torch.cat([torch.relu(x), torch.relu(-x)], dim)


@register(
    kind="gated",
    formula="concat(relu(x), -relu(-x))",
    source="Eidnes & Nokland 2017, arXiv:1709.04054",
    notes=["doubles the size of dim"],
)
def ncrelu(x: Tensor, dim: int = 1) -> Tensor:
    return torch.cat([torch.relu(x), -torch.relu(-x)], dim)


@register(
    kind="gated",
    formula="concat(relu(a * x - b), relu(c * x - d))",
    source="Tang et al. 2018; Kunc & Klema 2024, arXiv:2402.09092, section 4.2.26",
    notes=["doubles the size of dim; the source gives no initial b and d"],
)
def paired_relu(
    x: Tensor,
    a: float = learnable(0.5),
    b: float = learnable(0.0),
    c: float = learnable(-0.5),
    d: float = learnable(0.0),
    dim: int = 1,
) -> Tensor:
    return torch.cat([torch.relu(a * x - b), torch.relu(c * x - d)], dim)


@register(
    kind="gated",
    formula="relu(z1) - relu(z2)",
    source="Godin et al. 2017, arXiv:1707.08214",
    notes=["z1 and z2 are the halves of dim"],
    claim="recurrent networks for language",
)
def dual_relu(x: Tensor, dim: int = -1) -> Tensor:
    first, second = _halves(x, dim)
    return torch.relu(first) - torch.relu(second)


@register(
    kind="gated",
    formula="elu(z1) - elu(z2)",
    source="Godin et al. 2017, arXiv:1707.08214",
    notes=["z1 and z2 are the halves of dim"],
)
def dual_elu(x: Tensor, dim: int = -1, alpha: float = 1.0) -> Tensor:
    first, second = _halves(x, dim)
    return F.elu(first, alpha) - F.elu(second, alpha)


@register(
    kind="gated",
    formula="max(z_1, z_k)",
    source="Goodfellow et al. 2013, arXiv:1302.4389",
    notes=["the largest of k neighboring channels: divides the size of dim by k"],
    requires={"k must be at least 1": lambda k: k >= 1},
)
def maxout(x: Tensor, k: int = 2, dim: int = 1) -> Tensor:
    return channel_groups(x, k, dim).amax(dim % x.dim() + 1)


def channel_groups(x: Tensor, size: int, dim: int) -> Tensor:
    """``dim`` as groups of ``size`` neighboring channels: one dimension more, behind it."""
    if not -x.dim() <= dim < x.dim():
        raise ValueError(f"dim={dim}: the input has {x.dim()} dimensions")
    if x.shape[dim] % size:
        raise ValueError(f"takes channels in groups of {size}; dimension {dim} has the size {x.shape[dim]}")
    return torch.unflatten(x, dim, (x.shape[dim] // size, size))
