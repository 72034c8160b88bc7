"""What an expression in a forward applies: a call of an activation, or a formula that computes one."""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from lightning_acts import factory, registry
from lightning_acts.spec import ActivationSpec
from lightning_acts.surgery.recognizing.calls import (
    CLAMPS,
    DOUBT_OF_CLAMPS,
    MAXIMA,
    Applied,
    applied,
    bound_arguments,
    is_candidate,
    is_method,
    works_in_place,
)
from lightning_acts.surgery.recognizing.formulas import Composite, composite
from lightning_acts.surgery.site import SiteKind
from lightning_acts.surgery.source.functions import UNKNOWN, Scope

_ZEROS = (torch.zeros_like, torch.zeros)
_INVERSE: dict[type[ast.AST], type[ast.cmpop]] = {ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Lt: ast.GtE, ast.LtE: ast.Gt}


@dataclass(frozen=True)
class Written:
    """An activation as it is written in a forward.

    Attributes:
        node: The whole expression that applies it.
        function: The function, or the module class of an instance that is made on the spot.
        applied: What it computes, as far as the source tells.
        input: The expression of its input; None where the call unpacks its arguments, or where there is no call.
        kind: ``function`` or ``method``.
        composite: The formula, where it is one.
    """

    node: ast.expr
    function: Any
    applied: Applied
    input: ast.expr | None
    kind: SiteKind
    composite: Composite | None = None

    @property
    def is_in_place(self) -> bool | None:
        """Whether it writes into its input; None where only a run tells."""
        if self.composite is not None:
            return self.composite.writes
        if ActivationSpec.parse(self.applied.spec).parameters.get("inplace") is True:
            return True  # also where a class or a partial function says so
        if not isinstance(self.node, ast.Call) or isinstance(self.function, type):
            return False
        unpacked = any(isinstance(arg, ast.Starred) for arg in self.node.args)
        if (unpacked or any(word.arg is None for word in self.node.keywords)) and any(
            p.name == "inplace" for p in self.applied.definition.parameters
        ):
            return None
        args, kwargs = _literals(self.node.args, self.node.keywords)
        return works_in_place(self.function, bound_arguments(self.function, args, kwargs))


def written(node: ast.expr, scope: Scope) -> Written | None:
    """Return the activation that an expression applies, or hands on as a function, if the source tells which it is."""
    if isinstance(node, (ast.Name, ast.Attribute)):
        return _handed_on(node, scope)
    if isinstance(node, ast.BinOp):
        return _formula(node, scope)
    if not isinstance(node, ast.Call):
        return None
    callee = _callee(node, scope)
    function = scope.resolve(callee)
    bound: Mapping[str, Any] = {}
    if isinstance(function, staticmethod):
        function = function.__func__
    if isinstance(function, functools.partial) and not function.args:
        bound, function = function.keywords, function.func
    if is_candidate(function):
        if function in MAXIMA:
            return _maximum(node, scope) or _formula(node, scope)
        args, kwargs = _literals(node.args, node.keywords)
        found = applied(function, args, {**bound, **kwargs})
        if found is None or (found.is_everyday and _formula(node, scope) is not None):
            return _formula(node, scope)
        given = _first_argument(node)
        return Written(node, function, _as_part(found, given), given, "function")
    if isinstance(callee, ast.Call):
        return _made_on_the_spot(node, callee, scope)
    if isinstance(callee, ast.Attribute) and function is UNKNOWN and is_method(callee.attr):
        return _method(node, callee, scope)
    return _formula(node, scope)


def written_in_statements(scope: Scope) -> Iterator[Written]:
    """Yield the activations that take a statement of their own, or several: ``h[h < 0] = 0``, ``h *= h > 0``, a mask in a variable.

    Each is given as the expression that computes the same; none of them stands in the source.
    """
    for statement in scope.source.assignments:
        if (site := _formula_of(_as_expression(statement), statement, scope)) is not None:
            yield site
    if not scope.source.masks:
        return
    for node in scope.source.expressions:
        masks = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} & set(scope.source.masks)
        if masks and isinstance(node, (ast.BinOp, ast.Call)):
            spread = _Spread(scope.source.masks).visit(copy.deepcopy(node))
            if (site := _formula_of(spread, node, scope)) is not None:
                yield site


