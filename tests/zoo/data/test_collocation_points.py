import pytest
import torch

from lightning_acts.zoo import CollocationPoints
from lightning_acts.zoo.equations import EQUATIONS


@pytest.mark.parametrize("name", EQUATIONS)
def test_conditions_are_on_the_edges_and_nothing_of_the_solution_is_inside(name: str) -> None:
    equation = EQUATIONS[name]
    points, holds, u = CollocationPoints(name, inside=64, edge=48).parts()["train"].columns  # type: ignore[attr-defined]
    assert holds.sum() == 64
    assert not u[holds].any()
    on_edge = torch.stack([points[:, coordinate] == value for coordinate, value in equation.edges])
    assert on_edge[:, ~holds].any(dim=0).all()
    assert (on_edge[:, ~holds].sum(dim=1) >= 48 // len(equation.edges)).all()
    torch.testing.assert_close(u[~holds][:, 0], equation.solution(points[~holds]).float())
    for coordinate in range(2):
        assert points[:, coordinate].min() >= equation.low[coordinate]
        assert points[:, coordinate].max() <= equation.high[coordinate]


@pytest.mark.parametrize("name", EQUATIONS)
def test_every_edge_is_covered_from_end_to_end(name: str) -> None:
    equation = EQUATIONS[name]
    points, holds, _ = CollocationPoints(name, inside=128, edge=192).parts()["train"].columns  # type: ignore[attr-defined]
    for coordinate, value in equation.edges:
        along = points[~holds & (points[:, coordinate] == value), 1 - coordinate]
        low, high = equation.low[1 - coordinate], equation.high[1 - coordinate]
        counts = torch.histc((along - low) / (high - low), bins=4, min=0.0, max=1.0)
        assert counts.min() >= 192 / len(equation.edges) / 4 - 2


def test_points_follow_their_seed_alone() -> None:
    one, again, other = (CollocationPoints(seed=seed).parts() for seed in (0, 0, 1))
    assert torch.equal(one["train"].columns[0], again["train"].columns[0])  # type: ignore[attr-defined]
    assert not torch.equal(one["train"].columns[0], other["train"].columns[0])  # type: ignore[attr-defined]
    assert not torch.equal(one["train"].columns[0][:256], one["val"].columns[0][:256])  # type: ignore[attr-defined]


def test_the_test_is_the_solution_on_a_grid() -> None:
    data = CollocationPoints("poisson", size=5)
    points, holds, u = data.parts()["test"].columns  # type: ignore[attr-defined]
    assert holds.all()
    assert points.reshape(5, 5, 2)[1, 3].tolist() == [0.25, 0.75]
    assert u.reshape(5, 5)[1, 3].item() == pytest.approx(-(0.5**0.5), abs=1e-6)


@pytest.mark.parametrize("options", [{"inside": 3}, {"edge": 5}, {"size": 1}, {"batch_size": 0}])
def test_mistakes(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=rf"CollocationPoints\({next(iter(options))}="):
        CollocationPoints(**options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="equation='wave': one of heat, burgers, poisson"):
        CollocationPoints("wave")
