"""The learnable parameters of the activations in a model, and groups of parameters for an optimizer."""

from __future__ import annotations

import re
from typing import Any

from torch import nn
from torch.nn.parameter import Parameter, UninitializedParameter
from torch.nn.utils.parametrize import is_parametrized

from lightning_acts.factory import definition_for

# Normalization layers of torch and of the packages that write their own: BatchNorm2d, RMSNorm, LlamaRMSNorm.
_NORM = re.compile(r"Norm(\dd)?$")


def activation_parameters(model: nn.Module) -> list[Parameter]:
    """Return the trained parameters of a model's activations, each once: slopes, thresholds, coefficients.

    Those of layers within an activation, such as the convolution of ``funnel_relu``, are weights and not among them.

    Args:
        model: Any module.

    Example:
        >>> import torch, lightning_acts as acts
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), acts.create("prelu", num_parameters=3))
        >>> [tuple(parameter.shape) for parameter in activation_parameters(model)]
        [(3,)]
    """
    found: dict[Parameter, None] = {}
    for module in model.modules():
        definition = definition_for(module)
        if definition is not None and definition.kind != "transfer":
            found.update(dict.fromkeys(module.parameters(recurse=False)))
            if is_parametrized(module):
                found.update(dict.fromkeys(module.get_submodule("parametrizations").parameters()))
    return list(found)


def parameter_groups(model: nn.Module, **options: Any) -> list[dict[str, Any]]:
    """Split the trained parameters into two groups for an optimizer: those with weight decay and those without.

    Not decayed are the parameters of activations, which decay would pull to 0, whatever 0 means for a slope or a
    threshold; those of normalization layers; every parameter with ``bias`` in its name; and all others of fewer than
    two dimensions. This is the usual rule (timm, transformers) and activations. The weights of linear, convolutional
    and embedding layers are decayed.

    Args:
        model: Any module; parameters that are not trained are left out.
        options: Options of the optimizer for both groups, such as ``lr``; ``weight_decay`` for the first alone.

    Returns:
        The decayed group, then the other one, unless it is empty.

    Raises:
        ValueError: A parameter has no size before the first input.

    Example:
        >>> import torch, lightning_acts as acts
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.PReLU(), torch.nn.LayerNorm(3))
        >>> optimizer = torch.optim.AdamW(acts.parameter_groups(model, weight_decay=0.1))
        >>> [(len(group["params"]), group["weight_decay"]) for group in optimizer.param_groups]
        [(1, 0.1), (4, 0.0)]
    """
    for name, parameter in model.named_parameters():
        if isinstance(parameter, UninitializedParameter):
            raise ValueError(f"{name} has no size before its first input: run the model once before")
    apart = {*activation_parameters(model)}
    for module in model.modules():
        if any(_NORM.search(cls.__name__) for cls in type(module).__mro__):
            apart.update(module.parameters(recurse=False))
    # A parameter that hangs in several places counts under each of its names.
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if parameter.dim() < 2 or "bias" in name.rpartition(".")[2]:
            apart.add(parameter)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [{**options, "params": [p for p in trained if p not in apart]}]
    if not apart.isdisjoint(trained):
        groups.append({**options, "params": [p for p in trained if p in apart], "weight_decay": 0.0})
    return groups
