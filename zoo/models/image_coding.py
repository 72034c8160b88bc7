"""Networks from an image to a vector, and back: the halves of autoencoders and of GANs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import nn

from .layers import Activations, make_activations


class ImageEncoder(nn.Sequential):
    """Convolutions that halve the image, then linear layers, with an activation after each layer but the last.

    Args:
        in_channels: Channels of the images.
        image_size: Edge length of the images.
        out_features: Size of the vector.
        channels: Channels after each convolution; none for an MLP.
        hidden: Sizes of the linear layers between convolutions and vector.
        activation: One spec for all hidden layers, or a spec for each, in the order of the layers.

    Shape:
        ``(N, in_channels, image_size, image_size)`` to ``(N, out_features)``.

    Raises:
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: The image can't be halved so often, or there are more or fewer specs than hidden layers.

    Example:
        >>> import torch
        >>> ImageEncoder(1, 8, out_features=3, channels=[4], hidden=[5], activation="mish")(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        in_channels: int,
        image_size: int,
        out_features: int,
        channels: Sequence[int] = (),
        hidden: Sequence[int] = (),
        activation: Activations = "relu",
    ) -> None:
        smallest = size_after(image_size, len(channels))
        activations = iter(make_activations(activation, len(channels) + len(hidden)))
        layers: list[nn.Module] = []
        depths = [in_channels, *channels]
        for before, after in itertools.pairwise(depths):
            layers += [nn.Conv2d(before, after, kernel_size=4, stride=2, padding=1), next(activations)]
        layers.append(nn.Flatten())
        sizes = [depths[-1] * smallest**2, *hidden]
        for before, after in itertools.pairwise(sizes):
            layers += [nn.Linear(before, after), next(activations)]
        super().__init__(*layers, nn.Linear(sizes[-1], out_features))


class ImageDecoder(nn.Sequential):
    """Linear layers, then transposed convolutions that double the image: the mirror of :class:`ImageEncoder`.

    Args:
        in_features: Size of the vector.
        image_size: Edge length of the images.
        out_channels: Channels of the images.
        channels: Those of the encoder, in its order.
        hidden: Those of the encoder, in its order.
        activation: One spec for all hidden layers, or a spec for each, in the order of the layers.
        batch_norm: Whether each hidden layer is normalized before its activation.

    Shape:
        ``(N, in_features)`` to ``(N, out_channels, image_size, image_size)``.

    Raises:
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: The image can't be doubled so often, or there are more or fewer specs than hidden layers.

    Example:
        >>> import torch
        >>> ImageDecoder(3, 8, out_channels=1, channels=[4], hidden=[5], activation="mish")(torch.zeros(2, 3)).shape
        torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self,
        in_features: int,
        image_size: int,
        out_channels: int,
        channels: Sequence[int] = (),
        hidden: Sequence[int] = (),
        activation: Activations = "relu",
        batch_norm: bool = False,
    ) -> None:
        smallest = size_after(image_size, len(channels))
        activations = iter(make_activations(activation, len(channels) + len(hidden)))
        layers: list[nn.Module] = []
        sizes, depths = [in_features, *reversed(hidden)], [*reversed(channels), out_channels]
        for before, after in itertools.pairwise(sizes):
            norm = [nn.BatchNorm1d(after)] if batch_norm else []
            layers += [nn.Linear(before, after, bias=not batch_norm), *norm, next(activations)]
        layers += [
            nn.Linear(sizes[-1], depths[0] * smallest**2),
            nn.Unflatten(1, (depths[0], smallest, smallest)),
        ]
        for before, after in itertools.pairwise(depths):
            layers += [nn.BatchNorm2d(before)] if batch_norm else []
            layers += [next(activations), nn.ConvTranspose2d(before, after, kernel_size=4, stride=2, padding=1)]
        super().__init__(*layers)


def size_after(image_size: int, halvings: int) -> int:
    """Return the edge length of an image that was halved some times.

    Raises:
        ValueError: It is odd at one of them.

    Example:
        >>> size_after(28, 2)
        7
    """
    if image_size < 1 or image_size % 2**halvings:
        raise ValueError(f"image_size={image_size} can't be halved {halvings} times: give fewer channels")
    return image_size // (1 << halvings)


def divided(activation: Activations, *counts: int) -> list[Activations]:
    """Return the activations of each of several networks.

    Args:
        activation: One spec for all hidden layers, or a spec for each, network after network.
        counts: The hidden layers of each network.

    Raises:
        ValueError: There are more or fewer specs than layers.

    Example:
        >>> divided("relu", 2, 1), divided(["relu", "mish", "tanh"], 2, 1)
        (['relu', 'relu'], [['relu', 'mish'], ['tanh']])
    """
    if isinstance(activation, str):
        return [activation for _ in counts]
    specs, total = list(activation), sum(counts)
    if len(specs) != total:
        raise ValueError(f"activation={specs}: {len(specs)} for {total} hidden layers; give one, or {total}")
    ends = list(itertools.accumulate(counts))
    return [specs[end - count : end] for count, end in zip(counts, ends, strict=True)]
