"""Where activations are called in the code of a module: its methods and what they lead to, read once."""

from __future__ import annotations

import ast
import contextlib
import copy
import dis
import functools
import itertools
import sys
import types
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
import torch.fx
from torch import nn

from lightning_acts import registry
from lightning_acts.surgery.naming import imported, module_name
from lightning_acts.surgery.recognizing.calls import DOUBT_OF_EVERYDAY, applied, is_candidate, is_name, name_of
from lightning_acts.surgery.recognizing.expressions import Written, is_handed_on, written, written_in_statements
from lightning_acts.surgery.recognizing.formulas import forget as forget_formulas
from lightning_acts.surgery.recognizing.formulas import gates_its_input
from lightning_acts.surgery.recognizing.modules import recognize
from lightning_acts.surgery.recognizing.uses import Destination, destination_of
from lightning_acts.surgery.route import Route, Step
from lightning_acts.surgery.site import UNKNOWN_ACTIVATION, SiteKind
from lightning_acts.surgery.source.functions import (
    UNKNOWN,
    Function,
    Scope,
    SourceError,
    layers,
    redecorated,
    static_attribute,
)

# What builds on torch, but is never the author's way to an activation; neither is Python's own library.
_FOREIGN = sys.stdlib_module_names | {
    "lightning", "lightning_fabric", "lightning_utilities", "pytorch_lightning", "sympy", "torchmetrics"
}  # fmt: skip
_DEEPEST = 12


@dataclass(frozen=True)
class Call:
    """A call of an activation in the code of a class.

    Attributes:
        route: The way there.
        name: The name of what is called, without the underscore of the forms that work in place.
        kind: ``function`` or ``method``.
        spec: The activation.
        doubt: Why it may be no activation; None where that is certain.
        location: ``file:line``; None where a graph does not tell.
        is_formula: Whether it is written out as a formula.
        hands_on: Whether the function is not called there, but handed on.
        gates_itself: Whether the result is multiplied with its own input, by a formula that is no known activation.
        destination: What becomes of the result; None where that is open.
        obstacle: Why it can't be replaced; None where it may be.
        is_everyday: Whether it has many other uses, and is an activation only between layers.
    """

    route: Route
    name: str
    kind: SiteKind
    spec: str
    doubt: str | None
    location: str | None
    is_formula: bool = False
    hands_on: bool = False
    gates_itself: bool = False
    destination: Destination | None = None
    obstacle: str | None = None
    is_everyday: bool = False


def node_of(step: Step, scope: Scope) -> ast.expr:
    """Return the expression that a step names in the function's source, also where lines have moved since.

    Raises:
        SourceError: It is not there, or not just once.
    """
    first = scope.function.__code__.co_firstlineno
    same = scope.source.by_text.get(step.code, [])
    exact = [node for node in same if (node.lineno - first, node.col_offset) == (step.line, step.column)]
    if len(exact or same) != 1:
        raise SourceError(f"{step.function} holds {step.code!r} {len(same)} times, not where it was")
    return (exact or same)[0]


def step_to(node: ast.expr, scope: Scope) -> Step:
    """Return the step that a node is."""
    function = scope.function
    return Step(function_name(function), node.lineno - function.__code__.co_firstlineno, node.col_offset, _text(node))


@functools.lru_cache(maxsize=65536)
def _text(node: ast.expr) -> str:
    return ast.unparse(node)


def function_name(function: Function) -> str:
    """``package.module:Class.method``."""
    return f"{module_name(function.__module__)}:{function.__qualname__}"


@dataclass(frozen=True)
class AttributeCall:
    """A call of what a module keeps in an attribute: whether it is given more than its input, and what becomes of it."""

    takes_more: bool
    destination: Destination | None


