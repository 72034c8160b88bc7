import math
from pathlib import Path

import matplotlib.image
import pytest
import torch
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.reports.curves import CurveError


def softplus_of_the_article(x: Tensor) -> Tensor:
    return torch.log(1 + torch.exp(x))


def test_ones_own_formula_against_torchs() -> None:
    comparison = acts.compare("softplus", against=softplus_of_the_article)
    assert comparison.names == ("softplus", "softplus_of_the_article")
    assert comparison.value.size < 1e-12
    assert comparison.derivative is not None
    assert comparison.derivative.size < 1e-12


def test_the_largest_difference_and_its_place() -> None:
    comparison = acts.compare("relu", against="silu", low=-4, high=4, points=8001)
    # max |relu - silu| is the minimum of silu; both derivatives are furthest apart at 0, where torch has 0 and 1/2,
    # or just above, where 1 stands against 1/2.
    assert comparison.value.size == pytest.approx(0.2784645427610738, abs=1e-7)
    assert abs(comparison.value.at) == pytest.approx(1.2784645, abs=1e-3)
    assert comparison.derivative is not None
    assert comparison.derivative.size == pytest.approx(0.5, abs=1e-3)
    assert abs(comparison.derivative.at) < 1e-2
    assert "relu against silu on [-4, 4]" in str(comparison)
    assert "0.278 at x = " in str(comparison)


def test_zero_is_always_on_the_grid() -> None:
    comparison = acts.compare(lambda x: (x == 0).to(x), against=lambda x: 0 * x, low=-1.0, high=1.3, points=10)
    assert (comparison.value.size, comparison.value.at) == (1.0, 0.0)


def test_where_only_one_is_finite() -> None:
    comparison = acts.compare(softplus_of_the_article, against="softplus", low=-10, high=1000)
    assert comparison.value.size == math.inf
    assert 709 < comparison.value.at < 712
    same = acts.compare(torch.log, against=torch.log)  # nan on the left, on both sides
    assert same.value.size == 0


def test_a_function_without_a_derivative() -> None:
    comparison = acts.compare("relu", against=lambda x: x.detach().clamp(min=0))
    assert comparison.value.size == 0
    assert comparison.derivative is None
    assert "can't be differentiated" in str(comparison)


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        ("softmax(dim=1)", "not elementwise but normalizing"),
        ("glu", "not elementwise but gated"),
        (lambda x: x - x.mean(), "depends on its neighbors"),
        (lambda x: x.sum(), "becomes \\(\\)"),
        (lambda x: torch.softmax(x, -1), "depends on its neighbors"),
        (lambda x: x.cumsum(0), "depends on its neighbors"),
        (lambda x: x.cumsum(-1), "depends on its neighbors"),
        (nn.Conv2d(1, 1, 1), "does not take numbers of the shape"),
    ],
)
def test_what_is_no_curve(activation: object, message: str) -> None:
    with pytest.raises(CurveError, match=message):
        acts.compare("relu", against=activation)  # type: ignore[arg-type]


@pytest.mark.parametrize("limits", [{"low": 1.0, "high": 1.0}, {"points": 1}, {"low": -math.inf}, {"high": math.nan}])
def test_an_empty_grid(limits: dict[str, float]) -> None:
    with pytest.raises(CurveError, match="low below high"):
        acts.compare("relu", against="mish", **limits)  # type: ignore[arg-type]


def test_a_function_that_works_in_place() -> None:
    assert acts.compare("relu(inplace=True)", against="relu").value.size == 0


def test_a_callers_module_stays_as_it_is() -> None:
    module = nn.PReLU()
    acts.compare(module, against="relu")
    assert module.weight.dtype is torch.float32
    assert module.training
    assert module.weight.grad is None


@pytest.mark.parametrize("other", ["mish", softplus_of_the_article, lambda x: x.detach()])
def test_the_picture(other: object, tmp_path: Path) -> None:
    path = acts.compare("softplus", against=other).plot(tmp_path / "new" / "picture.png")  # type: ignore[arg-type]
    assert path == tmp_path / "new" / "picture.png"
    picture = matplotlib.image.imread(path)
    assert picture.shape[0] > 300
    assert picture.std() > 0.01
