"""The evaluator of formulas, against mpmath's own functions and differences."""

import mpmath
import pytest

from lightning_acts.checks.reference import evaluate
from lightning_acts.formula import FormulaError

FUNCTIONS = {
    "exp(x)": mpmath.exp,
    "expm1(x)": mpmath.expm1,
    "log(1 + x**2)": lambda x: mpmath.log(1 + x * x),
    "log1p(x**2)": lambda x: mpmath.log1p(x * x),
    "sqrt(x**2 + 2)": lambda x: mpmath.sqrt(x * x + 2),
    "sigmoid(x)": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus(x)": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "tanh(x)": mpmath.tanh,
    "sinh(x) - cosh(x)": lambda x: mpmath.sinh(x) - mpmath.cosh(x),
    "sech(x)": mpmath.sech,
    "asinh(x)": mpmath.asinh,
    "atan(x)": mpmath.atan,
    "sin(x) * cos(x)": lambda x: mpmath.sin(x) * mpmath.cos(x),
    "sinc(x)": mpmath.sinc,
    "erf(x)": mpmath.erf,
    "erfc(x)": mpmath.erfc,
    "Phi(x)": mpmath.ncdf,
    "phi(x)": mpmath.npdf,
    "x**3 - x**-2": lambda x: x**3 - 1 / x**2,
    "2**x": lambda x: mpmath.mpf(2) ** x,
    "abs(x)**1.5": lambda x: abs(x) ** mpmath.mpf(1.5),
    "x / (1 + x**2)": lambda x: x / (1 + x * x),
    "max(x, 0.5) + min(x, -0.5)": lambda x: max(x, mpmath.mpf(0.5)) + min(x, mpmath.mpf(-0.5)),
    "clip(x, -2, 1) * relu(x)": lambda x: min(max(x, -2), 1) * max(x, 0),
    "where(x > 0 and x < 2, x**2, sign(x))": lambda x: x * x if 0 < x < 2 else mpmath.sign(x),
    "T(3, x)": lambda x: mpmath.chebyt(3, x),
    "P(4, x)": lambda x: mpmath.legendre(4, x),
    "H(3, x)": lambda x: mpmath.hermite(3, x),
    "gamma_function(2.5) * x + pi": lambda x: mpmath.gamma(2.5) * x + mpmath.pi,
}


@pytest.mark.parametrize("formula", FUNCTIONS)
@pytest.mark.parametrize("x", [-3.3, -0.7, 0.3, 1.9])
def test_value_and_derivatives(formula: str, x: float) -> None:
    with mpmath.workdps(60):
        jet = evaluate(formula, x, {})
        reference = [mpmath.diff(FUNCTIONS[formula], mpmath.mpf(x), n) for n in range(3)]
        for ours, theirs in zip((jet.value, jet.first, jet.second), reference, strict=True):
            assert abs(ours - theirs) <= mpmath.mpf(10) ** -18 * max(1, abs(theirs))


def test_parameters_and_sums() -> None:
    jet = evaluate("a * x + sum(p[j] * x**j, j)", 2.0, {"a": 3.0, "p": (1.0, 0.0, 0.5)})
    assert (float(jet.value), float(jet.first), float(jet.second)) == (9.0, 5.0, 1.0)


@pytest.mark.parametrize(
    ("formula", "x", "value", "slope"),
    [
        ("x * exp(-exp(-x))", -1e4, 0.0, 0.0),
        ("x * tanh(exp(x))", 1e4, 1e4, 1.0),
        ("1 - (1 - sigmoid(x))", -700.0, None, None),  # the smallest numbers keep their digits
    ],
)
def test_the_ends_of_the_range(formula: str, x: float, value: float | None, slope: float | None) -> None:
    jet = evaluate(formula, x, {})
    expected = mpmath.exp(-700) / (1 + mpmath.exp(-700)) if value is None else value
    assert abs(jet.value - expected) <= 1e-15 * abs(expected)
    if slope is not None:
        assert float(jet.first) == slope


@pytest.mark.parametrize(
    ("formula", "message"),
    [("y + 1", "'y', which is neither"), ("frobnicate(x)", "can't be evaluated"), ("sum(x, j)", "sum over 'j'")],
)
def test_what_can_not_be_evaluated(formula: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        evaluate(formula, 1.0, {})