@dataclass(eq=False)
class Reading:
    """What the source of a class, from its forward on, shows.

    Attributes:
        calls: The calls of activations.
        looks: The ways to where its methods look at their own children or class: there they see what the author wrote.
        stores: What the forward, and what it leads to, sets again in the module or below it: the dotted name, from ``*``
            on where only a run tells in what, and where that stands.
        passes_through: Where the forward, and what it leads to, goes through the modules in others, by how it does.
        compared: The attributes that are compared with something, as in ``self.act is F.relu``.
        classes: The classes of modules that are compared with something, as in ``type(block) is Block``, each with where.
        obstacle: Why none of its calls can be replaced; None where they can.
        by_class: The methods that are taken from its own class, past the module.
        methods: The methods that were read, by name, as they stood in the class.
        functions: The functions that were referred to, each with where.
        formulas: The code of the functions in which formulas compute activations.
        attributes: The calls of what the module keeps in attributes, by name.
        names: The names of all attributes in the source.
        unread: The functions whose source can't be had, with the reason.
        lookups: Where a function is applied that only a run tells.
    """

    calls: list[Call] = field(default_factory=list)
    looks: list[tuple[Step, ...]] = field(default_factory=list)
    stores: dict[str, str] = field(default_factory=dict)
    passes_through: dict[str, str] = field(default_factory=dict)
    compared: set[str] = field(default_factory=set)
    classes: dict[type, str] = field(default_factory=dict)
    obstacle: str | None = None
    by_class: set[str] = field(default_factory=set)
    methods: dict[str, Any] = field(default_factory=dict)
    functions: list[tuple[Scope, ast.expr, Any]] = field(default_factory=list)
    formulas: set[types.CodeType] = field(default_factory=set)
    attributes: dict[str, list[AttributeCall]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    unread: dict[str, str] = field(default_factory=dict)
    lookups: list[str] = field(default_factory=list)

    def holds(self, cls: type[nn.Module]) -> bool:
        """Return whether class and functions are what they were: a notebook defines them anew, patches set others."""
        return all(static_attribute(cls, name) is value for name, value in self.methods.items()) and all(
            scope.resolve(node) is value for scope, node, value in self.functions
        )


def read(cls: type[nn.Module]) -> Reading:
    """Return what the forward of a class, and whatever it reaches, holds in its source."""
    key: Any = cls  # mypy takes a class of modules for not hashable
    return _read(key, registry.version())


def forget_changed(classes: Iterable[type[nn.Module]]) -> None:
    """Let classes be read again, if one of them is no more what was read."""
    if not all(read(cls).holds(cls) for cls in classes):
        forget_formulas()
        _read.cache_clear()


@functools.lru_cache(maxsize=4096)
def _read(cls: Any, version: int) -> Reading:
    if cls.__module__.startswith("torch.") or issubclass(cls, torch.fx.GraphModule):
        return Reading()  # the code of a GraphModule is generated: its graph is read instead
    reader = _Reader(cls)
    reading = reader.reading
    pending = [name for name in ("forward", "__call__") if _defines(cls, name)]
    for name in pending:  # grows while it is read
        for scope in reader.read_method(name, pending):
            for steps, inner in _with_inherited(scope):
                _read_looks(steps, inner, reading)
                _read_usage(inner, reading)
    in_forward = reading.calls
    for name in _methods_that_look(cls):
        for scope in method_scopes(cls, name) if name not in pending else ():
            for steps, inner in _with_inherited(scope):
                _read_looks(steps, inner, reading)
    reader.is_in_forward = False
    for name in (further := [name for name in _methods_beside_forward(cls) if name not in pending]):
        if name in pending:  # another one has led to it
            continue
        reading.calls = []
        for _ in reader.read_method(name, further):
            pass
        reason = f"in {name}, to which the forward does not lead"
        # The same code may be reached by another name, as that of a base is by super().
        known = {call.route.steps[-1] for call in in_forward}
        in_forward += [
            replace(call, doubt=call.doubt or reason) for call in reading.calls if call.route.steps[-1] not in known
        ]
    reading.calls = list(dict.fromkeys(in_forward))
    return reading


def _methods_beside_forward(cls: type[nn.Module]) -> Iterator[str]:
    """Yield the methods that the author wrote beside the forward, and that may apply an activation.

    What the bases of frameworks offer, such as the generation of text, is not the author's.
    """
    for base in cls.__mro__:
        beside = base.__module__.rpartition(".")[0] == cls.__module__.rpartition(".")[0]
        if not beside and "forward" not in vars(base):
            continue
        if _is_foreign(base.__module__):
            continue
        for name in vars(base):
            is_special = name.startswith("__") and name.endswith("__")
            scopes = [] if is_special else method_scopes(cls, name)
            if any(may_apply(scope.function) for scope in scopes):
                yield name


def calls_of(function: Function, cls: type[nn.Module]) -> list[Call]:
    """Return what a function holds that a module of this class keeps in an attribute."""
    return _Reader(cls).calls_of(function)


#: What a module says of its children, without what a swap has added.
TRAVERSALS = ("children", "named_children", "_modules")
#: What a class does not hand down to a subclass as it is.
_OF_A_CLASS = ("__base__", "__bases__", "__dict__", "__mro__", "__subclasses__", "mro")
_MENTIONS = frozenset(["type", "__class__", "_modules"])


def _methods_that_look(cls: type[nn.Module]) -> Iterator[str]:
    """Yield the names of the methods that may ask for their own class or children, by the names in their code.

    What ``__init__`` asks for is past when a model is swapped.
    """
    own = [base for base in cls.__mro__ if not base.__module__.startswith(("torch.", "builtins"))]
    for name in dict.fromkeys(name for base in own for name in vars(base) if name != "__init__"):
        values = (vars(base)[name] for base in own if name in vars(base))
        functions = (function for value in values for function in _functions_in(value))
        # What nn.Module does with all its children, an author's own version does with those of a swap too.
        mentions = _MENTIONS - {"_modules"} if name in vars(nn.Module) else _MENTIONS
        if any(_mentions(function.__code__, mentions) for function in functions if _is_read(function)):
            yield name


def _mentions(code: types.CodeType, names: frozenset[str]) -> bool:
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return not names.isdisjoint(code.co_names) or any(_mentions(constant, names) for constant in inner)


def _is_read(function: Function) -> bool:
    name = function.__module__ or ""
    return not name.startswith("torch.") and _package(name) not in sys.stdlib_module_names


def _with_inherited(
    scope: Scope, steps: tuple[Step, ...] = (), seen: frozenset[Function] = frozenset()
) -> Iterator[tuple[tuple[Step, ...], Scope]]:
    """Yield a method and those of bases to which super() leads from there, each with the way to it."""
    try:
        expressions = scope.source.expressions
    except SourceError:
        return
    yield steps, scope
    seen |= {scope.function}
    for node in expressions:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Call):
            inherited = reached(node, scope.resolve(node), scope)
            if inherited is not None and inherited.is_method and inherited.function not in seen:
                yield from _with_inherited(inherited, (*steps, step_to(node, scope)), seen)


