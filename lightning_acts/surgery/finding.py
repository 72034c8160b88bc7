"""Every site of a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from lightning_acts import registry
from lightning_acts.surgery.observing import Observation, observe, plain_path
from lightning_acts.surgery.recognition import recognise
from lightning_acts.surgery.roles import chain_to, is_metric, role_of
from lightning_acts.surgery.site import Site, type_name


@dataclass(frozen=True)
class ModuleSite:
    """A site that is a module, with what a replacement needs: the module and every slot that holds it."""

    site: Site
    module: nn.Module
    path_in_tree: str
    slots: tuple[tuple[nn.Module, str], ...]


@dataclass(frozen=True)
class Found:
    """All sites of a model: modules, which can be replaced, and others, which are reported."""

    modules: list[ModuleSite]
    others: list[Site]
    notes: list[str]

    @property
    def sites(self) -> list[Site]:
        """All of them."""
        return [*(located.site for located in self.modules), *self.others]


def find(model: nn.Module, example_input: Any = None) -> list[Site]:
    """The sites of a model: where it applies activations, which ones, and in which role.

    Args:
        model: Any module; it is left as it was.
        example_input: A batch for it: a tensor, a tuple of positional or a mapping of keyword arguments. With it,
            calls of activation functions in forwards (``F.relu(x)``) are found too, and calls are counted.

    Raises:
        SwapError: The model does not run on ``example_input``.

    Example:
        >>> import lightning_acts as acts
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2), nn.Softmax(dim=1))
        >>> for site in acts.find(model):
        ...     print(site)
        1: relu, module, hidden (unbounded)
        3: softmax(dim=1), module, output (normalises, last of the model)
    """
    return locate(model, example_input).sites


def locate(model: nn.Module, example_input: Any = None) -> Found:
    """As :func:`find`, with the modules and their slots."""
    names: dict[nn.Module, list[str]] = {}
    slots: dict[nn.Module, dict[tuple[int, str], tuple[nn.Module, str]]] = {}
    for name, parent, child, module in _walk(model):
        names.setdefault(module, []).append(name)
        slots.setdefault(module, {})[id(parent), child] = (parent, child)
    modules = []
    for module, paths in names.items():
        activation = recognise(module)
        if activation is None:
            continue
        role, reason = role_of(activation, chain_to(model, paths[0]))
        plain = tuple(plain_path(path) for path in paths)
        site = Site(plain[0], plain, "module", activation, role, reason, type_name(type(module)))
        modules.append(ModuleSite(site, module, paths[0], tuple(slots[module].values())))
    attributes = list(_function_attributes(model, {located.module for located in modules}))
    observation = Observation()
    if example_input is not None:
        observation = observe(model, example_input, {located.module for located in modules})
        modules = [
            replace(located, site=replace(located.site, calls=observation.calls[located.module])) for located in modules
        ]
    scripted = [name for name, module in model.named_modules() if isinstance(module, torch.jit.ScriptModule)]
    notes = [f"{name}: TorchScript, whose activations can't be seen" for name in scripted]
    return Found(modules, _merged(attributes, observation.functions), [*observation.notes, *notes])


def _merged(attributes: list[Site], calls: list[Site]) -> list[Site]:
    """Both kinds of functions, where the calls of one that is kept in an attribute are not a second site."""
    merged = []
    for attribute in attributes:
        owner = attribute.path.rpartition(".")[0]
        own = [
            call
            for call in calls
            if "/".join(call.path.split("/")[:-2]) == owner and call.activation == attribute.activation
        ]
        calls = [call for call in calls if call not in own]
        merged.append(replace(attribute, calls=sum(call.calls or 0 for call in own)) if own else attribute)
    return [*merged, *calls]


def _walk(model: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module, str, nn.Module]]:
    """Every slot below ``model``, undeduplicated: path, parent, name in the parent, module. Metrics are left out."""
    for name, child in model._modules.items():
        if child is None or is_metric(child) or isinstance(child, ParametrizationList):
            continue
        path = f"{prefix}{name}"
        if isinstance(child, torch.jit.ScriptModule):
            continue
        yield path, model, name, child
        yield from _walk(child, f"{path}.")


def _function_attributes(model: nn.Module, activation_modules: set[nn.Module]) -> Iterator[Site]:
    """Activation functions that modules keep in attributes, as ``TransformerEncoderLayer.activation`` does."""
    for name, module in model.named_modules():
        if (
            isinstance(module, torch.jit.ScriptModule)
            or is_metric(module)
            or module in activation_modules
            or registry.spec_of(module) is not None
        ):
            continue
        for attribute, value in vars(module).items():
            if attribute.startswith("_") or isinstance(value, (nn.Module, type)) or not callable(value):
                continue
            definition = registry.by_function(value)
            if definition is None or definition.kind == "transfer":
                continue
            path = plain_path(f"{name}.{attribute}" if name else attribute)
            yield Site(
                path,
                (path,),
                "attribute",
                definition.name,
                "hidden",
                "a function kept in an attribute",
                type_name(value),
            )
