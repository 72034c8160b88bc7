"""Curves on a grid: values and derivatives, what is refused, and the pieces between breaks."""

import pytest
import torch
from torch import Tensor, nn

from lightning_acts.reports.curves import CurveError, breaks_of, curve_of, grid, pieces


def test_derivatives_are_those_of_the_formula() -> None:
    x = torch.tensor([-2.0, -0.5, 1.5], dtype=torch.float64)
    curve = curve_of("tanh", x)
    t = x.tanh()
    assert curve.derivative is not None and curve.second is not None
    torch.testing.assert_close(curve.y, t)
    torch.testing.assert_close(curve.derivative, 1 - t * t)
    torch.testing.assert_close(curve.second, -2 * t * (1 - t * t))


def test_a_step_has_no_derivative_and_a_callers_module_stays() -> None:
    module = nn.PReLU().train()
    curve = curve_of(module, torch.tensor([-4.0, 2.0], dtype=torch.float64))
    assert curve.y.tolist() == [-1.0, 2.0]
    assert module.training and module.weight.dtype is torch.float32 and module.weight.grad is None
    assert curve_of(lambda x: (x > 0).to(x.dtype), torch.tensor([-1.0, 1.0])).derivative is None


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        ("softmax", "softmax is not elementwise but"),
        (lambda x: x - x.mean(), "a value depends on its neighbors"),
        (lambda x: x[:1], r"becomes \(1, 1, 1, 1\)"),
        (lambda x: x @ torch.ones(7, 7), "does not take numbers of the shape"),
    ],
)
def test_what_is_no_curve_is_refused(activation: object, message: str) -> None:
    with pytest.raises(CurveError, match=message):
        curve_of(activation, torch.linspace(-1, 1, 5))  # type: ignore[arg-type]


def test_breaks_of_each_order_include_the_former() -> None:
    step, kink = breaks_of("hardshrink"), breaks_of("elu(alpha=0.5)")
    assert step.value == (-0.5, 0.5) and set(step.value) <= set(step.derivative) <= set(step.second)
    assert kink.value == () and kink.derivative == (0.0,)
    assert breaks_of("tanh").second == ()

    def refusing(x: Tensor) -> Tensor:
        raise RuntimeError("no")

    assert breaks_of(refusing).second == ()


def test_a_grid_has_a_point_on_each_side_of_a_break_alone() -> None:
    points = grid([0.5, 9.0], 0, 1, 4).tolist()
    assert points == sorted(points) and len(points) == 6 and 0.5 not in points
    assert min(at for at in points if at > 0.5) - max(at for at in points if at < 0.5) < 1e-5


def test_pieces_end_at_breaks_and_where_values_are_not_finite() -> None:
    x = torch.arange(8.0)
    y = x.clone()
    y[5] = float("inf")
    found = pieces(x, y, [2.0])
    assert [part.tolist() for part, _ in found] == [[0.0, 1.0], [3.0, 4.0], [6.0, 7.0]]
    assert all(torch.equal(part, values) for part, values in found)