def _read_looks(
    steps: tuple[Step, ...], scope: Scope, reading: Reading, seen: frozenset[Function] = frozenset()
) -> None:
    """Add where a method looks at its own children or class to a reading, and what no swap can stand beside.

    The functions in ``seen``, which have led here, are being read already.
    """
    seen |= {scope.function}
    for node in scope.source.expressions:
        parent = scope.source.parents.get(node)
        if scope.is_own_attribute(node) and isinstance(node, ast.Attribute) and node.attr in TRAVERSALS:
            reading.looks.append((*steps, step_to(node, scope)))
        if isinstance(node, ast.Compare) and any(map(scope.is_own_class, _parts(node))):
            others = [part for part in _parts(node) if _class_of(part, scope) and not scope.is_own_class(part)]
            reading.looks += [(*steps, step_to(part, scope)) for part in others]
        if isinstance(node, ast.Call) and _is_given_the_module(node, scope):
            reading.obstacle = reading.obstacle or _asks_for_its_class(scope.resolve(node.func), scope, seen)
        if isinstance(node, ast.Attribute) and (scope.is_own_attribute(node) or scope.is_own_class(node.value)):
            reading.obstacle = reading.obstacle or _makes_another(static_attribute(scope.owner, node.attr), scope)
        if not scope.is_own_class(node):
            continue
        is_inherited = isinstance(parent, ast.Attribute) and isinstance(parent.ctx, ast.Load)
        if is_inherited and isinstance(parent, ast.Attribute) and parent.attr not in _OF_A_CLASS:
            continue
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            reading.obstacle = "its code sets its own class, in whose place a swap puts another"
            continue
        if any(isinstance(use, ast.Call) and use.func is held for held, use in _uses(node, scope)):
            reading.obstacle = _ANOTHER
        uses = [use for _, use in _uses(node, scope) if isinstance(use, ast.Attribute)]
        reading.by_class |= {scope.mangled(use.attr) for use in uses if _is_function(use, scope)}
        reading.looks.append((*steps, step_to(node, scope)))


_ANOTHER = "its code makes another one of its own class, in which nothing would be swapped"


def _parts(node: ast.AST) -> list[ast.expr]:
    return [part for part in ast.walk(node) if isinstance(part, ast.expr)]


def _class_of(node: ast.expr, scope: Scope) -> bool:
    """Check whether an expression asks for the class of something."""
    if isinstance(node, ast.Call):
        return len(node.args) == 1 and scope.resolve(node.func) is type
    return isinstance(node, ast.Attribute) and node.attr == "__class__"


def _uses(node: ast.expr, scope: Scope) -> list[tuple[ast.expr, ast.AST | None]]:
    """Return an expression, and the variables that hold what it gives, each with what is around it."""
    parents = scope.source.parents
    parent = parents.get(node)
    targets = parent.targets if isinstance(parent, ast.Assign) else []
    if isinstance(parent, (ast.NamedExpr, ast.AnnAssign)):
        targets = [parent.target]
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    held = [other for other in scope.source.expressions if isinstance(other, ast.Name) and other.id in names]
    around = parents.get(parent) if isinstance(parent, ast.NamedExpr) else None
    return [
        (node, parent),
        *((name, parents.get(name)) for name in held),
        *([(parent, around)] if isinstance(parent, ast.expr) else []),
    ]


def _is_function(node: ast.Attribute, scope: Scope) -> bool:
    return isinstance(static_attribute(scope.owner, scope.mangled(node.attr)), types.FunctionType)


