"""One activation module in several places, or called several times, looked at as if each had a module of its own.

While a model is looked at, stand-ins hang in the further places, and the code of an owner calls stand-ins where it calls
the module again::

    self.relu(self.bn2(self.conv2(self.relu(x))))      ->      self.relu_1(self.bn2(self.conv2(self.relu(x))))

So what a run shows, calls and roles, is told of each of them. Afterwards the model is as it was.
"""

from __future__ import annotations

import ast
import contextlib
import types
from collections.abc import Iterator
from dataclasses import dataclass

import torch.fx
from torch import nn

from lightning_acts.surgery.history import with_hooks_of_its_own
from lightning_acts.surgery.recognizing.modules import recognize
from lightning_acts.surgery.request import Share
from lightning_acts.surgery.rewriting.classes import Replaced, base_of, routes_of, set_routes, submodule_name
from lightning_acts.surgery.rewriting.reading import method_scopes, step_to
from lightning_acts.surgery.route import Route
from lightning_acts.surgery.source.functions import SourceError


@dataclass(frozen=True)
class Part:
    """What a stand-in stands for: a further place of a module, or a further call of it.

    Attributes:
        module: The module.
        owner: What holds it.
        name: Its name in the owner.
        submodule: The name of the stand-in, which is the same in a further place.
        index: The how manieth call it is, counted from 0 on; 0 for a place.
        route: To the call; None for a place.
        location: ``file:line`` of the call.
    """

    module: nn.Module
    owner: nn.Module
    name: str
    submodule: str
    index: int = 0
    route: Route | None = None
    location: str | None = None


@contextlib.contextmanager
def separated(model: nn.Module, share: Share) -> Iterator[tuple[dict[nn.Module, Part], list[str]]]:
    """Put stand-ins where modules are shared, for the length of a ``with`` block.

    Gives what each stands for, and notes on calls that can't have one.
    """
    parts: dict[nn.Module, Part] = {}
    notes: list[str] = []
    try:
        for owner, name, module, is_further in _slots(model) if share in ("place", "call") else ():
            further = [Part(module, owner, name, name)] if is_further else []
            for part in (*further, *(_further_calls(owner, name, module) if share == "call" else ())):
                stand_in = with_hooks_of_its_own(module)
                parts[stand_in] = part  # before it is there, so that an interruption leaves nothing
                try:
                    _put(stand_in, part)
                except SourceError as error:
                    _take_away(parts.pop(stand_in))
                    notes.append(f"self.{name} at {part.location} can't have an instance of its own: {error}")
        yield parts, notes
    finally:
        for part in reversed(parts.values()):
            _take_away(part)


def _put(stand_in: nn.Module, part: Part) -> None:
    part.owner._modules[part.submodule] = stand_in
    if part.route is not None:
        set_routes(part.owner, (*routes_of(type(part.owner)), Replaced(part.route, part.submodule)))


def _take_away(part: Part) -> None:
    if part.route is None:
        part.owner._modules[part.name] = part.module
        return
    present = routes_of(type(part.owner))
    set_routes(part.owner, tuple(entry for entry in present if entry != Replaced(part.route, part.submodule)))
    part.owner._modules.pop(part.submodule, None)


def _slots(model: nn.Module) -> list[tuple[nn.Module, str, nn.Module, bool]]:
    """Return the places of activation modules: owner, name, module, and whether another place of it came before."""
    seen: set[nn.Module] = set()
    found = []
    for owner in model.modules():
        for name, module in owner._modules.items():
            if module is not None and recognize(module) is not None:
                found.append((owner, name, module, module in seen))
                seen.add(module)
    return found


def _further_calls(owner: nn.Module, name: str, module: nn.Module) -> Iterator[Part]:
    """Yield the calls of a child in the code of its owner, beside the first one."""
    for index, (route, location) in enumerate(list(calls_of_child(owner, name).items())[1:], 1):
        yield Part(module, owner, name, submodule_name(owner, f"{name}_{index}"), index, route, location)


def calls_of_child(owner: nn.Module, name: str) -> dict[Route, str]:
    """Return the calls of a child in the code of its owner that no swap has replaced, each with ``file:line``."""
    calls: dict[Route, str] = {}
    if isinstance(owner, torch.fx.GraphModule):
        return calls
    cls = base_of(type(owner))
    replaced = {entry.route for entry in routes_of(type(owner))}
    for method in _methods(cls, name):
        for scope in method_scopes(cls, method):
            with contextlib.suppress(SourceError):
                for node in scope.source.expressions:
                    if not isinstance(node, ast.Call) or not scope.is_own_attribute(node.func):
                        continue
                    assert isinstance(node.func, ast.Attribute)
                    if scope.mangled(node.func.attr) == name:
                        route = Route((step_to(node, scope),), f"self.{name}")
                        calls[route] = f"{scope.function.__code__.co_filename}:{node.lineno}"
    return {route: location for route, location in calls.items() if route not in replaced}


def _methods(cls: type[nn.Module], attribute: str) -> list[str]:
    """Return the methods of the author that name an attribute, the forward first."""
    names = dict.fromkeys(
        name for base in cls.__mro__ if not base.__module__.startswith(("torch.", "builtins")) for name in vars(base)
    )
    order = sorted(names, key=lambda name: name not in ("forward", "__call__"))
    return [
        name
        for name in order
        if name != "__init__"
        and any(attribute in _names(scope.function.__code__) for scope in method_scopes(cls, name))
    ]


def _names(code: types.CodeType) -> set[str]:
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))
