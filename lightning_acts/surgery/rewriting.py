"""A class whose forward calls a submodule where the original called a function: the same class in every other respect.

The subclass is made once for a class and the routes that it replaces, and set as the ``__class__`` of a module: two
modules of one class can carry different swaps, and nothing is patched. Name, ``isinstance``, ``super()``, signatures and
the lines of tracebacks stay; a copy or a pickle names the original class and the routes, and makes the subclass again.
"""

from __future__ import annotations

import ast
import copyreg
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from lightning_acts.surgery.calls import Written, named, written
from lightning_acts.surgery.routes import Route, Step, function_name, function_named, method_scopes, reached
from lightning_acts.surgery.site import SwapError
from lightning_acts.surgery.source import (
    UNKNOWN,
    Function,
    Scope,
    SourceError,
    layers,
    redecorated,
    rewritten,
    static_attribute,
)

#: Routes that are replaced, each with the name of the submodule that is called instead.
Routes = tuple[tuple[Route, str], ...]

_PREFIX = "_acts_"
_OWNER = f"{_PREFIX}owner"


def base_of(cls: type) -> type:
    """The class as its author wrote it."""
    return vars(cls).get(f"{_PREFIX}base", cls)  # type: ignore[no-any-return]


def routes_of(cls: type) -> Routes:
    """What the class replaces: nothing, if it is as its author wrote it."""
    return vars(cls).get(f"{_PREFIX}routes", ())  # type: ignore[no-any-return]


def obstacle(cls: type[nn.Module], route: Route) -> str | None:
    """Why a route can't be rewritten; None where it can."""
    try:
        rewritten_class(base_of(cls), ((route, "probe"),))
    except SourceError as error:
        return str(error)
    return None


@functools.lru_cache(maxsize=None)
def rewritten_class(base: type[nn.Module], routes: Routes) -> type[nn.Module]:
    """The class in which the calls at these routes are calls of submodules; ``base`` itself if there are none.

    Raises:
        SourceError: A route isn't in the class, or can't be replaced.
    """
    if not routes:
        return base
    members = _Members(base, {})
    by_method: dict[str, list[tuple[tuple[Step, ...], str, str]]] = {}
    for route, name in routes:
        by_method.setdefault(route.steps[0].function, []).append((route.steps, route.callee, name))
    for function, inside in by_method.items():
        attribute, scope = _method(base, function)
        twin = members.twin(scope, inside, {})
        value = static_attribute(base, attribute)
        outer = value.fget if isinstance(value, property) else value
        made = redecorated(outer, scope.function, twin)
        # Two routes may lie in two layers of one method.
        members.namespace[attribute] = property(made, value.fset, value.fdel) if isinstance(value, property) else made
    return _subclass(base, routes, members.namespace)


def _method(cls: type[nn.Module], function: str) -> tuple[str, Scope]:
    name = function.rpartition(".")[2].rpartition(":")[2]
    found = [(name, scope) for scope in method_scopes(cls, name) if function_name(scope.function) == function]
    if not found:  # a private name is mangled; a method may be known by another name than its own
        names = dict.fromkeys(name for base in cls.__mro__ for name in vars(base))
        found = [(n, scope) for n in names for scope in method_scopes(cls, n) if function_name(scope.function) == function]
    if not found:
        raise SourceError(f"{cls.__name__} has no method {function}")
    return found[0]


Remaining = tuple[tuple[Step, ...], str, str]


