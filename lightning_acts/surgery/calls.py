"""What a call in a forward computes: which activation, with which parameters, on which of its arguments."""

from __future__ import annotations

import ast
import functools
import inspect
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import resolve_name

from lightning_acts import registry
from lightning_acts.definition import Definition
from lightning_acts.spec import ActivationSpec
from lightning_acts.surgery.site import Kind, type_name
from lightning_acts.surgery.source import UNKNOWN, Scope

# Functions that are activations for some of their arguments only.
_CLAMPS = (
    torch.clamp, torch.clamp_, torch.clip, torch.clip_, torch.clamp_min, torch.clamp_min_,
    Tensor.clamp, Tensor.clamp_, Tensor.clip, Tensor.clip_, Tensor.clamp_min, Tensor.clamp_min_,
)  # fmt: skip
_MAXIMA = (torch.maximum, Tensor.maximum)
_ZEROS = (torch.zeros_like, torch.zeros)
_RELU = (0, None)
_RELU6 = (0, 6)


@dataclass(frozen=True)
class Applied:
    """An activation that a call applies.

    Attributes:
        definition: The activation.
        spec: Its spec, as far as the arguments are known.
        doubtful: Why it may be no activation at all; None where it is certain.
    """

    definition: Definition
    spec: str
    doubtful: str | None = None


@functools.lru_cache(maxsize=8)
def _vocabulary(version: int) -> tuple[dict[Any, Definition], dict[str, Any], frozenset[str]]:
    functions = {
        function: definition
        for definition in registry.definitions()
        for function in definition.functions
        if definition.kind != "transfer" and definition.name != "identity"
    }
    named = {name_of(function): function for function in (*functions, *_CLAMPS, *_MAXIMA)}
    methods = frozenset(name.rpartition(".")[2] for name in named if name.startswith("torch.Tensor."))
    return functions, named, methods


def is_candidate(function: Any) -> bool:
    """Whether a function may be an activation, or is for some arguments."""
    try:
        return function in _vocabulary(registry.version())[0] or function in _CLAMPS or function in _MAXIMA
    except TypeError:  # not hashable
        return False


def is_method(name: str) -> bool:
    """Whether tensors have a method of this name that may be an activation."""
    return name in _vocabulary(registry.version())[2]


def name_of(function: Any) -> str:
    """The import path of a function of torch, or of a class."""
    return str(resolve_name(function) or type_name(function))


def named(name: str) -> Any:
    """The function or class of this name, as :func:`name_of` gives it; ``UNKNOWN`` if nothing imported is called so."""
    known = _vocabulary(registry.version())[1].get(name)
    if known is not None:
        return known
    module, _, attribute = name.rpartition(".")
    return getattr(sys.modules.get(module), attribute, UNKNOWN)


