"""Initial weights for an activation: scaled so that signals, or gradients, keep their size from layer to layer."""

from __future__ import annotations

import math
from typing import Literal, TypeVar

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils.parametrize import is_parametrized

from lightning_acts.factory import ActivationLike, definition_of, resolve
from lightning_acts.measuring import measured
from lightning_acts.spec import SpecError

Mode = Literal["forward", "backward"]
Module = TypeVar("Module", bound=nn.Module)

_LAYERS = (nn.Linear, _ConvNd)


def gain(activation: ActivationLike, mode: Mode = "forward") -> float:
    r"""Return what the weights after an activation are scaled by, so that the variance of the next layer's sums stays 1.

    For weights of mean 0 and variance :math:`g^2 / n`, n the fan, it is :math:`g = E[f(z)^2]^{-1/2}` forward and
    :math:`g = E[f'(z)^2]^{-1/2}` backward, z standard normal (He et al. 2015, arXiv:1502.01852, for ReLU). What such
    weights keep is the second moment of the activations, not their variance: it is the variance over the neurons, for
    each input by itself.

    Two things no gain does, whatever its value:

    - Where the mean :math:`E[f(z)]` is not 0, as for sigmoid, ReLU and GELU, all inputs become more alike from layer to
      layer: the variance over the inputs, neuron by neuron, fades although that over the neurons stays. Where it is 0,
      as for tanh and sine, both stay. ``acts.names(zero_centered=True)`` lists these.
    - For an activation whose :attr:`~lightning_acts.measuring.Measured.stability` is ``"unstable"``, as SiLU, GELU and
      Mish, a small deviation of the variance grows from layer to layer, until the signal is 0 or infinite. It is
      ``"marginal"`` for ReLU: the deviations by chance of layers of finite width add up, here by some 10 % a layer of
      512. ``acts.names(stability="stable")`` lists those whose deviations fade. Poole et al. 2016, arXiv:1606.05340.

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
    facts = measured(definition, spec.parameters)
    if facts is None:
        raise SpecError(f"{spec} has no gain: it has no curve of real numbers ({definition.kind})")
    value = facts.forward_gain if mode == "forward" else facts.backward_gain
    if value is None:
        moment = facts.second_moment if mode == "forward" else facts.slope
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
    r"""Initialize the linear and convolutional layers of a module, in place, for an activation between them.

    Weights get the mean 0 and the deviation :math:`g / \sqrt{n}`, g the :func:`gain` and n the number of
    weights that meet in one output (forward) or in the gradient of one input (backward), whatever the groups and
    strides; biases are 0.

    Args:
        module: A layer, or a module with such layers in it: all of them are initialized.
        activation: As for :func:`gain`.
        mode: As for :func:`gain`.
        distribution: ``"normal"`` or ``"uniform"``.

    Returns:
        The module.

    Raises:
        SpecError: The activation has no such gain.
        ValueError: There is no such layer in the module, or one has not seen its first input yet, or its weight is
            parametrized, as by weight_norm.

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
    for layer in layers:
        if is_parametrized(layer, "weight"):
            raise ValueError(
                f"init_: the weight of a {type(layer).__bases__[0].__name__} is parametrized: initialize it before"
            )
    with torch.no_grad():
        for layer in layers:
            deviation = scale / math.sqrt(_fan(layer, mode))
            if distribution == "normal":
                layer.weight.normal_(0.0, deviation)
            else:
                layer.weight.uniform_(-math.sqrt(3) * deviation, math.sqrt(3) * deviation)
            if layer.bias is not None:
                layer.bias.zero_()
    return module


def _fan(layer: nn.Module, mode: Mode) -> float:
    """Return how many weights meet in one output (forward) or in the gradient of one input (backward), on average."""
    if isinstance(layer, nn.Linear):
        return layer.in_features if mode == "forward" else layer.out_features
    assert isinstance(layer, _ConvNd)
    # torch.nn.init takes neither transposition nor groups nor strides into account.
    spread = layer.transposed == (mode == "forward")
    channels = layer.in_channels if mode == "forward" else layer.out_channels
    return channels / layer.groups * math.prod(layer.kernel_size) / (math.prod(layer.stride) if spread else 1)
