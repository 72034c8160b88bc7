"""Names of classes, functions and activations, as reports and plans write them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Hashable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn
from torch.overrides import resolve_name

from lightning_acts import factory, registry
from lightning_acts.spec import ActivationSpec


def module_name(name: str) -> str:
    """Return the name by which a module is imported, also of the script that runs: as which its file is imported.

    A script's module is called ``__main__``, and ``__mp_main__`` in the processes that it spawns.
    """
    if name not in ("__main__", "__mp_main__"):
        return name
    module = sys.modules.get(name)
    spec, file = getattr(module, "__spec__", None), getattr(module, "__file__", None)
    return spec.name if spec is not None else Path(file).stem if file else "__main__"


def imported(name: str) -> ModuleType | None:
    """Return the module of a name, if it is imported or is the script that runs."""
    if name not in sys.modules and name == module_name("__main__"):
        return sys.modules["__main__"]
    return sys.modules.get(name)


def type_name(cls: Any) -> str:
    """``package.module.Name`` of a class or function; a function of torch under its public name."""
    public = None if isinstance(cls, type) or not isinstance(cls, Hashable) else resolve_name(cls)
    if public is not None:
        return str(public)
    module = getattr(cls, "__module__", None)
    name = getattr(cls, "__qualname__", None) or getattr(cls, "__name__", repr(cls))
    name = str(name).removeprefix("_VariableFunctionsClass.")
    return f"{module_name(module)}.{name}" if module else name


def spec_or_none(activation: Any) -> str | None:
    """Return the spec string of a replacement; None for one that is not registered.

    Raises:
        SpecError: It is named by a name, spec or mapping that can't be understood.
    """
    if isinstance(activation, nn.Module):
        spec = factory.spec_of(activation)
        return None if spec is None else str(spec)
    if isinstance(activation, str):
        return _spec_of_text(activation, registry.version())
    if isinstance(activation, (Mapping, ActivationSpec)):
        return str(factory.resolve(activation))
    definition = registry.registered(activation)
    return None if definition is None else str(factory.resolve(activation))


@functools.lru_cache(maxsize=4096)
def _spec_of_text(text: str, version: int) -> str:
    return str(factory.resolve(text))


def describe(activation: Any) -> str | None:
    """Return the spec string, or the name of the class or function where there is none."""
    if activation is None:
        return None
    owner = type(activation) if isinstance(activation, nn.Module) else activation
    return spec_or_none(activation) or type_name(owner)
