"""Each elementary function and its derivative, against mpmath, from one end of the range to the other."""

import math
from collections.abc import Callable

import mpmath
import pytest
import torch
from mpmath import mpf
from torch import Tensor

from lightning_acts import elementary

EXPECTED: dict[str, Callable[[mpf], mpf]] = {
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "log_sigmoid": lambda x: -mpmath.log1p(mpmath.exp(-x)),
    "tanh": mpmath.tanh,
    "expm1": mpmath.expm1,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "sech": mpmath.sech,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "asinh": mpmath.asinh,
    "sinc": lambda x: mpmath.sin(x) / x,
    "normal_cdf": mpmath.ncdf,
    "normal_pdf": mpmath.npdf,
    "decay": lambda x: mpmath.exp(min(x, mpf(0))),
}
POINTS = [sign * x for x in (1e-6, 0.2, 0.49, 0.51, 0.99, 1.01, 3.0, 8.0, 19.0, 37.0) for sign in (1.0, -1.0)]


@pytest.mark.parametrize("name", EXPECTED)
def test_value_and_derivative_keep_their_digits(name: str) -> None:
    x = torch.tensor(POINTS, dtype=torch.float64, requires_grad=True)
    y = getattr(elementary, name)(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    with mpmath.workdps(400):  # the distribution function at 37 is 1 less 1e-299
        values = [float(EXPECTED[name](mpf(at))) for at in POINTS]
        slopes = [float(mpmath.diff(EXPECTED[name], mpf(at))) for at in POINTS]
    torch.testing.assert_close(y.detach(), torch.tensor(values, dtype=torch.float64), rtol=1e-12, atol=0.0)
    # Relative at every point: the derivative of torch's own sigmoid is 0 at 37, the true one exp(-37).
    torch.testing.assert_close(slope, torch.tensor(slopes, dtype=torch.float64), rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "expm1", "softplus", "softsign", "sech", "normal_cdf", "decay"])
def test_nothing_gets_through_where_a_function_is_flat(name: str) -> None:
    x = torch.tensor([-torch.finfo(torch.float32).max], requires_grad=True)
    y = getattr(elementary, name)(x)
    (slope,) = torch.autograd.grad(y.sum(), x, grad_outputs=torch.tensor(1e30))
    assert y.isfinite().all() and slope.item() == 0.0


@pytest.mark.parametrize("k", [0.1, 50.0, 100.0])
def test_the_rise_of_softplus(k: float) -> None:
    x = torch.tensor([-5.0, -1.0, -0.01, 0.0, 0.3, 0.5], dtype=torch.float64, requires_grad=True)
    y = elementary.softplus_rise(x, k)
    (slope,) = torch.autograd.grad(y.sum(), x)

    def rise(x: mpf) -> mpf:
        return (mpmath.log1p(mpmath.exp(k * x)) - mpmath.log1p(mpmath.exp(k * (x - 1)))) / k

    with mpmath.workdps(400):
        expected = [(float(rise(mpf(at))), float(mpmath.diff(rise, mpf(at)))) for at in x.tolist()]
    torch.testing.assert_close(
        torch.stack([y, slope], 1), torch.tensor(expected, dtype=torch.float64), rtol=1e-13, atol=0
    )


def test_the_rise_of_softplus_at_the_ends() -> None:
    x = torch.tensor([-1.8, -math.inf, math.nan], requires_grad=True)
    y = elementary.softplus_rise(x, 50.0)  # the first would be a denormal number
    y.sum().backward()
    assert x.grad is not None
    for values in (y.tolist(), x.grad.tolist()):
        assert values[:2] == [0.0, 0.0] and math.isnan(values[2])


@pytest.mark.parametrize(("c", "k"), [(1.0, 0.0), (2.0, 0.5)])
def test_hypotenuses(c: float, k: float) -> None:
    points = [-1e6, -3.0, 0.1, 2.0, 40.0]
    x = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    y = elementary.over_hypot(x, c, k)
    (slope,) = torch.autograd.grad(y.sum(), x)
    with mpmath.workdps(50):
        function = lambda at: at / (k + mpmath.sqrt(at * at + c * c))  # noqa: E731
        expected = [[float(function(mpf(at))), float(mpmath.diff(function, mpf(at)))] for at in points]
    torch.testing.assert_close(torch.stack([y, slope], 1).detach(), torch.tensor(expected, dtype=torch.float64), rtol=1e-11, atol=0.0)  # fmt: skip
    assert elementary.hypot(torch.tensor([3e30, 3.0]), 4.0).tolist() == [torch.tensor(3e30).item(), 5.0]


