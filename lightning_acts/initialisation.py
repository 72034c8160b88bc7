"""Initial weights for an activation: scaled so that signals, or gradients, keep their variance from layer to layer."""

from __future__ import annotations

from typing import Literal, TypeVar

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from lightning_acts.measuring import measure
from lightning_acts.registry import ActivationLike, definition_of, resolve
from lightning_acts.spec import SpecError

Mode = Literal["forward", "backward"]
Module = TypeVar("Module", bound=nn.Module)

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def gain(activation: ActivationLike, mode: Mode = "forward") -> float:
    r"""What the weights before an activation are scaled by, so that the variance stays 1.

    For weights of the variance :math:`g^2 / n`, n the fan, it is :math:`g = E[f(z)^2]^{-1/2}` forward and
    :math:`g = E[f'(z)^2]^{-1/2}` backward, z standard normal; He et al. 2015, arXiv:1502.01852, for ReLU.

    Args:
        activation: Anything registered that :func:`lightning_acts.create` takes, if it is elementwise.
        mode: ``"forward"`` keeps the second moment of the signal, ``"backward"`` the variance of the gradient.

    Raises:
        SpecError: No gain can keep it: the activation is not elementwise, or the moment is 0 or infinite.
        ValueError: The mode is neither.

    Example:
        >>> import lightning_acts as acts
        >>> round(acts.gain("relu"), 6), round(acts.gain("tanh"), 4)
        (1.414214, 1.5925)
    """
    if mode not in ("forward", "backward"):
        raise ValueError(f"gain(mode={mode!r}): 'forward' or 'backward'")
    spec = resolve(activation)
    definition = definition_of(spec)
    measured = measure(definition, spec.parameters) if spec.parameters else definition.measured
    if measured is None:
        raise SpecError(f"{spec} has no gain: it has no curve of real numbers ({definition.kind})")
    value = measured.forward_gain if mode == "forward" else measured.backward_gain
    if value is None:
        moment = measured.second_moment if mode == "forward" else measured.slope
        what = "E[f(z)^2]" if mode == "forward" else "E[f'(z)^2]"
        raise SpecError(f"{spec} has no {mode} gain: {what} is {moment:g} for a standard normal input")
    return value


def init_(
    module: Module,
    activation: ActivationLike,
    *,
    mode: Mode = "forward",
    distribution: Literal["normal", "uniform"] = "normal",
) -> Module:
    r"""Initialise the linear and convolutional layers of a module, in place, for an activation that follows them.

    Weights get the mean 0 and the deviation :math:`g / \\sqrt{n}`, g the :func:`gain` and n the fan in (forward) or the
    fan out (backward); biases 0.

    Args:
        module: A layer, or a module with such layers in it: all of them are initialised.
        activation: As for :func:`gain`.
        mode: As for :func:`gain`.
        distribution: ``"normal"`` or ``"uniform"``.

    Returns:
        The module.

    Raises:
        SpecError: The activation has no such gain.
        ValueError: There is no such layer in the module, or one has not seen its first input yet.

    Example:
        >>> import torch, lightning_acts as acts
        >>> layer = acts.init_(torch.nn.Linear(512, 512), "mish")
        >>> abs(layer.weight.std().item() * 512**0.5 / acts.gain("mish") - 1) < 0.02
        True
    """
    if distribution not in ("normal", "uniform"):
        raise ValueError(f"init_(distribution={distribution!r}): 'normal' or 'uniform'")
    scale = gain(activation, mode)
    layers = [layer for layer in module.modules() if isinstance(layer, _LAYERS)]
    if not layers:
        raise ValueError(f"init_: {type(module).__name__} holds no linear or convolutional layer")
    if any(isinstance(layer.weight, UninitializedParameter) for layer in layers):
        raise ValueError("init_: a lazy layer has no size before its first input: run the module once before")
    fill = nn.init.kaiming_normal_ if distribution == "normal" else nn.init.kaiming_uniform_
    with torch.no_grad():
        for layer in layers:
            fill(layer.weight, mode="fan_in" if mode == "forward" else "fan_out", nonlinearity="linear")
            layer.weight.mul_(scale)
            if layer.bias is not None:
                layer.bias.zero_()
    return module