def works_in_place(function: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether a call writes into its input."""
    return getattr(function, "__name__", "").endswith("_") or arguments.get("inplace", False) is True


def applied(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Applied | None:
    """The activation that ``function(*args, **kwargs)`` applies; None if it is none. Arguments may be ``UNKNOWN``."""
    if function in _CLAMPS:
        return _clamp(function, args, kwargs)
    if function in _MAXIMA:
        return None  # its second argument has to be seen in the source: see `composed`
    definition = _vocabulary(registry.version())[0].get(function)
    if definition is None:
        return None
    given = _bound(function, args, kwargs)
    shown = {
        parameter.name: given[parameter.name]
        for parameter in definition.parameters
        if isinstance(given.get(parameter.name), (bool, int, float, str)) and given[parameter.name] != parameter.default
    }
    return Applied(definition, str(ActivationSpec(definition.name, shown)))


def _bound(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return inspect.signature(function).bind(*args, **kwargs).arguments
    except (ValueError, TypeError):  # torch's builtins have no signature; some are the module's parameters in order
        definition = _vocabulary(registry.version())[0].get(function)
        names = [parameter.name for parameter in definition.parameters] if definition else []
        return {**dict(zip(names, args[1:], strict=False)), **kwargs}


def _clamp(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Applied | None:
    low = kwargs.get("min", args[1] if len(args) > 1 else None)
    high = kwargs.get("max", args[2] if len(args) > 2 else None)
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        return None
    name = {_RELU: "relu", _RELU6: "relu6"}.get((low, None if high == math.inf else high))
    return None if name is None else Applied(registry.info(name), name, "a clamp, which may limit something else")


@dataclass(frozen=True)
class Written:
    """An activation as it is written in a forward.

    Attributes:
        node: The whole expression that applies it.
        function: The function, or the module class of an instance that is made on the spot.
        applied: What it computes, as far as the source tells.
        input: The expression of its input; None where the call unpacks its arguments, or where there is no call.
        kind: ``function`` or ``method``.
    """

    node: ast.expr
    function: Any
    applied: Applied
    input: ast.expr | None
    kind: Kind

    @property
    def is_in_place(self) -> bool:
        """Whether it writes into its input, as far as the source tells."""
        if not isinstance(self.node, ast.Call) or isinstance(self.function, type):
            return False
        args, kwargs = _literals(self.node.args, self.node.keywords)
        return works_in_place(self.function, _bound(self.function, args, kwargs))


def written(node: ast.expr, scope: Scope) -> Written | None:
    """The activation that an expression applies, or hands on as a function, if the source tells which one it is."""
    if isinstance(node, (ast.Name, ast.Attribute)):
        return _handed_on(node, scope)
    if isinstance(node, ast.BinOp):
        return _self_gated(node, scope)
    if not isinstance(node, ast.Call):
        return None
    function = scope.resolve(node.func)
    bound: Mapping[str, Any] = {}
    if isinstance(function, functools.partial) and not function.args:
        bound, function = function.keywords, function.func
    if is_candidate(function):
        if function in _MAXIMA:
            return _maximum(node, scope)
        args, kwargs = _literals(node.args, node.keywords)
        found = applied(function, args, {**bound, **kwargs})
        if found is None or _is_part_of_self_gated(node, scope):
            return None
        return Written(node, function, found, _first_argument(node), "function")
    if isinstance(node.func, ast.Call):
        return _made_on_the_spot(node, node.func, scope)
    if isinstance(node.func, ast.Attribute) and function is UNKNOWN and is_method(node.func.attr):
        return _method(node, node.func, scope)
    return None


def _handed_on(node: ast.expr, scope: Scope) -> Written | None:
    """``F.relu`` in ``map(F.relu, xs)`` or ``act = F.relu``: whoever calls it then calls what is put there."""
    function = scope.resolve(node)
    if function is UNKNOWN or not is_candidate(function) or not _is_handed_on(node, scope):
        return None
    found = applied(function, [UNKNOWN], {})
    return None if found is None else Written(node, function, found, None, "function")


def _is_handed_on(node: ast.expr, scope: Scope) -> bool:
    parent = scope.source.parents.get(node)
    match parent:
        case ast.Call(func=func):
            return node is not func
        case ast.IfExp(test=test):
            return node is not test
    kinds = (
        ast.keyword,
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
    if function in _MAXIMA:
        return _maximum(node, scope)
    args, kwargs = _literals(node.args, node.keywords)
    found = applied(function, [UNKNOWN, *args], kwargs)
    if found is None or _is_part_of_self_gated(node, scope):
        return None
    taken = [parameter for parameter in found.definition.parameters if parameter.name != "inplace"]
    if len(node.args) + len(node.keywords) > max(len(taken), 2 * (function in _CLAMPS)):
        return None  # relu() of a tensor takes nothing: it is a function of something else, such as a module
    return Written(node, function, found, receiver, "method")


def _made_on_the_spot(node: ast.Call, maker: ast.Call, scope: Scope) -> Written | None:
    cls = scope.resolve(maker.func)
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        return None
    definition = registry.registered(cls)
    if definition is None or definition.kind == "transfer" or definition.name == "identity":
        return None
    args, kwargs = _literals(maker.args, maker.keywords)
    try:
        spec = registry.spec_of(cls(*args, **kwargs))
    except Exception:  # its arguments are only known when it runs
        return None
    if spec is None:
        return None
    return Written(node, cls, Applied(definition, str(spec)), _first_argument(node), "function")


def _maximum(node: ast.Call, scope: Scope) -> Written | None:
    """``torch.maximum(x, torch.zeros_like(x))``, either way around, or as a method."""
    is_function = scope.resolve(node.func) in _MAXIMA
    receiver = [] if is_function or not isinstance(node.func, ast.Attribute) else [node.func.value]
    operands = [*receiver, *node.args]
    zeros = [operand for operand in operands if _is_zeros(operand, scope)]
    if len(operands) != 2 or len(zeros) != 1 or node.keywords:
        return None
    (operand,) = (operand for operand in operands if operand is not zeros[0])
    found = Applied(registry.info("relu"), "relu")
    kind: Kind = "function" if is_function else "method"
    return Written(node, torch.maximum if is_function else Tensor.maximum, found, operand, kind)


def _is_zeros(node: ast.expr, scope: Scope) -> bool:
    return isinstance(node, ast.Call) and scope.resolve(node.func) in _ZEROS


def _self_gated(node: ast.BinOp, scope: Scope) -> Written | None:
    """``x * torch.sigmoid(x)``, either way around."""
    if not isinstance(node.op, ast.Mult):
        return None
    for factor, gate in ((node.left, node.right), (node.right, node.left)):
        if not isinstance(factor, ast.Name) or not isinstance(gate, ast.Call):
            continue
        gated = _gated_input(gate, scope)
        if isinstance(gated, ast.Name) and gated.id == factor.id:
            found = Applied(registry.info("silu"), "silu")
            return Written(node, scope.resolve(gate.func) if scope.resolve(gate.func) is not UNKNOWN else Tensor.sigmoid, found, factor, "function")  # fmt: skip
    return None


def _gated_input(gate: ast.Call, scope: Scope) -> ast.expr | None:
    function = scope.resolve(gate.func)
    if function is UNKNOWN:
        called = gate.func
        is_sigmoid = isinstance(called, ast.Attribute) and called.attr == "sigmoid" and not gate.args
        return called.value if is_sigmoid and isinstance(called, ast.Attribute) else None
    definition = _vocabulary(registry.version())[0].get(function) if is_candidate(function) else None
    return _first_argument(gate) if definition is not None and definition.name == "sigmoid" else None


def _is_part_of_self_gated(node: ast.Call, scope: Scope) -> bool:
    parent = scope.source.parents.get(node)
    return (
        isinstance(parent, ast.BinOp) and (found := _self_gated(parent, scope)) is not None and found.input is not node
    )


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
