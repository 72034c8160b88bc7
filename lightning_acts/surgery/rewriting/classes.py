"""A class whose forward calls a submodule where the original called a function: the same class in every other respect.

The subclass is made once for a class and the routes that it replaces, and set as the ``__class__`` of a module: two
modules of one class can carry different swaps, and nothing is patched. Name, ``isinstance``, ``super()``, signatures and
the lines of tracebacks stay; a copy or a pickle names the original class and the routes, and makes the subclass again.
"""

from __future__ import annotations

import ast
import contextlib
import copyreg
import functools
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.fx import GraphModule

from lightning_acts.errors import SwapError
from lightning_acts.surgery.recognizing.calls import named, works_in_place
from lightning_acts.surgery.recognizing.expressions import Written, written
from lightning_acts.surgery.rewriting.in_place import (
    Aliases,
    Caller,
    Readers,
    call_of,
    passes_its_input,
    passing,
    readers_of,
    readers_of_result,
    repeats,
    write_back,
)
from lightning_acts.surgery.rewriting.reading import (
    Reading,
    forget_changed,
    function_name,
    function_named,
    may_apply,
    method_scopes,
    node_of,
    reached,
    read,
    with_replaced,
)
from lightning_acts.surgery.route import Route, Step
from lightning_acts.surgery.source.functions import (
    UNKNOWN,
    Function,
    Scope,
    SourceError,
    layers,
    redecorated,
    rewritten,
    static_attribute,
)


class Replaced(NamedTuple):
    """A route that is replaced, and the name of the submodule that is called instead.

    One without steps stands for a function in an attribute, where there is a module now. With ``write_back=False``
    nothing is written into the input, also where the original does and somebody reads it.
    """

    route: Route
    name: str
    write_back: bool = True


Routes = tuple[Replaced, ...]

_PREFIX = "_acts_"
_OWNER = f"{_PREFIX}owner"
_INTO = f"{_PREFIX}into"
_BASE_OF = f"{_PREFIX}base_of"
_MADE_AGAIN_FROM = f"{_PREFIX}made_again_from"


def base_of(cls: type) -> type:
    """Return the class as its author wrote it."""
    own = _without_layers(cls)
    return vars(own).get(f"{_PREFIX}base", own)  # type: ignore[no-any-return]


def routes_of(cls: type) -> Routes:
    """Return what the class replaces: nothing, if it is as its author wrote it."""
    return vars(_without_layers(cls)).get(f"{_PREFIX}routes", ())  # type: ignore[no-any-return]


def reading_of(cls: type[nn.Module]) -> Reading:
    """Return what the class runs: for one that was rewritten, what its base was then."""
    own = _without_layers(cls)
    return vars(own).get(f"{_PREFIX}reading") or read(own)


def _without_layers(cls: type) -> Any:
    """Return the rewritten class, or the author's, below classes that others have put over it, as parametrizations do."""
    for below in cls.__mro__:
        if f"{_PREFIX}base" in vars(below):
            return below
    # torch.nn.utils.parametrize makes a class for each module; this is in all of them.
    while getattr(vars(cls).get("__getstate__"), "__module__", None) == "torch.nn.utils.parametrize":
        cls = cls.__bases__[0]
    return cls


def _with_layers(cls: type, old: type, new: type) -> Any:
    """Return a class as ``cls``, with ``new`` where that has ``old``; over the author's class the very one that was there.

    Raises:
        SwapError: One of the classes over the old one can't be made again.
    """
    if cls is old or old is new:
        return new if cls is old else cls
    if any("__class__" in getattr(getattr(value, "__code__", None), "co_freevars", ()) for value in vars(cls).values()):
        raise SwapError(
            f"{cls.__name__} was put over the class {old.__name__} of a module, and calls super(): it can't be put over "
            "another one. Take it away first"
        )
    bases = tuple(_with_layers(base, old, new) if old in base.__mro__ else base for base in cls.__bases__)
    members = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    first = members.pop(_MADE_AGAIN_FROM, cls if old is base_of(old) else None)
    if first is not None and new is base_of(new) and vars(first).keys() == vars(cls).keys() - {_MADE_AGAIN_FROM}:
        return first  # nobody has added or taken away anything since
    return type(cls)(cls.__name__, bases, members if first is None else {**members, _MADE_AGAIN_FROM: first})