@dataclass
class _Members:
    """What the subclass holds: rewritten methods, and twins of the functions that lead from them to the calls."""

    base: type[nn.Module]
    namespace: dict[str, Any]
    count: int = field(default=0)

    def add(self, what: str, value: Any) -> str:
        """Keep a member under a name of its own, which is returned."""
        name = f"{_PREFIX}{what}_{self.count}"
        self.count += 1
        self.namespace[name] = value
        return name

    def twin(self, scope: Scope, inside: list[Remaining], around: dict[Function, str]) -> Function:
        """The function of a scope with the calls rewritten.

        ``around`` are the functions that it was reached through, with the names of their twins.
        """
        owner = scope.first or _OWNER
        edits: dict[ast.expr, _Edit] = {}
        by_step: dict[Step, list[Remaining]] = {}
        for steps, callee, name in inside:
            by_step.setdefault(steps[0], []).append((steps, callee, name))
        for step, routes in by_step.items():
            node = step.node_in(scope)
            _refuse_shadowed(node, owner, scope)
            last = [(callee, name) for steps, callee, name in routes if len(steps) == 1]
            further: list[Remaining] = [(steps[1:], callee, name) for steps, callee, name in routes if len(steps) > 1]
            edit = self._site(node, last, scope) if last else self._reference(node, further, scope, around)
            edits[edit.node] = edit
        for function, name in around.items():  # a function that calls itself goes on in its twin
            for node in scope.source.walk():
                if isinstance(node, (ast.Name, ast.Attribute)) and scope.resolve(node) is function:
                    edits.setdefault(node, _Edit(node, lambda make, owner, name=name: _attribute(owner, name)))

        def replace(node: ast.expr, visit: Callable[[ast.expr], ast.expr]) -> ast.expr | None:
            edit = edits.get(node)
            return None if edit is None else edit.make(visit, owner)

        return rewritten(scope.function, replace, leading=None if scope.first else _OWNER)

    def _site(self, node: ast.expr, callees: list[tuple[str, str]], scope: Scope) -> _Edit:
        site = written(node, scope)
        if site is not None and site.input is not None:
            return _Edit(node, functools.partial(_direct, site, callees[0][1], scope))
        if not isinstance(node, ast.Call):
            raise SourceError(f"{ast.unparse(node)} is no call")
        if isinstance(scope.source.parents.get(node), ast.Expr):
            raise SourceError("its result is thrown away, and what it is can only be told when it runs")
        table = [(named(callee), name) for callee, name in callees]
        if any(function is UNKNOWN for function, _ in table):
            raise SourceError(f"what it calls is not imported ({', '.join(callee for callee, _ in callees)})")
        guard = self.add("choose", functools.partialmethod(_choose, tuple(table)))
        return _Edit(node.func, lambda visit, owner: _called(_attribute(owner, guard), visit(node.func)))

    def _reference(self, node: ast.expr, further: list[Remaining], scope: Scope, around: dict[Function, str]) -> _Edit:
        value = scope.resolve(node)
        helper = None if value is UNKNOWN else reached(node, value, scope)
        guarded = helper is None or isinstance(value, classmethod)
        expected = function_named(further[0][0][0].function) if helper is None else helper.function
        if expected is None:
            raise SourceError(f"the function {further[0][0][0].function} that it calls can't be told before it runs")
        inner = helper or Scope(expected, scope.owner, False)
        if guarded:
            inner = Scope(inner.function, scope.owner, False)
        name = f"{_PREFIX}helper_{self.count}"
        self.count += 1
        outer = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
        twin = self.twin(inner, further, {**around, (expected if guarded else outer): name})
        # Decorators pass on what they are given: also the module, before all else.
        self.namespace[name] = twin if guarded else redecorated(outer, inner.function, twin)
        if not guarded:
            return _Edit(node, lambda visit, owner: _attribute(owner, name))
        guard = self.add("choose", functools.partialmethod(_choose_function, expected, name))
        return _Edit(node, lambda visit, owner: _called(_attribute(owner, guard), _kept(node, visit)))


@dataclass(frozen=True)
class _Edit:
    node: ast.expr
    make: Callable[[Callable[[ast.expr], ast.expr], str], ast.expr]


def _kept(node: ast.expr, visit: Callable[[ast.expr], ast.expr]) -> ast.expr:
    """The node itself: visiting it would ask for its own replacement again."""
    if isinstance(node, ast.Attribute):
        return ast.copy_location(ast.Attribute(visit(node.value), node.attr, ast.Load()), node)
    return node


def _direct(site: Written, name: str, scope: Scope, visit: Callable[[ast.expr], ast.expr], owner: str) -> ast.expr:
    assert site.input is not None
    module = _attribute(owner, name)
    if not _writes_back(site, scope):
        return _called(module, visit(site.input))
    # Whoever else holds the input sees what the original has written there.
    clone = _called(ast.Attribute(visit(site.input), "clone", ast.Load()))
    return _called(ast.Attribute(visit(site.input), "copy_", ast.Load()), _called(module, clone))


def _writes_back(site: Written, scope: Scope) -> bool:
    """Whether the input, as a variable, goes on being used after a call that works in place."""
    parent = scope.source.parents.get(site.node)
    discarded = isinstance(parent, ast.Expr)
    if not (site.is_in_place or discarded) or not isinstance(site.input, (ast.Name, ast.Attribute, ast.Subscript)):
        return False
    if isinstance(parent, ast.Return):
        return False
    targets = parent.targets if isinstance(parent, ast.Assign) else []
    return not any(ast.unparse(target) == ast.unparse(site.input) for target in targets)


def _attribute(owner: str, name: str) -> ast.expr:
    return ast.Attribute(ast.Name(owner, ast.Load()), name, ast.Load())


def _called(function: ast.expr, *arguments: ast.expr) -> ast.expr:
    return ast.Call(function, list(arguments), [])


def _refuse_shadowed(node: ast.AST, owner: str, scope: Scope) -> None:
    """A function within the method may have a parameter that is called as the module is."""
    while (node := scope.source.parents.get(node, scope.source.node)) is not scope.source.node:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            if owner in names:
                raise SourceError(f"the function around it has a {owner!r} of its own")


