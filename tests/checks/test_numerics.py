"""The checks find the faults that activations in the wild have."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import lightning_acts as acts
from lightning_acts.checks import deployment
from lightning_acts.checks.behavior import check_behavior
from lightning_acts.checks.numerics import check_numerics, grid, measure_errors
from lightning_acts.checks.running import check_activation
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


def test_a_formula_that_can_not_be_evaluated_is_a_defect() -> None:
    assert [defect.check for defect in check_activation(define(wrong_slope, formula="a line, and a line"))] == [
        "formula"
    ]
    assert [defect.check for defect in check_activation(define(wrong_slope))] == ["formula"]


def test_declared_limits_are_no_defects() -> None:
    limits = dict.fromkeys(["derivative", "first derivative", "second derivative"], "as wished")
    definition = define(detached, formula="x * sigmoid(x)", limits=limits)
    assert check_activation(definition) == []


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


class TestBehavior:
    @staticmethod
    def defects(function: Callable[..., Tensor]) -> set[str]:
        return {defect.check for defect in check_behavior(define(function, name="subject"))}

    def test_in_place(self) -> None:
        assert "input unchanged" in self.defects(lambda x: x.relu_())

    def test_a_graph_break(self) -> None:
        assert "compile" in self.defects(lambda x: x if x.sum() > 0 else -x)

    def test_shapes(self) -> None:
        assert "shapes" in self.defects(lambda x: x.flatten())
        assert "shapes" in self.defects(lambda x: x - x[0])

    def test_types(self) -> None:
        assert "types" in self.defects(lambda x: x.float() * torch.ones(1, dtype=torch.float32))

    def test_memory_format(self) -> None:
        assert "memory formats" in self.defects(lambda x: torch.relu(x).contiguous())

    def test_vmap(self) -> None:
        assert "vmap" in self.defects(lambda x: x * (1.0 if x.sum() > 0 else 2.0))

    def test_a_recompilation(self) -> None:
        assert "compile" in self.defects(lambda x: x * (2.0 if x.shape[:1] == (2,) else 1.0))

    def test_an_input_that_is_not_real(self) -> None:
        class Squared(torch.nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x * x

        assert {defect.check for defect in check_behavior(define(Squared))} == {"complex"}

    def test_gradients_of_parameters(self) -> None:
        def detached_parameter(x: Tensor, a: float = acts.learnable(1.0)) -> Tensor:
            return a * x + torch.as_tensor(a).detach() * x

        def forgotten_parameter(x: Tensor, a: float = acts.learnable(1.0)) -> Tensor:
            return 2 * x

        assert "parameter gradients" in self.defects(detached_parameter)
        assert "parameter gradients" in self.defects(forgotten_parameter)

    def test_channels(self) -> None:
        def mixed_up(x: Tensor, a: float = acts.learnable(1.0, per="channel")) -> Tensor:
            return torch.as_tensor(a).flip(1) * x

        assert self.defects(mixed_up) == {"channels"}

    def test_derivatives_in_forward_mode(self) -> None:
        def half_stopped(x: Tensor) -> Tensor:
            with torch.no_grad():
                gate = torch.sigmoid(x)
            return x * gate

        assert "jvp and jacrev" in self.defects(half_stopped)

    def test_autocast(self) -> None:
        assert "autocast" in self.defects(lambda x: x + 0.1 * float(torch.is_autocast_enabled("cpu")))

    def test_in_place_where_it_is_wrong(self) -> None:
        class Forgets(torch.nn.Module):
            def __init__(self, inplace: bool = False) -> None:
                super().__init__()
                self.inplace = inplace

            def forward(self, x: Tensor) -> Tensor:
                if self.inplace:
                    x.data.mul_(torch.sigmoid(x.data))
                    return x
                return x * torch.sigmoid(x)

        assert "inplace" in {defect.check for defect in check_behavior(define(Forgets))}

    @pytest.mark.parametrize("check", deployment.CHECKS)
    def test_deployment(self, check: str) -> None:
        if (needed := deployment.missing(check)) is not None:
            pytest.skip(f"needs {needed}")
        only = {check: deployment.CHECKS[check]}
        assert check_behavior(define(lambda x: x * torch.sigmoid(x), name="subject"), checks=only) == []
        broken = check_behavior(define(lambda x: x if x.sum() > 0 else -x, name="subject"), checks=only)
        assert [defect.check for defect in broken] == [check]

    def test_nothing_to_find(self) -> None:
        assert self.defects(lambda x: x * torch.sigmoid(x)) == set()

    def test_parameters_are_given(self) -> None:
        assert check_behavior(acts.info("maxout"), {"k": 4}) == []
        with pytest.raises(acts.SpecError, match="k must be at least 1"):
            check_behavior(acts.info("maxout"), {"k": 0})