def read_elsewhere(cls: type) -> frozenset[str]:
    """Return the submodules in whose places the original writes into its input, where somebody else reads that."""
    return vars(_without_layers(cls)).get(f"{_PREFIX}read_elsewhere", frozenset())  # type: ignore[no-any-return]


def obstacle_to(owner: nn.Module, route: Route, write_back: bool = True) -> str | None:
    """Return why a route can't be rewritten; None where it can."""
    cls = type(owner)
    try:
        rewritten_class(base_of(cls), (Replaced(route, "probe", write_back),), reading_of(cls), passing(owner))
    except SourceError as error:
        return str(error)
    return None


def function_at(owner: nn.Module, step: Step) -> Function:
    """Return the function of a module's class that holds a step.

    Raises:
        SourceError: There is none.
    """
    return _attributes_with(base_of(type(owner)), step)[0][1].function


def is_in_loop(owner: nn.Module, route: Route) -> bool:
    """Check whether the way to a call begins in a loop of a method."""
    if isinstance(owner, GraphModule) or not route.steps:
        return False
    _, scope = _attributes_with(base_of(type(owner)), route.steps[0])[0]
    return repeats(node_of(route.steps[0], scope), scope)


def may_read_what_it_writes(owner: nn.Module, name: str) -> bool:
    """Return whether something may read what a child that works in place writes, as far as the source tells."""
    cls: type[nn.Module] = base_of(type(owner))
    if cls.forward is nn.Sequential.forward:
        before = list(owner._modules)[: list(owner._modules).index(name)]
        return all(passes_its_input(owner._modules[other]) for other in before)
    reading, calls = reading_of(type(owner)), []
    for scope in (scope for method in reading.methods for scope in method_scopes(cls, method)):
        with contextlib.suppress(SourceError):
            calls += [
                Aliases(scope, tuple(_callers(cls, scope.function, reading)), passing(owner)).readers(
                    node, node.args[0]
                )
                for node in scope.source.expressions
                if isinstance(node, ast.Call) and node.args and scope.is_own_attribute(node.func)
                if isinstance(node.func, ast.Attribute) and scope.mangled(node.func.attr) == name
            ]
    return not calls or any(readers != "nobody" for readers in calls)


@functools.lru_cache(maxsize=4096)
def rewritten_class(base: Any, routes: Routes, reading: Reading, passing: frozenset[str] = frozenset()) -> Any:
    """Return the class in which the calls at these routes are calls of submodules; ``base`` itself if there are none.

    ``passing`` are the children that may return their very input.

    Raises:
        SourceError: A route isn't in the class, or can't be replaced.
    """
    if not routes:
        return base
    if reading.obstacle is not None:
        raise SourceError(reading.obstacle)
    members = _Members(base, {}, passing, frozenset(entry.name for entry in routes if entry.write_back))
    inside = [(entry.route.steps, entry.route.callee, entry.name) for entry in routes if entry.route.steps]
    looks: list[Remaining] = [(steps, "", "") for steps in reading.looks]
    by_function: dict[Function, tuple[list[tuple[str, Scope]], list[Remaining]]] = {}
    for remaining in (*inside, *looks):
        found = _attributes_with(base, remaining[0][0])
        by_function.setdefault(found[0][1].function, (found, []))[1].append(remaining)
    for function, (found, routes_inside) in by_function.items():
        new = members.rewrite(found[0][1], routes_inside, {}, tuple(_callers(base, function, reading)))
        for name, _ in found:
            value = members.namespace.get(name, static_attribute(base, name))
            members.namespace[name] = with_replaced(value, function, new)
    if not reading.by_class.isdisjoint(members.namespace):
        raise SourceError("its code calls a method past the module, by its own class")
    more = {"reading": reading, "passing": passing, "read_elsewhere": frozenset(members.read_elsewhere)}
    return _subclass(base, routes, {**members.namespace, **{f"{_PREFIX}{key}": value for key, value in more.items()}})


