"""The one table of activations: what ships, what other packages bring, what is registered at run time.

:func:`register` puts a definition in; a definition is found by its name, its class or one of its functions.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

import torch
from torch import nn

from lightning_acts.definition import Definition, Facts, Learnable, define
from lightning_acts.hints import canonical, did_you_mean
from lightning_acts.spec import ActivationSpec, SpecError

Told = ParamSpec("Told")
Target = TypeVar("Target", bound=Callable[..., Any])

# The package of what ships, and the entry points of what other packages bring.
_PLUGINS = "lightning_acts.activations"


class Table(Mapping[str, Definition]):
    """Definitions by the canonical form of their names; the version tells what is derived from them when they change."""

    def __init__(self) -> None:
        self.version = 0
        self._held: dict[str, Definition] = {}

    def __getitem__(self, name: str) -> Definition:
        return self._held[canonical(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def add(self, definition: Definition, names: Iterable[str]) -> None:
        """Put a definition under these names, whatever was there."""
        self.version += 1
        self._held.update((canonical(name), definition) for name in names)

    def remove(self, names: Iterable[str]) -> None:
        """Free these names; those that nothing has are passed over."""
        self.version += 1
        for name in names:
            self._held.pop(canonical(name), None)


#: Every registered definition, under its name, its aliases and its variants.
DEFINITIONS = Table()


@dataclass(frozen=True, kw_only=True, eq=False)
class Registration(Facts):
    """What :func:`register` is told, beside the function or class.

    Attributes:
        override: Replace a definition of the same name, and take aliases away from others.
    """

    override: bool = False


class _Register(Protocol[Told]):
    """The types of :func:`register`: as a call, and as a decorator with arguments."""

    @overload
    def __call__(self, target: Target, /, *args: Told.args, **facts: Told.kwargs) -> Target: ...
    @overload
    def __call__(self, *args: Told.args, **facts: Told.kwargs) -> Callable[[Target], Target]: ...


def _typed_by(told: Callable[Told, object]) -> Callable[[Callable[..., Any]], _Register[Told]]:
    """Give a function the keywords of a class, for type checkers and editors."""
    return lambda function: cast("_Register[Told]", function)


@_typed_by(Registration)
def register(target: Any = None, /, **facts: Any) -> Any:
    """Register an activation: a function of the input and its parameters, or a module class.

    Works as a decorator, with or without arguments, and as a call on a class that exists. The parameters, their
    defaults and their types are read off the signature; a default made by :func:`learnable` is trained. The function
    or class is returned as it was, except that a function's learnable defaults become their initial values.

    Args:
        target: The function or the class.
        facts: The facts about it by name, see :class:`~lightning_acts.definition.Facts`; and ``override=True`` to replace
            a definition of the same name and take aliases away from others.

    Raises:
        ValueError: The name or an alias is taken, or the signature can't be one of an activation.

    Example:
        >>> import torch, lightning_acts as acts
        >>> @acts.register(source="this example", requires={"k must be positive": lambda k: k > 0}, override=True)
        ... def soft_sine_example(x: torch.Tensor, k: float = 2.0) -> torch.Tensor:
        ...     return x + torch.sin(k * x) / k
        >>> acts.create("soft_sine_example(k=3)")
        soft_sine_example(k=3)
        >>> acts.create("soft_sine_example(k=-1)")
        Traceback (most recent call last):
        ...
        lightning_acts.spec.SpecError: soft_sine_example(k=-1): k must be positive
    """
    if target is None:
        return lambda decorated: register(decorated, **facts)
    load_shipped()
    override = facts.pop("override", False)
    definition = define(target, **facts)
    owners = {name: DEFINITIONS[name] for name in definition.all_names if name in DEFINITIONS}
    if owners and not override:
        taken = ", ".join(f"{name!r} is already registered (as {owner.name})" for name, owner in owners.items())
        raise ValueError(f"{definition.name}: {taken}; override=True takes it away")
    keys = [canonical(name) for name in definition.all_names]
    for owner in set(owners.values()):
        _take_names(owner, keys)
    DEFINITIONS.add(definition, keys)
    if definition.module_class is None and not target.__doc__:
        target.__doc__ = f"{definition.formula or definition.name}\n\nSource: {definition.source or 'unknown'}"
    if definition.learnable and definition.module_class is None:
        target.__learnable__ = {entry.name: entry.learnable for entry in definition.parameters if entry.learnable}
        _replace_learnable_defaults(target)
    return target


def _take_names(owner: Definition, keys: Sequence[str]) -> None:
    """Take these names from a definition; one whose own name is among them is gone."""
    gone = canonical(owner.name) in keys
    DEFINITIONS.remove(name for name in owner.all_names if gone or canonical(name) in keys)
    if gone:
        return
    # The very same object stays, for the modules that were made of it.
    object.__setattr__(owner, "aliases", tuple(name for name in owner.aliases if canonical(name) not in keys))
    kept = {name: pinned for name, pinned in owner.variants.items() if canonical(name) not in keys}
    object.__setattr__(owner, "variants", kept)


def _replace_learnable_defaults(function: Any) -> None:
    """Let the plain function be called as such: its learnable parameters default to their initial values."""
    if getattr(function, "__defaults__", None):
        function.__defaults__ = tuple(map(_initial, function.__defaults__))
    if getattr(function, "__kwdefaults__", None):
        function.__kwdefaults__ = {key: _initial(default) for key, default in function.__kwdefaults__.items()}


def _initial(default: Any) -> Any:
    return default.init if isinstance(default, Learnable) else default


def registered(target: Callable[..., Any]) -> Definition | None:
    """Return the definition of a class or function, or of that which a function is a form of.

    None if it is not registered.
    """
    return by_target(target) or by_function(target)


def by_function(function: Callable[..., Any]) -> Definition | None:
    """Return the definition of which a function is a functional form: ``F.relu``, ``torch.relu``, ``Tensor.relu_``."""
    try:
        return next((d for d in definitions() if function in d.functions), None)
    except TypeError:  # not comparable
        return None


def by_name(name: str) -> Definition:
    """Return the definition of this name.

    Raises:
        SpecError: There is none.
    """
    _load()
    definition = DEFINITIONS.get(name)
    if definition is None:
        hint = did_you_mean(name, {alias for d in definitions() for alias in d.all_names})
        raise SpecError(f"there is no activation {name!r}{hint} acts.names() lists all {len(definitions())}.")
    return definition


def by_callable(activation: Any) -> Definition:
    """Return the definition of a class or function; a function that is not registered gets one of its own.

    Raises:
        TypeError: It can't name an activation, or is a class that is not registered.
        SpecError: It is no function of a tensor and named parameters.
    """
    refuse_nameless(activation)
    definition = by_target(activation)
    if definition is not None:
        return definition
    if isinstance(activation, type):
        raise TypeError(f"{activation!r} is not registered: acts.register makes it an activation with a name")
    definition = by_function(activation)
    if definition is None and (public := _public_name(activation)):
        return by_name(public)
    return definition or _unregistered(activation)


def refuse_nameless(activation: Any) -> None:
    """Check that something can name an activation: None, a number or a module that computes nothing can't.

    Raises:
        TypeError: It can't.
    """
    if isinstance(activation, type):
        names_one = issubclass(activation, nn.Module) and activation.forward is not nn.Module.forward
    elif isinstance(activation, nn.Module):
        names_one = getattr(activation.forward, "__func__", None) is not nn.Module.forward
    else:
        names_one = callable(activation) or isinstance(activation, (str, Mapping, ActivationSpec))
    if not names_one:
        raise TypeError(
            f"{activation!r} names no activation: give a name, a spec string, a mapping with 'name', a module class, "
            "a module, or a function of a tensor"
        )


def _public_name(function: Any) -> str | None:
    """Return the name of an ATen operation or a private function of torch without its underscores; None for others."""
    name = getattr(getattr(function, "overloadpacket", function), "__name__", "")
    owner = getattr(function, "__module__", None) or getattr(getattr(function, "__self__", None), "__module__", None)
    operation = isinstance(function, (torch._ops.OpOverload, torch._ops.OpOverloadPacket))
    private = name.startswith("_") and (owner or "").partition(".")[0] == "torch"
    return name.strip("_").removesuffix("_kernel") if operation or private else None


@functools.lru_cache(maxsize=256)
def _unregistered(function: Callable[..., Any]) -> Definition:
    name = getattr(function, "__name__", "")
    try:
        return define(function, name=name if name.isidentifier() else type(function).__name__)
    except ValueError as error:
        raise SpecError(str(error)) from None


def by_target(target: Any) -> Definition | None:
    """Return the definition that this class or function was registered for; None if there is none."""
    return _targets(version()).get(id(target))


@functools.lru_cache(maxsize=1)
def _targets(version: int) -> dict[int, Definition]:
    found: dict[int, Definition] = {}
    for definition in definitions():
        found.setdefault(id(definition.target), definition)
        if definition.per_channel is not None:
            found.setdefault(id(definition.per_channel), definition)
    return found


def is_registered(definition: Definition) -> bool:
    """Return whether its name leads to this very definition."""
    return DEFINITIONS.get(definition.name) == definition


def definitions() -> tuple[Definition, ...]:
    """Return every registered definition once."""
    return _definitions(version())


@functools.lru_cache(maxsize=1)
def _definitions(version: int) -> tuple[Definition, ...]:
    return tuple(dict.fromkeys(DEFINITIONS.values()))


def version() -> int:
    """Return a number that changes with the registry: what was derived from it before is out of date."""
    _load()
    return DEFINITIONS.version


class _Reading(threading.local):
    def __init__(self) -> None:
        self.now: set[Callable[[], None]] = set()


_READING = _Reading()
_READ: set[Callable[[], None]] = set()


def _load() -> None:
    load_shipped()
    _once(_read_plugins)


def load_shipped() -> None:
    """Read the definitions that ship, unless it is done, so that no other can take their names before."""
    _once(_read_shipped)


def _once(read: Callable[[], None]) -> None:
    # What is being read in this thread registers, and may look up what was read before it.
    if read in _READ or read in _READING.now:
        return
    _READING.now.add(read)
    try:
        read()
        _READ.add(read)
    finally:
        _READING.now.discard(read)


def _read_shipped() -> None:
    for module in pkgutil.iter_modules(importlib.import_module(_PLUGINS).__path__, _PLUGINS + "."):
        importlib.import_module(module.name)


def _read_plugins() -> None:
    """Read the activations of other installed packages."""
    for entry_point in entry_points(group=_PLUGINS):
        try:
            importlib.import_module(entry_point.module)  # to be imported is all that it has to do
        except Exception as error:  # another package's fault must not take ours down
            warnings.warn(
                f"activations of {entry_point.value!r} (entry point {entry_point.name!r}) are missing: "
                f"{type(error).__name__}: {error}",
                stacklevel=5,
            )
