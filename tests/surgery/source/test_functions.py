import ast
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from lightning_acts.surgery.source.functions import UNKNOWN, Scope, SourceError, layers, original, rewritten, source_of


def test_a_set_has_no_order() -> None:
    def function(x: int) -> bool:
        return x in {0, 8, 16}

    code = function.__code__
    kept = next(constant for constant in code.co_consts if isinstance(constant, frozenset))
    other = frozenset(reversed(list(kept)))  # as it may come from a file of bytecode
    assert repr(kept) != repr(other)
    constants = tuple(other if constant is kept else constant for constant in code.co_consts)
    assert source_of(code.replace(co_consts=constants)).node is not None
    with pytest.raises(Exception, match="is not the code that runs"):
        source_of(code.replace(co_consts=tuple(frozenset({0, 8}) if c is kept else c for c in code.co_consts)))


def fails(x: int, scale: int = 3) -> float:
    return x * scale / 0


def test_a_copy_differs_in_the_replaced_expressions_alone() -> None:
    def replace(node: ast.expr, visit: Callable[[ast.expr], ast.expr]) -> ast.expr | None:
        return ast.Constant(2) if isinstance(node, ast.Constant) and node.value == 0 else None

    copy = rewritten(fails, replace)
    assert copy(4) == 6 and copy(4, scale=5) == 10
    assert original(copy.__code__) is fails.__code__
    with pytest.raises(ZeroDivisionError):
        fails(4)


def test_tracebacks_of_a_copy_show_the_authors_line() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        rewritten(fails, lambda node, visit: None)(1)
    frame = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (frame.filename, frame.line) == (__file__, "return x * scale / 0")


def test_code_without_a_file_has_no_source() -> None:
    names: dict[str, Any] = {}
    exec("def made(x):\n    return x", names)
    with pytest.raises(SourceError, match="no source"):
        source_of(names["made"].__code__)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("torch.relu", torch.relu),
        ("len", len),
        ("x", UNKNOWN),
        ("self.forward", nn.ReLU.forward),
        ("self.nothing", UNKNOWN),
        ("torch.relu(x)", UNKNOWN),
    ],
)
def test_what_an_expression_stands_for(text: str, value: Any) -> None:
    def method(self: nn.Module, x: Any) -> Any:
        return torch.relu(x)

    node = ast.parse(text, mode="eval").body
    assert Scope(method, nn.ReLU, True).resolve(node) is value  # type: ignore[arg-type]


def test_a_decorated_function_is_found_beneath() -> None:
    def decorator(function: Callable[..., Any]) -> Callable[..., Any]:
        def outer(self: Any) -> Any:
            return function(self)

        outer.__wrapped__ = function  # type: ignore[attr-defined]
        return outer

    assert list(layers(decorator(fails))) != [fails] and list(layers(decorator(fails)))[-1] is fails