def _is_given_the_module(call: ast.Call, scope: Scope) -> bool:
    """Check whether a function that is not a method of the module is given it by its place."""
    is_given = any(isinstance(argument, ast.Name) and argument.id == scope.first for argument in call.args)
    return is_given and not is_own_method(call.func, scope.resolve(call.func), scope)


def _asks_for_its_class(function: Any, scope: Scope, seen: frozenset[Function]) -> str | None:
    """Return why a function that is given the module, by its place, stands in the way of a swap; None if it does not."""
    if not isinstance(function, types.FunctionType) or not _is_read(function):
        return None
    inner = Scope(list(layers(function))[-1], scope.owner, True)
    if inner.function in seen or not _mentions(inner.function.__code__, _MENTIONS):
        return None
    looking = Reading()
    with contextlib.suppress(SourceError):
        _read_looks((), inner, looking, seen)
    asks = any(step.code not in (f"{inner.first}.{traversal}" for traversal in TRAVERSALS) for (step,) in looking.looks)
    return f"{function.__qualname__} asks for its class, in whose place a swap puts another" if asks else None


def _makes_another(value: Any, scope: Scope) -> str | None:
    """Return why a class method stands in the way of a swap: it makes another one of the class."""
    function = value.__func__ if isinstance(value, classmethod) else None
    if not isinstance(function, types.FunctionType) or not _is_read(function):
        return None
    inner = Scope(function, scope.owner, True)
    with contextlib.suppress(SourceError):
        for node in inner.source.expressions:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == inner.first:
                return _ANOTHER
    return None


def _read_usage(scope: Scope, reading: Reading) -> None:
    """Add what a forward, and what it leads to, compares and sets, and where it goes through other modules."""
    where = scope.function.__qualname__
    for node in scope.source.expressions:
        location = f"{scope.function.__code__.co_filename}:{node.lineno}"
        if isinstance(node, ast.Compare):
            parts = (part for part in _parts(node) if isinstance(part, ast.Attribute) and scope.is_own_attribute(part))
            reading.compared.update(part.attr for part in parts)
            named = (scope.resolve(part) for part in _parts(node) if isinstance(part, (ast.Name, ast.Attribute)))
            classes = (cls for cls in named if isinstance(cls, type) and issubclass(cls, nn.Module))
            reading.classes.update(dict.fromkeys(classes, location))
        if isinstance(node, ast.Attribute):
            name = _dotted(node, scope)
            if not isinstance(node.ctx, ast.Load):
                reading.stores[name or f"*.{node.attr}"] = where
            if node.attr in ("modules", "named_modules") or (node.attr in TRAVERSALS and name not in TRAVERSALS):
                reading.passes_through[node.attr] = location
        elif isinstance(node, ast.Call) and scope.resolve(node.func) in (setattr, delattr) and len(node.args) > 1:
            of, attribute = node.args[:2]
            if (
                isinstance(attribute, ast.Constant)
                and isinstance(attribute.value, str)
                and (path := _dotted(of, scope)) is not None
            ):
                reading.stores[f"{path}.{attribute.value}".lstrip(".")] = where


def _dotted(node: ast.expr, scope: Scope) -> str | None:
    """Return the name of an attribute of the module, or of what is below it, from the module on; None for others."""
    if isinstance(node, ast.Name):
        return "" if node.id == scope.first else None
    if not isinstance(node, ast.Attribute) or (of := _dotted(node.value, scope)) is None:
        return None
    return f"{of}.{scope.mangled(node.attr)}".lstrip(".")


def _is_foreign(module: str | None) -> bool:
    """Return whether code of a module is torch's, Python's or of a package that applies no activation for an author."""
    name = module or ""
    return name.startswith("torch.") or _is_beside_torch(_package(name), len(sys.modules))


@functools.lru_cache(maxsize=1024)
def _is_beside_torch(package: str, imported: int) -> bool:
    """Return whether a package never gets to the data of a model; an installed one has nothing of torch in it then."""
    if package in _FOREIGN:
        return True
    modules = [module for name, module in list(sys.modules.items()) if _package(name) == package]
    # A lazy module would import something when it is asked for anything else.
    held = [getattr(module, "__dict__", {}) for module in modules]
    files = [str(names.get("__file__")) for names in held]
    is_installed = any("site-packages" in file or "dist-packages" in file for file in files)
    values = (value for names in held for value in list(names.values()))
    return is_installed and not any(map(_is_of_torch, values))


def _is_of_torch(value: Any) -> bool:
    if isinstance(value, types.ModuleType):
        return _package(value.__name__) == "torch"
    if not isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        return False
    return _package(str(value.__module__)) == "torch" or is_candidate(value)


def _package(module: str) -> str:
    return module.partition(".")[0]


def _defines(cls: type, name: str) -> bool:
    value = static_attribute(cls, name)
    return value is not UNKNOWN and value is not vars(nn.Module).get(name)


