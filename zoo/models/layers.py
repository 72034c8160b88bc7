"""Layers that several models are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.spec import ActivationSpec

#: The spec of an activation; ``validate`` tells what is wrong with one in a config.
Activation: TypeAlias = Annotated[str, ActivationSpec]
#: One spec for all hidden layers, or a spec for each.
Activations: TypeAlias = Activation | list[Activation]


def make_activations(activation: Activations, count: int) -> list[nn.Module]:
    """Return a module for each of ``count`` hidden layers; each has parameters of its own.

    Args:
        activation: One spec for all layers, or as many as layers.
        count: The number of hidden layers.

    Raises:
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: There are more or fewer specs than layers, or an activation gives another shape than it takes.

    Example:
        >>> make_activations(["relu", "leaky_relu(negative_slope=0.2)"], 2)
        [ReLU(), LeakyReLU(negative_slope=0.2)]
    """
    specs = [activation] * count if isinstance(activation, str) else list(activation)
    if len(specs) != count:
        raise ValueError(f"activation={specs}: {len(specs)} for {count} hidden layers; give one, or {count}")
    for spec in specs:
        kind = acts.info(ActivationSpec.parse(spec).name).kind
        if kind in ("gated", "transfer"):
            raise ValueError(
                f"activation={spec!r} is {kind}: it gives another shape than it takes, and has no place here"
            )
    return [acts.create(spec) for spec in specs]


class MLP(nn.Sequential):
    """Linear layers with an activation after each but the last.

    Args:
        in_features: Size of the input.
        hidden: Sizes of the hidden layers.
        out_features: Size of the output.
        activation: One spec for all hidden layers, or a spec for each.
        dropout: Probability with which a hidden value is dropped in training.

    Shape:
        ``(*, in_features)`` to ``(*, out_features)``.

    Raises:
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: There are more or fewer specs than hidden layers.

    Example:
        >>> import torch
        >>> MLP(4, [8, 8], 2, "mish")(torch.zeros(3, 4)).shape
        torch.Size([3, 2])
    """

    def __init__(
        self,
        in_features: int,
        hidden: Sequence[int],
        out_features: int,
        activation: Activations = "relu",
        dropout: float = 0.0,
    ) -> None:
        layers: list[nn.Module] = []
        sizes = [in_features, *hidden]
        for size, following, module in zip(sizes, hidden, make_activations(activation, len(hidden)), strict=False):
            layers += [nn.Linear(size, following), module, *([nn.Dropout(dropout)] if dropout else [])]
        super().__init__(*layers, nn.Linear(sizes[-1], out_features))


class Residual(nn.Module):
    """Adds its input to the output of a block: ``x + block(x)``.

    Args:
        block: Keeps the shape of its input.

    Example:
        >>> import torch
        >>> Residual(nn.Identity())(torch.ones(2))
        tensor([2., 2.])
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        """Return input and output of the block added."""
        output: Tensor = x + self.block(x)
        return output


class SelfAttention(nn.Module):
    """Attention of a sequence to itself, by several heads.

    Args:
        width: Size of a member of the sequence.
        heads: Number of heads; divides ``width``.
        dropout: Probability with which a weight is dropped in training.
        causal: Each member attends to itself and those before it alone.

    Shape:
        ``(N, L, width)`` to the same; ``seen``, which members are attended to, is ``(N, L)``, by default all.

    Source:
        Vaswani et al. 2017, arXiv:1706.03762.

    Example:
        >>> import torch
        >>> SelfAttention(width=8, heads=2)(torch.zeros(3, 5, 8)).shape
        torch.Size([3, 5, 8])
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.dropout, self.causal = heads, dropout, causal
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """Return what each member has gathered from those that it attends to."""
        query, key, value = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        mask = None if seen is None else seen[:, None, None]
        gathered = F.scaled_dot_product_attention(query, key, value, mask, dropout, is_causal=self.causal)
        output: Tensor = self.out(gathered.transpose(1, 2).flatten(2))
        return output
