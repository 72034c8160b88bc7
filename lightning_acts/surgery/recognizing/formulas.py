"""Activations that are written out as formulas, such as ``x * torch.sigmoid(x)``: recognized by their curve, as modules are.

An expression of one tensor, of numbers and of torch's elementwise functions is evaluated; nothing else is called.
"""

from __future__ import annotations

import ast
import functools
import itertools
import math
import operator
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from lightning_acts import factory, registry
from lightning_acts.surgery.operations import COMPARISONS, EXPONENTIALS, EXTREMA, ZEROS
from lightning_acts.surgery.recognizing.calls import definition_of_function, is_everyday
from lightning_acts.surgery.recognizing.modules import recognize_function
from lightning_acts.surgery.source.functions import UNKNOWN, Function, Scope

# Constants such as sqrt(2 / pi) are written with eight digits or more; what keeps a divisor from zero is not to be lost.
_RELATIVE, _ABSOLUTE = 3e-8, 1e-13
# A longer expression is no activation's formula.
_MOST_NODES = 150

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}


def _functions_named(*names: str) -> frozenset[Any]:
    """Return the functions of torch and the methods of tensors with these names, those that work in place included."""
    holders = (torch, Tensor, torch.special)
    found = (getattr(holder, name + end, None) for holder in holders for name in names for end in ("", "_"))
    return frozenset(function for function in found if function is not None)


# Of these alone a formula may as well be something else: what torch itself has as a module is certain, others between layers.
_UNCERTAIN = _functions_named(
    *COMPARISONS, *EXPONENTIALS, *EXTREMA, "abs", "absolute", "clamp", "clamp_max", "clamp_min", "clip", "cos", "expm1", "fmax",
    "fmin", "heaviside", "log1p", "logaddexp", "masked_fill", "maximum", "minimum", "sgn", "sign", "sin", "square", "where",
)  # fmt: skip
ERFS = _functions_named("erf", "erfc", "ndtr")
_FUNCTIONS = _UNCERTAIN | ERFS | _functions_named(
    *ZEROS, "add", "arctan", "asinh", "atan", "bfloat16", "cosh", "div", "divide", "double", "float", "full_like", "half", "log",
    "log2", "logical_not", "mul", "multiply", "neg", "negative", "new_tensor", "ones_like", "pow", "reciprocal", "rsqrt", "sinh",
    "size", "sqrt", "sub", "subtract", "tensor", "to", "true_divide", "type_as",
)  # fmt: skip
# The functions that comparisons are.
_COMPARISONS: dict[type[ast.AST], Any] = {ast.Gt: torch.gt, ast.GtE: torch.ge, ast.Lt: torch.lt, ast.LtE: torch.le}
# What a tensor says of itself.
_OF_TENSORS = ("dtype", "device", "shape")
_OF_NUMBERS = (math.sqrt, math.exp, math.log, math.pow, math.tanh, math.erf, math.cosh, math.sinh)


@dataclass(frozen=True)
class Composite:
    """A formula that computes an activation.

    Attributes:
        spec: The activation.
        input: The expression of its input: a variable, or what stands there just once.
        functions: The activation functions, or those of a similar kind, of which it is made.
        writes: Whether it writes into its input.
        is_everyday: Whether such a formula may as well be something else: it is an activation only between layers.
    """

    spec: str
    input: ast.expr
    functions: tuple[Any, ...]
    writes: bool
    is_everyday: bool
    _node: ast.expr

    def parts(self) -> Iterator[ast.AST]:
        """Yield everything within the formula but its input."""
        given = set(ast.walk(self.input))
        return (part for part in ast.walk(self._node) if part is not self._node and part not in given)


def composite(node: ast.expr, scope: Scope) -> Composite | None:
    """Return the activation that a formula computes.

    None where it is none that is known, or no formula of one tensor.
    """
    return _composite(node, scope.function, scope.first, registry.version())


