"""Formulas in the source of a model as functions of their input: what they compute to the bit, wherever it is asked for."""

from __future__ import annotations

import ast
import copy
from typing import Any

from torch import Tensor, nn

from lightning_acts.surgery.recognizing.expressions import written
from lightning_acts.surgery.rewriting.classes import function_at
from lightning_acts.surgery.rewriting.reading import function_named, node_of
from lightning_acts.surgery.route import Route, Step
from lightning_acts.surgery.source.functions import Function, Scope, SourceError

_INPUT = "_input"


class Formula:
    """Formula as a function.

    Args:
        step: The expression.
        function: The function that holds it; None where it is not found.

    Raises:
        SourceError: It is none, writes into its input, or needs more than its input and what is global.
    """

    def __init__(self, step: Step, function: Function | None) -> None:
        self._step = step
        self._function = _compiled(step, function)

    @classmethod
    def at(cls, owner: nn.Module, route: Route) -> Formula:
        """Return the formula that a module comes to by a route."""
        *before, last = route.steps
        function = function_named(last.function) if before else function_at(owner, last)
        return cls(last, function)

    def __call__(self, input: Tensor) -> Any:
        """Compute it."""
        return self._function(input)

    def __deepcopy__(self, memo: Any) -> Formula:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _named, (self._step,)


def _named(step: Step) -> Formula:
    return Formula(step, function_named(step.function))


def _compiled(step: Step, function: Function | None) -> Any:
    if function is None:
        raise SourceError(f"there is no {step.function}")
    scope = Scope(function, object, False)
    node = node_of(step, scope)
    site = written(node, scope)
    if site is None or site.composite is None or site.composite.writes or site.input is None:
        raise SourceError(f"{step.code} is no formula that leaves its input as it is")
    given = site.input
    name = given.id if isinstance(given, ast.Name) else _INPUT
    body = copy.deepcopy(node, {} if isinstance(given, ast.Name) else {id(given): ast.Name(_INPUT, ast.Load())})
    used = {part.id for part in ast.walk(body) if isinstance(part, ast.Name)} - {name}
    if not used.isdisjoint(
        (*function.__code__.co_varnames, *function.__code__.co_cellvars, *function.__code__.co_freevars)
    ):
        raise SourceError(f"{step.code} needs what only its function knows")
    arguments = ast.arguments([], [ast.arg(name)], None, [], [], None, [])
    expression = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
    return eval(compile(expression, function.__code__.co_filename, "eval"), function.__globals__)