def _attributes_with(cls: type[nn.Module], step: Step) -> list[tuple[str, Scope]]:
    """Return the attributes of a class that run the function which holds a step: a method may have several names."""
    function = step.function
    bases = (base for base in cls.__mro__ if base not in nn.Module.__mro__)  # a mixin may come after nn.Module
    names = dict.fromkeys(name for base in bases for name in vars(base))
    found = []
    problem = f"{cls.__name__} has no method {function}"
    for name in names:
        # Decorators give their own functions the names of those that they wrap.
        for scope in reversed(method_scopes(cls, name)):
            if function_name(scope.function) != function:
                continue
            try:
                node_of(step, scope)
            except SourceError as error:
                problem = str(error)
                continue
            found.append((name, scope))
            break
    if not found:
        raise SourceError(problem)
    return found


Remaining = tuple[tuple[Step, ...], str, str]


@dataclass
class _Members:
    """What the subclass holds: rewritten methods, and rewritten copies of the functions that lead from them to the calls."""

    base: type[nn.Module]
    namespace: dict[str, Any]
    passing: frozenset[str]
    may_write: frozenset[str]
    count: int = field(default=0)
    read_elsewhere: set[str] = field(default_factory=set)

    def add(self, what: str, value: Any) -> str:
        """Keep a member under a name of its own, which is returned."""
        name = f"{_PREFIX}{what}_{self.count}"
        self.count += 1
        self.namespace[name] = value
        return name

    def rewrite(
        self, scope: Scope, inside: list[Remaining], around: dict[Function, str], callers: tuple[Caller, ...]
    ) -> Function:
        """Return the function of a scope with the calls rewritten.

        ``around`` are the functions that it was reached through, with the names of their copies; ``callers`` the places
        that call it.
        """
        owner = scope.first or _OWNER
        edits: dict[ast.expr, _Edit] = {}
        by_step: dict[Step, list[Remaining]] = {}
        for steps, callee, name in inside:
            by_step.setdefault(steps[0], []).append((steps, callee, name))
        for step, routes in by_step.items():
            node = node_of(step, scope)
            _refuse_shadowed(node, owner, scope)
            if len(routes[0][0]) == 1 and not routes[0][1]:
                edits[node] = _look(node, scope)
                continue
            last = [(callee, name) for steps, callee, name in routes if len(steps) == 1]
            further: list[Remaining] = [(steps[1:], callee, name) for steps, callee, name in routes if len(steps) > 1]
            edit = (
                self._site(node, last, scope, callers)
                if last
                else self._reference(node, further, scope, around, callers)
            )
            edits[edit.node] = edit
        for node in scope.source.expressions if around else ():
            if node in edits or not isinstance(node, (ast.Name, ast.Attribute)):
                continue
            value = scope.resolve(node)
            if isinstance(value, types.FunctionType) and value in around:  # it calls itself: its copy calls the copy
                edits[node] = _Edit(node, functools.partial(_member, around[value]))
            elif (helper := reached(node, value, scope)) is not None and _leads_to(helper, around):
                edits[node] = self._reference(node, [], scope, around, callers)

        def replace(node: ast.expr, visit: Callable[[ast.expr], ast.expr]) -> ast.expr | None:
            edit = edits.get(node)
            return None if edit is None else edit.make(visit, owner)

        return rewritten(scope.function, replace, leading=None if scope.first else _OWNER)

    def _site(self, node: ast.expr, callees: list[tuple[str, str]], scope: Scope, callers: tuple[Caller, ...]) -> _Edit:
        if callees[0][0].startswith("self.") and isinstance(node, ast.Call):  # a child of the module, called again
            return _Edit(node.func, lambda visit, owner: _attribute(owner, callees[0][1]))
        site, may_write = written(node, scope), callees[0][1] in self.may_write
        if site is not None and site.input is not None:
            readers = readers_of(site, scope, callers, self.passing)
            _dtype(site)  # what it can't honor is said before anything is changed
            if readers == "others":
                self.read_elsewhere.add(callees[0][1])
                readers = readers if may_write else readers_of_result(site, scope)
            return _Edit(node, functools.partial(_direct, site, callees[0][1], readers))
        if isinstance(node, (ast.Name, ast.Attribute)):
            if (kept := _kept_in(node, scope)) is not None:
                raise SourceError(f"it is kept in {kept}, where what a swap puts in its place would stay")
            writes = site is not None and bool(works_in_place(site.function, {}))
            taking = self.add("taking", _taking(callees[0][1], writes, may_write))
            return _Edit(node, lambda visit, owner: _attribute(owner, taking))
        if not isinstance(node, ast.Call):
            raise SourceError(f"{ast.unparse(node)} is no call")
        if isinstance(scope.source.parents.get(node), ast.Expr):
            raise SourceError("its result is thrown away, and what it is can only be told when it runs")
        table = [(named(callee), name) for callee, name in callees]
        if any(function is UNKNOWN for function, _ in table):
            raise SourceError(f"what it calls is not imported ({', '.join(callee for callee, _ in callees)})")
        guard = self.add("choose", _chooser(tuple(table), may_write))
        return _Edit(node.func, lambda visit, owner: _called(_attribute(owner, guard), visit(node.func)))

    def _reference(
        self,
        node: ast.expr,
        further: list[Remaining],
        scope: Scope,
        around: dict[Function, str],
        callers: tuple[Caller, ...],
    ) -> _Edit:
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
        outer: Any = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
        here = (Caller(node, scope, callers),)
        new = self.rewrite(inner, further, {**around, (expected if guarded else outer): name}, here)
        # Decorators pass on what they are given: also the module, before all else.
        self.namespace[name] = new if guarded else redecorated(outer, inner.function, new)
        if not guarded:
            return _Edit(node, lambda visit, owner: _attribute(owner, name))
        guard = self.add("choose", _function_chooser(expected, name))
        return _Edit(node, lambda visit, owner: _called(_attribute(owner, guard), visit(node)))


