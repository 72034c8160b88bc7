"""How an activation is named together with its parameters: ``"prelu(init=0.1)"``.

The grammar is a name, then optionally keyword arguments in parentheses whose values are literals::

    spec   = name [ "(" [ key "=" value { "," key "=" value } ] ")" ]
    value  = number | "inf" | "-inf" | True | False | None | 'text' | word | "(" values ")" | "[" values "]"

A bare word stands for itself as text: ``gelu(approximate=tanh)``. Nothing is ever evaluated. This module knows no
registry: whether a name exists and which parameters it takes is decided in :mod:`lightning_acts.factory`.
"""

from __future__ import annotations

import ast
import functools
import keyword
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias, Union

from lightning_acts.errors import ActsError

SpecValue: TypeAlias = Union[None, bool, int, float, str, tuple["SpecValue", ...]]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
# Longer than any real spec, short enough that a hostile one can't exhaust the parser.
_MAX_LENGTH = 1000


class SpecError(ActsError, ValueError):
    """An activation, or one of its parameters, was named in a way that can't be understood or is not allowed."""

    exit_status = 2


@dataclass(frozen=True)
class ActivationSpec:
    """An activation's name and the parameters that it is given; immutable, hashable, printed as a spec string.

    Args:
        name: The activation's name.
        parameters: Literals by parameter name; lists become tuples.

    Raises:
        SpecError: The name is not one, or a value is not a literal.

    Example:
        >>> spec = ActivationSpec.parse("leaky_relu(negative_slope=0.2)")
        >>> spec.name, dict(spec.parameters)
        ('leaky_relu', {'negative_slope': 0.2})
        >>> ActivationSpec.parse(str(spec)) == spec
        True
    """

    name: str
    parameters: Mapping[str, SpecValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise SpecError(f"{self.name!r} is not a name of an activation: letters, digits, '_' and '-' only")
        checked = {key: _literal(value, f"{self.name}({key}=...)") for key, value in self.parameters.items()}
        for key in checked:
            if not isinstance(key, str) or not key.isidentifier() or keyword.iskeyword(key):
                raise SpecError(f"{key!r} is not a name of a parameter, in the spec of {self.name!r}")
        object.__setattr__(self, "parameters", MappingProxyType(checked))

    def __hash__(self) -> int:
        return hash((self.name, frozenset(self.parameters.items())))

    def __str__(self) -> str:
        if not self.parameters:
            return self.name
        arguments = ", ".join(f"{key}={_print(value)}" for key, value in self.parameters.items())
        return f"{self.name}({arguments})"

    def __reduce__(self) -> tuple[object, ...]:
        return ActivationSpec, (self.name, dict(self.parameters))

    @classmethod
    def parse(cls, text: str) -> ActivationSpec:
        """Read a spec string; the inverse of ``str(spec)``.

        Raises:
            SpecError: ``text`` does not follow the grammar above.
        """
        return _parse(text)

    def without(self, parameter: str) -> ActivationSpec:
        """Return the spec with the default of a parameter.

        Example:
            >>> print(ActivationSpec.parse("leaky_relu(negative_slope=0.2, inplace=True)").without("inplace"))
            leaky_relu(negative_slope=0.2)
        """
        return ActivationSpec(self.name, {key: value for key, value in self.parameters.items() if key != parameter})


@functools.lru_cache(maxsize=4096)
def _parse(text: str) -> ActivationSpec:
    if len(text) > _MAX_LENGTH:
        raise SpecError(f"a spec has at most {_MAX_LENGTH} characters; {text[:40]!r}... has {len(text)}")
    stripped = text.strip()
    match = _NAME.match(stripped)
    if match is None:
        raise SpecError(f"{text!r} is not a spec: it must begin with the name of an activation, as in 'elu(alpha=0.5)'")
    rest = stripped[match.end() :].strip()
    if not rest:
        return ActivationSpec(match.group())
    if not rest.startswith("("):
        raise SpecError(f"{text!r} is not a spec: expected '(' or the end after {match.group()!r}")
    try:
        call = ast.parse("f" + rest, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise SpecError(f"{text!r} is not a spec: {reason}") from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise SpecError(f"{text!r} is not a spec: one pair of parentheses with 'key=value' inside, and nothing after")
    if call.args:
        given = ast.unparse(call.args[0])
        raise SpecError(f"{text!r}: parameters are given by name, as in 'elu(alpha=0.5)'; {given!r} has no name")
    parameters: dict[str, SpecValue] = {}
    for argument in call.keywords:
        if argument.arg is None:
            raise SpecError(f"{text!r}: '**' has no place in a spec")
        if argument.arg in parameters:
            raise SpecError(f"{text!r} gives {argument.arg!r} twice")
        parameters[argument.arg] = _from_node(argument.value, text)
    return ActivationSpec(match.group(), parameters)


def _from_node(node: ast.expr, text: str) -> SpecValue:
    if isinstance(node, ast.Constant):
        return _literal(node.value, repr(text))
    if isinstance(node, ast.Name):
        return math.inf if node.id == "inf" else _literal(math.nan if node.id == "nan" else node.id, repr(text))
    if isinstance(node, (ast.List, ast.Tuple)):
        return tuple(_from_node(element, text) for element in node.elts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        operand = node.operand
        value = _from_node(operand, text) if isinstance(operand, (ast.Constant, ast.Name)) else None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return -value if isinstance(node.op, ast.USub) else value
    kind = type(node).__name__
    given = ast.unparse(node) if sum(1 for _ in ast.walk(node)) < 50 else f"an expression ({kind}) of many parts"
    raise SpecError(f"{text!r}: {given!r} is not a literal; a spec holds literals only and is never evaluated")


def _literal(value: object, where: str) -> SpecValue:
    if isinstance(value, float) and math.isnan(value):
        raise SpecError(f"{where}: nan is no value for a parameter")
    for plain in (bool, int, float, str):
        if isinstance(value, plain):
            return plain(value)  # numpy's float64 is a float that prints otherwise
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        return tuple(_literal(element, where) for element in value)
    raise SpecError(
        f"{where}: {value!r} is of type {type(value).__name__}; a spec holds numbers, text, booleans, None and lists"
    )


def _print(value: SpecValue) -> str:
    if isinstance(value, tuple):
        inner = ", ".join(_print(element) for element in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, str):
        is_word = (
            value.isidentifier() and value.isascii() and not keyword.iskeyword(value) and value not in ("inf", "nan")
        )
        return value if is_word else repr(value)
    return repr(value)
