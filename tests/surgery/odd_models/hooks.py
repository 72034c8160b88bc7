"""Parametrizations, hooks and tied weights."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from odd_models.case import case
from odd_models.methods import Property
from odd_models.spellings import CallsF
from odd_models.twins import Once, ScaledTwin, Twice


@case("a parametrized layer", lambda act: _normed(Once(act)))
def with_weight_norm() -> nn.Module:
    return _normed(CallsF())


def _normed(model: nn.Module) -> nn.Module:
    weight_norm(model.a)
    return model


class Exponential(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.exp()


def _positive(model: nn.Module) -> nn.Module:
    parametrize.register_parametrization(model, "scale", Exponential())
    return model


@case(
    "the module with the call is itself parametrized", lambda act: _positive(ScaledTwin(act)), role=("hidden", "gate")
)
def parametrized_itself() -> nn.Module:
    return _positive(Property())


def _times_two(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    return output * 2.0


def _hooked(model: nn.Module) -> nn.Module:
    model.a.register_forward_hook(_times_two)
    model.register_forward_hook(_times_two)
    return model


@case("hooks on the model and a layer", lambda act: _hooked(Once(act)))
def hooked() -> nn.Module:
    return _hooked(CallsF())


def _activating_hook(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    return F.relu(output)


def _activating(model: nn.Module) -> nn.Module:
    model.b.register_forward_hook(_activating_hook)
    return model


@case("a hook that calls", Twice, 2, kinds="", left="hook", otherwise=lambda act: _activating(Once(act)))
def hook_calls() -> nn.Module:
    return _activating(CallsF())


@case("tied weights", lambda act: _tied(Once(act)))
def tied() -> nn.Module:
    return _tied(CallsF())


def _tied(model: nn.Module) -> nn.Module:
    model.b.weight = model.a.weight
    return model