@dataclass(frozen=True)
class _Edit:
    node: ast.expr
    make: Callable[[Callable[[ast.expr], ast.expr], str], ast.expr]


def _look(node: ast.expr, scope: Scope) -> _Edit:
    if scope.is_own_class(node):
        return _Edit(node, lambda visit, owner: _attribute(owner, f"{_PREFIX}base"))
    if isinstance(node, ast.Attribute) and scope.is_own_attribute(node):
        shown = f"{_PREFIX}shown_{node.attr.strip('_')}"
        return _Edit(node, lambda visit, owner: _attribute(owner, shown))
    return _Edit(node, lambda visit, owner: _called(_attribute(owner, _BASE_OF), visit(node)))


def _kept_in(node: ast.AST | None, scope: Scope) -> str | None:
    """Return the attribute in which a function is kept that stands in the code; None if it is not."""
    while isinstance(parent := scope.source.parents.get(node), ast.expr):  # type: ignore[arg-type]
        if isinstance(parent, ast.Call) and scope.resolve(parent.func) is not functools.partial:
            return None
        node = parent
    targets = parent.targets if isinstance(parent, ast.Assign) else [getattr(parent, "target", None)]
    return next((ast.unparse(target) for target in targets if isinstance(target, (ast.Attribute, ast.Subscript))), None)


def _member(name: str, visit: Callable[[ast.expr], ast.expr], owner: str) -> ast.expr:
    return _attribute(owner, name)


def _leads_to(scope: Scope, around: Mapping[Function, str], seen: frozenset[Function] = frozenset()) -> bool:
    """Check whether a function calls, at last, one of those that it was reached through."""
    if scope.function in seen or not may_apply(scope.function):
        return False
    seen |= {scope.function}
    for node in scope.source.expressions:
        if not isinstance(node, (ast.Name, ast.Attribute)):
            continue
        value = scope.resolve(node)
        if isinstance(value, types.FunctionType) and value in around:
            return True
        helper = reached(node, value, scope)
        if helper is not None and _leads_to(helper, around, seen):
            return True
    return False


