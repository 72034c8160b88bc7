"""Formulas against the activations that they compute, those that look like one, and what is left alone."""

import ast
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery import operations
from lightning_acts.surgery.recognizing import formulas
from lightning_acts.surgery.recognizing.formulas import composite
from lightning_acts.surgery.source.functions import Scope

SCALE = 1.702
LAYER = nn.Linear(2, 2)

# One a line: a lambda is found by its line.
KNOWN: list[tuple[Callable[..., Any], str]] = [
    (lambda x: x * torch.sigmoid(x), "silu"),
    (lambda x: torch.sigmoid(x).mul(x), "silu"),
    (lambda x: x / (1 + torch.exp(-x)), "silu"),
    (lambda x: x.mul(F.sigmoid(x)), "silu"),
    (lambda x: x * torch.sigmoid(SCALE * x), "quick_gelu"),
    (lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))), "gelu"),
    (lambda x: x * 0.5 * (1.0 + (x * 0.7071067811865475).erf()), "gelu"),
    (lambda x: 0.5 * x * (1 + torch.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))), "gelu(approximate=tanh)"),
    (lambda x: 0.5 * x * (1 + torch.tanh(0.7978845608 * x * (1 + 0.044715 * x * x))), "gelu(approximate=tanh)"),
    (lambda x: 0.5 * x * (1 + torch.tanh(0.79788456 * (x + 0.044715 * x * x * x))), "gelu(approximate=tanh)"),
    (lambda x: x * torch.tanh(F.softplus(x)), "mish"),
    (lambda x: x * torch.tanh(torch.log(1 + torch.exp(x))), "mish"),
    (lambda x: x * F.relu6(x + 3) / 6, "hardswish"),
    (lambda x: x * F.relu6(x + 3, inplace=True).div(6), "hardswish"),
    (lambda x: F.relu6(x + 3) / 6, "hardsigmoid"),
    (lambda x: x * torch.clamp(x + 3, 0, 6) / 6 + 0 * F.relu(x), "hardswish"),
    (lambda x: F.relu(x) - 0.2 * F.relu(-x), "leaky_relu(negative_slope=0.2)"),
    (lambda x: torch.square(F.relu(x)), "squared_relu"),
    (lambda x: F.relu(LAYER(x)) ** 2, "squared_relu"),
    (lambda x: torch.log1p(x.exp()), "softplus"),
    (lambda x: 2 * torch.sigmoid(2 * x) - 1, "tanh"),
    (lambda x: torch.where(x > 0, x, 0.1 * x), "leaky_relu(negative_slope=0.1)"),
    (lambda x: 0.5 * (x + x.abs()), "relu"),
    (lambda x: 1 / (1 + torch.exp(-x)), "sigmoid"),
    (lambda x: x * (x > 0), "relu"),
    (lambda x: (x > 0) * x, "relu"),
    (lambda x: x.mul(torch.gt(x, 0)), "relu"),
    (lambda x: x * (x > 0).float(), "relu"),
    (lambda x: x * (x > 0).to(x.dtype), "relu"),
    (lambda x: x * (x >= 0).type_as(x), "relu"),
    (lambda x: torch.where(x > 0, x, torch.zeros_like(x)), "relu"),
    (lambda x: torch.where(x > 0, x, torch.zeros(x.shape, dtype=x.dtype)), "relu"),
    (lambda x: torch.where(x < 0, x.new_zeros(x.size()), x), "relu"),
    (lambda x: torch.where(x > 0, x, torch.tensor(0.0)), "relu"),
    (lambda x: x.where(x > 0, 0.0), "relu"),
    (lambda x: x.where(x > 0, 0.2 * x), "leaky_relu(negative_slope=0.2)"),
    (lambda x: torch.where(x > 0, x, torch.expm1(x)), "elu"),
    (lambda x: x.masked_fill(x < 0, 0.0), "relu"),
    (lambda x: torch.masked_fill(x, x < 0, 0), "relu"),
    (lambda x: torch.max(x, 0.1 * x), "leaky_relu(negative_slope=0.1)"),
    (lambda x: torch.maximum(0.1 * x, x), "leaky_relu(negative_slope=0.1)"),
    (lambda x: x.max(x * 0.1), "leaky_relu(negative_slope=0.1)"),
    (lambda x: x.clamp(min=0) + 0.1 * x.clamp(max=0), "leaky_relu(negative_slope=0.1)"),
    (lambda x: x * torch.special.ndtr(x), "gelu"),
    (lambda x: 0.5 * x * torch.erfc(-x * math.sqrt(0.5)), "gelu"),
    (lambda x: x * torch.clamp(x + 3, 0, 6) / 6, "hardswish"),
    (lambda x: x * (x / 6 + 0.5).clip(0, 1), "hardswish"),
    (lambda x: (x + 3).clamp(0, 6) / 6, "hardsigmoid"),
    (lambda x: torch.logaddexp(x, torch.zeros_like(x)), "softplus"),
]
OTHERS: list[Callable[..., Any]] = [
    lambda x, y: x * torch.sigmoid(y),
    lambda x: LAYER(x) * torch.sigmoid(LAYER(x)),  # two runs of a layer, which may differ
    lambda x, beta: x * torch.sigmoid(beta * x),
    lambda x: 0.5 * F.relu(x),
    lambda x: F.relu(x) + 1e-6,  # what keeps a divisor from zero is not to be lost
    lambda x: F.relu(x) + 1e-12,
    lambda x: torch.log(torch.sigmoid(x) + 1e-10),
    lambda x: torch.log(torch.sigmoid(x).clamp(min=1e-8)),  # which bites far out only
    lambda x: F.relu(x, inplace=True) ** 2,  # into x it writes something else
    lambda x: x * torch.tanh(0.3 * x),
    lambda x: x * x,
    lambda x: torch.exp(-x * x),  # a kernel of distances as likely as an activation
    lambda x: torch.exp(x),
    lambda x, y: x * (y > 0),
    lambda x: x * (x > 0.5),
    lambda x, y: torch.where(y > 0, x, torch.zeros_like(x)),
    lambda x, mask: x.masked_fill(mask, 0.0),
    lambda x, y: torch.max(x, 0.1 * y),
    lambda x: torch.max(x),
    lambda x: x.max(1)[0] * 1.0,
    lambda x: x.clamp(min=1e-6) * 2,
    lambda x: torch.clamp(x, -1, 1),
    lambda x: F.softmax(x, dim=-1) * x,
    lambda x: F.dropout(F.relu(x), 0.5) * 1.0,
    lambda x: x - torch.tanh(x) * torch.zeros(3),
    lambda x: (x * torch.sigmoid(x)).sum() * 1.0,
    lambda x: F.rrelu(x, training=True) * 1.0,
]


