"""What becomes of a value within a forward, as far as the source tells."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from typing import Literal

from lightning_acts.surgery.calls import name_of
from lightning_acts.surgery.source import UNKNOWN, Function, Scope

#: The forward returns it, or it goes into layers alone.
Fate = Literal["returned", "layer"]

# Through these a value comes to where the whole expression goes.
_PASSING = (
    ast.Tuple, ast.List, ast.Dict, ast.UnaryOp, ast.IfExp, ast.NamedExpr, ast.Starred, ast.keyword, ast.Attribute,
)  # fmt: skip
# Functions that keep values, or take some of them; a class of outputs, such as a data class, keeps them too.
_KEEPING = frozenset(
    ["cat", "concat", "stack", "hstack", "vstack", "dropout", "flatten", "interpolate", "pad", "reshape", "view_as"]
)
_OF_SHAPE = ("shape", "size", "dim", "ndim", "device", "dtype", "numel")


_Assignment = ast.Assign | ast.AugAssign | ast.AnnAssign


def fate_of(node: ast.expr, scope: Scope) -> Fate | None:
    """What becomes of the value of an expression; None where the source leaves it open."""
    return _fate(node, scope, _fates_of_assigned(scope.function, scope.owner, scope.is_method))


@functools.lru_cache(maxsize=4096)
def _fates_of_assigned(function: Function, owner: type, is_method: bool) -> dict[ast.stmt, Fate | None]:
    """What becomes of the value of each assignment in a function."""
    scope = Scope(function, owner, is_method)
    source = scope.source
    names = [node for node in source.walk() if isinstance(node, ast.Name)]
    found: dict[ast.stmt, Fate | None] = {}
    assignments = [node for node in ast.walk(source.node) if isinstance(node, _Assignment)]
    # The last first: what becomes of a value is told by later ones.
    for assignment in sorted(assignments, key=_end, reverse=True):
        targets = assignment.targets if isinstance(assignment, ast.Assign) else [assignment.target]
        stored = {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
        fates = {_fate(use, scope, found) for use in _uses(names, stored, assignment, scope)}
        found[assignment] = "returned" if "returned" in fates else "layer" if fates == {"layer"} else None
    return found


def _fate(node: ast.expr, scope: Scope, assigned: dict[ast.stmt, Fate | None]) -> Fate | None:
    parents = scope.source.parents
    child: ast.AST = node
    is_mixed = False
    while True:
        parent = parents.get(child)
        if isinstance(parent, ast.BinOp):
            other = parent.right if parent.left is child else parent.left
            is_mixed |= any(isinstance(part, ast.Name) and part.id != scope.first for part in ast.walk(other))
        elif isinstance(parent, ast.Call) and parent.func is not child:
            if _is_layer(parent.func, scope):
                return None if is_mixed else "layer"
            function = scope.resolve(parent.func)
            if getattr(function, "__name__", "") not in _KEEPING and not isinstance(function, type):
                return None
        elif not (isinstance(parent, _PASSING) or _is_method_of(child, parent)):
            break
        assert parent is not None
        child = parent
    if isinstance(parent, (ast.Return, ast.Yield)):
        is_own = scope.is_method and scope.function.__name__ in ("forward", "__call__")
        return "returned" if is_own and _is_within_no_other(parent, scope) else None
    if not isinstance(parent, _Assignment):
        return None
    fate = assigned.get(parent)
    return None if fate == "layer" and (is_mixed or isinstance(parent, ast.AugAssign)) else fate


def _uses(names: list[ast.Name], stored: set[str], assignment: ast.stmt, scope: Scope) -> Iterator[ast.Name]:
    """Where variables are read after an assignment, and before the next; their shapes don't count."""
    later = [node for node in names if node.id in stored and (node.lineno, node.col_offset) >= _end(assignment)]
    again = [node.lineno for node in later if isinstance(node.ctx, ast.Store)]
    until = again[0] if again and len(stored) == 1 else sys.maxsize
    for node in later:
        parent = scope.source.parents.get(node)
        is_shape = isinstance(parent, ast.Attribute) and parent.attr in _OF_SHAPE
        if isinstance(node.ctx, ast.Load) and node.lineno <= until and not is_shape:
            yield node


def _end(node: ast.stmt) -> tuple[int, int]:
    return node.end_lineno or node.lineno, node.end_col_offset or 0


def _is_layer(called: ast.expr, scope: Scope) -> bool:
    """Whether a call is one of a module that the module holds, or of a function that multiplies with weights."""
    held = called.value if isinstance(called, ast.Subscript) else called
    if scope.is_own_attribute(held):
        return scope.resolve(held) is UNKNOWN  # no method
    function = scope.resolve(called)
    return getattr(function, "__name__", "").startswith(("linear", "conv")) and name_of(function).startswith("torch.")


def _is_method_of(value: ast.AST, parent: ast.AST | None) -> bool:
    """Whether a call or a subscript takes nothing but the value: ``value.view(-1)``, ``value[0]``."""
    return (isinstance(parent, ast.Call) and parent.func is value and isinstance(value, ast.Attribute)) or (
        isinstance(parent, ast.Subscript) and parent.value is value
    )


def _is_within_no_other(node: ast.AST, scope: Scope) -> bool:
    while (node := scope.source.parents.get(node, scope.source.node)) is not scope.source.node:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return False
    return True
