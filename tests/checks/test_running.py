"""All checks on one activation."""

import torch
from torch import Tensor

from lightning_acts.checks.running import check_activation
from lightning_acts.definition import define


def wrong_slope(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.011 * x)


def detached(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x).detach()


def test_a_formula_that_can_not_be_evaluated_is_a_defect() -> None:
    assert [defect.check for defect in check_activation(define(wrong_slope, formula="a line, and a line"))] == [
        "formula"
    ]
    assert [defect.check for defect in check_activation(define(wrong_slope))] == ["formula"]


def test_declared_limits_are_no_defects() -> None:
    limits = dict.fromkeys(["derivative", "first derivative", "second derivative"], "as wished")
    definition = define(detached, formula="x * sigmoid(x)", limits=limits)
    assert check_activation(definition) == []
