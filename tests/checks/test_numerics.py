"""The checks find the faults that activations in the wild have."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import lightning_acts as acts
from lightning_acts.checks.behaviour import check_behaviour
from lightning_acts.checks.numerics import check_numerics, measure_errors
from lightning_acts.checks.running import check
from lightning_acts.definition import define


def naive_mish(x: Tensor) -> Tensor:
    return x * torch.tanh(torch.log(1 + torch.exp(x)))


def wrong_slope(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.011 * x)


def detached(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x).detach()


def imprecise(x: Tensor) -> Tensor:
    return torch.tanh(x) * (1 + 1e-14)


@pytest.mark.parametrize(
    ("function", "formula", "defects"),
    [
        (naive_mish, "x * tanh(softplus(x))", {"value", "derivative"}),
        (wrong_slope, "where(x > 0, x, 0.01 * x)", {"value", "derivative"}),
        (detached, "x * sigmoid(x)", {"derivative", "first derivative"}),
        (imprecise, "tanh(x)", {"value"}),
    ],
)
def test_faults_are_found(function: Callable[[Tensor], Tensor], formula: str, defects: set[str]) -> None:
    definition = define(function, formula=formula)
    assert {defect.check for defect in check_numerics(definition)} >= defects


def test_the_error_is_in_ulp_of_the_condition_number() -> None:
    errors = measure_errors(define(imprecise, formula="tanh(x)"), torch.float64)
    assert 20 < errors.value < 100  # 1e-14 is 45 ulp
    # One ulp of x moves exp(x) by x ulp: that is not its fault.
    assert measure_errors(define(torch.exp, name="e", formula="exp(x)"), torch.float32).value < 1


def test_a_formula_that_can_not_be_evaluated_is_a_defect() -> None:
    assert [defect.check for defect in check(define(wrong_slope, formula="a line, and a line"))] == ["formula"]
    assert [defect.check for defect in check(define(wrong_slope))] == ["formula"]


def test_declared_limits_are_no_defects() -> None:
    definition = define(
        detached, formula="x * sigmoid(x)", limits={"derivative": "as wished", "first derivative": "as wished"}
    )
    assert check(definition) == []


class TestBehaviour:
    @staticmethod
    def defects(function: Callable[..., Tensor]) -> set[str]:
        return {defect.check for defect in check_behaviour(define(function, name="subject"))}

    def test_in_place(self) -> None:
        assert "input unchanged" in self.defects(lambda x: x.relu_())

    def test_a_graph_break(self) -> None:
        assert "compile" in self.defects(lambda x: x * x.abs().max().item())

    def test_shapes(self) -> None:
        assert "shapes" in self.defects(lambda x: x.flatten())
        assert "shapes" in self.defects(lambda x: x - x[0])

    def test_types(self) -> None:
        assert "types" in self.defects(lambda x: x.float() * torch.ones(1, dtype=torch.float32))

    def test_memory_format(self) -> None:
        assert "memory formats" in self.defects(lambda x: torch.relu(x).contiguous())

    def test_vmap(self) -> None:
        assert "vmap" in self.defects(lambda x: x * (1.0 if x.sum() > 0 else 2.0))

    def test_nothing_to_find(self) -> None:
        assert self.defects(lambda x: x * torch.sigmoid(x)) == set()

    def test_parameters_are_given(self) -> None:
        assert check_behaviour(acts.info("maxout"), {"k": 4}) == []
        with pytest.raises(acts.SpecError, match="k must be at least 1"):
            check_behaviour(acts.info("maxout"), {"k": 0})
