"""Fused paths that torch's transformer modules chose when they were made, by the activation that they had then.

In eval mode a layer runs a fused kernel, and its encoder feeds nested tensors to the layers under a padding mask. Both
are right for the ReLU or GELU that stood there, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

#: A module, the flag that chooses its fused path, and the flag's value before.
FastPath = tuple[nn.Module, str, int | bool]


def in_use(model: nn.Module, changed: Iterable[nn.Module]) -> list[FastPath]:
    """Return the fused paths past modules that are changed, as far as they are on.

    Args:
        model: The model that holds them; the encoders around a changed layer are looked for in it.
        changed: The modules that are to hold another activation.
    """
    changed = set(changed)
    on: list[FastPath] = []
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoderLayer) and module in changed:
            on.append((module, "activation_relu_or_gelu", module.activation_relu_or_gelu))
        elif isinstance(module, nn.TransformerEncoder) and not changed.isdisjoint(module.layers.modules()):
            on.append((module, "use_nested_tensor", getattr(module, "use_nested_tensor", False)))
    return [(module, name, value) for module, name, value in on if value]


def notes(model: nn.Module, paths: Iterable[FastPath]) -> list[str]:
    """Return what a reader should know of paths that were switched off."""
    names = {module: name for name, module in model.named_modules()}
    off = [(names[module] or "the model", name) for module, name, _ in paths]
    padded = [path for path, name in off if name == "use_nested_tensor"]
    covered = {
        layer
        for encoder in model.modules()
        if isinstance(encoder, nn.TransformerEncoder)
        for layer in encoder.layers.modules()
    }
    alone = [
        names[module] or "the model"
        for module, name, _ in paths
        if name != "use_nested_tensor" and module not in covered
    ]
    said = []
    if padded:
        said.append(
            f"{', '.join(padded)}: under a padding mask in eval mode the fused path has set what is padded to 0; "
            "without that path it holds what the layers compute there, as in train mode"
        )
    if alone:
        said.append(
            f"{', '.join(alone)}: an nn.TransformerEncoder around it that is not part of this model may still hand it "
            "nested tensors (eval mode, padding mask): swap the encoder, or set its use_nested_tensor to False"
        )
    return said
