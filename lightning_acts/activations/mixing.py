"""Activations that look at several channels or positions, and keep the shape."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.parameter import Parameter

from lightning_acts.activations.gated import channel_groups
from lightning_acts.elementary import sigmoid, where
from lightning_acts.registry import register

_SURVEY = "Kunc & Klema 2024, arXiv:2402.09092, section "
_CHANNELS = {"channels must be at least 1": lambda channels: channels >= 1}


@register(
    kind="mixing",
    aliases=["maxmin"],
    formula="(max(x_1, x_2), min(x_1, x_2))",
    source="Chernodub & Nowicki 2016, arXiv:1604.02313; Anil, Lucas & Grosse 2018, arXiv:1811.05381",
    notes=["of pairs of neighboring channels; keeps norms"],
    claim="networks whose Lipschitz constant is 1",
)
def oplu(x: Tensor, dim: int = 1) -> Tensor:
    pairs = channel_groups(x, 2, dim)
    at = dim % x.dim() + 1
    return torch.stack([pairs.amax(at), pairs.amin(at)], at).flatten(at - 1, at)


@register(
    kind="mixing",
    formula="sort(x)",
    source="Anil, Lucas & Grosse 2018, arXiv:1811.05381",
    notes=["ascending, within groups of neighboring channels"],
    requires={"size must be at least 1": lambda size: size >= 1},
    claim="networks whose Lipschitz constant is 1",
)
def groupsort(x: Tensor, size: int = 2, dim: int = 1) -> Tensor:
    groups, at = channel_groups(x, size, dim), dim % max(x.dim(), 1) + 1
    return groups.sort(at).values.flatten(at - 1, at)


@register(
    kind="mixing",
    aliases=["baf"],
    formula="where(even(i), relu(x_i), -relu(-x_i))",
    source="Eidnes & Nokland 2017, arXiv:1709.04054",
    notes=["i counts the channels of dim; its mean stays near zero"],
)
def bipolar_relu(x: Tensor, dim: int = 1) -> Tensor:
    sizes = [1] * x.dim()
    sizes[dim] = x.shape[dim]
    even = (torch.arange(x.shape[dim], device=x.device) % 2 == 0).view(sizes)
    return where(even, torch.relu(x), -torch.relu(-x))


@register(
    kind="mixing",
    aliases=["k_winners_take_all", "kwta"],
    formula="where(x >= kth_largest(x), x, 0)",
    source="Xiao, Zhong & Zheng 2019, arXiv:1905.10510",
    notes=["the largest share of each sample's values stays, at least one of them; discontinuous"],
    requires={"share must lie above 0 and at most be 1": lambda share: 0 < share <= 1},
    claim="robustness against adversarial examples",
)
def k_wta(x: Tensor, share: float = 0.2) -> Tensor:
    flat = x.flatten(1) if x.dim() > 1 else x.unsqueeze(0)
    if not flat.shape[1]:
        return x
    kept = max(1, round(share * flat.shape[1]))
    sizes = where(flat.isnan(), torch.inf, flat)  # a NaN stays, and displaces no more than itself
    least = sizes.topk(kept, 1).values[:, -1:]
    return where(sizes >= least, flat, 0.0).view(x.shape)


class FunnelReLU(nn.Module):
    """max(x, BN(depthwise convolution of x)): the funnel activation; input ``(N, C, H, W)``.

    Args:
        channels: The number of channels C.
        kernel_size: The side of the window, odd.
    """

    def __init__(self, channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.channels, self.kernel_size = channels, kernel_size
        self.conv = nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, input: Tensor) -> Tensor:
        """Return the larger of the input and its context."""
        return torch.maximum(input, self.norm(self.conv(input)))


register(
    FunnelReLU,
    name="funnel_relu",
    aliases=["frelu"],
    family="mixing",
    kind="mixing",
    formula="max(x, BN(DWConv(x)))",
    source="Ma, Zhang & Sun 2020, arXiv:2007.11824",
    notes=["kernel_size x kernel_size, one filter a channel"],
    requires={**_CHANNELS, "kernel_size must be odd": lambda kernel_size: kernel_size % 2 == 1},
    claim="visual recognition: a spatial condition in the activation",
)


class SpatialContextActivation(nn.Module):
    """max(x, depthwise convolution of x); input ``(N, C, H, W)``.

    Args:
        channels: The number of channels C.
        kernel_size: The side of the window, odd.
    """

    def __init__(self, channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.channels, self.kernel_size = channels, kernel_size
        self.conv = nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels)

    def forward(self, input: Tensor) -> Tensor:
        """Return the larger of the input and its context."""
        return torch.maximum(input, self.conv(input))


register(
    SpatialContextActivation,
    name="scaa",
    family="mixing",
    kind="mixing",
    formula="max(x, DWConv(x))",
    source=_SURVEY + "3.6.10",
    notes=["the funnel activation without its normalization; the source gives no size of the window"],
    requires={**_CHANNELS, "kernel_size must be odd": lambda kernel_size: kernel_size % 2 == 1},
)


class MetaAcon(nn.Module):
    """ACON-C whose switch beta is computed from the input by a bottleneck; input ``(N, C, H, W)``.

    Args:
        channels: The number of channels C.
        reduction: By how much the bottleneck is narrower, down to 16 channels.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.channels, self.reduction = channels, reduction
        narrow = max(16, channels // reduction)
        self.squeeze = nn.Conv2d(channels, narrow, 1)
        self.excite = nn.Conv2d(narrow, channels, 1)
        self.p1 = Parameter(torch.ones(1, channels, 1, 1))
        self.p2 = Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, input: Tensor) -> Tensor:
        """Return the activation of ``input``."""
        beta = torch.sigmoid(self.excite(self.squeeze(input.mean((2, 3), keepdim=True))))
        spread = self.p1 - self.p2
        return input * (spread * sigmoid(beta * spread * input) + self.p2)