def test_kinks_and_infinities() -> None:
    def slope_at_zero(function: Callable[[Tensor], Tensor]) -> float:
        x = torch.zeros((), requires_grad=True)
        return torch.autograd.grad(function(x), x)[0].item()

    assert [slope_at_zero(f) for f in (elementary.modulus, elementary.positive, elementary.negative)] == [1.0] * 3
    x = torch.tensor([-2.0, 3.0])
    assert elementary.positive(x).tolist() == [0.0, 3.0] and elementary.negative(x).tolist() == [-2.0, 0.0]
    assert (
        elementary.sin(torch.tensor(math.inf)).item() == 0.0 and elementary.cos(torch.tensor(-math.inf)).item() == 1.0
    )


def test_a_sum_keeps_the_memory_format() -> None:
    x = torch.ones(2, 3, 4, 4).to(memory_format=torch.channels_last)
    added = elementary.total([x, 2 * x, x])
    assert added.is_contiguous(memory_format=torch.channels_last) and added.unique().tolist() == [4.0]


@pytest.mark.parametrize("other", [0.0, 2.5, torch.tensor([[7.0], [8.0]])])
def test_where_chooses_as_torch_does(other: Tensor | float) -> None:
    x = torch.tensor([[-math.inf, -1.0, -0.0], [0.0, 3.0, math.nan]], requires_grad=True)
    for condition in (x >= 0, (x > -2) & (x < 2), x.isnan()):
        for function in (lambda c, a, b: (c, a, b), lambda c, a, b: (c, b, a)):
            chosen = [choose(*function(condition, x * x, other)) for choose in (elementary.where, torch.where)]
            slopes = [torch.autograd.grad(y.nan_to_num(0.0, 0.0).sum(), x)[0] for y in chosen]
            torch.testing.assert_close(chosen[0], chosen[1], rtol=0.0, atol=0.0, equal_nan=True)
            torch.testing.assert_close(slopes[0], slopes[1], rtol=0.0, atol=0.0, equal_nan=True)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")  # torch itself uses it for forward mode
def test_where_is_transformed() -> None:
    x = torch.tensor([0.0, 4.0])
    function = lambda at: elementary.where(at > 1, at * at, 3 * at)  # noqa: E731
    assert torch.func.jvp(function, (x,), (torch.ones(2),))[1].tolist() == [3.0, 8.0]
    assert torch.func.vmap(torch.func.grad(function))(x).tolist() == [3.0, 8.0]
    # A gradient that is not finite stays on its side.
    y = torch.tensor([0.0, 4.0], requires_grad=True)
    slope = torch.autograd.grad(elementary.where(y > 1, 0.0, y), y, torch.tensor([1.0, math.inf]))[0]
    assert slope.tolist() == [1.0, 0.0]


def test_subnormal_numbers_have_the_derivatives_of_their_sides() -> None:
    x = torch.tensor([-1e-45, 1e-45], requires_grad=True)
    slopes = [
        torch.autograd.grad(f(x).sum(), x)[0].tolist()
        for f in (elementary.modulus, elementary.positive, elementary.negative)
    ]
    assert slopes == [[-1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]


def test_ends_of_hypotenuses_and_waves() -> None:
    x = torch.tensor([math.inf, -math.inf], requires_grad=True)
    for function, values, slopes in (
        (lambda at: elementary.hypot(at, 2.0), [math.inf, math.inf], [1.0, -1.0]),
        (lambda at: elementary.over_hypot(at, 2.0), [1.0, -1.0], [0.0, 0.0]),
        (elementary.sin, [0.0, 0.0], [0.0, 0.0]),
        (elementary.cos, [1.0, 1.0], [0.0, 0.0]),
    ):
        y = function(x)
        assert y.tolist() == values and torch.autograd.grad(y.sum(), x)[0].tolist() == slopes


def test_clip_is_flat_from_its_bounds_on() -> None:
    x = torch.tensor([-5.0, -2.0, -1.0, 0.0, 3.0, 4.0, math.inf], requires_grad=True)
    y = elementary.clip(x, -2.0, 3.0)
    assert torch.equal(y, x.clamp(-2.0, 3.0))
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [0, 0, 1, 1, 0, 0, 0]