def method_scopes(cls: type, name: str) -> list[Scope]:
    """Return the functions that make up a method or a property, beneath its decorators and other wrappings."""
    return [
        Scope(function, cls, function.__code__.co_argcount > 0)
        for function in _functions_in(static_attribute(cls, name))
    ]


def layers_of(scope: Scope) -> list[Scope]:
    """Return the other functions that make up the same method, if it is one."""
    names = dict.fromkeys((scope.function.__name__, "forward", "__call__")) if scope.is_method else ()
    found = (method_scopes(scope.owner, name) for name in names)
    around = next((scopes for scopes in found if any(other.function is scope.function for other in scopes)), [])
    return [other for other in around if other.function is not scope.function]


def _functions_in(value: Any) -> list[Function]:
    if isinstance(value, property):
        return _functions_in(value.fget)
    if isinstance(value, functools.partialmethod):
        return _functions_in(value.func)
    if isinstance(value, functools.singledispatchmethod):
        return [function for held in value.dispatcher.registry.values() for function in _functions_in(held)]
    if isinstance(value, (types.FunctionType, staticmethod, classmethod, type)) or value is UNKNOWN:
        return list(layers(value))
    # An object that a class used as a decorator has made: it keeps the function.
    held = [kept for kept in getattr(value, "__dict__", {}).values() if isinstance(kept, types.FunctionType)]
    return (
        [function for kept in dict.fromkeys(held) for function in layers(kept)]
        if hasattr(type(value), "__get__")
        else []
    )


def with_replaced(value: Any, function: Function, new: Function) -> Any:
    """Return an attribute of a class that runs ``function``, with ``new`` in its place beneath what wraps it.

    Raises:
        SourceError: It can't be had there.
    """
    if isinstance(value, property):
        return property(with_replaced(value.fget, function, new), value.fset, value.fdel)
    if isinstance(value, functools.partialmethod):
        return functools.partialmethod(with_replaced(value.func, function, new), *value.args, **value.keywords)
    if isinstance(value, functools.singledispatchmethod):
        copied = functools.singledispatchmethod(value.func)
        for cls, held in value.dispatcher.registry.items():
            inside = function in _functions_in(held)
            copied.register(cls, with_replaced(held, function, new) if inside else held)
        return copied
    if isinstance(value, types.FunctionType):
        return redecorated(value, function, new)
    copied_object = copy.copy(value)
    for name, held in vars(value).items():
        if isinstance(held, types.FunctionType) and function in layers(held):
            setattr(copied_object, name, redecorated(held, function, new))
    return copied_object


@dataclass(frozen=True)
class _Content:
    """What a function holds itself, in the order of the source: calls, and references to other functions."""

    parts: list[Call | tuple[Step, Scope]] = field(default_factory=list)


