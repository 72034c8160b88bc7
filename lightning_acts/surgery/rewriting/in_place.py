"""Rewriting of activations that work in place: ``F.relu_(h)`` becomes a call of a module, which writes nothing itself.

What the original wrote into ``h`` is there for whoever reads that tensor, as far as the source tells::

    who reads it            the author's code              what runs after a swap

    nobody                  y = F.relu_(h)                 y = self.relu_0(h)
      the result alone      return self.b(y)               return self.b(y)

    name                    F.relu_(h)                     (h := self.relu_0(h))
      the variable          return self.b(h)               return self.b(h)
      itself, later on

    others                  skip = h                       skip = h
      another variable,     h = F.relu_(h)                 h = write_back(self.relu_0, h)
      a view, a list,       return self.b(h) + skip        return self.b(h) + skip
      an attribute,
      a caller                h ----+                        h ----+
                                    +--> tensor <- relu_           +--> tensor <- copy_ <- relu_0 <- clone
                              skip -+                        skip -+

With ``write_back=False`` others see the tensor as it was before.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from lightning_acts.surgery.operations import shares_memory
from lightning_acts.surgery.recognizing.expressions import Written
from lightning_acts.surgery.source.functions import UNKNOWN, Scope, SourceError

#: Who reads what is written into an input, other than as the result.
Readers = Literal["nobody", "name", "others"]

_KEEPING = ("append", "appendleft", "add", "extend", "insert", "setdefault", "update", "put")
_REPEATED = (ast.For, ast.AsyncFor, ast.While)
_NESTED = (ast.comprehension, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Caller:
    """A reference to a function, where it lies, and the callers of that."""

    node: ast.expr
    scope: Scope
    callers: tuple[Caller, ...]


def passes_its_input(module: nn.Module | None) -> bool:
    """Check whether a module may return its very input, or a view of it: dropout does in eval mode."""
    if module is None:
        return False
    if type(module).forward is nn.Sequential.forward:
        return all(map(passes_its_input, module.children()))
    if isinstance(module, (nn.ModuleList, nn.ModuleDict)):
        return any(map(passes_its_input, module.children()))
    if getattr(module, "inplace", False) is True:
        return True
    if isinstance(module, (nn.Identity, nn.Flatten, nn.Unflatten, nn.modules.dropout._DropoutNd)):
        return True
    is_of_torch = type(module).__module__.startswith("torch.")
    return not is_of_torch and next(module.children(), None) is None and next(module.parameters(), None) is None


def writes_into_its_input(module: nn.Module) -> bool:
    """Check whether an activation module works in place: one of torch's says so, another one is tried."""
    if type(module).__module__.startswith("torch."):
        return getattr(module, "inplace", False) is True
    parameter = next(module.parameters(), None)
    probe = torch.zeros(2, 4, 4, 4) if parameter is None else parameter.new_zeros(2, 4, 4, 4)
    before = probe._version
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            module.forward(probe)
    except Exception:  # it takes other inputs
        return getattr(module, "inplace", False) is True
    return probe._version != before


def passing(owner: nn.Module) -> frozenset[str]:
    """Return the names of the children that may return their very input."""
    return frozenset(name for name, child in owner._modules.items() if passes_its_input(child))