class _Spread(ast.NodeTransformer):
    """Comparisons in place of the variables that stand for them."""

    def __init__(self, masks: Mapping[str, ast.Compare]) -> None:
        self._masks = masks

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._masks.get(node.id, node)


def _as_expression(statement: ast.Assign | ast.AugAssign) -> ast.expr | None:
    """Return what a tensor is after a statement that writes into it; None for other statements."""
    match statement:
        case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
            return ast.BinOp(ast.Name(name, ast.Load()), op, value)
        case ast.AugAssign(target=ast.Subscript(value=ast.Name(id=name), slice=mask), op=op, value=value):
            return _masked(name, mask, ast.BinOp(ast.Name(name, ast.Load()), op, value))
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name), slice=mask)], value=value):
            return _masked(name, mask, value)
    return None


def _masked(name: str, mask: ast.expr, value: ast.expr) -> ast.expr | None:
    """Return ``where(mask, value, tensor)``, as a sum of products."""
    if not isinstance(mask, ast.Compare) or len(mask.ops) != 1 or type(mask.ops[0]) not in _INVERSE:
        return None
    rest = ast.Compare(mask.left, [_INVERSE[type(mask.ops[0])]()], mask.comparators)
    kept = ast.BinOp(ast.Name(name, ast.Load()), ast.Mult(), rest)
    return ast.BinOp(kept, ast.Add(), ast.BinOp(_Unmasked(name, mask).visit(copy.deepcopy(value)), ast.Mult(), mask))


class _Unmasked(ast.NodeTransformer):
    """A tensor in place of its part under a mask."""

    def __init__(self, name: str, mask: ast.expr) -> None:
        self._name, self._mask = name, ast.dump(mask)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        is_part = isinstance(node.value, ast.Name) and node.value.id == self._name
        return ast.Name(self._name, ast.Load()) if is_part and ast.dump(node.slice) == self._mask else node


def _formula_of(expression: ast.expr | None, place: ast.stmt | ast.expr, scope: Scope) -> Written | None:
    if expression is None:
        return None
    return _formula(ast.fix_missing_locations(ast.copy_location(expression, place)), scope)


def _callee(node: ast.Call, scope: Scope) -> ast.expr:
    """Return what is called: ``getattr(x, "relu")`` is ``x.relu``."""
    called = node.func
    if isinstance(called, ast.Call) and len(called.args) == 2 and scope.resolve(called.func) is getattr:
        of, name = called.args
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            return ast.copy_location(ast.Attribute(of, name.value, ast.Load()), called)
    return called


def _handed_on(node: ast.expr, scope: Scope) -> Written | None:
    """``F.relu`` in ``map(F.relu, xs)`` or ``act = F.relu``: whoever calls it then calls what is put there."""
    function = scope.resolve(node)
    if function is UNKNOWN or not is_candidate(function) or not is_handed_on(node, scope):
        return None
    found = applied(function, [UNKNOWN], {})
    if found is None:
        return None
    parent = scope.source.parents.get(node)
    if isinstance(parent, ast.Call) and scope.resolve(parent.func) in (torch.jit.script, torch.jit.trace):
        found = replace(found, obstacle="handed to torch.jit, which compiles it")
    return Written(node, function, found, None, "function")


def is_handed_on(node: ast.expr, scope: Scope) -> bool:
    """Check whether a function or class that is named there is not called, but given to something that may."""
    parent = scope.source.parents.get(node)
    match parent:
        case ast.Call(func=func):
            return node is not func
        case ast.IfExp(test=test):
            return node is not test
    kinds = (
        ast.keyword,
        ast.arguments,  # the default of a function that is defined there
        ast.BoolOp,
        ast.Assign,
        ast.AnnAssign,
        ast.NamedExpr,
        ast.Return,
        ast.List,
        ast.Tuple,
        ast.Dict,
        ast.Lambda,
    )
    grandparent = scope.source.parents.get(parent) if parent is not None else None
    return isinstance(parent, kinds) and not isinstance(grandparent, ast.Compare)


