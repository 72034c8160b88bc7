"""Facts that are measured, against closed forms, mpmath's quadrature and Monte Carlo."""

import functools
import math
from collections.abc import Callable

import mpmath
import pytest
import torch
from torch import Tensor

import lightning_acts as acts
from lightning_acts.checks.numerics import defaults_exist
from lightning_acts.checks.reference import evaluate
from lightning_acts.factory import definition_of, resolve
from lightning_acts.measuring import Measured, measured


def facts(spec: str) -> Measured:
    resolved = resolve(spec)
    found = measured(acts.info(resolved.name), resolved.parameters)
    assert found is not None
    return found


#: A test of their accuracy sees to it that those have facts.
MEASURED = [name for name in acts.names(kind="elementwise") if defaults_exist(acts.info(name))]


def test_almost_all_elementwise_ones_are_measured() -> None:
    without = set(acts.names(kind="elementwise")) - set(MEASURED)
    for name in without:
        with pytest.raises(acts.SpecError, match="needs"):
            acts.create(name)
    assert len(MEASURED) > 300


@pytest.mark.parametrize(
    ("spec", "low", "high"),
    [
        ("relu", 0, math.inf),
        ("sigmoid", 0, 1),
        ("tanh", -1, 1),
        ("arctan", -math.pi / 2, math.pi / 2),
        ("gelu", -0.16997120747, math.inf),
        ("silu", -0.27846454276, math.inf),  # minus Lambert's W(1 / e)
        ("mish", -0.30884341302, math.inf),
        ("gaussian", 0, 1),
        ("elu(alpha=0.7)", -0.7, math.inf),
        ("sine", -1, 1),
        ("hardtanh(min_val=-3.0, max_val=0.5)", -3, 0.5),
        ("softsign", -1, 1),
        ("sinc", -0.21723362821, 1),
        ("square", 0, math.inf),
        ("log1mexp", -math.inf, 0),
    ],
)
def test_range(spec: str, low: float, high: float) -> None:
    measured = facts(spec)
    assert measured.range == pytest.approx((low, high), abs=1e-9)
    assert measured.bounded == (math.isfinite(low) and math.isfinite(high))


def test_monotone() -> None:
    for spec in ("relu", "tanh", "softplus", "binary_step", "hardtanh", "identity", "leaky_relu"):
        assert facts(spec).monotone and not facts(spec).decreasing, spec
    for spec in ("gelu", "silu", "sine", "gaussian", "square", "leaky_relu(negative_slope=-0.1)"):
        assert not facts(spec).monotone and not facts(spec).decreasing, spec
    assert facts("exponential_swish").range[0] < 1 and not facts("exponential_swish").monotone


@pytest.mark.parametrize(
    ("spec", "smoothness", "places"),
    [
        ("binary_step", "discontinuous", [0]),
        ("hardshrink(lambd=0.75)", "discontinuous", [-0.75, 0.75]),
        ("s_rrelu", "discontinuous", [-1]),  # a pole of even order
        ("relu", "continuous", [0]),
        ("relu6", "continuous", [0, 6]),
        ("hardswish", "continuous", [-3, 3]),
        ("elu(alpha=0.5)", "continuous", [0]),
        ("signed_sqrt", "continuous", [0]),  # a cusp
        ("elu", "differentiable", [0]),
        ("softsign", "differentiable", [0]),
        ("repu", "differentiable", [0]),
        ("gelu", "twice differentiable", []),
        ("tanh", "twice differentiable", []),
        ("h_siren", "twice differentiable", []),  # sin(sinh): waves beyond what floats resolve
    ],
)
def test_smoothness(spec: str, smoothness: str, places: list[float]) -> None:
    measured = facts(spec)
    assert measured.smoothness == smoothness
    assert measured.smooth == ("differentiable" in smoothness)
    found = [*measured.jumps, *(at for at, _ in measured.kinks), *measured.cusps, *(measured.bends or ())]
    assert sorted(found) == pytest.approx(places, abs=1e-9)


def test_the_derivative_at_a_kink_is_torchs() -> None:
    assert dict(facts("relu").kinks) == {0: 0}
    assert dict(facts("leaky_relu(negative_slope=0.25)").kinks) == {0: 0.25}


def test_values_at_0_and_at_the_ends() -> None:
    assert (facts("sigmoid").at_zero, facts("gelu").at_zero, facts("cosine").at_zero) == (0.5, 0, 1)
    assert (facts("tanh").at_infinity, facts("relu").at_infinity) == ((-1, 1), (0, math.inf))
    # Zero times infinity, infinity minus infinity and infinity by infinity are NaN as they are computed.
    for spec in ("silu", "mish", "gelu", "hardswish", "reu"):
        assert facts(spec).at_infinity == (0, math.inf), spec
        assert math.isnan(facts(spec).computed_at_infinity[0]), spec
    assert facts("softsign").at_infinity == (-1, 1) and facts("bent_identity").at_infinity == (-math.inf, math.inf)
    assert facts("exponential").at_infinity == facts("softplus").at_infinity == (0, math.inf)
    assert facts("symlog").at_infinity == (-math.inf, math.inf)  # however slowly it grows
    for spec in ("sine", "cosine", "growing_cosine_unit"):
        assert all(map(math.isnan, facts(spec).at_infinity)), spec
    assert facts("silu").rows()["f(±inf)"] == "0, inf; computed as nan, inf"
    assert facts("relu").rows()["f(±inf)"] == "0, inf"


