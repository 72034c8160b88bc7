"""Normalizing activations: the values along one dimension become a distribution, or its logarithm."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_acts.definition import learnable
from lightning_acts.elementary import total, where
from lightning_acts.registry import register

_SURVEY = "Kunc & Klema 2024, arXiv:2402.09092, section "

_NORMALISE = "normalizes over dim; without dim torch guesses one, and warns, where keras and jax take the last"

register(
    nn.Softmax,
    name="softmax",
    family="normalizing",
    kind="normalizing",
    formula="exp(x_i) / sum(exp(x_j), j)",
    source="Bridle 1990",
    functions=[F.softmax, torch.softmax, torch.special.softmax, Tensor.softmax],
    notes=[_NORMALISE, "refuses sparse tensors: see sparse_softmax"],
)

register(
    nn.LogSoftmax,
    name="log_softmax",
    aliases=["logsoftmax"],
    family="normalizing",
    kind="normalizing",
    formula="x_i - log(sum(exp(x_j), j))",
    source="classic",
    functions=[F.log_softmax, torch.log_softmax, torch.special.log_softmax, Tensor.log_softmax],
    notes=[_NORMALISE],
)

register(
    nn.Softmin,
    name="softmin",
    family="normalizing",
    kind="normalizing",
    formula="exp(-x_i) / sum(exp(-x_j), j)",
    source="classic",
    functions=[F.softmin],
    notes=[_NORMALISE],
)

register(
    nn.Softmax2d,
    name="softmax2d",
    family="normalizing",
    kind="normalizing",
    formula="exp(x_c) / sum(exp(x_k), k)",
    notes=["over the channels of (N, C, H, W) or (C, H, W)"],
    source="torch.nn.Softmax2d",
)


@register(
    family="normalizing",
    kind="normalizing",
    formula="exp(x_i) / sum(exp(x_j), j)",
    source="torch.sparse.softmax",
    notes=["takes sparse COO tensors; unspecified values count as minus infinity, so they stay unspecified"],
    limits=dict.fromkeys(
        ("meta", "vmap", "jvp and jacrev", "compile", "export", "inductor", "onnx"), "torch has none for sparse tensors"
    ),
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


@register(
    kind="normalizing",
    aliases=["tempered_softmax"],
    formula="exp(beta * x_i) / sum(exp(beta * x_j), j)",
    source=_SURVEY + "3.5.1",
    notes=["beta is one over the temperature"],
    related=["softmax"],
)
def beta_softmax(x: Tensor, dim: int = -1, beta: float = 1.0) -> Tensor:
    return torch.softmax(beta * x, dim)


@register(
    kind="normalizing",
    aliases=["attention_sink_softmax"],
    formula="exp(x_i) / (exp(s) + sum(exp(x_j), j))",
    source="OpenAI 2025, gpt-oss",
    notes=["a learned logit that takes its share of the probability"],
    used_in=["gpt-oss"],
)
def sink_softmax(x: Tensor, s: float = learnable(0.0), dim: int = -1) -> Tensor:
    if not x.shape[dim]:
        return x.clone()
    sink = torch.zeros_like(x.narrow(dim, 0, 1)) + s
    return torch.softmax(torch.cat([x, sink], dim), dim).narrow(dim, 0, x.shape[dim])


def _below_the_largest(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Return each value less the largest of its row, with -inf at most -4e3; and what is added to the row's result.

    That is NaN for rows of which softmax makes NaN too: those with a NaN or +inf, and those that are -inf throughout;
    else 0. The former are computed as rows of zeros. Rows must not be empty.
    """
    largest = x.detach().amax(dim, keepdim=True)
    lost = ~largest.isfinite()
    shifted = where(lost, 0.0, x - where(lost, 0.0, largest)).clamp(min=-4e3)
    return shifted, where(lost, torch.nan, torch.zeros_like(largest))


