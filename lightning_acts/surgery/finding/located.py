"""Sites with what a swap needs of them: what stands there, what is around it, and the change that replaces it.

A kind of site is a class here, which :mod:`~lightning_acts.surgery.finding.sites` finds, and an
:class:`~lightning_acts.surgery.history.Exchange` that it is replaced by.
"""

from __future__ import annotations

import types
from dataclasses import dataclass

import torch
import torch.fx
from torch import nn

from lightning_acts.surgery.finding.separating import calls_of_child
from lightning_acts.surgery.history import (
    AttributeExchange,
    CallExchange,
    Exchange,
    GraphExchange,
    ModuleExchange,
    has_hooks,
)
from lightning_acts.surgery.rewriting import graphs
from lightning_acts.surgery.rewriting.classes import base_of, is_in_loop, obstacle_to, reading_of, submodule_name
from lightning_acts.surgery.rewriting.in_place import writes_into_its_input
from lightning_acts.surgery.rewriting.reading import function_name, method_scopes
from lightning_acts.surgery.route import Route
from lightning_acts.surgery.site import Site
from lightning_acts.surgery.source.functions import layers


@dataclass(frozen=True)
class ModuleSite:
    """A site that is a module, with what a replacement needs: the module, and its slots in what holds it."""

    site: Site
    module: nn.Module
    path_in_tree: str
    slots: tuple[tuple[nn.Module, str], ...]
    obstacle: str | None = None
    is_part: bool = False

    @property
    def around(self) -> list[nn.Module]:
        """What tells the mode, device and type of a replacement, the nearest first; beside what holds the place."""
        return [self.module]

    @property
    def calls_a_function(self) -> bool:
        """Whether a function is called there, and no module."""
        return False

    @property
    def is_in_loop(self) -> bool:
        """Whether the call is written in a loop."""
        first = [(owner, route) for owner, name in self.slots for route in list(calls_of_child(owner, name))[:1]]
        return any(is_in_loop(owner, route) for owner, route in first)

    def first_obstacle(self) -> str | None:
        """Return why the module can't be replaced; None where it can."""
        return _HOOKED if self.is_part and has_hooks(self.module) else self.obstacle

    def changes(self, new: nn.Module, requested: str | None, is_of_the_user: bool) -> list[tuple[nn.Module, Exchange]]:
        """Return what puts a replacement there, each with the module to change."""
        was = self.site.original
        return [
            (parent, ModuleExchange(name, requested, new, was, self.module, not self.is_part, is_of_the_user))
            for parent, name in self.slots
        ]


@dataclass(frozen=True)
class CallSite:
    """A site that is a call, in the code of ``owner`` or in what it leads to; without a route it can't be replaced.

    Where a child of the owner is called again, ``module`` is the child. With ``write_back=False`` nothing is written into
    the input, also where the original does. ``doubt`` says why the function may be no activation there.
    """

    site: Site
    owner: nn.Module
    path_in_tree: str
    route: Route
    name: str
    obstacle: str | None = None
    is_formula: bool = False
    module: nn.Module | None = None
    write_back: bool = True
    doubt: str | None = None

    @property
    def around(self) -> list[nn.Module]:
        """What tells the mode, device and type of a replacement, the nearest first."""
        return [self.owner] if self.module is None else [self.module, self.owner]

    @property
    def calls_a_function(self) -> bool:
        """Whether a function is called there, and no module."""
        return self.module is None

    @property
    def is_in_loop(self) -> bool:
        """Whether the call is written in a loop."""
        return is_in_loop(self.owner, self.route)

    def first_obstacle(self) -> str | None:
        """Return why the call can't be replaced; None where it can."""
        if isinstance(self.owner, torch.fx.GraphModule):
            reason = self.obstacle or graphs.obstacle_to(self.owner, self.route, self.write_back)
        else:
            hooked = _HOOKED if self.module is not None and has_hooks(self.module) else None
            written = obstacle_to(self.owner, self.route, self.write_back)
            reason = hooked or self.obstacle or _bound_before(self.owner, self.route) or written
        return None if reason is None else f"the call can't be replaced: {reason}"

    def changes(self, new: nn.Module, requested: str | None, is_of_the_user: bool) -> list[tuple[nn.Module, Exchange]]:
        """Return what puts a replacement there, with the module to change."""
        name = submodule_name(self.owner, self.name)
        kind = GraphExchange if isinstance(self.owner, torch.fx.GraphModule) else CallExchange
        path, was = "/".join(self.site.path.split("/")[-2:]), self.site.original
        return [(self.owner, kind(path, requested, new, was, self.route, name, self.module, self.write_back))]


@dataclass(frozen=True)
class AttributeSite:
    """A site that is a function which a module keeps in an attribute; ``doubt`` as for a call."""

    site: Site
    owner: nn.Module
    path_in_tree: str
    attribute: str
    obstacle: str | None = None
    doubt: str | None = None

    @property
    def around(self) -> list[nn.Module]:
        """What tells the mode, device and type of a replacement, the nearest first."""
        return [self.owner]

    @property
    def module(self) -> None:
        """The module that is called there: none."""
        return None

    @property
    def calls_a_function(self) -> bool:
        """Whether a function is called there, and no module."""
        return True

    @property
    def is_in_loop(self) -> bool:
        """Whether the call is written in a loop, which an attribute doesn't tell."""
        return False

    def first_obstacle(self) -> str | None:
        """Return why the attribute can't be replaced; None where it can."""
        if self.obstacle is not None:
            return self.obstacle
        if self.attribute in reading_of(type(self.owner)).compared:
            return "its module compares it with another function: with a module there, it would take another way"
        reason = obstacle_to(self.owner, Route((), ""))
        return None if reason is None else f"its module can't be changed: {reason}"

    def changes(self, new: nn.Module, requested: str | None, is_of_the_user: bool) -> list[tuple[nn.Module, Exchange]]:
        """Return what puts a replacement there, with the module to change."""
        original = vars(self.owner)[self.attribute]
        return [(self.owner, AttributeExchange(self.attribute, requested, new, self.site.original, original))]


_HOOKED = "the module has hooks, which lie on the first of its places and calls: remove them first"


def _bound_before(owner: nn.Module, route: Route) -> str | None:
    """Return where the module keeps the method itself, past its class, in the words of an obstacle."""
    for name, value in vars(owner).items():
        if name == "forward":
            holds_it = True
        elif isinstance(value, types.MethodType) and value.__self__ is owner:
            holds_it = any(function_name(f) == route.steps[0].function for f in layers(value.__func__))
        else:
            methods = method_scopes(base_of(type(owner)), name) if callable(value) else []
            holds_it = any(function_name(method.function) == route.steps[0].function for method in methods)
        if holds_it:
            return f"the instance keeps the method {name!r} in an attribute, past its class"
    return None


Located = ModuleSite | CallSite | AttributeSite


def works_in_place_there(located: Located) -> bool:
    """Check whether a site is a module that works in place, or a further call of one."""
    return located.module is not None and writes_into_its_input(located.module)
