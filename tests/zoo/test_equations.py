import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from lightning_acts.zoo.equations import EQUATIONS, derivatives, equation


@pytest.mark.parametrize("name", EQUATIONS)
def test_the_solution_satisfies_equation_and_conditions(name: str) -> None:
    one = EQUATIONS[name]
    torch.manual_seed(0)
    low, high = torch.tensor(one.low, dtype=torch.float64), torch.tensor(one.high, dtype=torch.float64)
    points = (low + (high - low) * (0.1 + 0.8 * torch.rand(50, 2, dtype=torch.float64))).requires_grad_()
    assert one.residual(one.solution(points), points).abs().max() < 1e-6
    assert one.residual(torch.sin(3 * points).sum(dim=1), points).abs().max() > 0.1


@pytest.mark.parametrize("name", ["heat", "burgers"])
def test_the_solution_is_that_of_finite_differences(name: str) -> None:
    low, step = (0.0, 1 / 400) if name == "heat" else (-1.0, 2 / 400)
    x = low + step * np.arange(401)
    start = 4 * x * (1 - x) if name == "heat" else -np.sin(math.pi * x)

    def slope(_: float, u: np.ndarray) -> np.ndarray:
        u = np.concatenate([[0.0], u, [0.0]])
        bent = (u[2:] - 2 * u[1:-1] + u[:-2]) / step**2
        if name == "heat":
            return 0.1 * bent
        return 0.1 / math.pi * bent - (u[2:] ** 2 - u[:-2] ** 2) / (4 * step)

    found = solve_ivp(slope, (0, 1), start[1:-1], method="LSODA", lband=1, uband=1, t_eval=[0.5, 1.0], rtol=1e-8, atol=1e-10)  # fmt: skip
    for index, time in enumerate((0.5, 1.0)):
        points = torch.tensor(np.stack([x[1:-1], np.full(399, time)], axis=1))
        assert np.abs(equation(name).solution(points).numpy() - found.y[:, index]).max() < 2e-3


def test_derivatives() -> None:
    points = torch.rand(4, 2, requires_grad=True)
    x, y = points.unbind(dim=1)
    torch.testing.assert_close(derivatives(x**3 * y, points), (3 * x**2 * y, x**3))
    assert [part.tolist() for part in derivatives(torch.ones(4), points)] == [[0] * 4] * 2
