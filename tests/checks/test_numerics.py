"""The checks find the faults that activations in the wild have."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import lightning_acts as acts
from lightning_acts.checks.numerics import check_numerics, grid, measure_errors
from lightning_acts.definition import define


def naive_mish(x: Tensor) -> Tensor:
    return x * torch.tanh(torch.log(1 + torch.exp(x)))


def wrong_slope(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.011 * x)


def detached(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x).detach()


def imprecise(x: Tensor) -> Tensor:
    return torch.tanh(x) * (1 + 1e-14)


def loses_nan(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.0)


def wrong_end(x: Tensor) -> Tensor:
    return torch.where(x.isinf(), 3.0, torch.tanh(x))


def infinite_in_float32(x: Tensor) -> Tensor:
    return torch.arctan(x) * (x / x if x.dtype == torch.float64 else torch.ones_like(x))


def wrong_at_the_kink(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, torch.where(x < 0, -x, 7 * x))


def kink_of_its_own(x: Tensor) -> Tensor:
    return torch.where(x < 2, x, x.detach() + 0.5 * (x - x.detach()))


@pytest.mark.parametrize(
    ("function", "formula", "defects"),
    [
        (loses_nan, "relu(x)", {"nan"}),
        (wrong_end, "tanh(x)", {"infinity"}),
        (infinite_in_float32, "atan(x)", {"infinity"}),
        (wrong_at_the_kink, "abs(x)", {"kink"}),
        (kink_of_its_own, "x", {"kink", "first derivative"}),
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


@pytest.mark.parametrize("name", ["relu", "hardswish", "softplus", "penalized_tanh", "srelu", "sine"])
def test_the_grid_holds_what_it_should(name: str) -> None:
    measured = acts.info(name).measured
    assert measured is not None
    kinks = tuple(at for at, _ in measured.kinks)
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        points = grid(dtype, kinks)
        signs = torch.signbit(points[points == 0])
        assert signs.any() and not signs.all()
        wanted = torch.tensor([1e-4, 20.0, 88.0, 1e4, torch.finfo(dtype).max, *kinks], dtype=torch.float64).to(dtype)
        assert torch.isin(wanted, points).all() and torch.isin(-wanted[:5], points).all()
        for at in wanted[5:]:
            for end in (torch.inf, -torch.inf):
                assert torch.isin(torch.nextafter(at, torch.tensor(end, dtype=dtype)), points)
