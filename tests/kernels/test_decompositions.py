"""Decompositions for compiled code: each as accurate as the operator it stands for, over its whole domain."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import lightning_acts as acts
from lightning_acts.checks.numerics import ULPS, measure_errors
from lightning_acts.kernels.decompositions import CPU_DECOMPOSITIONS, aten

ENDS = [0.0, -0.0, math.inf, -math.inf, math.nan]
FLOAT32 = [(name, torch.float32) for name in ("sigmoid", "tanh", "expm1", "log1p", "erf", "erfc")]


@pytest.mark.parametrize(
    ("name", "dtype"), [*FLOAT32, *((name, torch.float64) for name in ("sigmoid", "tanh", "expm1", "log1p"))]
)
def test_accuracy(name: str, dtype: torch.dtype) -> None:
    function: Callable[[Tensor], Tensor] = CPU_DECOMPOSITIONS[getattr(aten, name).default]
    small = torch.logspace(-30, 0, 20_001, dtype=torch.float64)
    x = torch.cat([torch.linspace(-95, 95, 1_000_001, dtype=torch.float64), small, -small, torch.tensor([1e30, -1e30])])
    x = x.to(dtype)
    true = getattr(torch, name)(x.double())
    limits = torch.finfo(dtype)
    # What a change of x by half an ulp does is not held against it: where erfc falls fast that is much.
    scale = true.abs() + (x.double().square() * true.abs() if name == "erfc" else 0)
    normal = (true.abs() >= limits.tiny) & (true.abs() <= limits.max)
    found = function(x).double()
    assert ((found - true).abs() / scale)[normal].max() < 3 * limits.eps
    # Denormal results may come out as 0.
    assert ((found - true).abs() <= limits.tiny)[true.abs() < limits.tiny].all()
    assert found[true > limits.max].isinf().all()
    ends = torch.tensor(ENDS, dtype=dtype)
    assert function(ends).tolist() == pytest.approx(getattr(torch, name)(ends).tolist(), abs=0, nan_ok=True)
    if name in ("tanh", "expm1", "erf"):
        assert math.copysign(1.0, function(ends)[1].item()) == -1.0


def test_log1p_at_its_pole() -> None:
    function = CPU_DECOMPOSITIONS[aten.log1p.default]
    assert function(torch.tensor([-1.0])).item() == -math.inf
    assert function(torch.tensor([-1.5])).isnan()


def test_other_types_are_left_to_the_operator() -> None:
    assert CPU_DECOMPOSITIONS[aten.erfc.default](torch.zeros(1, dtype=torch.float64)) is NotImplemented


# By Inductor's own erf they have no digit near 0, or far to the left.
@pytest.mark.parametrize("name", ["erf", "serf", pytest.param("erf_relu", marks=pytest.mark.slow)])
def test_compiled_float32_is_as_accurate(name: str) -> None:
    errors = measure_errors(acts.info(name), torch.float32, {}, "compiled")
    assert max(errors.value, errors.derivative) <= ULPS
