"""Small networks that classify images: convolutions, and a vision transformer."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .layers import Activations, Residual, SelfAttention, make_activations


class ConvNet(nn.Sequential):
    """Blocks of a 3x3 convolution, batch normalization, an activation and pooling that halves the image.

    The mean over what is left of the image goes through a linear layer.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        channels: Channels after each block.
        activation: One spec for all blocks, or a spec for each.

    Shape:
        ``(N, in_channels, H, W)`` of any size to ``(N, num_classes)``.

    Raises:
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: There are no blocks, or more or fewer specs than blocks.

    Source:
        Batch normalization: Ioffe & Szegedy 2015, arXiv:1502.03167; mean in place of a large linear layer: Lin, Chen &
        Yan 2013, arXiv:1312.4400.

    Example:
        >>> ConvNet(in_channels=1, num_classes=10, channels=[8, 16], activation="mish")(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        channels: Sequence[int] = (32, 64, 128),
        activation: Activations = "relu",
    ) -> None:
        if not channels:
            raise ValueError("ConvNet(channels=[]): at least one block")
        layers: list[nn.Module] = []
        activations = make_activations(activation, len(channels))
        for (before, after), module in zip(itertools.pairwise([in_channels, *channels]), activations, strict=True):
            layers += [
                nn.Conv2d(before, after, kernel_size=3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                module,
                nn.MaxPool2d(2, ceil_mode=True),
            ]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels[-1], num_classes))


class VisionTransformer(nn.Module):
    """A vision transformer: an image is a sequence of patches, and classified by the mean over them.

    Each block adds to its input what attention, then what two linear layers with an activation between them make of it;
    both are given normalized values (pre-norm).

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Edge length of the images.
        patch_size: Edge length of a patch.
        dim: Numbers for a patch.
        depth: Number of blocks.
        heads: Heads of the attention.
        mlp_ratio: Size of the hidden layer of a block as a multiple of ``dim``.
        dropout: Probability with which a value is dropped that a block would add.
        activation: One spec for all blocks, or a spec for each.

    Shape:
        ``(N, in_channels, image_size, image_size)`` to ``(N, num_classes)``.

    Raises:
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: Images can't be cut into such patches, ``dim`` is no multiple of ``heads``, or there are more or fewer
            specs than blocks.

    Source:
        Dosovitskiy et al. 2020, arXiv:2010.11929; the mean in place of a class token: Beyer, Zhai & Kolesnikov 2022,
        arXiv:2205.01580.

    Example:
        >>> model = VisionTransformer(in_channels=1, image_size=8, patch_size=2, dim=16, depth=2, activation="mish")
        >>> model(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int = 32,
        patch_size: int = 4,
        dim: int = 64,
        depth: int = 4,
        heads: int = 4,
        mlp_ratio: float = 2.0,
        dropout: float = 0.0,
        activation: Activations = "gelu",
    ) -> None:
        super().__init__()
        if patch_size < 1 or image_size % patch_size:
            raise ValueError(f"VisionTransformer(patch_size={patch_size}): divides no image of {image_size} pixels")
        if heads < 1 or dim % heads:
            raise ValueError(f"VisionTransformer(dim={dim}, heads={heads}): dim is a multiple of heads")
        hidden = round(mlp_ratio * dim)
        self.patches = nn.Conv2d(in_channels, dim, kernel_size=patch_size, stride=patch_size)
        self.positions = nn.Parameter(0.02 * torch.randn(1, (image_size // patch_size) ** 2, dim))
        self.blocks = nn.Sequential(
            *itertools.chain.from_iterable(
                (
                    Residual(nn.Sequential(nn.LayerNorm(dim), SelfAttention(dim, heads), nn.Dropout(dropout))),
                    Residual(
                        nn.Sequential(
                            nn.LayerNorm(dim),
                            nn.Linear(dim, hidden),
                            module,
                            nn.Linear(hidden, dim),
                            nn.Dropout(dropout),
                        )
                    ),
                )
                for module in make_activations(activation, depth)
            )
        )
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores of classes for images."""
        sequence = self.patches(images).flatten(2).transpose(1, 2) + self.positions
        scores: Tensor = self.head(self.norm(self.blocks(sequence)).mean(dim=1))
        return scores