class _Reader:
    """Reads what a class leads to, each function once, however many ways lead there.

    Args:
        cls: The class.

    Attributes:
        reading: What is found.
        is_in_forward: Whether what is read now is reached from the forward.
    """

    def __init__(self, cls: type[nn.Module]) -> None:
        self.reading = Reading()
        self.is_in_forward = True
        self._cls = cls
        self._methods: list[str] = []
        self._contents: dict[tuple[Function, bool], _Content] = {}
        self._leads: dict[tuple[Function, bool], bool] = {}

    def read_method(self, name: str, pending: list[str]) -> Iterator[Scope]:
        """Add what a method holds to the reading, and the methods to which it leads to ``pending``."""
        self._methods = pending
        self.reading.methods[name] = static_attribute(self._cls, name)
        scopes = method_scopes(self._cls, name)
        for scope in scopes:
            # What a decorator's own function calls is the next of them.
            self.reading.calls += self._calls_in(scope, [layer.function for layer in scopes])
            if scope.function.__qualname__ not in self.reading.unread:
                yield scope

    def calls_of(self, function: Function) -> list[Call]:
        """Return the calls in a function that is not a method of the module, and in what it leads to."""
        scopes = [Scope(layer, self._cls, False) for layer in layers(function) if not _is_foreign(layer.__module__)]
        return [call for scope in scopes for call in self._calls_in(scope, [scope.function])]

    def _calls_in(self, scope: Scope, path: Sequence[Function]) -> Iterator[Call]:
        """Return the calls within a function and the functions that it refers to, by each way there."""
        for part in self._content(scope).parts:
            if isinstance(part, Call):
                yield part
                continue
            step, helper = part
            if helper.function in path or len(path) >= _DEEPEST or not self._leads_to_one(helper):
                continue
            for call in self._calls_in(helper, (*path, helper.function)):
                yield replace(call, route=replace(call.route, steps=(step, *call.route.steps)))

    def _leads_to_one(self, scope: Scope) -> bool:
        """Return whether a function, or one that it leads to, holds a call: the ways that end nowhere are not walked."""
        key = (scope.function, scope.is_method)
        if key not in self._leads:
            reached = {key: scope}
            found = False
            for current in (pending := [scope]):  # grows
                for part in self._content(current).parts:
                    other = None if isinstance(part, Call) else part[1]
                    found = found or other is None
                    if other is not None and (other.function, other.is_method) not in reached:
                        reached[other.function, other.is_method] = other
                        pending.append(other)
            self._leads.update({key: True} if found else dict.fromkeys(reached, False))
        return self._leads[key]

    def _content(self, scope: Scope) -> _Content:
        key = (scope.function, scope.is_method)
        if key not in self._contents:
            content = self._contents[key] = _Content()  # a function that leads to itself is being read already
            content.parts.extend(self._parts(scope))
        return self._contents[key]

    def _parts(self, scope: Scope) -> Iterator[Call | tuple[Step, Scope]]:
        reading = self.reading
        try:
            source = scope.source
        except SourceError as error:
            # Beside the forward a module logs, plots and saves: only the author's own code is of interest there.
            if self.is_in_forward or _package(scope.function.__module__ or "") == _package(self._cls.__module__):
                reading.unread[scope.function.__qualname__] = str(error)
            return
        reading.names.update(node.attr for node in source.expressions if isinstance(node, ast.Attribute))
        code = scope.function.__code__
        defaults = (*(scope.function.__defaults__ or ()), *(scope.function.__kwdefaults__ or {}).values())
        if self.is_in_forward and any(is_candidate(value) and self._applies_one(value, True) for value in defaults):
            reading.lookups.append(f"{code.co_filename}:{code.co_firstlineno}")
        for stated in written_in_statements(scope):
            yield Call(
                Route((step_to(stated.node, scope),), name_of(stated.function)),
                stated.applied.definition.name,
                "function",
                stated.applied.spec,
                DOUBT_OF_EVERYDAY if stated.applied.is_everyday else "a mask, which may limit something else",
                f"{scope.function.__code__.co_filename}:{stated.node.lineno}",
                obstacle="written in statements, of which a call can't take the place",
                is_everyday=stated.applied.is_everyday,
            )
        inside: set[ast.AST] = set()
        for node in source.expressions:
            if (site := written(node, scope)) is not None:
                if site.node not in inside:
                    yield call_at(site, scope)
                    if site.composite is not None:
                        reading.formulas.add(scope.function.__code__)
                # The callee is part of the call; so is the sigmoid in x * sigmoid(x).
                inside.update(_consumed(site))
            if self.is_in_forward and self._is_looked_up(node, scope):
                reading.lookups.append(f"{code.co_filename}:{node.lineno}")
            if isinstance(node, ast.Call) and scope.is_own_attribute(node.func):
                assert isinstance(node.func, ast.Attribute)
                is_starred = any(isinstance(arg, ast.Starred) for arg in node.args)
                takes_more = len(node.args) + len(node.keywords) > 1 or is_starred
                use = AttributeCall(takes_more, destination_of(node, scope))
                reading.attributes.setdefault(scope.mangled(node.func.attr), []).append(use)
            if not isinstance(node, (ast.Name, ast.Attribute)) or not isinstance(node.ctx, ast.Load):
                continue
            value = scope.resolve(node)
            is_in_formula = isinstance(value, (int, float)) and node in inside
            if is_in_formula or isinstance(value, (types.FunctionType, types.BuiltinFunctionType, functools.partial)):
                reading.functions.append((scope, node, value))
            if node in inside or value is UNKNOWN:
                continue
            if (sealed := _sealed(value, node, scope)) is not None:
                yield sealed
            if is_own_method(node, value, scope):
                assert isinstance(node, ast.Attribute)
                name = scope.mangled(node.attr)
                is_of_author = any(not _is_foreign(part.__module__) for part in _functions_in(value))
                if name not in self._methods and _defines(scope.owner, name) and is_of_author:
                    self._methods.append(name)
                continue
            helper = reached(node, value, scope)
            if helper is None or helper.function is scope.function:
                continue
            # What super() leads to may call methods of the subclass, of which it only has the names.
            if helper.is_method or may_apply(helper.function):
                yield step_to(node, scope), helper

    def _is_looked_up(self, node: ast.expr, scope: Scope) -> bool:
        """Check whether only a run tells what an expression gives, and an activation may be among it.

        Such as ``FUNCTIONS[name]``, ``getattr(F, name)``, ``Function.apply`` and a method of an object.
        """
        parent = scope.source.parents.get(node)
        is_called = isinstance(parent, ast.Call) and parent.func is node
        if isinstance(node, ast.Subscript):
            held = scope.resolve(node.value)
            values = held.values() if isinstance(held, dict) else held if isinstance(held, (list, tuple)) else ()
            return any(self._applies_one(value, is_called) for value in values)
        if isinstance(node, ast.Call):
            if scope.resolve(node.func) is not getattr or len(node.args) < 2 or isinstance(node.args[1], ast.Constant):
                return False
            of = scope.resolve(node.args[0])
            return of is torch.nn.functional or (is_called and of in (torch, torch.nn, torch.special))
        if not isinstance(node, (ast.Name, ast.Attribute)) or not isinstance(node.ctx, ast.Load):
            return False
        value = scope.resolve(node)
        if isinstance(value, nn.Module) and not isinstance(value, torch.jit.ScriptModule):
            return any(recognize(module) is not None for module in value.modules())
        if isinstance(value, type) and not is_called and is_handed_on(node, scope):
            is_asked = isinstance(parent, ast.Call) and scope.resolve(parent.func) in (isinstance, issubclass)
            return not is_asked and self._applies_one(value, is_called)
        if not isinstance(node, ast.Attribute):
            return False
        of = scope.resolve(node.value)
        if node.attr == "apply" and isinstance(of, type) and issubclass(of, torch.autograd.Function):
            return self._applies_one(of.forward, True)
        method = method_of(of, node.attr) if value is UNKNOWN else None
        return method is not scope.function and self._applies_one(method, True)

    def _applies_one(self, value: Any, is_called: bool) -> bool:
        """Check whether a function or a class is an activation, or a function that is called applies one."""
        if is_candidate(value):
            found = applied(value, [UNKNOWN], {})
            return found is not None and not found.is_everyday
        if isinstance(value, (type, nn.Module)):
            definition = registry.registered(value if isinstance(value, type) else type(value))
            return definition is not None and definition.kind != "transfer" and definition.name != "identity"
        if not isinstance(value, types.FunctionType) or not is_called or not may_apply(value):
            return False
        return any(not call.is_everyday for call in self.calls_of(value))


