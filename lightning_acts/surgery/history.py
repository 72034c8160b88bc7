"""The swaps that were made in a model, and the way back.

Each change is kept with the module that was changed, in an attribute that is not a module and not a parameter: it is not
in ``state_dict``, not in ``parameters()``, and goes wherever the module goes. Whatever root one looks from, the swaps are
gathered from the modules below it, with paths from there::

    root ── net ── act          vars(net)[...] = Ledger(changes=(act: relu -> mish, of transaction 7))
                                vars(root)[...] = Ledger(transactions=(7: {relu: mish}, promised at net.act))

A change does not refer to the module that it was made in: a copy of a part copies no more than the part.
"""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import time_ns
from types import TracebackType
from typing import Any

import torch
import torch.fx
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.utils.hooks import RemovableHandle

from lightning_acts.errors import SwapError
from lightning_acts.surgery.blend import Blend
from lightning_acts.surgery.ledger import ATTRIBUTE, Holder, Ledger, ledger_of
from lightning_acts.surgery.plan import BlendState, Plan, PlannedSite
from lightning_acts.surgery.request import SwapRequest
from lightning_acts.surgery.rewriting import graphs
from lightning_acts.surgery.rewriting.classes import Replaced, read_elsewhere, routes_of, set_routes, with_routes
from lightning_acts.surgery.route import Route
from lightning_acts.surgery.turns import one_at_a_time
from lightning_acts.surgery.wrappers import plain_path, wrappers_of

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

#: A part of a way back that may be repeated, as it is when the first attempt was interrupted.
UndoStep = Callable[[], None]
#: Hangs hooks on a module, and returns their handles.
Register = Callable[[nn.Module], list[RemovableHandle]]


@dataclass(eq=False)
class Transaction:
    """What the changes of one swap have in common.

    Attributes:
        number: Swaps are undone in the reverse of this order.
        request: What was asked; None where an activation has no spec.
        promised: What stands where, in words, by the path from the model that was given: all that was not undone since.
    """

    number: int
    request: SwapRequest | None
    promised: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Change(ABC):
    """Something that a swap has changed in a module, the owner, which keeps it."""

    transaction: Transaction = field(init=False)

    @abstractmethod
    def install(self, owner: nn.Module) -> None:
        """Make the change."""

    @abstractmethod
    def undo_step(self, owner: nn.Module) -> UndoStep:
        """Check that the change can be undone, and return the step that does it.

        Raises:
            SwapError: Something else has changed the owner, so that there is no way back.
        """


@dataclass(eq=False)
class Setting(Change):
    """A value that an attribute of the owner has for the time of a swap, such as the flag of a fused path."""

    name: str
    value: Any
    original: Any

    def install(self, owner: nn.Module) -> None:  # noqa: D102
        setattr(owner, self.name, self.value)

    def undo_step(self, owner: nn.Module) -> UndoStep:  # noqa: D102
        return lambda: setattr(owner, self.name, self.original)


@dataclass(eq=False)
class Hooks(Change):
    """Hooks that the owner has for the time of a swap; ``register`` hangs them on it."""

    register: Register
    handles: list[RemovableHandle] = field(default_factory=list)

    def install(self, owner: nn.Module) -> None:  # noqa: D102
        self.handles = self.register(owner)

    def undo_step(self, owner: nn.Module) -> UndoStep:  # noqa: D102
        def back() -> None:
            for handle in self.handles:
                handle.remove()

        return back


