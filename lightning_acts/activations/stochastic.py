"""Stochastic activations: random in training, their mean or their mode in evaluation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_acts.definition import learnable
from lightning_acts.elementary import expm1, negative, where
from lightning_acts.registry import register

_SURVEY = "Kunc & Klema 2024, arXiv:2402.09092, section "


@register(
    aliases=["nrelu"],
    formula="relu(x)",
    source="Nair & Hinton 2010",
    notes=["in training max(0, x + n), n normal with the variance sigmoid(x)"],
    claim="restricted Boltzmann machines",
    related=["relu"],
)
def noisy_relu(x: Tensor, training: bool = False) -> Tensor:
    if not training:
        return torch.relu(x)
    return torch.relu(x + torch.randn_like(x) * torch.sqrt(torch.sigmoid(x)).detach())


@register(
    aliases=["rtrelu", "randomly_translational_relu"],
    formula="relu(x)",
    source="Cao et al. 2018; " + _SURVEY + "3.6.11",
    notes=["in training relu(x + n), n normal with the deviation sigma, drawn once a channel"],
    requires={"sigma must not be negative": lambda sigma: sigma >= 0},
    related=["relu"],
)
def rt_relu(x: Tensor, sigma: float = 0.75, training: bool = False) -> Tensor:
    return torch.relu(x + _per_channel(x) * sigma) if training else torch.relu(x)


def _per_channel(x: Tensor) -> Tensor:
    """Return a normal number for each sample and channel."""
    return torch.randn(x.shape[:2] + (1,) * (x.dim() - 2), dtype=x.dtype, device=x.device)


@register(
    aliases=["rtprelu"],
    formula="where(x >= 0, x, a * x)",
    source="Cao et al. 2018; " + _SURVEY + "4.2.10",
    notes=["in training the side is that of x + n, n normal with the deviation sigma, drawn once a channel"],
    requires={"sigma must not be negative": lambda sigma: sigma >= 0},
    related=["prelu"],
)
def rt_prelu(
    x: Tensor, a: float = learnable(0.25, per="channel"), sigma: float = 0.75, training: bool = False
) -> Tensor:
    y = x + _per_channel(x) * sigma if training else x
    return where(y >= 0, x, a * x)


@register(
    aliases=["erelu"],
    formula="relu(x)",
    source="Jiang et al. 2018; " + _SURVEY + "3.6.38",
    notes=["in training k * relu(x), k ~ U(1 - alpha, 1 + alpha) an element; the source gives no single alpha"],
    requires={"alpha must lie between 0 and 1": lambda alpha: 0 <= alpha <= 1},
    related=["relu"],
)
def elastic_relu(x: Tensor, alpha: float = 0.1, training: bool = False) -> Tensor:
    return torch.relu(x) * _elastic(x, alpha) if training else torch.relu(x)


def _elastic(x: Tensor, alpha: float) -> Tensor:
    return 1 + alpha * (2 * torch.rand_like(x) - 1)


@register(
    aliases=["eprelu"],
    formula="where(x >= 0, x, a * x)",
    source="Jiang et al. 2018; " + _SURVEY + "4.2.25",
    notes=["in training x is stretched on the right as by elastic_relu"],
    requires={"alpha must lie between 0 and 1": lambda alpha: 0 <= alpha <= 1},
    related=["prelu"],
)
def elastic_prelu(
    x: Tensor, a: float = learnable(0.25, per="channel"), alpha: float = 0.1, training: bool = False
) -> Tensor:
    right = x * _elastic(x, alpha) if training else x
    return where(x >= 0, right, a * x)


@register(
    aliases=["eelu"],
    formula="where(x >= 0, x, a * expm1(b * x))",
    source="Kim et al. 2020",
    notes=["in training k * x on the right, k ~ N(1, s^2) within [0, 2], s ~ U(0, eps), drawn once a channel"],
    requires={"eps must not be negative": lambda eps: eps >= 0},
    related=["elu"],
)
def elastic_elu(
    x: Tensor,
    a: float = learnable(1.0, per="channel"),
    b: float = learnable(1.0, per="channel", constraint="positive"),
    eps: float = 0.1,
    training: bool = False,
) -> Tensor:
    right = x
    if training:
        noise = _per_channel(x)
        right = x * (1 + noise * (eps * torch.rand_like(noise))).clamp(0, 2)
    return where(x >= 0, right, a * expm1(b * negative(x)))


@register(
    aliases=["relu_probact"],
    formula="relu(x)",
    source="Shridhar et al. 2019, arXiv:1905.10761",
    notes=["in training relu(x) + sigma * n, n normal; its authors keep the noise at test time and average"],
    requires={"sigma must not be negative": lambda sigma: sigma >= 0},
    related=["relu"],
)
def probact(x: Tensor, sigma: float = 0.1, training: bool = False) -> Tensor:
    return torch.relu(x) + sigma * torch.randn_like(x) if training else torch.relu(x)


@register(
    aliases=["srrelu", "softsign_rrelu"],
    formula="1 / (1 + x)**2 + where(x >= 0, x, (lower + upper) / 2 * x)",
    source="Elakkiya & Dejey; " + _SURVEY + "3.6.4",
    notes=["has a pole at x = -1, as it is published", "in training the slope is drawn as by rrelu"],
    requires={"lower must not be above upper": lambda lower, upper: lower <= upper},
)
def s_rrelu(x: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Tensor:
    near = 1 / (1 + x)
    slope = torch.empty_like(x).uniform_(lower, upper) if training else (lower + upper) / 2
    return near * near + where(x >= 0, x, slope * x)


@register(
    formula="where(x >= 0, 1, 0)",
    source="Bengio, Leonard & Courville 2013, arXiv:1308.3432",
    notes=["in training 1 with the probability sigmoid(x); its derivative is that of sigmoid: straight through"],
    related=["binary_step"],
    limits={
        "derivative": "the straight-through estimator, on purpose",
        "first derivative": "the straight-through estimator, on purpose",
    },
)
def stochastic_binary(x: Tensor, training: bool = False) -> Tensor:
    p = torch.sigmoid(x)
    hard = torch.bernoulli(p) if training else (x >= 0).to(x.dtype)
    return p + (hard - p).detach()


@register(
    kind="normalizing",
    aliases=["concrete"],
    formula="exp((x_i + g_i) / tau) / sum(exp((x_j + g_j) / tau), j)",
    source="Jang, Gu & Poole 2016, arXiv:1611.01144; Maddison, Mnih & Teh 2016, arXiv:1611.00712",
    functions=[F.gumbel_softmax],
    notes=["g is Gumbel noise in training and 0 in evaluation; F.gumbel_softmax draws it always"],
    requires={"tau must be positive": lambda tau: tau > 0},
    claim="discrete choices with gradients",
    related=["softmax"],
)
def gumbel_softmax(x: Tensor, tau: float = 1.0, hard: bool = False, dim: int = -1, training: bool = False) -> Tensor:
    if training:
        return F.gumbel_softmax(x, tau, hard, dim=dim)
    soft = torch.softmax(x / tau, dim)
    if not hard:
        return soft
    one_hot = torch.zeros_like(soft).scatter(dim, soft.argmax(dim, keepdim=True), 1.0)
    return one_hot + soft - soft.detach()