def _choose(self: nn.Module, table: tuple[tuple[Any, str], ...], callee: Any) -> Any:
    """The submodule that stands for ``callee``; ``callee`` itself, if that is none of those in the table."""
    for function, name in table:
        if callee is function or type(callee) is function or _is_method_of_tensor(callee, function):
            module = getattr(self, name)
            receiver = getattr(callee, "__self__", None)
            return lambda *args, **kwargs: module(receiver if isinstance(receiver, Tensor) else _first(args, kwargs))
    return callee


def _is_method_of_tensor(callee: Any, function: Any) -> bool:
    bound_to = getattr(callee, "__self__", None)
    return isinstance(bound_to, Tensor) and getattr(Tensor, getattr(callee, "__name__", ""), None) is function


def _first(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[0] if args else kwargs["input"]


def _choose_function(self: nn.Module, function: Function, name: str, callee: Any) -> Any:
    """The twin of a function that is passed around, bound to what ``callee`` is bound to."""
    bare = getattr(callee, "__func__", callee)
    if not any(layer is function for layer in layers(bare)):
        return callee
    twin = getattr(self, name)
    return functools.partial(twin, callee.__self__) if hasattr(callee, "__func__") else twin


def _subclass(base: type[nn.Module], routes: Routes, namespace: dict[str, Any]) -> type[nn.Module]:
    names = frozenset(name for _, name in routes)
    members = {
        **_hidden(base, names),
        **namespace,
        f"{_PREFIX}base": base,
        f"{_PREFIX}routes": routes,
        "__reduce_ex__": _reduce_ex,
        "__prepare_scriptable__": _refuse_script,
        "__module__": base.__module__,
        "__qualname__": base.__qualname__,
        "__doc__": base.__doc__,
    }
    # Given its base only afterwards, so that neither __init_subclass__ nor a metaclass takes it for one of the author's.
    made: type[nn.Module] = type.__new__(type(base), base.__name__, (_Empty,), members)
    made.__bases__ = (base,)
    return made


class _Empty:
    pass


def _hidden(base: type[nn.Module], names: frozenset[str]) -> dict[str, Any]:
    """Containers run, count and name their children: these methods leave the new ones out."""

    def shown(self: Any) -> dict[str, nn.Module]:
        return {name: module for name, module in self._modules.items() if name not in names}

    members: dict[str, Callable[..., Any]] = {"__len__": lambda self: len(shown(self))}
    if issubclass(base, nn.ModuleDict):
        members |= {
            "__iter__": lambda self: iter(shown(self)),
            "keys": lambda self: shown(self).keys(),
            "items": lambda self: shown(self).items(),
            "values": lambda self: shown(self).values(),
        }
    elif issubclass(base, (nn.Sequential, nn.ModuleList)):
        members |= {"__iter__": lambda self: iter(shown(self).values())}
    else:
        return {}
    own = {name for cls in base.__mro__ if not cls.__module__.startswith("torch.") for name in vars(cls)}
    return {name: member for name, member in members.items() if name not in own}


def _reduce_ex(self: nn.Module, protocol: Any) -> Any:
    cls = type(self)
    reduced = super(cls, self).__reduce_ex__(protocol)
    if not isinstance(reduced, tuple) or reduced[0] is not copyreg.__newobj__:  # type: ignore[attr-defined]
        raise SwapError(f"{cls.__name__} copies and pickles itself in a way of its own: restore it first")
    return (_new, (base_of(cls), routes_of(cls), *reduced[1][1:]), *reduced[2:])


def _new(base: type[nn.Module], routes: Routes, *args: Any) -> nn.Module:
    try:
        cls = rewritten_class(base, routes)
    except SourceError as error:
        raise SwapError(f"the swap in this copy of {base.__name__} does not fit the class as it is here: {error}") from None
    made: nn.Module = cls.__new__(cls, *args)
    return made


def _refuse_script(self: nn.Module) -> nn.Module:
    raise SwapError(
        f"torch.jit.script reads the original source of {type(self).__name__}, where nothing is swapped: use "
        "torch.jit.trace, torch.export or torch.compile, or call acts.restore first"
    )


def submodule_name(owner: nn.Module, wanted: str) -> str:
    """A name for a new submodule that nothing in ``owner`` has."""
    name = wanted
    while hasattr(owner, name):
        name += "_"
    return name


def set_routes(owner: nn.Module, routes: Routes) -> None:
    """Give a module the class that replaces these routes.

    Raises:
        SwapError: Something else has changed its class since.
        SourceError: A route can't be replaced.
    """
    owner.__class__ = rewritten_class(base_of(type(owner)), routes)


def classes_in(model: nn.Module) -> Iterator[type]:
    """The classes of a model's modules, as their authors wrote them."""
    yield from dict.fromkeys(base_of(type(module)) for module in model.modules())
