"""Where in the code of a module an activation is called: the way from one of its methods to the call, as plain data.

A route is read off the source of the module's class, or built from the frames of a call that was seen to run; both give
the same. It names functions and expressions, not objects: it can be kept in a file, and found again in a class.
"""

from __future__ import annotations

import ast
import functools
import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from lightning_acts import registry
from lightning_acts.surgery.calls import Written, is_candidate, is_method, name_of, written
from lightning_acts.surgery.site import Kind
from lightning_acts.surgery.source import UNKNOWN, Function, Scope, SourceError, static_attribute, layers

# What is called from a forward, but is never the author's way to an activation.
_FOREIGN = ("torch.", "builtins", "typing", "functools", "collections", "logging", "warnings", "math", "numpy.")
_DEEPEST = 12


@dataclass(frozen=True)
class Step:
    """One expression on the way: the function that holds it, its place counted from there, and its text."""

    function: str
    line: int
    column: int
    code: str

    def node_in(self, scope: Scope) -> ast.expr:
        """The expression in the function's source, also where lines have moved since.

        Raises:
            SourceError: It is not there, or not just once.
        """
        first = scope.function.__code__.co_firstlineno
        same = [node for node in scope.source.walk() if _text(node) == self.code]
        exact = [node for node in same if (node.lineno - first, node.col_offset) == (self.line, self.column)]
        if len(exact or same) != 1:
            raise SourceError(f"{self.function} holds {self.code!r} {len(same)} times, not where it was")
        return (exact or same)[0]


@dataclass(frozen=True)
class Route:
    """The way to a call: the first step lies in a method of the module, the last one is the call itself.

    Attributes:
        steps: Each but the last is a reference to the function in which the next one lies.
        callee: The import path of the function that is called.
    """

    steps: tuple[Step, ...]
    callee: str


@dataclass(frozen=True)
class Call:
    """A call of an activation in the code of a class.

    Attributes:
        route: The way there.
        name: The name of what is called, without the underscore of the forms that work in place.
        kind: ``function`` or ``method``.
        spec: The activation.
        doubtful: Why it may be no activation; None where that is certain.
        location: ``file:line``.
    """

    route: Route
    name: str
    kind: Kind
    spec: str
    doubtful: str | None
    location: str


def step_to(node: ast.expr, scope: Scope) -> Step:
    """The step that a node is."""
    function = scope.function
    return Step(
        function_name(function), node.lineno - function.__code__.co_firstlineno, node.col_offset, _text(node)
    )


@functools.lru_cache(maxsize=65536)
def _text(node: ast.expr) -> str:
    return ast.unparse(node)


def function_name(function: Function) -> str:
    """``package.module:Class.method``."""
    return f"{function.__module__}:{function.__qualname__}"


def calls_of(cls: type[nn.Module]) -> tuple[Call, ...]:
    """The calls of activations that the forward of a class, and whatever it reaches, holds in its source."""
    return _read(cls, registry.count())


@functools.lru_cache(maxsize=4096)
def _read(cls: type[nn.Module], count: int) -> tuple[Call, ...]:
    if cls.__module__.startswith("torch."):
        return ()
    found: list[Call] = []
    pending = [name for name in ("forward", "__call__") if _defines(cls, name)]
    for name in pending:  # grows while it is read
        for scope in method_scopes(cls, name):
            found += _calls_in(scope, pending, ())
    return tuple(dict.fromkeys(found))


def _defines(cls: type, name: str) -> bool:
    value = static_attribute(cls, name)
    return value is not UNKNOWN and value is not vars(nn.Module).get(name)


def method_scopes(cls: type, name: str) -> list[Scope]:
    """The functions that make up a method, or a property's getter, beneath its decorators."""
    value = static_attribute(cls, name)
    if isinstance(value, property):
        value = value.fget
    return [Scope(function, cls, function.__code__.co_argcount > 0) for function in layers(value)]