def found_in(function: Callable[..., Any]) -> Any:
    scope = Scope(function, nn.Module, False)  # type: ignore[arg-type]
    node = scope.source.node
    assert isinstance(node, ast.Lambda)
    return composite(node.body, scope)


@pytest.mark.parametrize(("function", "spec"), KNOWN)
def test_a_formula_is_the_activation_that_it_computes(function: Callable[..., Any], spec: str) -> None:
    found = found_in(function)
    expected = acts.info(spec)
    assert acts.info(found.spec) is expected
    given = torch.linspace(-4, 4, 99, dtype=torch.float64)
    if "LAYER" not in ast.unparse(found.input):
        torch.testing.assert_close(acts.create(found.spec)(given), function(given.clone()), rtol=1e-7, atol=1e-7)
    assert acts.create(spec)(given).equal(acts.create(found.spec)(given))


@pytest.mark.parametrize("function", OTHERS)
def test_whatever_else_is_left_alone(function: Callable[..., Any]) -> None:
    assert found_in(function) is None


def test_what_writes_into_its_input() -> None:
    assert not found_in(lambda x: x * torch.sigmoid(x)).writes
    assert found_in(lambda x: x.mul_(torch.sigmoid(x))).writes
    assert not found_in(lambda x: (x + 0).mul_(torch.sigmoid(x))).writes


def test_nothing_of_the_authors_is_called() -> None:
    called = []

    def activate(x: Tensor) -> Tensor:
        called.append(x)
        return F.relu(x)

    assert found_in(lambda x: activate(x) ** 2) is None
    assert not called


def test_the_data_flow_knows_what_formulas_are_made_of() -> None:
    known = operations.UNARY | operations.PRODUCTS | operations.SUMS | operations.SAME | operations.EXTREMA
    names = {operations.operation(function) for function in formulas._FUNCTIONS if callable(function)}
    unknown = {name for name in names if name not in known | operations.FACTS and not operations.makes(name)}
    assert unknown == {"where", "tensor"}  # of three, and of none