def _consumed(site: Written) -> Iterator[ast.AST]:
    if site.composite is not None:
        yield from site.composite.parts()
    elif isinstance(site.node, ast.Call):
        yield from ast.walk(site.node.func) if site.kind == "function" else ()
    else:
        yield from (node for node in ast.walk(site.node) if node is not site.node)


#: Why a call that no run shows is out of reach.
OF_ATEN = "an operator of ATen, called past torch's functions"


class Sealed(NamedTuple):
    """An activation that is out of reach, and reported."""

    name: str
    spec: str
    reason: str
    is_everyday: bool = False


def sealed(value: Any) -> Sealed | None:
    """Return the activation of an ATen operator or of a TorchScript function; None for other values."""
    if isinstance(value, torch.jit.ScriptFunction):
        return Sealed(str(value.name), UNKNOWN_ACTIVATION, "a TorchScript function is compiled code")
    if isinstance(value, (torch._ops.OpOverloadPacket, torch._ops.OpOverload)):
        name = str(value).partition(".")[2].partition(".")[0].rstrip("_")
        # Graphs that were decomposed call what torch's functions are made of: _softmax, _prelu_kernel.
        public = name.lstrip("_").removeprefix("safe_").removesuffix("_kernel")
        owners = (torch, torch.nn.functional, torch._C._nn)
        for function in (
            getattr(owner, known) for known in (name, public) for owner in owners if hasattr(owner, known)
        ):
            if (found := applied(function, [UNKNOWN], {})) is not None:
                return Sealed(name, found.spec, OF_ATEN, found.is_everyday)
    return None


def _sealed(value: Any, node: ast.expr, scope: Scope) -> Call | None:
    found = sealed(value)
    if found is None:
        return None
    location = f"{scope.function.__code__.co_filename}:{node.lineno}"
    return Call(
        Route((step_to(node, scope),), str(value)),
        found.name,
        "function",
        found.spec,
        DOUBT_OF_EVERYDAY if found.is_everyday else None,
        location,
        obstacle=found.reason,
        is_everyday=found.is_everyday,
    )


def method_of(value: Any, name: str) -> Function | None:
    """Return the function behind a method of an object that is neither torch's nor Python's.

    None where there is none.
    """
    if value is UNKNOWN or not is_helper(value):
        return None
    found = static_attribute(type(value), name)
    function = found.__func__ if isinstance(found, (staticmethod, classmethod)) else found
    return function if isinstance(function, types.FunctionType) else None


def is_helper(value: Any) -> bool:
    """Check whether an object is of an author's class, and not a module."""
    of_others = (types.ModuleType, types.FunctionType, type, nn.Module)
    return not isinstance(value, of_others) and not _is_foreign(type(value).__module__)