register(
    MetaAcon,
    name="meta_acon",
    aliases=["metaaconc"],
    family="mixing",
    kind="mixing",
    formula="(p1 - p2) * x * sigmoid(beta * (p1 - p2) * x) + p2 * x",
    source="Ma et al. 2020, arXiv:2009.04759",
    notes=["beta = sigmoid(W2 W1 mean(x)), a channel", "its authors' code starts p1 and p2 at random, here as silu"],
    requires={**_CHANNELS, "reduction must be at least 1": lambda reduction: reduction >= 1},
)


class DynamicReLU(nn.Module):
    """The largest of ``pieces`` lines whose slopes and offsets are computed from the input; input ``(N, C, ...)``.

    Args:
        channels: The number of channels C.
        pieces: The number of lines.
        reduction: By how much the hidden layer is narrower.
        shared: One set of lines for all channels (version A) instead of one a channel (version B).
    """

    def __init__(self, channels: int, pieces: int = 2, reduction: int = 4, shared: bool = False) -> None:
        super().__init__()
        self.channels, self.pieces, self.reduction, self.shared = channels, pieces, reduction, shared
        lines = pieces * (1 if shared else channels)
        hidden = max(1, channels // reduction)
        last = nn.Linear(hidden, 2 * lines)
        nn.init.zeros_(last.weight)  # it starts as relu
        nn.init.zeros_(last.bias)
        self.hyper = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), last)

    def forward(self, input: Tensor) -> Tensor:
        """Return the largest line at each value."""
        pooled = input.flatten(2).mean(2) if input.dim() > 2 else input
        residual = 2 * torch.sigmoid(self.hyper(pooled)) - 1
        ones = [1] * (input.dim() - 2)
        lines: Tensor = residual.unflatten(1, (2, self.pieces, -1, *ones))  # type: ignore[no-untyped-call]
        slopes, offsets = lines.unbind(1)
        first = torch.zeros(self.pieces, 1, *ones, dtype=input.dtype, device=input.device)
        first[0] = 1.0
        return ((first + slopes) * input.unsqueeze(1) + 0.5 * offsets).amax(1)


register(
    DynamicReLU,
    name="dynamic_relu",
    aliases=["dy_relu"],
    family="mixing",
    kind="mixing",
    formula="max(a_1 * x + b_1, a_k * x + b_k)",
    source="Chen et al. 2020, arXiv:2003.10027",
    notes=["the lines are computed from the mean of the input; shared=True is its version A, else B"],
    requires={
        **_CHANNELS,
        "pieces must be at least 2": lambda pieces: pieces >= 2,
        "reduction must be at least 1": lambda reduction: reduction >= 1,
    },
    claim="light networks for images",
)


class WeightedSigmoidGate(nn.Module):
    """x times the sigmoid of a linear map of x; input ``(*, features)``.

    Args:
        features: The size of the last dimension.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features
        self.gate = nn.Linear(features, features)

    def forward(self, input: Tensor) -> Tensor:
        """Return the gated input."""
        return input * sigmoid(self.gate(input))


register(
    WeightedSigmoidGate,
    name="weighted_sigmoid_gate",
    aliases=["wig"],
    family="mixing",
    kind="mixing",
    formula="x * sigmoid(W(x))",
    source="Tanaka 2018",
    requires={"features must be at least 1": lambda features: features >= 1},
)