def test_cost() -> None:
    for spec in ("relu", "hardswish", "softsign", "square", "repu", "squareplus"):
        assert facts(spec).cost == "arithmetic" and not facts(spec).needs_exp, spec
    for spec in ("sine", "arctan"):
        assert facts(spec).cost == "one transcendental" and not facts(spec).needs_exp, spec
    for spec in ("sigmoid", "tanh", "gelu", "elu", "mish", "softplus"):
        assert facts(spec).needs_exp, spec
    assert facts("gelu").cost == "one transcendental"
    # What is made of parameters alone is computed once, not for each element.
    assert facts("pfplus").cost == "arithmetic" and not facts("pfplus").needs_exp
    assert facts("snake_beta").cost == "one transcendental" and not facts("snake_beta").needs_exp
    assert "_softmax" not in facts("convex_combination").operations


# What E[f(z)], E[f(z)^2] and E[f'(z)^2] are by mpmath, from the formula and its exact derivative.
@pytest.mark.parametrize(
    "name",
    ["relu", "silu", "mish", "gelu", "elu", "selu", "softplus", "tanh", "sigmoid", "hardswish", "softsign", "logsigmoid",
     "squareplus", "asinh", "tanhshrink", "serlu", "binary_step", "hardtanh", "lecun_tanh", "isrlu"],
)  # fmt: skip
def test_moments_by_another_quadrature(name: str) -> None:
    definition, measured = acts.info(name), facts(name)
    assert definition.formula is not None
    parameters = {each.name: each.default for each in definition.parameters if isinstance(each.default, float)}

    @functools.cache
    def jet(z: float) -> tuple[float, float]:
        found = evaluate(definition.formula or "", z, parameters)
        return float(found.value), float(found.first)

    def mean_of(term: Callable[[float, float], float]) -> float:
        breaks = sorted({-9, -6, -3, -1, 0, 1, 3, 6, 9, *measured.jumps, *(at for at, _ in measured.kinks)})
        return float(mpmath.quad(lambda z: term(*jet(float(z))) * mpmath.npdf(z), breaks, maxdegree=5))

    assert measured.mean == pytest.approx(mean_of(lambda y, _: y), abs=1e-9)
    second = mean_of(lambda y, _: y * y)
    assert measured.second_moment == pytest.approx(second, rel=1e-8)
    assert measured.variance == pytest.approx(second - measured.mean**2, abs=1e-8)
    assert measured.slope == pytest.approx(mean_of(lambda _, slope: slope * slope), rel=1e-8, abs=1e-12)
    assert measured.zero_centered == (abs(measured.mean) < 1e-9)


@pytest.mark.parametrize("name", MEASURED)
def test_gains_by_monte_carlo(name: str) -> None:
    measured = facts(name)
    z = torch.randn(50_000, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    y = acts.create(name).double().eval()(z.view(-1, 1, 1)).flatten()
    slope = torch.autograd.grad(y.sum(), z)[0] if y.requires_grad else torch.zeros_like(z)
    for gain, values in ((measured.forward_gain, y.detach()), (measured.backward_gain, slope)):
        if gain is None:
            continue
        # Scaled by the gain the second moment is 1, within what chance allows; none deviates by more where its fourth
        # moment is large or infinite.
        scaled = (gain * values) ** 2
        error = scaled.std().item() / math.sqrt(len(z))
        assert abs(scaled.mean().item() - 1) < 6 * error + 1e-9 or error > 0.05, (scaled.mean().item(), error)


def test_a_function_without_derivative_or_curve(clean_registry: None) -> None:
    @acts.register
    def sum_of_a_test(x: Tensor) -> Tensor:
        return x - x.mean(0)

    @acts.register
    def fails_of_a_test(x: Tensor) -> Tensor:
        raise RuntimeError("never")

    @acts.register
    def detached_of_a_test(x: Tensor) -> Tensor:
        return x.detach().clamp(min=0)

    assert acts.info("fails_of_a_test").measured is None
    assert str(acts.info("fails_of_a_test")).startswith("fails_of_a_test")
    measured = acts.info("detached_of_a_test").measured
    assert measured is not None and measured.range == (0, math.inf) and measured.backward_gain is None


def test_facts_asked_for_without_gradients_are_the_same() -> None:
    definition = acts.info("selu")
    with torch.no_grad():
        fresh = measured(definition, {"inplace": False})
    assert fresh is not None and [at for at, _ in fresh.kinks] == [0.0]
    assert fresh.smoothness == definition.measured.smoothness


def test_what_is_measured_at_the_defaults_is_kept() -> None:
    definition = definition_of("mish")
    assert measured(definition) is measured(definition, {}) is acts.info("mish").measured
    assert facts("elu(alpha=0.5)") is not facts("elu(alpha=0.5)")
