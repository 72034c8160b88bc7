"""Networks of others within the zoo's models: what each lets choose."""

from __future__ import annotations

from typing import Any

from torch import nn

from lightning_acts.models import build, options_of

# What these libraries' models take; a callable of one's own says so in its signature.
_OPTIONS = {"torchvision": {"num_classes"}, "timm": {"num_classes", "in_chans"}}


def build_backbone(backbone: str, num_classes: int, in_channels: int, **options: Any) -> nn.Module:
    """Return a network for images, with these numbers of classes and channels as far as it lets choose them.

    Args:
        backbone: ``torchvision:NAME``, ``timm:NAME`` or ``package.module:callable``; ``@WEIGHTS`` may follow.
        num_classes: Number of classes; a callable that takes any options is given this one alone.
        in_channels: Channels of the images. Torchvision's networks take 3.
        options: Further options.

    Raises:
        ModelError: There is no such network.

    Example:
        >>> build_backbone("torch.nn:Flatten", num_classes=10, in_channels=1)
        Flatten(start_dim=1, end_dim=-1)
    """
    sizes: dict[str, Any] = {"num_classes": num_classes, "in_chans": in_channels, "in_channels": in_channels}
    taken = _OPTIONS.get(backbone.partition(":")[0]) or options_of(backbone)
    if taken is None:
        taken = {"num_classes"}
    return build(backbone, **{name: size for name, size in sizes.items() if name in taken}, **options)