def forget() -> None:
    """Let formulas be computed again: a number in them may have changed."""
    _composite.cache_clear()


@functools.lru_cache(maxsize=16384)
def _composite(node: ast.expr, function: Function, first: str | None, version: int) -> Composite | None:
    formula = _Formula.of(node, Scope(function, object, first is not None))
    if formula is None:
        return None
    is_certain = any(part in ERFS or not (part in _UNCERTAIN or is_everyday(part)) for part in formula.functions)
    written: list[bool] = []

    def compute(x: Tensor) -> Any:
        before = x.clone()
        result = formula.value(node, x)
        if not torch.equal(x, before):
            written.append(torch.equal(x, result))
        return result

    if (
        isinstance(node, ast.Call)
        and formula.functions == [formula._callee(node)[0]]
        and formula.is_of_input_alone(node)
    ):
        return None  # a call by itself
    spec = recognize_function(compute, _RELATIVE, _ABSOLUTE)
    if spec is None:
        return None
    if not all(written):
        return None  # into the input it writes something else than its result
    is_plain = not (is_certain or factory.definition_of(spec).module_class)
    return Composite(spec, formula.inputs[0], tuple(formula.functions), bool(written), is_plain, node)


def gates_its_input(node: ast.expr, scope: Scope) -> bool:
    """Return whether what an expression computes of a variable is multiplied with it: it is part of another activation."""
    parents = scope.source.parents
    around: ast.AST | None = node
    while isinstance(around, ast.expr) and (formula := _Formula.of(around, scope)) is not None:
        child, around = around, parents.get(around)
        if isinstance(around, ast.BinOp) and isinstance(around.op, (ast.Mult, ast.Div)):
            other = around.right if around.left is child else around.left
            names = {part.id for part in ast.walk(other) if isinstance(part, ast.Name)}
            if any(isinstance(given, ast.Name) and given.id in names for given in formula.inputs):
                return True
    return False


