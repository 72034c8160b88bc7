"""The learnable parameters of the activations in a model, apart from all the others."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.parameter import Parameter, UninitializedParameter

from lightning_acts.registry import definition_for


def activation_parameters(model: nn.Module) -> list[Parameter]:
    """The trained parameters of a model's activations, each once: slopes, thresholds, coefficients.

    Those of layers within an activation, such as the convolution of ``funnel_relu``, are weights and not among them.

    Args:
        model: Any module.

    Example:
        >>> import torch, lightning_acts as acts
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), acts.create("prelu", num_parameters=3))
        >>> [tuple(parameter.shape) for parameter in acts.activation_parameters(model)]
        [(3,)]
    """
    found: dict[Parameter, None] = {}
    for module in model.modules():
        definition = definition_for(module)
        if definition is not None and definition.kind != "transfer":
            found.update(dict.fromkeys(module.parameters(recurse=False)))
    return list(found)


def parameter_groups(model: nn.Module, **options: Any) -> list[dict[str, Any]]:
    """Two groups for an optimizer: all other parameters, and those of activations, which are not decayed.

    Weight decay would pull a slope or a threshold to 0, whatever 0 means for it.

    Args:
        model: Any module; parameters that are not trained are left out.
        options: Options of the optimizer for both groups, such as ``lr``; ``weight_decay`` for the first alone.

    Returns:
        The groups; only the first where no activation has parameters.

    Raises:
        ValueError: A parameter has no size before the first input.

    Example:
        >>> import torch, lightning_acts as acts
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.PReLU())
        >>> optimizer = torch.optim.AdamW(acts.parameter_groups(model, weight_decay=0.1))
        >>> [group["weight_decay"] for group in optimizer.param_groups]
        [0.1, 0.0]
    """
    for name, parameter in model.named_parameters():
        if isinstance(parameter, UninitializedParameter):
            raise ValueError(f"{name} has no size before its first input: run the model once before")
    apart = {parameter for parameter in activation_parameters(model) if parameter.requires_grad}
    others = [parameter for parameter in model.parameters() if parameter.requires_grad and parameter not in apart]
    groups: list[dict[str, Any]] = [{**options, "params": others}]
    if apart:
        ordered = [parameter for parameter in model.parameters() if parameter in apart]
        groups.append({**options, "params": ordered, "weight_decay": 0.0})
    return groups
