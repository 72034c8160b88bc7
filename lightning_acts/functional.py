"""The activations as functions: ``functional.mish(x)``, ``functional.srelu(x, tr=2.0)``.

Every name and alias of the registry is here. An activation that torch defines is torch's own function; learnable
parameters are ordinary arguments, at their initial values by default.

Example:
    >>> import torch
    >>> from lightning_acts import functional
    >>> functional.penalized_tanh(torch.tensor([-20.0, 0.0]))
    tensor([-0.2500,  0.0000])
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from lightning_acts import catalogue, factory
from lightning_acts.definition import Definition
from lightning_acts.module import in_opmath
from lightning_acts.spec import SpecError


def __getattr__(name: str) -> Callable[..., torch.Tensor]:
    if name.startswith("__"):
        raise AttributeError(name)
    try:
        definition = factory.definition_of(name)
    except SpecError as error:
        raise AttributeError(str(error)) from None
    return _function_of(definition, name)


def __dir__() -> list[str]:
    return [name for name in catalogue.names() if factory.definition_of(name).kind != "transfer"]


def _function_of(definition: Definition, name: str) -> Callable[..., torch.Tensor]:
    if definition.module_class is None:
        return in_opmath(definition.target, definition.name)
    if not definition.functions:
        raise AttributeError(f"{definition.name} has no functional form: it is a module, see acts.create({name!r})")
    return definition.functions[0]
