"""Every registered elementwise activation against its formula, and its declared limits of accuracy true."""

import pytest
import torch

import lightning_acts as acts
from lightning_acts.checks import behavior, deployment
from lightning_acts.checks.numerics import ULPS, ULPS_OF_OTHERS, defaults_exist, measure_errors, value_and_slope
from lightning_acts.checks.reference import evaluate
from lightning_acts.checks.running import numeric_defects, without_limits
from lightning_acts.checks.sampling import other_parameters
from lightning_acts.kernels.backends import Backend

ELEMENTWISE = [name for name in acts.names(kind="elementwise") if acts.info(name).family != "user"]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_accuracy(name: str) -> None:
    definition = acts.info(name)
    defects = numeric_defects(definition)
    assert without_limits(definition, defects) == []
    declared = set(definition.limits) - set(behavior.CHECKS) - set(deployment.CHECKS)
    assert declared == {defect.check for defect in defects}, "a limit that is declared has to be one"


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_facts_are_measured(name: str) -> None:
    definition = acts.info(name)
    assert (definition.measured is not None) == defaults_exist(definition)


def assert_accurate(name: str, parameters: dict[str, object], dtype: torch.dtype, backend: Backend = "torch") -> None:
    definition = acts.info(name)
    errors = measure_errors(definition, dtype, parameters, backend)
    for what, error, at in (
        ("value", errors.value, errors.value_at),
        ("derivative", errors.derivative, errors.derivative_at),
    ):
        if what not in definition.limits:
            assert error <= ULPS_OF_OTHERS, f"{what} of {name} with {parameters} in {dtype} at {at!r}"


# Products that overflow where their sum or quotient does not, and differences that lose their digits.
OFTEN_WRONG = [
    "chebyshev_af",
    "ls_relu",
    "nlrelu",
    "parametric_sigmoid_function",
    "puaf",
    "repsu",
    "rmaf",
    "rootsig",
    "sgelu",
    "sinlu",
    "soft_root_sign",
    "spocu",
    "star_relu",
    "vlu",
    "wave",
    "xielu",
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", OFTEN_WRONG)
def test_accuracy_with_other_parameters(name: str, dtype: torch.dtype) -> None:
    # Made smaller, and larger: only then does a product with the largest number overflow.
    for parameters in other_parameters(acts.info(name))[:2]:
        assert_accurate(name, parameters, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if defaults_exist(acts.info(name))])
def test_accuracy_with_other_parameters_of_all(name: str) -> None:
    # Negated coefficients of pade_unit have poles among the arguments, those of uaf a square that overflows.
    for parameters in other_parameters(acts.info(name))[: 2 if name in ("pade_unit", "uaf") else 4]:
        for dtype in (torch.float32, torch.float64):
            assert_accurate(name, parameters, dtype)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("piecewise_mexican_hat", {"a": 8.0}), ("rational_a", {"q": (-0.1, -3.9765, -0.1, -0.3013)})],
)
def test_slope_at_a_small_kink_is_that_of_its_right(name: str, parameters: dict[str, object]) -> None:
    x = torch.tensor([[[0.0]]], dtype=torch.float64, requires_grad=True)
    module = acts.create(name, **parameters).double()
    formula = acts.info(name).formula
    assert formula is not None
    # Parameters as the formula takes them: those given, the others at their defaults.
    given = {entry.name: parameters.get(entry.name, entry.default) for entry in acts.info(name).parameters}
    right = evaluate(formula, 1e-12, given).first
    (slope,) = torch.autograd.grad(module(x).sum(), x)
    assert slope.item() == pytest.approx(float(right), rel=1e-6, abs=0)


def test_gradients_of_soft_exponential_on_the_side_of_the_logarithm() -> None:
    x = torch.tensor([[300.0, 1e30]], requires_grad=True)
    acts.create("soft_exponential", a=-0.5)(x).sum().backward()
    # The derivative of -log(1 - a * (x + a)) / a is 1 / (1 - a * (x + a)).
    assert x.grad is not None
    assert torch.allclose(x.grad, 1 / (1 + 0.5 * (x.detach() - 0.5)), rtol=1e-6, atol=0)


def test_rmaf_with_a_negative_power() -> None:
    x = torch.linspace(-5, 5, 21, dtype=torch.float64).view(1, 1, -1)
    expected = x * (1 / (0.25 * (1 + torch.exp(-x)) + 0.75)) ** -1.5
    assert torch.allclose(acts.create("rmaf", c=-1.5).double()(x), expected, rtol=1e-12, atol=0)


def test_polynomials_overflow_to_infinity() -> None:
    x = torch.tensor([1e300, -1e300], dtype=torch.float64)
    for name in ("chebyshev_af", "legendre_af", "hermite_af"):
        assert acts.create(name).double()(x).tolist() == [torch.inf, -torch.inf], name
    assert acts.create("spocu").double()(x).tolist() == [torch.inf, -1e300]
    assert acts.create("spocu").double()(torch.tensor(1e38, dtype=torch.float64)) == pytest.approx(1e304, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "name",
    # All of them take hours where nothing is in torch's cache yet.
    [
        pytest.param(name, marks=pytest.mark.sweep if at % 32 else pytest.mark.slow)
        for at, name in enumerate(name for name in ELEMENTWISE if defaults_exist(acts.info(name)))
    ],
)
def test_compiled_is_as_accurate(name: str, dtype: torch.dtype) -> None:
    assert_accurate(name, {}, dtype, "compiled")


@pytest.mark.parametrize("backend", ["eager", "compiled"])
def test_gelu_in_its_tanh_form_is_more_accurate_than_torch(backend: Backend) -> None:
    formula = "x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))"
    module = acts.create("gelu_tanh", backend=backend)
    for dtype in (torch.float32, torch.float64):
        x = torch.linspace(-9.5, 12, 87, dtype=dtype)
        y, slope = value_and_slope(module, x)
        for at, got, got_slope in zip(x.tolist(), y.tolist(), slope.tolist(), strict=True):
            true, first, second = (float(entry) for entry in vars(evaluate(formula, at, {})).values())
            limit = ULPS * torch.finfo(dtype).eps
            assert abs(got - true) <= limit * max(abs(true), abs(at * first))
            assert abs(got_slope - first) <= limit * max(abs(first), abs(at * second))
    far = value_and_slope(module, torch.tensor([-torch.finfo(torch.float32).max, torch.finfo(torch.float32).max]))
    assert [entry.tolist() for entry in far] == [[0.0, torch.finfo(torch.float32).max], [0.0, 1.0]]
