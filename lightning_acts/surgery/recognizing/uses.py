"""What becomes of a value within a forward, as far as the source tells."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from typing import Literal

from lightning_acts.surgery.operations import FACTS, LAYERS, keeps_values, operation
from lightning_acts.surgery.recognizing.calls import name_of
from lightning_acts.surgery.source.functions import UNKNOWN, Function, Scope

#: The forward returns it; or it goes into these attributes of the module alone, where "" is a function with weights.
Destination = Literal["returned"] | tuple[str, ...]

# Through these a value comes to where the whole expression goes.
_PASSING = (ast.Tuple, ast.List, ast.Dict, ast.UnaryOp, ast.IfExp, ast.Starred, ast.keyword, ast.Attribute)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)


_Assignment = ast.Assign | ast.AugAssign | ast.AnnAssign


def destination_of(node: ast.expr, scope: Scope) -> Destination | None:
    """Return what becomes of the value of an expression; None where the source leaves it open."""
    return _destination(node, scope, _destinations_of_assigned(scope.function, scope.owner, scope.is_method))


@functools.lru_cache(maxsize=4096)
def _destinations_of_assigned(function: Function, owner: type, is_method: bool) -> dict[ast.stmt, Destination | None]:
    """Return what becomes of the value of each assignment in a function."""
    scope = Scope(function, owner, is_method)
    source = scope.source
    names = [node for node in source.expressions if isinstance(node, ast.Name)]
    found: dict[ast.stmt, Destination | None] = {}
    assignments = [node for node in ast.walk(source.node) if isinstance(node, _Assignment)]
    # The last first: what becomes of a value is told by later ones.
    for assignment in sorted(assignments, key=_end, reverse=True):
        targets = assignment.targets if isinstance(assignment, ast.Assign) else [assignment.target]
        stored = {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
        found[assignment] = _joined(
            [_destination(use, scope, found) for use in _uses(names, stored, assignment, scope)]
        )
    return found


def _joined(destinations: list[Destination | None]) -> Destination | None:
    if "returned" in destinations:
        return "returned"
    into = [destination for destination in destinations if destination is not None and destination != "returned"]
    return (
        tuple(sorted({name for names in into for name in names})) if into and len(into) == len(destinations) else None
    )


def _destination(node: ast.expr, scope: Scope, assigned: dict[ast.stmt, Destination | None]) -> Destination | None:
    parents = scope.source.parents
    child: ast.AST = node
    is_mixed = False
    while True:
        parent = parents.get(child)
        if isinstance(parent, ast.BinOp):
            if isinstance(parent.op, ast.MatMult) and child is parent.left and scope.is_own_attribute(parent.right):
                return None if is_mixed else ("",)
            is_mixed |= _names_others(parent.right if parent.left is child else parent.left, scope)
        elif isinstance(parent, ast.Call) and parent.func is not child:
            layer = _layer(parent, child, scope)
            if layer is not None:
                return None if is_mixed else (layer,)
            function = scope.resolve(parent.func)
            if not keeps_values(operation(function)) and not isinstance(function, type):
                return None
        elif isinstance(parent, ast.Call) and isinstance(child, ast.Attribute):
            if not keeps_values(operation(child.attr)) or any(_names_others(part, scope) for part in parent.args):
                return None
        elif not isinstance(parent, _PASSING) and not (isinstance(parent, ast.Subscript) and parent.value is child):
            break
        assert parent is not None
        child = parent
    if isinstance(parent, (ast.Return, ast.Yield)):
        is_own = scope.is_method and scope.function.__name__ in ("forward", "__call__")
        return "returned" if is_own and _is_within_no_other(parent, scope) else None
    if not isinstance(parent, _Assignment):
        return None
    destination = assigned.get(parent)
    return destination if destination == "returned" or not (is_mixed or isinstance(parent, ast.AugAssign)) else None


def _names_others(node: ast.AST, scope: Scope) -> bool:
    """Check whether an expression names a variable, other than the module."""
    return any(isinstance(part, ast.Name) and part.id != scope.first for part in ast.walk(node))


def _uses(names: list[ast.Name], stored: set[str], assignment: ast.stmt, scope: Scope) -> Iterator[ast.Name]:
    """Yield where variables are read after an assignment, and before the next one that is sure.

    Their shapes don't count.
    """
    parents = scope.source.parents
    loops = [around for around in _around(assignment, scope) if isinstance(around, _LOOPS)]
    since = (loops[-1].lineno, 0) if loops else _end(assignment)
    later = [node for node in names if node.id in stored and (node.lineno, node.col_offset) >= since]
    again = [
        node.lineno
        for node in later
        if isinstance(node.ctx, ast.Store) and len(stored) == 1 and not loops and _is_beside(assignment, node, scope)
    ]
    until = again[0] if again else sys.maxsize
    for node in later:
        parent = parents.get(node)
        is_shape = isinstance(parent, ast.Attribute) and parent.attr in FACTS
        if isinstance(node.ctx, ast.Load) and node.lineno <= until and not is_shape:
            yield node


def _is_beside(assignment: ast.stmt, name: ast.Name, scope: Scope) -> bool:
    """Check whether a variable is stored by a statement of the same block."""
    other = scope.source.parents.get(name)
    parent = scope.source.parents.get(assignment)
    blocks = [block for _, block in ast.iter_fields(parent) if isinstance(block, list)] if parent is not None else []
    return isinstance(other, ast.Assign) and any(assignment in block and other in block for block in blocks)


def _around(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    while (node := scope.source.parents.get(node, scope.source.node)) is not scope.source.node:
        yield node


def _end(node: ast.stmt) -> tuple[int, int]:
    return node.end_lineno or node.lineno, node.end_col_offset or 0


def _layer(call: ast.Call, child: ast.AST, scope: Scope) -> str | None:
    """Return the attribute of the module that a call calls.

    "" for a function that multiplies its input with weights.
    """
    called = call.func
    held = called.value if isinstance(called, ast.Subscript) else called
    if scope.is_own_attribute(held) and isinstance(held, ast.Attribute):
        return scope.mangled(held.attr) if scope.resolve(held) is UNKNOWN else None  # else a method
    function = scope.resolve(called)
    is_of_weights = LAYERS.fullmatch(operation(function)) and name_of(function).startswith("torch.")
    return "" if is_of_weights and call.args[:1] == [child] else None


def _is_within_no_other(node: ast.AST, scope: Scope) -> bool:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    return not any(isinstance(around, functions) for around in _around(node, scope))