def _sorted_support(x: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the values in descending order, their cumulative sums, and their ranks 1, 2, 3..."""
    ordered = x.sort(dim, descending=True).values
    ranks = torch.arange(1, x.shape[dim] + 1, dtype=x.dtype, device=x.device)
    sizes = [1] * x.dim()
    sizes[dim] = -1
    return ordered, ordered.cumsum(dim), ranks.view(sizes)


@register(
    kind="normalizing",
    formula="max(x_i - tau(x), 0)",
    source="Martins & Astudillo 2016, arXiv:1602.02068",
    notes=[
        "tau makes the sum 1: the projection onto the simplex; gives exact zeros",
        "keras 3.15.1 computes another function under this name, whose sum is not 1",
    ],
    claim="attention that is sparse",
)
def sparsemax(x: Tensor, dim: int = -1) -> Tensor:
    if not x.shape[dim]:
        return x.clone()
    shifted, lost = _below_the_largest(x, dim)
    ordered, sums, ranks = _sorted_support(shifted, dim)
    size = (1 + ranks * ordered > sums).sum(dim, keepdim=True)
    tau = (sums.gather(dim, size - 1) - 1) / size
    return torch.relu(shifted - tau) + lost


@register(
    kind="normalizing",
    formula="max(x_i / 2 - tau(x), 0)**2",
    source="Peters, Niculae & Martins 2019, arXiv:1905.05702",
    notes=["tau makes the sum 1: between softmax and sparsemax"],
    related=["entmax"],
)
def entmax15(x: Tensor, dim: int = -1) -> Tensor:
    if not x.shape[dim]:
        return x.clone()
    shifted, lost = _below_the_largest(0.5 * x, dim)
    shifted = shifted.clamp(min=-2.0)  # the support ends above -1
    ordered, sums, ranks = _sorted_support(shifted, dim)
    mean = sums / ranks
    variance = (ordered * ordered).cumsum(dim) / ranks - mean * mean
    room = (1 / ranks - variance).clamp(min=0)
    taus = mean - where(room > 0, torch.sqrt(where(room > 0, room, 1.0)), 0.0)
    size = (taus <= ordered).sum(dim, keepdim=True)
    return torch.relu(shifted - taus.gather(dim, size - 1)) ** 2 + lost


@register(
    kind="normalizing",
    aliases=["sqmax"],
    formula="(x_i + c)**2 / sum((x_j + c)**2, j)",
    source="Wuraola, Patel & Nguang 2021; " + _SURVEY + "3.8.7",
    notes=["not monotone below -c"],
)
def square_softmax(x: Tensor, dim: int = -1, c: float = 4.0) -> Tensor:
    y = x + c
    if not x.shape[dim]:
        return x.clone()
    scale = y.abs().amax(dim, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
    squares = (y / scale) ** 2
    return squares / squares.sum(dim, keepdim=True)


@register(
    kind="normalizing",
    aliases=["unit_normalization"],
    formula="x_i / max(sqrt(sum(x_j**2, j)), eps)",
    source="classic",
    requires={"eps must be positive": lambda eps: eps > 0},
)
def l2_normalize(x: Tensor, dim: int = -1, eps: float = 1e-12) -> Tensor:
    return F.normalize(x, dim=dim, eps=eps)


@register(
    kind="normalizing",
    formula="(x_i - mean(x)) / sqrt(var(x) + eps)",
    source="jax.nn.standardize",
    requires={"eps must be positive": lambda eps: eps > 0},
)
def standardize(x: Tensor, dim: int = -1, eps: float = 1e-5) -> Tensor:
    # In units of the largest value, whose square can't overflow; from 1 upwards, so that small rows stay as they are.
    unit = _unit_of(x, dim)
    centered = x / unit
    centered = centered - centered.mean(dim, keepdim=True)
    return centered * torch.rsqrt((centered * centered).mean(dim, keepdim=True) + eps / unit / unit)


def _unit_of(x: Tensor, dim: int) -> Tensor:
    """Return the largest modulus in each row, at least 1; 1 for empty rows and those that are not finite."""
    if not x.shape[dim]:
        return torch.ones_like(x.sum(dim, keepdim=True))
    largest = x.detach().abs().amax(dim, keepdim=True)
    return where(largest.isfinite(), largest.clamp(min=1.0), 1.0)


@register(
    kind="normalizing",
    aliases=["polycom_norm"],
    formula="sum(a[i] * x**(i + 1) / rms(x**(i + 1)), i) + b",
    source="Zhuo et al. 2024, arXiv:2411.03884",
    notes=["rms over the last dimension"],
    claim="large language models",
)
def poly_norm(
    x: Tensor,
    a: tuple[float, ...] = learnable((1 / 3, 1 / 3, 1 / 3)),
    b: float = learnable(0.0),
    eps: float = 1e-6,
) -> Tensor:
    unit = _unit_of(x, -1)
    y = x / unit
    powers = [y**i for i in range(1, len(a) + 1)]
    terms = [
        weight * power * torch.rsqrt((power * power).mean(-1, keepdim=True) + eps * (1 / unit) ** (2 * i))
        for i, (weight, power) in enumerate(zip(a, powers, strict=False), start=1)
    ]
    return total(terms) + b


@register(
    kind="gated",
    formula="log(sum(exp(x_j), j))",
    source="classic",
    notes=["removes dim; jax.nn.logsumexp reduces all dimensions unless it is given one"],
)
def logsumexp(x: Tensor, dim: int = -1) -> Tensor:
    return torch.logsumexp(x, dim)


@register(
    kind="gated",
    formula="log(sum(exp(x_j), j) / n)",
    source="jax.nn.logmeanexp",
    notes=["removes dim, of the size n; jax.nn.logmeanexp reduces all dimensions unless it is given one"],
)
def logmeanexp(x: Tensor, dim: int = -1) -> Tensor:
    return torch.logsumexp(x, dim) - math.log(x.shape[dim])


@register(
    kind="normalizing",
    aliases=["alpha_entmax", "entmax_bisect"],
    formula="max((alpha - 1) * x_i - tau(x), 0)**(1 / (alpha - 1))",
    source="Peters, Niculae & Martins 2019, arXiv:1905.05702",
    notes=["tau makes the sum 1, found by bisection; alpha=1.5: entmax15, alpha=2: sparsemax"],
    requires={"alpha must be above 1": lambda alpha: alpha > 1},
)
def entmax(x: Tensor, dim: int = -1, alpha: float = 1.5) -> Tensor:
    if not x.shape[dim]:
        return x.clone()
    shifted, lost = _below_the_largest(x, dim)
    moving = ((alpha - 1) * shifted).clamp(min=-2.0)  # the support ends above -1
    y = moving.detach()  # in forward mode too, where no_grad() stops nothing
    power = 1 / (alpha - 1)
    with torch.no_grad():
        low = torch.full_like(y.narrow(dim, 0, 1), -1.0)
        high = low + 1 - x.shape[dim] ** (1 - alpha)
        for _ in range(60 if x.dtype == torch.float64 else 30):
            tau = 0.5 * (low + high)
            enough = (y - tau).clamp(min=0).pow(power).sum(dim, keepdim=True) >= 1
            low, high = where(enough, tau, low), where(enough, high, tau)
        support = y > low
        # How much each value counts in the derivative of the sum.
        weights = where(support, (y - low).clamp(min=0) ** (power - 1), 0.0)
        weights = weights / weights.sum(dim, keepdim=True)
        middle = (weights * y).sum(dim, keepdim=True)
    tau = low + (weights * moving).sum(dim, keepdim=True) - middle  # moves as the root does
    gap = where(support, moving - tau, 1.0)
    p = where(support, gap**power, 0.0)
    return p / p.sum(dim, keepdim=True) + lost