@dataclass
class _Formula:
    """An expression of one tensor.

    Attributes:
        scope: Where it stands.
        inputs: The expressions of the tensor: one, or the same variable several times.
        functions: The functions in it that make it a candidate.
    """

    scope: Scope
    inputs: list[ast.expr] = field(default_factory=list)
    functions: list[Any] = field(default_factory=list)

    @classmethod
    def of(cls, node: ast.expr, scope: Scope) -> _Formula | None:
        if not isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Call)):
            return None
        parts = list(itertools.islice(ast.walk(node), _MOST_NODES))
        if len(parts) == _MOST_NODES or not any(isinstance(part, (ast.Call, ast.Compare)) for part in parts):
            return None
        formula = cls(scope)
        formula.inputs = list(formula._leaves(node))
        names = {given.id if isinstance(given, ast.Name) else None for given in formula.inputs}
        if not formula.functions or len(names) != 1 or (None in names and len(formula.inputs) > 1):
            return None
        return formula

    def is_of_input_alone(self, call: ast.Call) -> bool:
        """Check whether a call is given its input, and beside it nothing that is computed."""
        apart = _Formula(self.scope)
        parts = apart._parts(call) or []
        return len(self.inputs) == 1 and all(part in self.inputs or not list(apart._leaves(part)) for part in parts)

    def _leaves(self, node: ast.expr) -> Iterator[ast.expr]:
        """Yield the expressions that the formula takes as given."""
        parts = self._parts(node)
        if parts is None:
            yield node
            return
        for part in parts:
            yield from self._leaves(part)

    def _parts(self, node: ast.expr) -> list[ast.expr] | None:
        """Return what an expression is computed of; None for what is taken as given."""
        if isinstance(node, ast.Constant) or self._number(node) is not None:
            return []
        if isinstance(node, ast.Tuple) and all(isinstance(part, ast.Constant) for part in node.elts):
            return []  # a shape
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return [node.left, node.right]
        if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
            return [node.operand]
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARISONS:
            self.functions.append(_COMPARISONS[type(node.ops[0])])
            return [node.left, node.comparators[0]]
        if isinstance(node, ast.Attribute) and node.attr in _OF_TENSORS and isinstance(node.value, ast.Name):
            return [node.value] if self.scope.resolve(node.value) is UNKNOWN else None
        if isinstance(node, ast.Attribute) and isinstance(self.scope.resolve(node), torch.dtype):
            return []
        if not isinstance(node, ast.Call) or any(keyword.arg is None for keyword in node.keywords):
            return None
        function, receiver = self._callee(node)
        if function is None or any(isinstance(arg, ast.Starred) for arg in node.args):
            return None
        if function in _UNCERTAIN or function in ERFS or _is_activation(function):
            self.functions.append(function)
        return [*receiver, *node.args, *(keyword.value for keyword in node.keywords if keyword.arg != "inplace")]

    def _callee(self, node: ast.Call) -> tuple[Any, list[ast.expr]]:
        """Return the function of torch or of numbers that is called, with the tensor of which it is a method."""
        function = self.scope.resolve(node.func)
        if function is not UNKNOWN:
            return (function if _is_elementwise(function) else None), []
        if not isinstance(node.func, ast.Attribute) or self.scope.resolve(node.func.value) is not UNKNOWN:
            return None, []
        method = getattr(Tensor, node.func.attr, None)
        return (method if _is_elementwise(method) else None), [node.func.value]

    def _number(self, node: ast.expr) -> float | None:
        if not isinstance(node, (ast.Name, ast.Attribute)):
            return None
        if self.scope.is_own_attribute(node):
            return None  # an instance may have another one than its class
        value = self.scope.resolve(node)
        return value if isinstance(value, (int, float)) else None

    def value(self, node: ast.expr, x: Tensor) -> Any:
        """Return what the expression is for a tensor."""
        number = self._number(node)
        if number is not None:
            return number
        match node:
            case _ if any(node is given for given in self.inputs):
                return x
            case ast.Constant():
                return node.value
            case ast.Tuple():
                return ast.literal_eval(node)
            case ast.BinOp():
                return _OPERATORS[type(node.op)](self.value(node.left, x), self.value(node.right, x))
            case ast.UnaryOp():
                return _OPERATORS[type(node.op)](self.value(node.operand, x))
            case ast.Attribute():
                known = self.scope.resolve(node)
                return getattr(x, node.attr) if known is UNKNOWN else known
            case ast.Compare():
                return _OPERATORS[type(node.ops[0])](self.value(node.left, x), self.value(node.comparators[0], x))
            case ast.Call():
                function, receiver = self._callee(node)
                args = [self.value(part, x) for part in (*receiver, *node.args)]
                words = {str(word.arg): word.value for word in node.keywords}
                in_place = words.pop("inplace", None)
                given = {name: self.value(value, x) for name, value in words.items()}
                if in_place is not None:  # also where only a run tells: then as one that does
                    given["inplace"] = not isinstance(in_place, ast.Constant) or bool(in_place.value)
                result = function(*args, **given)
                # Constants take the type of the input, as functions such as heaviside ask for.
                is_float = isinstance(result, Tensor) and result.is_floating_point()
                return result.to(x.dtype) if is_float else result
        raise AssertionError(ast.dump(node))


def _is_activation(function: Any) -> bool:
    definition = definition_of_function(function)
    return definition is not None and definition.kind == "elementwise" and not definition.stochastic


def _is_elementwise(function: Any) -> bool:
    if isinstance(function, types.MethodType) or function is None:
        return False
    try:
        return function in _FUNCTIONS or function in _OF_NUMBERS or _is_of_numpy(function) or _is_activation(function)
    except TypeError:  # not hashable
        return False


def _is_of_numpy(function: Any) -> bool:
    return type(function).__name__ == "ufunc" and type(function).__module__ == "numpy" and function.nin == 1