def _callers(cls: type[nn.Module], function: Function, reading: Reading) -> Iterator[Caller]:
    """Yield the places in the methods of a class that call one of them; a forward is called by others."""
    if function.__name__ in ("forward", "__call__"):
        return
    for scope in (scope for name in reading.methods for scope in method_scopes(cls, name)):
        try:
            nodes = list(scope.source.expressions)
        except SourceError:
            continue
        for node in nodes:
            if scope.is_own_attribute(node) and isinstance(node, ast.Attribute) and node.attr == function.__name__:
                yield Caller(node, scope, ())


def _direct(
    site: Written,
    name: str,
    readers: Readers,
    visit: Callable[[ast.expr], ast.expr],
    owner: str,
) -> ast.expr:
    assert site.input is not None
    module, given = _attribute(owner, name), visit(site.input)
    dtype = _dtype(site)
    if dtype is not None:
        given = ast.Call(ast.Attribute(given, "to", ast.Load()), [], [ast.keyword("dtype", visit(dtype))])
    return call_of(module, given, site.input, readers, _attribute(owner, _INTO))


def _dtype(site: Written) -> ast.expr | None:
    """Return the type into which a call converts its input first.

    Raises:
        SourceError: The call writes its result into a tensor that it is given, or may do so.
    """
    if not isinstance(site.node, ast.Call) or site.composite is not None or isinstance(site.function, type):
        return None
    named_arguments = {word.arg: word.value for word in site.node.keywords}
    out = named_arguments.get("out")
    if out is not None and not (isinstance(out, ast.Constant) and out.value is None):
        raise SourceError(f"it writes its result into {ast.unparse(out)} (out=)")
    if None in named_arguments and not isinstance(site.function, types.FunctionType):
        raise SourceError(f"what it unpacks (**{ast.unparse(named_arguments[None])}) may hold out= or dtype=")
    count = len(site.node.args) + (site.kind == "method")
    takes_dtype = site.applied.definition.name in ("softmax", "log_softmax", "softmin")
    last = 3 if isinstance(site.function, types.FunctionType) else 2
    dtype = site.node.args[-1] if takes_dtype and count > last else named_arguments.get("dtype")
    return None if isinstance(dtype, ast.Constant) and dtype.value is None else dtype


def _attribute(owner: str, name: str) -> ast.expr:
    return ast.Attribute(ast.Name(owner, ast.Load()), name, ast.Load())


def _called(function: ast.expr, *arguments: ast.expr) -> ast.expr:
    return ast.Call(function, list(arguments), [])


def _refuse_shadowed(node: ast.AST, owner: str, scope: Scope) -> None:
    """Refuse a name of a module that a function within the method has for a parameter of its own."""
    while (node := scope.source.parents.get(node, scope.source.node)) is not scope.source.node:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            if owner in names:
                raise SourceError(f"the function around it has a {owner!r} of its own")


def _taking(name: str, writes: bool, may_write: bool) -> Callable[..., Any]:
    """Return a method that hands its first argument to a submodule: what else a function was given is the function's."""

    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return _call_with_first(getattr(self, name), writes, may_write, *args, **kwargs)

    return call


def _chooser(table: tuple[tuple[Any, str], ...], may_write: bool) -> Callable[[nn.Module, Any], Any]:
    """Return a method that gives the submodule for a callee; the callee itself, if it is none of those in the table."""
    writes = {function: bool(works_in_place(function, {})) for function, _ in table}

    def choose(self: nn.Module, callee: Any) -> Any:
        for function, name in table:
            if callee is function:
                return functools.partial(_call_with_first, getattr(self, name), writes[function], may_write)
            if isinstance(function, type) and type(callee) is function:
                in_place = getattr(callee, "inplace", False)
                return functools.partial(_call_with_first, getattr(self, name), in_place, may_write)
        for function, name in table:
            if isinstance(callee, functools.partial) and not callee.args and callee.func is function:
                in_place = writes[function] or callee.keywords.get("inplace", False)
                return functools.partial(_call_with_first, getattr(self, name), in_place, may_write)
            if _is_method_of_tensor(callee, function):
                bound = callee.__self__
                return functools.partial(_call_with_first, getattr(self, name), writes[function], may_write, bound)
        return callee

    return choose