@dataclass(eq=False)
class Exchange(Change):
    """One activation that took the place of another.

    Attributes:
        local_path: Where, from the owner on: the name of a child, or ``function/index`` for a call.
        requested: The spec that was asked for; None where there is none.
        replacement: The module that stands there now.
        was: What a plan calls the activation that stood there.
        spec: The spec of the replacement; None where it has none.
        place: Where, from the model that was given to the swap on.
        index: The how manieth of its swap it was; the slots of one module have the same.
        blend: What lets the replacement take over during training; it stands there itself until that is done.
    """

    local_path: str
    requested: str | None
    replacement: nn.Module
    was: str
    spec: str | None = field(init=False, default=None)
    place: str = field(init=False, default="")
    index: int = field(init=False, default=0)
    blend: Blend | None = field(init=False, default=None)

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the replacement in the owner."""

    @property
    def before(self) -> nn.Module | None:
        """The module that stood there; a call has none."""
        return None

    @property
    def ran(self) -> nn.Module | None:
        """The module that ran there; a call of a function has none."""
        return self.before

    @property
    def route(self) -> Route | None:
        """The way to a call; modules and attributes have none."""
        return None

    def standing(self, owner: nn.Module) -> nn.Module | None:
        """Return what stands under the name now."""
        return owner._modules.get(self.name)

    def put(self, owner: nn.Module, replacement: nn.Module) -> None:
        """Put another replacement in the place of the present one."""
        owner._modules[self.name] = self.replacement = replacement

    @abstractmethod
    def is_intact(self, owner: nn.Module) -> bool:
        """Check that the owner still uses what stands under the name."""

    def path_from(self, path: str) -> str:
        """Return the path of the site, where the owner is at ``path``."""
        return f"{path}{'/' if '/' in self.local_path else '.'}{self.local_path}".lstrip("./")


@dataclass(eq=False)
class ModuleExchange(Exchange):
    """A module in the place of another one."""

    original: nn.Module
    takes_hooks: bool = True
    is_of_the_user: bool = False
    own_hooks: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:  # noqa: D102
        return self.local_path

    @property
    def before(self) -> nn.Module | None:  # noqa: D102
        return self.original

    def install(self, owner: nn.Module) -> None:  # noqa: D102
        # In the next slot of the same module the replacement has them already.
        if self.takes_hooks and vars(self.replacement)[_HOOKS[0]] is not vars(self.original)[_HOOKS[0]]:
            self.own_hooks = {name: vars(self.replacement)[name] for name in _HOOKS}
            self._share_hooks()
        _put(owner, self.name, self.replacement)

    def put(self, owner: nn.Module, replacement: nn.Module) -> None:  # noqa: D102
        if replacement is not self.replacement:  # another slot of the same module may have done this
            self._leave_hooks()
            self.own_hooks = {}
            ledger = ledger_of(self.replacement)
            keep(self.replacement, replace(ledger, stands=tuple(each for each in ledger.stands if each is not self)))
            self.replacement = replacement
            ledger = ledger_of(replacement)
            keep(replacement, replace(ledger, stands=(*ledger.stands, self)))
        self.install(owner)

    def _leave_hooks(self) -> None:
        if self.own_hooks and isinstance(self.replacement, LazyModuleMixin):
            # Its hooks are the original's: the one that would size it must not stay there.
            self.replacement._initialize_hook.remove()
        vars(self.replacement).update(self.own_hooks)

    def undo_step(self, owner: nn.Module) -> UndoStep:  # noqa: D102
        def back() -> None:
            self._leave_hooks()
            if owner._modules.get(self.name) is self.replacement:
                _put(owner, self.name, self.original)

        return back

    def is_intact(self, owner: nn.Module) -> bool:  # noqa: D102
        return True

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
    """A new submodule that the code of the owner calls where it called a function, or ``original``, a child, again."""

    call_route: Route
    submodule: str
    original: nn.Module | None = None
    write_back: bool = True

    @property
    def name(self) -> str:  # noqa: D102
        return self.submodule

    @property
    def ran(self) -> nn.Module | None:  # noqa: D102
        return self.original

    @property
    def route(self) -> Route | None:  # noqa: D102
        return self.call_route

    @property
    def _mark(self) -> Replaced:
        return Replaced(self.call_route, self.submodule, self.write_back)

    def install(self, owner: nn.Module) -> None:  # noqa: D102
        owner._modules[self.submodule] = self.replacement
        set_routes(owner, (*routes_of(type(owner)), self._mark))

    def undo_step(self, owner: nn.Module) -> UndoStep:  # noqa: D102
        with_routes(owner, ())

        def back() -> None:
            present = routes_of(type(owner))
            if self._mark in present:
                set_routes(owner, tuple(entry for entry in present if entry != self._mark))
            # Nothing calls it any more, also where somebody has put another one there.
            owner._modules.pop(self.submodule, None)

        return back

    def is_intact(self, owner: nn.Module) -> bool:  # noqa: D102
        return self._mark in routes_of(type(owner))

    def is_read_elsewhere(self, owner: nn.Module) -> bool:
        """Check whether the original writes into its input, and somebody else reads that."""
        return self.submodule in read_elsewhere(type(owner))


@dataclass(eq=False)
class GraphExchange(CallExchange):
    """A new submodule that the graph of the owner calls where it called a function."""

    originals: dict[str, graphs.Original] = field(default_factory=dict)

    def install(self, owner: nn.Module) -> None:  # noqa: D102
        assert isinstance(owner, torch.fx.GraphModule)
        self.originals = graphs.originals(owner, self.call_route)
        owner._modules[self.submodule] = self.replacement
        graphs.replace(owner, self.call_route, self.submodule)

    def undo_step(self, owner: nn.Module) -> UndoStep:  # noqa: D102
        assert isinstance(owner, torch.fx.GraphModule)
        # What a later swap put there in turn is gone by then.
        ours = [change.replacement for change in ledger_of(owner).changes
                if isinstance(change, Exchange) and change.name == self.name]  # fmt: skip
        standing = self.standing(owner)
        edit = graphs.undo_step(owner, standing, self.originals if standing in ours else {})

        def back() -> None:
            edit()
            if owner._modules.get(self.submodule) is self.replacement:
                del owner._modules[self.submodule]

        return back

    def is_intact(self, owner: nn.Module) -> bool:  # noqa: D102
        assert isinstance(owner, torch.fx.GraphModule)
        return graphs.is_replaced(owner, self.standing(owner), self.originals)

    def standing(self, owner: nn.Module) -> nn.Module | None:  # noqa: D102
        # A pickle of a graph has one name for a module that several sites share.
        is_shared = self.submodule not in owner._modules and self.replacement in owner._modules.values()
        return self.replacement if is_shared else super().standing(owner)

    def is_read_elsewhere(self, owner: nn.Module) -> bool:  # noqa: D102
        return any(original.writes_back for original in self.originals.values())


@dataclass(eq=False)
class AttributeExchange(Exchange):
    """A submodule in the place of a function that the owner kept in an attribute."""

    original: Any

    @property
    def name(self) -> str:  # noqa: D102
        return self.local_path

    def install(self, owner: nn.Module) -> None:  # noqa: D102
        owner._modules[self.name] = self.replacement  # not seen before the function is gone
        del vars(owner)[self.name]
        set_routes(owner, (*routes_of(type(owner)), self._mark))

    def undo_step(self, owner: nn.Module) -> UndoStep:  # noqa: D102
        with_routes(owner, ())

        def back() -> None:
            present = routes_of(type(owner))
            if self._mark in present:
                set_routes(owner, tuple(entry for entry in present if entry != self._mark))
            if owner._modules.get(self.name) is self.replacement:
                vars(owner)[self.name] = self.original
                del owner._modules[self.name]

        return back

    @property
    def _mark(self) -> Replaced:
        return Replaced(Route((), ""), self.name)

    def is_intact(self, owner: nn.Module) -> bool:  # noqa: D102
        return self.name not in vars(owner)


@dataclass(frozen=True, eq=False)
class Placed:
    """A change, the module that it was made in, and all paths of the site from some root on."""

    owner: nn.Module
    change: Change
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class PlacedExchange(Placed):
    """An exchange, likewise."""

    change: Exchange

    @property
    def path(self) -> str:
        """The first of its paths."""
        return self.paths[0]


@dataclass(frozen=True, eq=False)
class Swap:
    """A swap, or what there is of it, as it is seen from some root.

    Attributes:
        number: Swaps are undone in the reverse of this order.
        request: What was asked; None where an activation has no spec.
        exchanges: One for each place.
    """

    number: int
    request: SwapRequest | None
    exchanges: tuple[PlacedExchange, ...]

    @property
    def sites(self) -> list[tuple[PlacedExchange, ...]]:
        """The exchanges of each site."""
        sites: dict[tuple[int, int], list[PlacedExchange]] = {}
        for entry in self.exchanges:
            stood = entry.change.before or entry.change
            sites.setdefault((entry.change.index, id(stood)), []).append(entry)
        return [tuple(entries) for entries in sites.values()]

    @property
    def plan(self) -> Plan | None:
        """What was done, with the paths from the root; None where a replacement has no spec."""
        if self.request is None or any(entry.change.spec is None for entry in self.exchanges):
            return None
        return Plan(self.request, tuple(_planned(entries) for entries in self.sites))


def paths_of(entries: Sequence[PlacedExchange]) -> tuple[str, ...]:
    """Return the paths that a plan gives the site of these exchanges."""
    is_call = entries[0].change.before is None
    return tuple(path for entry in entries for path in (entry.paths[:1] if is_call else entry.paths))


def _planned(entries: Sequence[PlacedExchange]) -> PlannedSite:
    exchange = entries[0].change
    assert exchange.spec is not None
    return PlannedSite(
        paths_of(entries), exchange.was, exchange.spec, exchange.route, _state(exchange, entries[0].owner)
    )


def _state(exchange: Exchange, owner: nn.Module) -> BlendState | None:
    """Return how far a replacement has taken over; None where nothing of the blend is left, or makes a difference."""
    blend = exchange.blend
    if blend is None or exchange.replacement is not blend:
        return None
    is_covered = exchange.standing(owner) is not blend
    # A later swap holds it, and keeps it to the end.
    if is_covered and blend.amount == 1.0 and not blend.has_parameters:
        return None
    return BlendState(blend.amount, blend.path)


def _put(parent: Any, name: str, module: nn.Module) -> None:
    parent._modules[name] = module
    if name == "_orig_mod" and hasattr(parent, "dynamo_ctx"):
        # The forward of torch.compile's wrapper is bound to the module that it was made of.
        parent._initialize()


def with_hooks_of_its_own(module: nn.Module) -> nn.Module:
    """Return a shallow copy of a module, which has its parameters, buffers and hooks, and does not get its later hooks."""
    copied = copy.copy(module)
    vars(copied).update({name: copy.copy(vars(module)[name]) for name in _HOOKS})
    return copied


def has_hooks(module: nn.Module) -> bool:
    """Check whether anybody has hung hooks on a module."""
    return any(getattr(module, name) for name in _HOOKS)


def keep(module: nn.Module, ledger: Ledger) -> None:
    """Let a module keep this, and nothing else."""
    # Straight into the dictionary: the module's class may have a __setattr__ of its own.
    if ledger != Ledger():
        vars(module)[ATTRIBUTE] = replace(ledger, holder=Holder(module))
    else:
        vars(module).pop(ATTRIBUTE, None)
    if isinstance(module, torch.fx.GraphModule):
        _carry(module, ATTRIBUTE in vars(module))


def _carry(model: torch.fx.GraphModule, carries: bool) -> None:
    """Let copies and pickles of a GraphModule, which are made of its graph, keep its swaps; its class is its alone."""
    cls: Any = type(model)
    for name, method in (("__deepcopy__", _deepcopy), ("__reduce_ex__", _reduce_ex)):
        if carries:
            setattr(cls, name, method)
        elif name in vars(cls):
            delattr(cls, name)


def _deepcopy(self: Any, memo: dict[int, Any]) -> Any:
    copied = _inherited(self, "__deepcopy__")(self, memo)
    keep(copied, copy.deepcopy(ledger_of(self), memo))
    return copied


def _reduce_ex(self: Any, protocol: Any) -> Any:
    # Set afterwards by a function, which gives the class of what was made these methods too.
    return (*_inherited(self, "__reduce_ex__")(self, protocol)[:2], ledger_of(self), None, None, keep)


def _inherited(self: Any, name: str) -> Any:
    """Return the method that the class had: the class that a graph has for the time of a swap lies over it."""
    found = (vars(cls)[name] for cls in type(self).__mro__ if name in vars(cls))
    return next(method for method in found if method not in (_deepcopy, _reduce_ex))


def begin(model: nn.Module, request: SwapRequest | None) -> Transaction:
    """Return a new transaction, later than all that the model has seen, wherever it was swapped then."""
    global _latest
    _latest = max(time_ns(), _latest + 1, newest(model) + 1)
    return Transaction(_latest, request)


_latest = 0


def newest(model: nn.Module) -> int:
    """Return the number of the latest swap in a model; -1 if there is none."""
    return max((entry.change.transaction.number for entry in placed(model)), default=-1)


def install(owner: nn.Module, change: Change, transaction: Transaction) -> None:
    """Make a change. It is kept before it is made, so that an interruption leaves nothing that is not known."""
    change.transaction = transaction
    ledger = ledger_of(owner)
    keep(owner, replace(ledger, changes=(*ledger.changes, change)))
    if isinstance(change, ModuleExchange) and not change.is_of_the_user:
        ledger = ledger_of(change.replacement)
        keep(change.replacement, replace(ledger, stands=(*ledger.stands, change)))
    change.install(owner)


def conclude(model: nn.Module, transaction: Transaction) -> None:
    """Let the model that was given to a swap know what was promised."""
    for entry in exchanges_of(model):
        exchange = entry.change
        if exchange.transaction is transaction:
            exchange.place = entry.path
            transaction.promised[entry.path] = f"{exchange.spec or exchange.replacement} in place of {exchange.was}"
    ledger = ledger_of(model)
    keep(model, replace(ledger, transactions=(*ledger.transactions, transaction)))


def recompile(owners: Iterable[nn.Module]) -> None:
    """Generate the code of the graphs that were edited: once for all of a swap, because it takes long."""
    for owner in dict.fromkeys(owners):
        if isinstance(owner, torch.fx.GraphModule):
            graphs.recompile(owner)
            keep(owner, ledger_of(owner))  # its class is another one now


def placed(model: nn.Module) -> list[Placed]:
    """Return the changes in a model, in the order of its modules."""
    if not any(ATTRIBUTE in vars(module) for module in model.modules()):
        return []
    found: dict[tuple[int, int], Placed] = {}
    for path, owner, change in _changes(model, ""):
        key = id(owner), id(change)
        if isinstance(change, Exchange):
            paths = (*found[key].paths, change.path_from(path)) if key in found else (change.path_from(path),)
            found[key] = PlacedExchange(owner, change, paths)
        else:
            found[key] = Placed(owner, change)
    return list(found.values())


def exchanges_of(model: nn.Module) -> list[PlacedExchange]:
    """Return the exchanges in a model, in the order of its modules."""
    return [entry for entry in placed(model) if isinstance(entry, PlacedExchange)]


def _changes(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module, Change]]:
    """Yield every change below a module, at each of its paths; also those in modules that a swap took out."""
    by_name: dict[str | None, list[Change]] = {}
    for change in ledger_of(module).changes:
        by_name.setdefault(change.name if isinstance(change, Exchange) else None, []).append(change)
    # Those of a ScriptModule can't be iterated. A blend's are no places of the model.
    children = {} if isinstance(module, Blend) else dict(module._modules.items())
    for slot, standing in children.items():
        by_name[slot] = [*_moved(slot, standing, by_name.get(slot, [])), *by_name.get(slot, [])]
    for name in dict.fromkeys((*children, *by_name)):
        here = by_name.get(name, [])
        yield from ((plain_path(path), module, change) for change in here)
        stood = [change.before for change in here if isinstance(change, Exchange)]
        for child in dict.fromkeys((*stood, children.get(name or ""))):
            if child is not None:
                yield from _changes(child, f"{path}.{name}".lstrip("."))


def _moved(name: str, child: nn.Module | None, known: Sequence[Change]) -> list[ModuleExchange]:
    """Return the exchanges of a replacement that somebody has put where no swap did, the first one first."""
    if child is None or any(isinstance(change, Exchange) and change.replacement is child for change in known):
        return []
    found = ledger_of(child).stands
    if len({change.was for change in found}) != 1:
        return []  # none, or one that stands for several, and nobody knows for which of them here
    moved = replace(found[-1], local_path=name, takes_hooks=False)
    moved.transaction, moved.spec, moved.index = found[-1].transaction, found[-1].spec, found[-1].index
    return [*_moved(name, moved.original, known), moved]


def swaps_of(model: nn.Module) -> list[Swap]:
    """Return the swaps that there are in a model, the first one first."""
    by_number: dict[int, list[PlacedExchange]] = {}
    for entry in sorted(exchanges_of(model), key=lambda entry: (entry.change.transaction.number, entry.change.index)):
        by_number.setdefault(entry.change.transaction.number, []).append(entry)
    return [
        Swap(number, entries[0].change.transaction.request, tuple(entries)) for number, entries in by_number.items()
    ]


@one_at_a_time
def undo(model: nn.Module, number: int) -> None:
    """Undo a swap, as far as it is in this model. An interruption is raised when it is done.

    Raises:
        SwapError: It is not the last one, or undone already, or the model is a shallow copy.
    """
    _refuse_shallow_copy(model)
    changes = placed(model)
    if not any(entry.change.transaction.number == number for entry in changes):
        raise SwapError("this swap was undone already")
    later = {entry.change.transaction.number for entry in changes if entry.change.transaction.number > number}
    if later:
        raise SwapError(f"{len(later)} later swap(s) of this model must be undone first; acts.restore undoes all")
    take_back(model, [entry for entry in changes if entry.change.transaction.number == number])


@one_at_a_time
def restore(model: nn.Module) -> None:
    """Undo every swap of a model, and of modules within it: the very same module objects come back.

    Trained weights stay as they are. A model that was never swapped is left alone. An interruption is raised when all is
    undone.

    Raises:
        SwapError: Something else has changed a class since, so that there is no way back, or the model is a shallow copy;
            the model is as it was.

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
    _refuse_shallow_copy(model)
    take_back(model, placed(model))