def _method(node: ast.Call, called: ast.Attribute, scope: Scope) -> Written | None:
    receiver = called.value
    if scope.resolve(receiver) is not UNKNOWN or (isinstance(receiver, ast.Name) and receiver.id == scope.first):
        return None
    function = getattr(Tensor, called.attr)
    if function in MAXIMA:
        return _maximum(node, scope) or _formula(node, scope)
    args, kwargs = _literals(node.args, node.keywords)
    found = applied(function, [UNKNOWN, *args], kwargs)
    if found is None or (found.is_everyday and _formula(node, scope) is not None):
        return _formula(node, scope)
    taken = [parameter for parameter in found.definition.parameters if parameter.name != "inplace"]
    most = len(taken) + (found.definition.kind == "normalizing")  # softmax takes a dtype too
    if len(node.args) + len(node.keywords) > max(most, 2 * (function in CLAMPS)):
        return None  # relu() of a tensor takes nothing: it is a function of something else, such as a module
    return Written(node, function, _as_part(found, receiver), receiver, "method")


def _made_on_the_spot(node: ast.Call, maker: ast.Call, scope: Scope) -> Written | None:
    cls = scope.resolve(maker.func)
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        return None
    definition = registry.registered(cls)
    if definition is None or definition.kind == "transfer" or definition.name == "identity":
        return None
    args, kwargs = _literals(maker.args, maker.keywords)
    try:
        spec = factory.spec_of(cls(*args, **kwargs))
    except Exception:  # its arguments are only known when it runs
        return None
    if spec is None:
        return None
    return Written(node, cls, Applied(definition, str(spec)), _first_argument(node), "function")


def _maximum(node: ast.Call, scope: Scope) -> Written | None:
    """``torch.maximum(x, torch.zeros_like(x))``, either way around, as a method, or by ``max``."""
    callee = _callee(node, scope)
    is_function = scope.resolve(callee) in MAXIMA
    receiver = [] if is_function or not isinstance(callee, ast.Attribute) else [callee.value]
    operands = [*receiver, *node.args]
    zeros = [operand for operand in operands if isinstance(operand, ast.Call) and _is_zeros(operand, scope)]
    if len(operands) != 2 or len(zeros) != 1 or node.keywords:
        return None
    (operand,) = (operand for operand in operands if operand is not zeros[0])
    # As boxes are clipped; zeros of the same shape are made for nothing else.
    is_clamp = scope.resolve(zeros[0].func) is torch.tensor
    found = Applied(factory.definition_of("relu"), "relu", DOUBT_OF_CLAMPS if is_clamp else None)
    kind: SiteKind = "function" if is_function else "method"
    return Written(node, torch.maximum if is_function else Tensor.maximum, found, operand, kind)


def _as_part(found: Applied, given: ast.expr | None) -> Applied:
    """Return what an everyday function applies, out of reach where a power is its input: ``exp(-h ** 2)`` is no exponential."""
    is_part = found.is_everyday and given is not None and _is_of_powers(given)
    return replace(found, obstacle="part of a formula of which no activation is known") if is_part else found


def _is_of_powers(node: ast.expr) -> bool:
    match node:
        case ast.UnaryOp(operand=operand):
            return _is_of_powers(operand)
        case ast.BinOp(op=ast.Pow()):
            return True
        case ast.BinOp(left=left, op=op, right=right):
            sides = (side.operand if isinstance(side, ast.UnaryOp) else side for side in (left, right))
            is_square = isinstance(op, ast.Mult) and len(set(map(ast.dump, sides))) == 1
            return is_square or _is_of_powers(left) or _is_of_powers(right)
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in ("pow", "square")
    return False


def _is_zeros(node: ast.Call, scope: Scope) -> bool:
    function = scope.resolve(node.func)
    is_zero = function is torch.tensor and len(node.args) == 1 and _literal(node.args[0]) in (0, [0])
    return function in _ZEROS or is_zero


def _formula(node: ast.expr, scope: Scope) -> Written | None:
    found = composite(node, scope)
    if found is None:
        return None
    spec = found.spec
    applied_there = Applied(factory.definition_of(spec), spec, is_everyday=found.is_everyday)
    return Written(node, found.functions[0], applied_there, found.input, "function", found)


def _first_argument(node: ast.Call) -> ast.expr | None:
    if node.args:
        return None if isinstance(node.args[0], ast.Starred) else node.args[0]
    named_input = [keyword.value for keyword in node.keywords if keyword.arg == "input"]
    return named_input[0] if named_input else None


def _literals(args: Sequence[ast.expr], keywords: Sequence[ast.keyword]) -> tuple[list[Any], dict[str, Any]]:
    return [_literal(value) for value in args], {
        keyword.arg: _literal(keyword.value) for keyword in keywords if keyword.arg is not None
    }


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return UNKNOWN