@dataclass
class Aliases:
    """The readers of what one expression of a function writes into its input.

    Args:
        scope: The function.
        callers: The places that call it; none for a forward, whose callers are unknown.
        passing: The attributes of the module that may return their very input when they are called.
    """

    scope: Scope
    callers: tuple[Caller, ...]
    passing: frozenset[str]
    _seen: set[tuple[str, ast.AST]] = field(default_factory=set)

    def readers(self, node: ast.expr, given: ast.expr) -> Readers:
        """Return who reads what ``node`` writes into ``given``, beside its result."""
        shared = list(self._sharing(given))
        if not shared:
            return "nobody"
        if is_nested(node, self.scope):
            return "others"
        parent = self.scope.source.parents.get(node)
        rebound = [ast.unparse(target) for target in parent.targets] if isinstance(parent, ast.Assign) else []
        found: Readers = "nobody"
        for expression in shared:
            if not isinstance(expression, ast.Name):
                if ast.unparse(expression) not in rebound or expression is not given:
                    return "others"
                continue
            if self._is_shared(expression.id, node):
                return "others"
            is_dead = isinstance(parent, ast.Return) or expression.id in rebound
            if not is_dead and (isinstance(parent, ast.Expr) or self._is_read_later(expression.id, node)):
                found = "name"
        is_own = isinstance(given, ast.Name) and given.id not in self.scope.function.__code__.co_cellvars
        return "others" if found == "name" and not is_own else found

    def _sharing(self, node: ast.expr) -> Iterator[ast.expr]:
        """Yield the variables and attributes whose memory the value of an expression may share."""
        match node:
            case ast.Name() | ast.Attribute() if not (isinstance(node, ast.Attribute) and shares_memory(node.attr)):
                yield node
            case ast.Attribute(value=inner) | ast.Subscript(value=inner) | ast.Starred(value=inner):
                yield from self._sharing(inner)
            case ast.NamedExpr(target=target, value=inner):
                yield target
                yield from self._sharing(inner)
            case ast.IfExp(body=one, orelse=other):
                yield from self._sharing(one)
                yield from self._sharing(other)
            case ast.BoolOp(values=parts) | ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Dict(values=parts):
                for part in parts:
                    yield from self._sharing(part)
            case ast.Call():
                of = self._returned_argument(node)
                yield from () if of is None else self._sharing(of)

    def _returned_argument(self, call: ast.Call) -> ast.expr | None:
        """Return the argument that a call may return, or return a view of."""
        first = call.args[0] if call.args else next((w.value for w in call.keywords if w.arg == "input"), None)
        called = call.func.value if isinstance(call.func, ast.Subscript) else call.func
        if self.scope.is_own_attribute(called):
            assert isinstance(called, ast.Attribute)
            return first if called.attr in self.passing else None
        function = self.scope.resolve(call.func)
        if isinstance(call.func, ast.Attribute) and function is UNKNOWN:
            return call.func.value if shares_memory(call.func.attr) or _may_be_in_place(call) else None
        name = getattr(function, "__name__", "")
        return first if shares_memory(name) or _may_be_in_place(call) else None

    def _around(self, node: ast.AST) -> Iterator[ast.AST]:
        return _around(node, self.scope)

    def _is_shared(self, name: str, node: ast.AST) -> bool:
        """Check whether another variable, a caller or a container may hold the tensor that a variable has at a node."""
        if (name, node) in self._seen:
            return False
        self._seen.add((name, node))
        definitions, is_sure = self._definitions(name, node)
        if not is_sure and self._is_read_outside(name):
            return True
        if any(value is None or self._comes_from_others(name, value, node) for value in definitions.values()):
            return True
        since = min(map(_start, definitions)) if is_sure else (0, 0)
        everywhere = repeats(node, self.scope) and not is_sure
        uses = [use for use in self._loads(name) if since <= _start(use) and (everywhere or _start(use) < _start(node))]
        return any(self._is_handed_over(use, node) for use in uses)

    def _comes_from_others(self, name: str, value: ast.expr, node: ast.AST) -> bool:
        for expression in self._sharing(value):
            if not isinstance(expression, ast.Name):
                return True
            if expression.id != name and self._is_read_later(expression.id, node):
                return True
            if self._is_shared(expression.id, value):
                return True
        return False

    def _is_handed_over(self, use: ast.Name, node: ast.AST) -> bool:
        """Check whether a use of a variable before a node gives its tensor to another variable, or into a container."""
        child: ast.AST = use
        for around in self._around(use):
            if around is node:
                return False
            is_method = isinstance(around, ast.Call) and isinstance(around.func, ast.Attribute)
            if is_method and child is not around.func and around.func.attr in _KEEPING:  # type: ignore[attr-defined]
                return True
            if isinstance(around, (ast.Yield, ast.YieldFrom)):
                return True
            if isinstance(around, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and around.value is not None:
                if not any(expression is use for expression in self._within(around.value)):
                    return False
                targets = around.targets if isinstance(around, ast.Assign) else [around.target]
                return any(self._is_kept(target, use.id, node) for target in targets)
            child = around
        return False

    def _within(self, value: ast.expr) -> Iterator[ast.expr]:
        """As sharing, with what lists, tuples and dictionaries hold."""
        if isinstance(value, ast.Dict):
            for part in value.values:
                yield from self._within(part)
        else:
            yield from self._sharing(value)

    def _is_kept(self, target: ast.expr, name: str, node: ast.AST) -> bool:
        if isinstance(target, (ast.Tuple, ast.List)):
            return any(self._is_kept(part, name, node) for part in target.elts)
        if isinstance(target, ast.Starred):
            return self._is_kept(target.value, name, node)
        if not isinstance(target, ast.Name):
            return True
        return target.id != name and self._is_read_later(target.id, node)

    def _definitions(self, name: str, node: ast.AST) -> tuple[dict[ast.AST, ast.expr | None], bool]:
        """Return the assignments that may give a variable its value at a node, each with the value.

        Whether one of them does.

        Else the variable may be a parameter, or that of another function.
        """
        blocks = [node, *self._around(node)]
        loop = next((around for around in blocks if isinstance(around, _REPEATED)), None)
        stores = [
            (store, statement)
            for store in sorted(self._names(name), key=_start, reverse=True)
            # An augmented assignment leaves the same tensor, or one that is made then.
            if isinstance(store.ctx, ast.Store) and not isinstance(statement := self._statement(store), ast.AugAssign)
        ]
        found: dict[ast.AST, ast.expr | None] = {}
        for store, statement in stores:
            if _start(store) >= _start(node) or statement in blocks:
                continue
            found[store] = _value_for(store, statement)
            assigned = {self._statement(other) for other in found}
            if self._is_sure(statement, blocks, assigned) and (loop is None or loop in self._around(statement)):
                return found, True
        if loop is not None:
            found = {store: _value_for(store, statement) for store, statement in stores}
        code = self.scope.function.__code__
        count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
        return found, bool(found) and name not in code.co_varnames[:count]

    def _is_sure(self, statement: ast.AST, blocks: list[ast.AST], assigned: set[ast.AST]) -> bool:
        """Return whether one of the assignments has run whenever one of these nested blocks does."""
        parent = self.scope.source.parents.get(statement)
        if isinstance(parent, ast.If) and all(assigned.intersection(part) for part in (parent.body, parent.orelse)):
            return self._is_sure(parent, blocks, assigned)
        if isinstance(parent, (ast.With, ast.AsyncWith)) and parent not in blocks:
            return self._is_sure(parent, blocks, assigned)
        for _, block in ast.iter_fields(parent) if parent is not None else ():
            if isinstance(block, list) and statement in block:
                is_statement = isinstance(statement, (ast.Assign, ast.If, ast.With, ast.AsyncWith))
                return is_statement and any(other in blocks for other in block)
        return False

    def _statement(self, node: ast.AST) -> ast.AST:
        for around in self._around(node):
            if isinstance(around, (ast.stmt, ast.NamedExpr)):
                return around
        return node

    def _is_read_later(self, name: str, node: ast.AST) -> bool:
        loads = self._loads(name)
        loop = next((around for around in self._around(node) if isinstance(around, _REPEATED)), None)
        if loop is not None:
            definitions, _ = self._definitions(name, node)
            # Else the node itself reads what it has written the time before.
            is_new = bool(definitions) and all(loop in self._around(store) for store in definitions)
            return any(not (is_new and self._is_part_of(use, node)) for use in loads)
        return any(_start(use) >= _end(node) for use in loads)

    def _is_part_of(self, use: ast.AST, node: ast.AST) -> bool:
        return use is node or node in self._around(use)

    def _loads(self, name: str) -> list[ast.Name]:
        return [node for node in self._names(name) if isinstance(node.ctx, ast.Load)]

    def _names(self, name: str) -> list[ast.Name]:
        return [node for node in self.scope.source.expressions if isinstance(node, ast.Name) and node.id == name]

    def _is_read_outside(self, name: str) -> bool:
        """Check whether the tensor of a parameter is read by a caller after the call."""
        code = self.scope.function.__code__
        own = code.co_varnames[self.scope.first is not None : code.co_argcount + code.co_kwonlyargcount]
        positional = code.co_varnames[self.scope.first is not None : code.co_argcount]
        if name not in own or not self.callers:
            return True
        for caller in self.callers:
            call = caller.scope.source.parents.get(caller.node)
            if not isinstance(call, ast.Call) or call.func is not caller.node:
                return True  # handed on: whoever calls it may read it
            if any(isinstance(part, ast.Starred) for part in call.args) or any(w.arg is None for w in call.keywords):
                return True
            words = [word.value for word in call.keywords if word.arg == name]
            at = positional.index(name) if name in positional else len(call.args)
            outer = Aliases(caller.scope, caller.callers, self.passing)
            for given in (*call.args[at : at + 1], *words):
                if outer.readers(call, given) != "nobody":
                    return True
        return False


def readers_of(site: Written, scope: Scope, callers: tuple[Caller, ...], passing: frozenset[str]) -> Readers:
    """Return who reads what a call writes into its input.

    Raises:
        SourceError: Somebody does, if it writes there, and that only a run tells.
    """
    if site.is_in_place is False or site.input is None:
        return "nobody"
    readers = Aliases(scope, callers, passing).readers(site.node, site.input)
    if site.is_in_place is None and readers != "nobody":
        raise SourceError(f"whether it writes into {ast.unparse(site.input)}, which is used again, only a run tells")
    return readers


def readers_of_result(site: Written, scope: Scope) -> Readers:
    """Return who gets the result of an in-place call, where nothing may be written: its variable, if that can have another tensor.

    Raises:
        SourceError: Nobody would.
    """
    is_local = isinstance(site.input, ast.Name) and site.input.id not in scope.function.__code__.co_cellvars
    if is_local and not is_nested(site.node, scope):
        return "name"
    if isinstance(scope.source.parents.get(site.node), ast.Expr):
        raise SourceError("its result is dropped, so that with write_back=False it would have no effect")
    return "nobody"


def call_of(module: ast.expr, given: ast.expr, name: ast.expr, readers: Readers, into: ast.expr) -> ast.expr:
    """Return the call of a module that takes the place of a call in place.

    Args:
        module: The module.
        given: What it is given.
        name: The expression into whose value the original writes; a variable, where that alone is read.
        readers: Who reads what is written there.
        into: Its function that writes back.
    """
    if readers == "others":
        return ast.Call(into, [module, given], [])
    called = ast.Call(module, [given], [])
    return ast.NamedExpr(ast.Name(name.id, ast.Store()), called) if readers == "name" else called  # type: ignore[attr-defined]


def write_back(module: nn.Module, given: Tensor) -> Tensor:
    """Write into a tensor what a module makes of it, and return it."""
    return given.copy_(module(given.clone()))


def _around(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    while (node := scope.source.parents.get(node, scope.source.node)) is not scope.source.node:
        yield node


def is_nested(node: ast.AST, scope: Scope) -> bool:
    """Check whether a node lies in a function, class or comprehension within the function of a scope."""
    return any(isinstance(around, _NESTED) or hasattr(around, "generators") for around in _around(node, scope))


def repeats(node: ast.AST, scope: Scope) -> bool:
    """Check whether a node lies in a loop of the function of a scope."""
    return any(isinstance(around, _REPEATED) for around in _around(node, scope))


def _may_be_in_place(call: ast.Call) -> bool:
    return any(
        word.arg == "inplace" and not (isinstance(word.value, ast.Constant) and word.value.value is False)
        for word in call.keywords
    )


def _value_for(store: ast.Name, statement: ast.AST) -> ast.expr | None:
    """Return what is assigned to a variable; None where it is an element of something."""
    if isinstance(statement, (ast.AnnAssign, ast.NamedExpr)):
        return statement.value
    if not isinstance(statement, ast.Assign):
        return None
    for target in statement.targets:
        if target is store:
            return statement.value
        if isinstance(target, (ast.Tuple, ast.List)) and store in target.elts:
            value = statement.value
            if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts):
                return value.elts[target.elts.index(store)]
            return value
    return statement.value


def _start(node: ast.AST) -> tuple[int, int]:
    return node.lineno, node.col_offset  # type: ignore[attr-defined]


def _end(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "end_lineno", None) or node.lineno, getattr(node, "end_col_offset", None) or 0  # type: ignore[attr-defined]