def _refuse_shallow_copy(model: nn.Module) -> None:
    """Check that no module of a model shares its children with one that is not a part of it.

    Raises:
        SwapError: One does: what is put back in it would be put back in the other, whose code would stay swapped.
    """
    modules = set(model.modules())
    for path, module in model.named_modules():
        ledger = ledger_of(module)
        holder = ledger.holder() if ledger.changes or ledger.transactions else None
        if holder is not None and holder not in modules:
            raise SwapError(
                f"{path or 'the model'} is a shallow copy of a swapped {type(module).__name__}, and both have the same "
                "children: restore the original, or make the copy by copy.deepcopy"
            )


@one_at_a_time
def undo_since(model: nn.Module, number: int) -> None:
    """Undo every swap of a model, and of modules within it, that is later than that of this number."""
    take_back(model, [entry for entry in placed(model) if entry.change.transaction.number > number])


class undoing:
    """A ``with`` block at whose end all is undone that was swapped in it."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._earlier = newest(model)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        undo_since(self._model, self._earlier)


def take_back(model: nn.Module, changes: Sequence[Placed]) -> None:
    """Undo some of the changes in a model, the latest first, all or none; an interruption is raised when it is done.

    Raises:
        SwapError: There is no way back for one of them.
    """
    changes = sorted(changes, key=lambda entry: entry.change.transaction.number)[::-1]
    lost = lost_among(changes)
    steps = [entry.change.undo_step(entry.owner) for entry in changes]
    edited = [entry.owner for entry in changes if isinstance(entry.change, GraphExchange)]
    steps += [lambda: recompile(edited), lambda: _forget(model, changes)]
    for entry in changes:
        _move_original(model, entry)
    _finish(steps)
    for entry in lost:
        what = (
            "what was set there after the swap is gone"
            if type(entry.change) is CallExchange  # a graph that was edited since stays as it is
            else "not restored where it was replaced by something else after the swap"
        )
        warnings.warn(f"{entry.path}: {what}", stacklevel=4)


def _finish(steps: Sequence[UndoStep]) -> None:
    try:
        for step in steps:
            step()
    except BaseException:
        for step in steps:
            step()
        raise


def lost_among(changes: Sequence[Placed]) -> list[PlacedExchange]:
    """Return the exchanges, given the latest first, whose replacement was replaced by something else since."""
    lost = []
    standing: dict[tuple[int, str], nn.Module | None] = {}
    for entry in changes:
        if not isinstance(entry, PlacedExchange):
            continue
        key = id(entry.owner), entry.change.name
        there = standing.setdefault(key, entry.change.standing(entry.owner))
        if there is entry.change.replacement and entry.change.is_intact(entry.owner):
            standing[key] = entry.change.before
        else:
            lost.append(entry)
    return lost


def _move_original(model: nn.Module, entry: Placed) -> None:
    """Let a module that comes back follow what happened to the model since."""
    if isinstance(entry.change, ModuleExchange):
        original, replacement = entry.change.original, entry.change.replacement
        original.train(replacement.training)
        where = placement(replacement, entry.owner, model)
        if where is not None and placement(original) is not None:
            original.to(*where)


def _forget(model: nn.Module, changes: Sequence[Placed]) -> None:
    """Drop changes that were undone, and swaps of which nothing is left."""
    gone = {id(entry.change) for entry in changes}
    numbers = {entry.change.transaction.number for entry in changes}
    for entry in changes:
        if isinstance(entry, PlacedExchange):
            entry.change.transaction.promised.pop(entry.change.place, None)
    remaining = {entry.change.transaction.number for entry in placed(model) if id(entry.change) not in gone}
    for module in dict.fromkeys((*model.modules(), *(entry.owner for entry in changes))):
        ledger = ledger_of(module)
        kept = replace(
            ledger,
            changes=tuple(change for change in ledger.changes if id(change) not in gone),
            transactions=tuple(
                t for t in ledger.transactions if t.promised and (t.number not in numbers or t.number in remaining)
            ),
        )
        if kept != ledger:
            keep(module, kept)


def forget_lost(model: nn.Module) -> bool:
    """Forget exchanges that are gone because a part of the model was built again since; whether there were any."""
    changes = sorted(exchanges_of(model), key=lambda entry: -entry.change.transaction.number)
    lost = lost_among(changes)
    _forget(model, lost)
    return bool(lost) | _forget_missing(model)


def missing_from(model: nn.Module) -> list[tuple[str, str]]:
    """Return the paths, with what was promised there, of exchanges whose owner is not a part of the model any more."""
    present = {(id(entry.change.transaction), entry.change.place) for entry in exchanges_of(model)}
    return [
        (f"{plain_path(path)}{'/' if place.count('/') == 1 else '.'}{place}".lstrip("./"), promised)
        for path, module in model.named_modules()
        for transaction in ledger_of(module).transactions
        for place, promised in transaction.promised.items()
        if (id(transaction), place) not in present
    ]


def _forget_missing(model: nn.Module) -> bool:
    present = {(id(entry.change.transaction), entry.change.place) for entry in exchanges_of(model)}
    missing = bool(missing_from(model))
    for module in model.modules():
        ledger = ledger_of(module)
        for transaction in ledger.transactions:
            for place in list(transaction.promised):
                if (id(transaction), place) not in present:
                    del transaction.promised[place]
        if ledger.transactions:
            keep(module, replace(ledger, transactions=tuple(t for t in ledger.transactions if t.promised)))
    return missing


def restored_copy(model: nn.Module) -> nn.Module:
    """Return a copy of a model, with its swaps taken back; it shares the model's parameters.

    Raises:
        SwapError: The model can't be copied.
    """
    ledgers = {module: ledger_of(module) for module in model.modules() if ATTRIBUTE in vars(module)}
    try:
        copied, ledgers_of_copy = copy.deepcopy(
            (model, ledgers), {id(parameter): parameter for parameter in model.parameters()}
        )
    except Exception as error:
        raise SwapError(f"the model can't be copied: {type(error).__name__}: {error}") from error
    if not set(copied.modules()).issuperset(ledgers_of_copy):
        raise SwapError("the model can't be copied: a copy has other modules than the model")
    for module, ledger in ledgers_of_copy.items():
        keep(module, ledger)  # the copies of some classes have lost it
    restore(copied)
    return copied


def plans_of(model: nn.Module) -> list[Plan]:
    """Return the plans of the swaps in a model, the first one first; paths start at the model within its wrappers.

    Raises:
        SwapError: A replacement has no spec.
    """
    plans = []
    for made in swaps_of(wrappers_of(model)[-1]):
        plan = made.plan
        if plan is None:
            unnamed = next((entry for entry in made.exchanges if entry.change.spec is None), made.exchanges[0])
            raise SwapError(
                f"no file can name {unnamed.change.replacement!r}, which stands at {unnamed.path}: register it with "
                "lightning_acts.register, or undo the swap"
            )
        plans.append(plan)
    return plans


def replacements_of(model: nn.Module, request: SwapRequest) -> set[nn.Module]:
    """Return what stands where the swaps of a request have put something, also after later swaps of it."""
    standing: set[nn.Module] = set()
    for swap in swaps_of(model):
        for entry in swap.exchanges:
            if swap.request == request or entry.change.before in standing:
                standing.add(entry.change.replacement)
                if entry.change.blend is not None:
                    standing.update(entry.change.blend.new.modules())
    return standing


def placement(*modules: nn.Module) -> tuple[torch.device, torch.dtype] | None:
    """Device and type of the first floating-point parameter of the first module that has one."""
    for module in modules:
        for parameter in module.parameters():
            if parameter.is_floating_point():
                return parameter.device, parameter.dtype
    return None