def _call_with_first(module: nn.Module, writes: bool, may_write: bool, *args: Any, **kwargs: Any) -> Any:
    given = _first(args, kwargs)
    if kwargs.get("dtype") is not None:
        given = given.to(dtype=kwargs["dtype"])
    if kwargs.get("out") is not None:
        result = module(given)
        return kwargs["out"].resize_(result.shape).copy_(result)
    # Whoever else holds the input may read what the original writes there.
    writes = may_write and (writes or kwargs.get("inplace", False))
    return write_back(module, given) if writes else module(given)


def _is_method_of_tensor(callee: Any, function: Any) -> bool:
    bound_to = getattr(callee, "__self__", None)
    return isinstance(bound_to, Tensor) and getattr(Tensor, getattr(callee, "__name__", ""), None) is function


def _first(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[0] if args else kwargs["input"]


def _function_chooser(function: Function, name: str) -> Callable[[nn.Module, Any], Any]:
    """Return a method that gives the rewritten copy of a function passed around, bound to what the callee is bound to."""

    def choose(self: nn.Module, callee: Any) -> Any:
        bare, bound = callee, []
        if isinstance(callee, types.MethodType):
            bare, bound = callee.__func__, [callee.__self__]
        elif not isinstance(callee, types.FunctionType):  # an object that can be called
            bare, bound = type(callee).__call__, [callee]
        if bare is function or function in layers(bare):
            return functools.partial(getattr(self, name), *bound)
        return callee

    return choose


def _subclass(base: type[nn.Module], routes: Routes, namespace: dict[str, Any]) -> type[nn.Module]:
    names = frozenset(entry.name for entry in routes)
    members = {
        **_shown(base, names),
        **_hidden(base, names),
        **_class_methods(base),
        **namespace,
        f"{_PREFIX}base": base,
        f"{_PREFIX}routes": routes,
        _INTO: staticmethod(write_back),
        _BASE_OF: staticmethod(base_of),
        "__reduce_ex__": _reduce_ex,
        "__setstate__": _setstate,
        "__prepare_scriptable__": _refuse_script,
        "__module__": base.__module__,
        "__qualname__": base.__qualname__,
        "__doc__": base.__doc__,
    }
    make = functools.partial(type.__new__, type(base), base.__name__)
    # Given its base only afterwards, so that neither __init_subclass__ nor a metaclass takes it for one of the author's.
    made: type[nn.Module] = make((_Empty,), dict(members))
    try:
        made.__bases__ = (base,)
    except TypeError:  # a base with __slots__ has another layout
        made = make((base,), {**members, "__slots__": ()})
    return made


class _Empty:
    pass


def _class_methods(base: type[nn.Module]) -> dict[str, Any]:
    """Return the class methods, each of the author's class: what they keep there is that of all its modules."""
    own = {name for cls in base.__mro__ if not cls.__module__.startswith("torch.") for name in vars(cls)}
    names = {name for name in own if isinstance(static_attribute(base, name), classmethod)}
    return {name: staticmethod(getattr(base, name)) for name in names if not name.startswith("__")}


def _shown(base: type[nn.Module], names: frozenset[str]) -> dict[str, Any]:
    """Return what a module says of its children, without those that a swap has added."""

    def modules(self: nn.Module) -> dict[str, nn.Module | None]:
        return {name: module for name, module in self._modules.items() if name not in names}

    def named_children(self: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        return ((name, module) for name, module in base.named_children(self) if name not in names)

    def children(self: nn.Module) -> Iterator[nn.Module]:
        return (module for _, module in named_children(self))

    def hidden(self: nn.Module) -> list[nn.Module]:
        return [module for name in sorted(names) if (module := self._modules.get(name)) is not None]

    # Whoever walks the children as layers would run the new ones too; what nn.Module does with all its children holds.
    def train(self: nn.Module, mode: bool = True) -> nn.Module:
        for module in hidden(self):
            module.train(mode)
        return base.train(self, mode)

    def _apply(self: nn.Module, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        for module in hidden(self) if recurse else ():
            module._apply(fn)  # type: ignore[no-untyped-call]
        return base._apply(self, fn, recurse)  # type: ignore[no-untyped-call, no-any-return]

    def apply(self: nn.Module, fn: Callable[[nn.Module], None]) -> nn.Module:
        for module in hidden(self):
            module.apply(fn)
        return base.apply(self, fn)

    return {
        f"{_PREFIX}shown_modules": property(modules),
        f"{_PREFIX}shown_named_children": named_children,
        f"{_PREFIX}shown_children": children,
        "named_children": named_children,
        "children": children,
        "train": train,
        "_apply": _apply,
        "apply": apply,
    }


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
        members |= {"__iter__": lambda self: iter(shown(self).values()), "__getitem__": _getitem}
    else:
        return {}
    own = {name for cls in base.__mro__ if not cls.__module__.startswith("torch.") for name in vars(cls)}
    return {name: member for name, member in members.items() if name not in own}


def _getitem(self: Any, index: Any) -> Any:
    """Return a child or a slice, as of a container whose author wrote the new activations: a slice has them too."""
    cls, base = type(self), vars(type(self))[f"{_PREFIX}base"]
    if not isinstance(index, slice):
        return base.__getitem__(self, index)
    children, names = list(self), {entry.name for entry in routes_of(cls)}
    made = base(*children[index]) if issubclass(base, nn.Sequential) else base(children[index])
    made.train(self.training)
    made._modules.update({name: self._modules[name] for name in names})
    object.__setattr__(made, "__class__", cls)
    return made


def _reduce_ex(self: nn.Module, protocol: Any) -> Any:
    cls = type(self)
    reduced = super(_without_layers(cls), self).__reduce_ex__(protocol)
    made_by, given = reduced[:2] if isinstance(reduced, tuple) else (None, ())
    if made_by is copyreg.__newobj__:  # type: ignore[attr-defined]
        args, named = given[1:], {}
    elif made_by is copyreg.__newobj_ex__:  # type: ignore[attr-defined]
        _, args, named = given
    else:
        raise SwapError(f"{cls.__name__} copies and pickles itself in a way of its own: restore it first")
    passes = vars(_without_layers(cls))[f"{_PREFIX}passing"]
    return _new, (base_of(cls), routes_of(cls), passes, args, named), *reduced[2:]


def _setstate(self: nn.Module, state: Any) -> None:
    """Torch's transformer layers put a function beside the module that a swap has put in its place."""
    super(_without_layers(type(self)), self).__setstate__(state)
    for name in vars(self)["_modules"]:
        vars(self).pop(name, None)


def _new(
    base: Any, routes: Routes, passing: frozenset[str], args: Sequence[Any], named: Mapping[str, Any]
) -> nn.Module:
    forget_changed([base])
    try:
        cls = rewritten_class(base, routes, read(base), passing)
    except SourceError as error:
        raise SwapError(
            f"the swap in this copy of {base.__name__} does not fit the class as it is here: {error}"
        ) from None
    made: nn.Module = cls.__new__(cls, *args, **named)
    return made


def _refuse_script(self: nn.Module) -> nn.Module:
    raise SwapError(
        f"torch.jit.script reads the original source of {type(self).__name__}, where nothing is swapped: use "
        "torch.jit.trace, torch.export or torch.compile, or call acts.restore first"
    )


def submodule_name(owner: nn.Module, wanted: str) -> str:
    """Return a name for a new submodule that nothing in ``owner`` has."""
    name = wanted
    while hasattr(owner, name):
        name += "_"
    return name


def with_routes(owner: nn.Module, routes: Routes) -> type[nn.Module]:
    """Return the class of a module that replaces these routes, and no others.

    Raises:
        SwapError: Something else has put a class over it that can't be put over another one.
        SourceError: A route can't be replaced.
    """
    cls = type(owner)
    rewritten = rewritten_class(base_of(cls), routes, reading_of(cls), passing(owner))
    return _with_layers(cls, _without_layers(cls), rewritten)  # type: ignore[no-any-return]


def set_routes(owner: nn.Module, routes: Routes) -> None:
    """Give a module the class that replaces these routes.

    Raises:
        SwapError: Something else has put a class over its own that can't be put over another one.
        SourceError: A route can't be replaced.
    """
    cls = with_routes(owner, routes)
    if cls is not type(owner):
        # Past a __setattr__ that the author may have written.
        object.__setattr__(owner, "__class__", cls)
