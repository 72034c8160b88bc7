from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightning_acts.studies import pictures
from lightning_acts.studies.importance import Importance
from lightning_acts.studies.pictures import Costs

Found = Callable[..., Any]


def texts(axes: Any) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def names(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def points(axes: Any, marker: str) -> list[list[float]]:
    return [point for line in axes.get_lines() if line.get_marker() == marker for point in line.get_xydata().tolist()]


def test_the_ranking_has_means_intervals_and_seeds(found: Found, tmp_path: Path, drawn: list[Any]) -> None:
    board, _, _ = found()
    pictures.plot_ranking(board, tmp_path / "a.png")
    score, difference = drawn[0].axes
    assert texts(score) == texts(difference) == ["1 mish", "2 relu", "3 leaky_relu"]
    assert score.get_ylim()[0] > score.get_ylim()[1]  # the best is at the top
    assert [x for x, _ in points(score, "d")] == [row.mean.mean for row in board.rows]
    assert [x for x, _ in points(score, "o")] == [value for row in board.rows for value in row.values]
    bars = [
        line.get_xdata().tolist()
        for line in score.get_lines()
        if line.get_linestyle() == "-" and len(line.get_xdata()) == 2
    ]
    assert bars == [[row.mean.low, row.mean.high] for row in board.rows]
    assert [x for x, _ in points(difference, "d")] == [row.difference.mean for row in board.rows if row.difference]
    assert "larger is better" in score.get_xlabel()


def test_scores_by_seed_have_a_line_for_each_finalist(found: Found, tmp_path: Path, drawn: list[Any]) -> None:
    board, _, _ = found()
    pictures.plot_by_seed(board, tmp_path / "a.png")
    lines = drawn[0].axes[0].get_lines()
    assert [tuple(line.get_ydata()) for line in lines] == [row.values for row in board.rows]
    assert names(drawn[0]) == ["mish", "relu", "leaky_relu"]


def test_learning_curves_are_averaged_where_seeds_are(found: Found, tmp_path: Path, drawn: list[Any]) -> None:
    board, _, _ = found()
    curves = {"mish": [[(1, 0.5), (2, 0.7)], [(1, 0.7), (2, 0.9), (3, 1.0)]]}
    pictures.plot_learning_curves(board, curves, tmp_path / "a.png")
    *_, mean = drawn[0].axes[0].get_lines()
    assert mean.get_xydata().tolist() == [[1, pytest.approx(0.6)], [2, pytest.approx(0.8)], [3, 1.0]]


def test_the_history_tells_what_ended_was_pruned_and_failed(found: Found, tmp_path: Path, drawn: list[Any]) -> None:
    board, planned, trials = found()
    pictures.plot_history(board, planned, trials, tmp_path / "a.png")
    (axes,) = drawn[0].axes
    low, high = axes.get_ylim()
    ended = [point for point in points(axes, "o") if point]
    assert [x for x, _ in ended] == list(range(1, 19))
    assert [y for _, y in ended] == [min(max(trial.value, low), high) for trial in trials[:18]]
    assert points(axes, "v") == [[19, high]]  # its value is above all: it stands at the edge
    assert points(axes, "x") == [[20, low]]
    (best,) = [line for line in axes.get_lines() if line.get_label() == "best so far"]
    reached = [max(trial.value for trial in trials[:count]) for count in range(1, 19)]
    assert best.get_ydata().tolist() == [*reached, reached[-1]]
    assert {"mish", "relu", "leaky_relu", "pruned", "failed", "best so far"} <= set(names(drawn[0]))


def test_a_history_without_any_trial_that_ended(found: Found, tmp_path: Path, drawn: list[Any]) -> None:
    board, planned, trials = found()
    pictures.plot_history(board, planned, trials[18:], tmp_path / "a.png")
    (axes,) = drawn[0].axes
    assert len(points(axes, "v")) == len(points(axes, "x")) == 1


def test_a_score_and_its_cost_with_the_pareto_front(found: Found, tmp_path: Path, drawn: list[Any]) -> None:
    board, _, _ = found()
    cheap = Costs.of(board, "seconds", "min", [[3.0, 5.0], [1.0, 1.0], [2.0, 2.0]])
    assert cheap.front == [0, 1]  # mish is best, relu cheapest; leaky_relu is worse than relu in both
    sparse = Costs.of(board, "zeros", "max", [[0.9], [0.5], [0.5]])
    assert sparse.front == [0]
    pictures.plot_costs(board, [cheap, sparse], tmp_path / "a.png")
    first, second = drawn[0].axes
    (ring,) = [line for line in first.get_lines() if line.get_label() == "Pareto front"]
    assert sorted(ring.get_xydata().tolist()) == [[1, board.rows[1].mean.mean], [4, board.rows[0].mean.mean]]
    assert first.get_xlabel() == "seconds, smaller is better"
    assert second.get_xlabel() == "zeros, larger is better"
    assert names(drawn[0]) == ["mish", "relu", "leaky_relu", "Pareto front"]


def test_numbers_that_are_almost_alike_are_written_out(found: Found, tmp_path: Path, drawn: list[Any]) -> None:
    board, _, _ = found()
    pictures.plot_costs(board, [Costs.of(board, "parameters", "min", [[94189], [94186], [94186]])], tmp_path / "a.png")
    (axes,) = drawn[0].axes
    assert not axes.xaxis.get_offset_text().get_text()
    assert "94186" in [label.get_text() for label in axes.get_xticklabels()]


def test_an_importance_below_chance_is_gray(tmp_path: Path, drawn: list[Any]) -> None:
    pictures.plot_importances([Importance("lr", 0.9, 0.2), Importance("activation", 0.1, 0.2)], tmp_path / "a.png")
    (axes,) = drawn[0].axes
    lr, activation = axes.patches
    assert (lr.get_width(), activation.get_width()) == (0.9, 0.1)
    assert lr.get_facecolor() != activation.get_facecolor()
    assert points(axes, "|") == [[0.2, 0], [0.2, 1]]
    assert texts(axes) == ["lr", "activation"]


def test_layers_have_a_row_each_and_one_color_for_one_activation(tmp_path: Path, drawn: list[Any]) -> None:
    rows = {"stem": ["mish", "relu"], "head": ["relu", "leaky_relu(negative_slope=0.25)"]}
    pictures.plot_layers(rows, ["0.9", "0.8"], tmp_path / "a.png")
    (axes,) = drawn[0].axes
    assert texts(axes) == ["stem", "head"]
    assert [text.get_text() for text in axes.texts] == ["mish", "relu", "relu", "leaky_rel…"]
    mish, relu, again, leaky = [patch.get_facecolor() for patch in axes.patches]
    assert relu == again
    assert len({mish, relu, leaky}) == 3