def _calls_in(scope: Scope, methods: list[str] | None, path: Sequence[Function]) -> Iterator[Call]:
    """The calls within a function and the functions that it refers to; names of methods are added to ``methods``."""
    try:
        source = scope.source
    except SourceError:
        return
    inside: set[ast.AST] = set()
    for node in source.walk():
        if (site := written(node, scope)) is not None:
            if site.node not in inside:
                yield call_at(site, scope)
            # The callee is part of the call; so is the sigmoid in x * sigmoid(x).
            inside.update(_consumed(site))
        if node in inside or not isinstance(node, (ast.Name, ast.Attribute)) or not isinstance(node.ctx, ast.Load):
            continue
        value = scope.resolve(node)
        if value is UNKNOWN:
            continue
        if methods is not None and _is_own_method(node, value, scope):
            assert isinstance(node, ast.Attribute)
            name = scope._mangled(node.attr)
            if name not in methods:
                methods.append(name)
            continue
        helper = reached(node, value, scope)
        if helper is None or helper.function in path or len(path) >= _DEEPEST or not may_apply(helper.function):
            continue
        step = step_to(node, scope)
        for call in _calls_in(helper, None, (*path, helper.function)):
            yield replace(call, route=replace(call.route, steps=(step, *call.route.steps)))


def _consumed(site: Written) -> Iterator[ast.AST]:
    if isinstance(site.node, ast.Call):
        yield from ast.walk(site.node.func) if site.kind == "function" else ()
    else:
        yield from (node for node in ast.walk(site.node) if node is not site.node)


def _is_own_method(node: ast.expr, value: Any, scope: Scope) -> bool:
    is_own = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == scope.first
    return is_own and isinstance(value, (types.FunctionType, property))


def reached(node: ast.expr, value: Any, scope: Scope) -> Scope | None:
    """The scope of the function that an expression refers to; None where it refers to anything else, or to torch's."""
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    if not isinstance(value, types.FunctionType) or is_candidate(value):
        return None
    inner = list(layers(value))[-1]
    if (inner.__module__ or "").startswith(_FOREIGN):
        return None
    # What super() leads to takes the same module; so does a method of its own, reached by name.
    bound = isinstance(node, ast.Attribute) and (
        isinstance(node.value, ast.Call) or (isinstance(node.value, ast.Name) and node.value.id == scope.first)
    )
    return Scope(inner, scope.owner, bound and not isinstance(scope.resolve(node), (staticmethod, classmethod)))


def call_at(site: Written, scope: Scope, prefix: tuple[Step, ...] = ()) -> Call:
    """The call that is written at the end of some steps."""
    return Call(
        Route((*prefix, step_to(site.node, scope)), name_of(site.function)),
        call_name(site.function),
        site.kind,
        site.applied.spec,
        site.applied.doubtful,
        f"{scope.function.__code__.co_filename}:{site.node.lineno}",
    )


def call_name(callee: Any) -> str:
    """What a call is called in paths: the function's name, for in-place forms too."""
    return str(getattr(callee, "__name__", "call")).rstrip("_").lower()


_APPLYING: dict[types.CodeType, bool] = {}


def may_apply(function: Function) -> bool:
    """Whether a function, or one that it names, can apply an activation: from names alone, without the source."""
    code = function.__code__
    if code in _APPLYING:
        return _APPLYING[code]
    _APPLYING[code] = False  # while it is looked at: a function that calls itself adds nothing
    names = set(_names(code))
    found = any(is_method(name) or name in _WORDS for name in names)
    if not found:
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        values = [function.__globals__.get(name) for name in names]
        for cell in cells.values():
            try:
                values.append(cell.cell_contents)
            except ValueError:
                continue
        # A function imported by name, or one of a module that is named.
        modules = [value for value in values if isinstance(value, types.ModuleType) and not value.__name__.startswith(_FOREIGN)]
        values += [vars(module).get(name) for module in modules for name in names]
        found = any(_may_lead_to_one(value) for value in values)
    _APPLYING[code] = found
    return found


def _may_lead_to_one(value: Any) -> bool:
    if is_candidate(value) or (isinstance(value, type) and issubclass(value, nn.Module)):
        return True
    if not isinstance(value, types.FunctionType):
        return False
    inner = list(layers(value))[-1]
    return not (inner.__module__ or "").startswith(_FOREIGN) and may_apply(inner)


# Names of functions that tensors don't have as methods.
_WORDS = frozenset(
    "relu relu6 leaky_relu elu selu celu rrelu gelu silu mish hardswish hardsigmoid hardtanh softplus softsign tanhshrink "
    "softshrink logsigmoid glu softmin gumbel_softmax threshold".split()
)


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def function_named(name: str) -> Function | None:
    """The function behind ``package.module:Class.method`` among what is imported; nothing is imported for it."""
    module, _, qualname = name.partition(":")
    value: Any = sys.modules.get(module)
    for part in qualname.split("."):
        value = vars(value).get(part) if isinstance(value, (types.ModuleType, type)) else None
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    functions = list(layers(value))
    return next((function for function in reversed(functions) if function_name(function) == name), None)