def is_own_method(node: ast.expr, value: Any, scope: Scope) -> bool:
    """Check whether an expression refers to a method or property of the module, by its name."""
    return (
        scope.is_own_attribute(node)
        and bool(_functions_in(value))
        and not isinstance(value, (staticmethod, classmethod))
    )


def reached(node: ast.expr, value: Any, scope: Scope) -> Scope | None:
    """Return the scope of the function that an expression refers to.

    None where it refers to anything else, or to torch's.
    """
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    if not isinstance(value, types.FunctionType) or is_candidate(value):
        return None
    inner = list(layers(value))[-1]
    if _is_foreign(inner.__module__):
        return None
    # What super() leads to takes the same module; so does a method of its own, reached by name.
    bound = isinstance(node, ast.Attribute) and (
        isinstance(node.value, ast.Call) or (isinstance(node.value, ast.Name) and node.value.id == scope.first)
    )
    return Scope(inner, scope.owner, bound and not isinstance(scope.resolve(node), (staticmethod, classmethod)))


def call_at(site: Written, scope: Scope, prefix: tuple[Step, ...] = ()) -> Call:
    """Return the call that is written at the end of some steps."""
    return Call(
        Route((*prefix, step_to(site.node, scope)), name_of(site.function)),
        call_name(site.function) if site.composite is None else site.applied.definition.name,
        site.kind,
        site.applied.spec,
        site.applied.doubt,
        f"{scope.function.__code__.co_filename}:{site.node.lineno}",
        is_formula=site.composite is not None,
        hands_on=isinstance(site.node, (ast.Name, ast.Attribute)),
        gates_itself=gates_its_input(site.node, scope),
        destination=None if prefix else destination_of(site.node, scope),
        obstacle=site.applied.obstacle,
        is_everyday=site.applied.is_everyday,
    )


def call_name(callee: Any) -> str:
    """Return what a call is called in paths: the function's name, for in-place forms too."""
    return str(getattr(callee, "__name__", "call")).rstrip("_").lower()


_APPLYING: weakref.WeakKeyDictionary[Function, bool] = weakref.WeakKeyDictionary()


def may_apply(function: Function) -> bool:
    """Check whether a function, or one that it names, can apply an activation: from its code object, without the source."""
    if function not in _APPLYING:
        looked_at: set[Function] = set()
        found = _may_apply(function, looked_at)
        # That one of several that call each other does not, is only known when all of them were looked at.
        _APPLYING.update({function: True} if found else dict.fromkeys(looked_at, False))
    return _APPLYING[function]


def _may_apply(function: Function, looked_at: set[Function]) -> bool:
    if function in _APPLYING:
        return _APPLYING[function]
    if function in looked_at:
        return False
    looked_at.add(function)
    code = function.__code__
    names = set(_names(code))
    if any(map(is_name, names)) or _makes_masks(code):
        return True
    values = [function.__globals__.get(name) for name in names]
    for cell in function.__closure__ or ():
        try:
            values.append(cell.cell_contents)
        except ValueError:
            continue
    known = set(map(id, values))
    for value in values:  # grows by what is named within the modules and classes that are named
        if not _is_searched(value):
            continue
        for name in names:
            member = static_attribute(value, name) if isinstance(value, type) else vars(value).get(name)
            if id(member) not in known:
                known.add(id(member))
                values.append(member)
    return any(_may_lead_to_one(value, looked_at) for value in values)


def _makes_masks(code: types.CodeType) -> bool:
    """Check whether the result of a comparison is used as a value, rather than branched on."""
    instructions = list(dis.get_instructions(code))
    return any(
        one.opname == "COMPARE_OP" and one.argrepr in ("<", "<=", ">", ">=") and "JUMP" not in following.opname
        for one, following in itertools.pairwise(instructions)
    ) or any(_makes_masks(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))


def _is_searched(value: Any) -> bool:
    if not isinstance(value, (types.ModuleType, type)):
        return False
    name = value.__name__ if isinstance(value, types.ModuleType) else value.__module__
    return not _is_foreign(str(name))


def _may_lead_to_one(value: Any, looked_at: set[Function]) -> bool:
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    if isinstance(value, functools.partial):
        value = value.func
    if is_candidate(value) or (isinstance(value, type) and issubclass(value, (nn.Module, torch.autograd.Function))):
        return True
    if not isinstance(value, types.FunctionType):
        return False
    inner = list(layers(value))[-1]
    return not _is_foreign(inner.__module__) and _may_apply(inner, looked_at)


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def function_named(name: str) -> Function | None:
    """Return the function behind ``package.module:Class.method`` among what is imported; nothing is imported for it."""
    module, _, qualname = name.partition(":")
    value: Any = imported(module)
    for part in qualname.split("."):
        value = vars(value).get(part) if isinstance(value, (types.ModuleType, type)) else None
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    functions = list(layers(value))
    return next((function for function in reversed(functions) if function_name(function) == name), None)
