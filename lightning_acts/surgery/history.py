"""The swaps that were made in a model, and the way back.

They are kept in an attribute of the model that is no module and no parameter: not in ``state_dict``, not in
``parameters()``, and copied together with the model, so that a deep copy restores its own copies.
"""

from __future__ import annotations

import copy
import itertools
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.fx
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.utils.hooks import RemovableHandle

from lightning_acts.surgery import graphs
from lightning_acts.surgery.fast_paths import FastPath, switch_on
from lightning_acts.surgery.plan import Plan, Request
from lightning_acts.surgery.rewriting import routes_of, set_routes, written_back
from lightning_acts.surgery.routes import Route
from lightning_acts.surgery.site import SwapError

_ATTRIBUTE = "_lightning_acts_swaps"
# What users hang on a module: shared with the replacement, so that the handles which they hold go on working.
_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_is_full_backward_hook",
)


@dataclass(eq=False)
class Exchange(ABC):
    """One activation that took the place of another.

    Attributes:
        path: Where, as the site is called.
        requested: The spec that was asked for; None where there is none.
        replacement: The module that stands there now.
    """

    path: str
    requested: str | None
    replacement: nn.Module

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the replacement in the module that holds it."""

    @property
    @abstractmethod
    def holders(self) -> tuple[nn.Module, ...]:
        """The modules that hold the replacement."""

    @abstractmethod
    def install(self) -> None:
        """Put the replacement in its place."""

    @abstractmethod
    def take_back(self) -> bool:
        """Put the original back; whether it went everywhere where it had been."""

    @abstractmethod
    def is_intact(self) -> bool:
        """Whether the replacement still stands wherever it was put."""


@dataclass(eq=False)
class ModuleExchange(Exchange):
    """A module in the slots of another one: parent and name in the parent."""

    original: nn.Module
    slots: tuple[tuple[nn.Module, str], ...]
    own_hooks: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:  # noqa: D102
        return self.slots[0][1]

    @property
    def holders(self) -> tuple[nn.Module, ...]:  # noqa: D102
        return tuple(parent for parent, _ in self.slots)

    def install(self) -> None:  # noqa: D102
        self.own_hooks = {name: vars(self.replacement)[name] for name in _HOOKS}
        self._share_hooks()
        for parent, name in self.slots:
            _put(parent, name, self.replacement)

    def take_back(self) -> bool:  # noqa: D102
        if isinstance(self.replacement, LazyModuleMixin):
            # Its hooks are the original's: the one that would size it must not stay there.
            self.replacement._initialize_hook.remove()
        vars(self.replacement).update(self.own_hooks)
        whole = self.is_intact()
        for parent, name in self.slots:
            if parent._modules.get(name) is self.replacement:
                _put(parent, name, self.original)
        return whole

    def is_intact(self) -> bool:  # noqa: D102
        return all(parent._modules.get(name) is self.replacement for parent, name in self.slots)

    def _share_hooks(self) -> None:
        new: Any = self.replacement
        lazy = isinstance(new, LazyModuleMixin)
        if lazy:
            new._initialize_hook.remove()
        for name in _HOOKS:
            vars(new)[name] = vars(self.original)[name]
        if lazy:
            new._initialize_hook = new.register_forward_pre_hook(new._infer_parameters, with_kwargs=True)


@dataclass(eq=False)
class CallExchange(Exchange):
    """A new submodule that the code of ``owner`` calls where it called a function."""

    owner: nn.Module
    route: Route
    submodule: str

    @property
    def name(self) -> str:  # noqa: D102
        return self.submodule

    @property
    def holders(self) -> tuple[nn.Module, ...]:  # noqa: D102
        return (self.owner,)

    def install(self) -> None:  # noqa: D102
        self.owner._modules[self.submodule] = self.replacement
        set_routes(self.owner, (*routes_of(type(self.owner)), (self.route, self.submodule)))

    def take_back(self) -> bool:  # noqa: D102
        whole = self.is_intact()
        # Each half by itself: the installation may have failed between them.
        mine, present = (self.route, self.submodule), routes_of(type(self.owner))
        if mine in present:
            set_routes(self.owner, tuple(entry for entry in present if entry != mine))
        if self.owner._modules.get(self.submodule) is self.replacement:
            del self.owner._modules[self.submodule]
        return whole

    @property
    def writes_back(self) -> bool:
        """Whether the result is written into the input, because somebody else reads that."""
        return self.submodule in written_back(type(self.owner))

    def is_intact(self) -> bool:  # noqa: D102
        replaced = (self.route, self.submodule) in routes_of(type(self.owner))
        return replaced and self.owner._modules.get(self.submodule) is self.replacement


@dataclass(eq=False)
class GraphExchange(CallExchange):
    """A new submodule that the graph of ``owner`` calls where it called a function."""

    owner: torch.fx.GraphModule
    originals: dict[str, graphs.Original] = field(default_factory=dict)

    def install(self) -> None:  # noqa: D102
        self.originals = graphs.originals(self.owner, self.route)
        self.owner._modules[self.submodule] = self.replacement
        graphs.replace(self.owner, self.route, self.submodule)

    def take_back(self) -> bool:  # noqa: D102
        whole = self.is_intact()
        graphs.bring_back(self.owner, self.replacement, self.originals)
        if self.owner._modules.get(self.submodule) is self.replacement:
            del self.owner._modules[self.submodule]
        return whole

    @property
    def writes_back(self) -> bool:  # noqa: D102
        return any(original.writes_back for original in self.originals.values())

    def is_intact(self) -> bool:  # noqa: D102
        return graphs.is_replaced(self.owner, self.replacement, self.originals)


@dataclass(eq=False)
class AttributeExchange(Exchange):
    """A submodule in the place of a function that ``owner`` kept in an attribute."""

    owner: nn.Module
    attribute: str
    original: Any

    @property
    def name(self) -> str:  # noqa: D102
        return self.attribute

    @property
    def holders(self) -> tuple[nn.Module, ...]:  # noqa: D102
        return (self.owner,)

    def install(self) -> None:  # noqa: D102
        del vars(self.owner)[self.attribute]
        self.owner._modules[self.attribute] = self.replacement
        if type(self.owner).__setstate__ is not nn.Module.__setstate__:
            set_routes(self.owner, (*routes_of(type(self.owner)), self._mark))

    def take_back(self) -> bool:  # noqa: D102
        if not self.is_intact():
            return False
        set_routes(self.owner, tuple(entry for entry in routes_of(type(self.owner)) if entry != self._mark))
        del self.owner._modules[self.attribute]
        vars(self.owner)[self.attribute] = self.original
        return True

    @property
    def _mark(self) -> tuple[Route, str]:
        return Route((), ""), self.attribute

    def is_intact(self) -> bool:  # noqa: D102
        return self.owner._modules.get(self.attribute) is self.replacement


@dataclass(eq=False)
class Swap:
    """One swap as it was made.

    Attributes:
        request: What was asked; None where an activation has no spec.
        plan: What was done; None where a replacement has no spec.
        exchanges: The modules.
        number: Swaps of a whole and of its parts are undone in the reverse of this order.
        fast_paths: The fused paths that were switched off.
        handles: The hooks by which checkpoints of Lightning keep the swap.
    """

    request: Request | None
    plan: Plan | None
    exchanges: list[Exchange]
    fast_paths: list[FastPath]
    number: int = field(default_factory=itertools.count().__next__)
    handles: list[RemovableHandle] = field(default_factory=list)


def _put(parent: Any, name: str, module: nn.Module) -> None:
    parent._modules[name] = module
    if name == "_orig_mod" and hasattr(parent, "dynamo_ctx"):
        # The forward of torch.compile's wrapper is bound to the module that it was made of.
        parent._initialize()


def has_hooks(module: nn.Module) -> bool:
    """Whether anybody has hung hooks on a module."""
    return any(getattr(module, name) for name in _HOOKS)


def swaps_of(model: nn.Module) -> list[Swap]:
    """The swaps of ``model``, the first one first; a copy of the list."""
    return list(vars(model).get(_ATTRIBUTE, ()))


def plans_of(model: nn.Module) -> list[Plan]:
    """The plans of the swaps of a model, the first one first.

    Raises:
        SwapError: A replacement has no spec.
    """
    swaps = swaps_of(model)
    unnamed = [made.exchanges[0].replacement for made in swaps if made.plan is None]
    if unnamed:
        raise SwapError(f"no file can name {unnamed[0]!r}: register it with lightning_acts.register, or undo the swap")
    return [made.plan for made in swaps if made.plan is not None]


def keep(model: nn.Module, swaps: list[Swap]) -> None:
    """Remember these swaps of a model, and no others."""
    # Straight into the dictionary: the model's class may have a __setattr__ of its own.
    if swaps:
        vars(model)[_ATTRIBUTE] = swaps
    else:
        vars(model).pop(_ATTRIBUTE, None)
    if isinstance(model, torch.fx.GraphModule):
        _carry(model, bool(swaps))


def _carry(model: torch.fx.GraphModule, carries: bool) -> None:
    """Let copies and pickles of a GraphModule, which are made of its graph, keep its swaps; its class is its alone."""
    cls: Any = type(model)
    for name, method in (("__deepcopy__", _deepcopy), ("__reduce_ex__", _reduce_ex)):
        if carries:
            setattr(cls, name, method)
        elif name in vars(cls):
            delattr(cls, name)


def _deepcopy(self: Any, memo: dict[int, Any]) -> Any:
    copied = super(type(self), self).__deepcopy__(memo)
    keep(copied, copy.deepcopy(swaps_of(self), memo))
    return copied


def _reduce_ex(self: Any, protocol: Any) -> Any:
    swaps = vars(self).pop(_ATTRIBUTE)
    try:
        reduced = super(type(self), self).__reduce_ex__(protocol)
    finally:
        vars(self)[_ATTRIBUTE] = swaps
    # Set afterwards, because they refer to the module.
    return (*reduced[:2], swaps, None, None, keep)


def recompile(exchanges: Iterable[Exchange]) -> None:
    """Generate the code of the graphs that were edited: once for all of a swap, because it takes long."""
    for owner in dict.fromkeys(exchange.owner for exchange in exchanges if isinstance(exchange, GraphExchange)):
        graphs.recompile(owner)
        keep(owner, swaps_of(owner))  # its class is another one now


def undo(model: nn.Module, swap: Swap) -> None:
    """Undo the last swap of ``model``.

    Raises:
        SwapError: It is not the last one, or undone already.
    """
    swaps = swaps_of(model)
    if swap not in swaps:
        raise SwapError("this swap was undone already")
    if swap is not swaps[-1]:
        raise SwapError(
            f"{len(swaps) - 1 - swaps.index(swap)} later swap(s) of this model must be undone first; acts.restore undoes all"
        )
    for exchange in reversed(swap.exchanges):
        _put_back(model, exchange)
    recompile(swap.exchanges)
    switch_on(swap.fast_paths)
    for handle in swap.handles:
        handle.remove()
    keep(model, swaps[:-1])


def restore(model: nn.Module) -> None:
    """Undo every swap of a model, and of modules within it: the very same module objects come back.

    Trained weights stay as they are. A model that was never swapped is left alone.

    Example:
        >>> import lightning_acts as acts
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        >>> relu = model[1]
        >>> _ = acts.swap(model, {"relu": "mish"})
        >>> acts.restore(model)
        >>> model[1] is relu
        True
    """
    made = [(swap.number, swap, module) for module in model.modules() for swap in swaps_of(module)]
    for _, swap, module in sorted(made, key=lambda entry: -entry[0]):
        undo(module, swap)


def forget_lost(model: nn.Module) -> bool:
    """Forget exchanges that are gone because a part of the model was built anew since; whether there were any."""
    present = set(model.modules())
    lost = False
    kept: list[Swap] = []
    swapped_later: set[nn.Module] = set()
    for swap in reversed(swaps_of(model)):
        still = [
            exchange
            for exchange in swap.exchanges
            if present.issuperset(exchange.holders) and (exchange.is_intact() or exchange.replacement in swapped_later)
        ]
        swapped_later.update(exchange.original for exchange in still if isinstance(exchange, ModuleExchange))
        if len(still) < len(swap.exchanges):
            lost = True
            paths = {exchange.path for exchange in still}
            plan = swap.plan and replace(
                swap.plan, sites=tuple(site for site in swap.plan.sites if site.paths[0] in paths)
            )
            swap = Swap(swap.request, plan, still, swap.fast_paths, swap.number, swap.handles)
        if still:
            kept.append(swap)
    keep(model, kept[::-1])
    return lost


def replacements_of(model: nn.Module, request: Request) -> set[nn.Module]:
    """Return what stands where the swaps of a request have put something, also after later swaps of it."""
    standing: set[nn.Module] = set()
    for swap in swaps_of(model):
        for exchange in swap.exchanges:
            if swap.request == request or (isinstance(exchange, ModuleExchange) and exchange.original in standing):
                standing.add(exchange.replacement)
    return standing


def placement(*modules: nn.Module) -> tuple[torch.device, torch.dtype] | None:
    """Device and type of the first floating-point parameter of the first module that has one."""
    for module in modules:
        for parameter in module.parameters():
            if parameter.is_floating_point():
                return parameter.device, parameter.dtype
    return None


def _put_back(model: nn.Module, exchange: Exchange) -> None:
    replacement = exchange.replacement
    if isinstance(exchange, ModuleExchange):
        exchange.original.train(replacement.training)
        where = placement(replacement, *exchange.holders, model)
        if where is not None and placement(exchange.original) is not None:
            exchange.original.to(*where)
    if not exchange.take_back():
        warnings.warn(
            f"{exchange.path}: not restored where it was replaced by something else after the swap", stacklevel=4
        )
