"""Pictures of a study, drawn with matplotlib."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_acts.reports import drawing
from lightning_acts.studies.importance import Importance
from lightning_acts.studies.leaderboard import Leaderboard
from lightning_acts.studies.plan import Plan, by_layer
from lightning_acts.studies.statistics import Interval, bootstrap_interval, pareto_front

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from optuna.trial import FrozenTrial

# Inches. In a wider picture, text is too small on a phone.
_WIDTH = 4.6
_ROW = 0.34
# A metric that varies by more than this is drawn on a logarithmic axis.
_MOST_LINEAR = 100
_GRAY = "0.55"


@dataclass(frozen=True)
class Costs:
    """What the finalists cost.

    Attributes:
        name: What it is.
        direction: ``max`` or ``min``.
        intervals: Mean and interval of each, in the order of the leaderboard.
        front: Which of them are on the Pareto front, by their place.
    """

    name: str
    direction: str
    intervals: Sequence[Interval]
    front: Collection[int]

    @classmethod
    def of(cls, board: Leaderboard, name: str, direction: str, values: Sequence[Sequence[float]]) -> Costs:
        """Sum up the values of the finalists, in the order of the leaderboard."""
        intervals = [bootstrap_interval(own) for own in values]
        signs = [1 if one == "max" else -1 for one in (board.direction, direction)]
        scores = [
            [signs[0] * row.mean.mean, signs[1] * one.mean] for row, one in zip(board.rows, intervals, strict=True)
        ]
        return cls(name, direction, intervals, pareto_front(scores))


def plot_ranking(board: Leaderboard, path: Path) -> Path:
    """Draw the finalists, the best first: mean, interval and seeds of the score, and of its difference to the baseline.

    Args:
        board: The study.
        path: The file to write.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    base = next(row for row in board.rows if row.candidate.activation == board.baseline)
    figure = drawing.new_figure(_WIDTH, 2 * (0.75 + _ROW * len(board.rows)))
    score, difference = figure.subplots(2, 1)
    for place, row in enumerate(board.rows):
        _draw_interval(score, place, row.values, row.mean)
        if row.difference:
            pairs = [value - other for value, other in zip(row.values, base.values, strict=True)]
            _draw_interval(difference, place, pairs, row.difference)
    _dress(score, f"{board.metric}, {_better(board.direction)}", None)
    _dress(difference, f"{board.metric}, less that of {board.baseline} with the same seed", None)
    difference.axvline(0, color="0.3", linewidth=1, zorder=0)
    for axes in (score, difference):
        axes.locator_params(axis="x", nbins=5)  # beside long names, more numbers would touch
        _name_rows(axes, [f"{row.rank} {row.candidate.activation}" for row in board.rows])
    return drawing.save(figure, path)


def plot_by_seed(board: Leaderboard, path: Path) -> Path:
    """Draw the score of each finalist with each seed: what all have in common is the seed's.

    Args:
        board: The study.
        path: The file to write.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure = drawing.new_figure(_WIDTH, 3.4)
    axes = figure.subplots()
    for place, row in enumerate(board.rows):
        _draw_line(axes, range(1, board.seeds + 1), row.values, row.candidate.activation, place)
    _finish(axes, "seeds, in their order", board.metric, [value for row in board.rows for value in row.values])
    drawing.legend(figure)
    return drawing.save(figure, path)


def plot_learning_curves(
    board: Leaderboard, curves: Mapping[str, Sequence[Sequence[tuple[int, float]]]], path: Path
) -> Path:
    """Draw the objective over epochs: the mean of each finalist, and a thin line for each seed.

    Args:
        board: The study.
        curves: By finalist, for each seed the epochs, counted from 1, with their values.
        path: The file to write.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure = drawing.new_figure(_WIDTH, 3.4)
    axes = figure.subplots()
    for place, (name, seeds) in enumerate(curves.items()):
        by_epoch: dict[int, list[float]] = {}
        for curve in seeds:
            axes.plot(*zip(*curve, strict=True), color=_color(place), linewidth=0.7, alpha=0.3)
            for epoch, value in curve:
                by_epoch.setdefault(epoch, []).append(value)
        means = [math.fsum(values) / len(values) for values in by_epoch.values()]
        _draw_line(axes, list(by_epoch), means, name, place)
    _finish(axes, "epoch", board.metric, [value for seeds in curves.values() for curve in seeds for _, value in curve])
    drawing.legend(figure)
    return drawing.save(figure, path)


def plot_history(board: Leaderboard, plan: Plan, trials: Sequence[FrozenTrial], path: Path) -> Path:
    """Draw the trials of the search in their order, and the best score so far.

    Pruned trials stand at their last value; what is far worse than the trials that came to their end, at the edge.

    Args:
        board: The study.
        plan: What it was to do.
        trials: Its trials.
        path: The file to write.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure = drawing.new_figure(_WIDTH, 3.6)
    axes = figure.subplots()
    colors = {row.candidate.activation: one for row, one in zip(board.rows, drawing.COLORS, strict=False)}
    others = "other activations"
    styles: dict[str, dict[str, Any]] = {
        "ended": {"marker": "o", "markersize": 5.5},
        "pruned": {"marker": "v", "markersize": 5, "markerfacecolor": "white"},
        "failed": {"marker": "x", "markersize": 6},
    }
    ended = [trial for trial in trials if trial.state.name == "COMPLETE"]
    low, high = _limits(board, plan, ended)
    worst = low if board.direction == "max" else high
    better = max if board.direction == "max" else min
    best: list[tuple[int, float]] = []
    seen = {}
    for number, trial in enumerate(trials, start=1):
        kind = {"COMPLETE": "ended", "PRUNED": "pruned"}.get(trial.state.name, "failed")
        value = trial.values[0] if trial.values else worst
        name = by_layer(plan.assigned(trial.params))
        color = colors.get(name, _GRAY)
        seen[name if name in colors else others], seen[kind] = {"color": color, **styles["ended"]}, styles[kind]
        shown = min(max(value, low), high)
        axes.plot([number], [shown], linestyle="", color=color, clip_on=False, **styles[kind])
        if kind == "ended":
            best.append((number, better(value, best[-1][1]) if best else value))
    if best:
        best.append((len(trials), best[-1][1]))
        axes.step(*zip(*best, strict=True), where="post", color="0.3", linewidth=1, zorder=0, label="best so far")
    for label in (*colors, others, "pruned", "failed"):
        if label in seen:
            axes.plot([], [], label=label, **{"color": "0.3", "linestyle": "", **seen[label]})
    _finish(axes, "trial", board.metric, (low, high))
    axes.set_xlim(0.5, len(trials) + 0.5)
    axes.set_ylim(low, high)
    drawing.legend(figure)
    return drawing.save(figure, path)


def plot_costs(board: Leaderboard, costs: Sequence[Costs], path: Path) -> Path:
    """Draw the score of the finalists against what they cost, a panel for each cost; the Pareto front is ringed.

    Args:
        board: The study.
        costs: The costs.
        path: The file to write.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure = drawing.new_figure(_WIDTH, 0.5 + 3.0 * len(costs))
    for axes, cost in zip(figure.subplots(len(costs), 1, squeeze=False).flat, costs, strict=True):
        front = []
        for place, row in enumerate(board.rows):
            x, y = cost.intervals[place], row.mean
            axes.plot([x.low, x.high], [y.mean] * 2, color=_color(place), linewidth=1.4)
            axes.plot([x.mean] * 2, [y.low, y.high], color=_color(place), linewidth=1.4)
            marker, name = drawing.MARKERS[place % len(drawing.MARKERS)], row.candidate.activation
            axes.plot([x.mean], [y.mean], marker, color=_color(place), label=name, markersize=6)
            if place in cost.front:
                front.append((x.mean, y.mean))
        xs, ys = zip(*sorted(front), strict=True)
        axes.step(xs, ys, where="post" if cost.direction == "min" else "pre", color="0.5", linewidth=1, zorder=0)
        ring = {"markerfacecolor": "none", "color": "0.2", "markersize": 13, "label": "Pareto front"}
        axes.plot(xs, ys, "o", **ring)
        axes.locator_params(axis="x", nbins=6)
        _dress(axes, f"{cost.name}, {_better(cost.direction)}", f"{board.metric}, {_better(board.direction)}")
    drawing.legend(figure)
    return drawing.save(figure, path)


def plot_importances(importances: Sequence[Importance], path: Path) -> Path:
    """Draw a bar for each choice of a search, and a mark at what chance alone gives.

    Args:
        importances: The choices, the most important first.
        path: The file to write.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure = drawing.new_figure(_WIDTH, 0.9 + _ROW * len(importances))
    axes = figure.subplots()
    for place, one in enumerate(importances):
        axes.barh([place], [one.share], height=0.6, color=_color(0) if one.share > one.chance else "0.75")
    chance, places = [one.chance for one in importances], range(len(importances))
    axes.plot(chance, places, "|", color="0.1", markersize=17, markeredgewidth=2, label="95 % of what chance gives")
    _dress(axes, "share of the importance", None)
    _name_rows(axes, [one.name for one in importances])
    drawing.legend(figure)
    return drawing.save(figure, path)


def plot_layers(layers: Mapping[str, Sequence[str]], columns: Sequence[str], path: Path) -> Path:
    """Draw which activation stood where in the best trials: a row for each place in the model, a column for each trial.

    Args:
        layers: By the name of the place, in the order of the model, the activation of each trial.
        columns: Their names, the best first.
        path: The file to write.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    names = list(dict.fromkeys(name for row in layers.values() for name in row))
    figure = drawing.new_figure(_WIDTH, 0.9 + _ROW * len(layers))
    axes = figure.subplots()
    for place, row in enumerate(layers.values()):
        for column, name in enumerate(row):
            color = _color(names.index(name))
            axes.add_patch(_cell(column, place, color))
            label = drawing.shortened(name, 54 // max(5, len(columns)))
            axes.text(column, place, label, ha="center", va="center", fontsize=8, color="0.1")
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_xticks(range(len(columns)), columns, fontsize=8)
    axes.xaxis.tick_top()
    _name_rows(axes, list(layers))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return drawing.save(figure, path)


def _draw_interval(axes: Axes, place: int, values: Sequence[float], interval: Interval) -> None:
    """Draw values as points, and above them their mean with its interval."""
    color = _color(place)
    axes.plot(values, [place + 0.17] * len(values), "o", color=color, markersize=3.5, alpha=0.5, markeredgewidth=0)
    axes.plot([interval.low, interval.high], [place - 0.1] * 2, color=color, linewidth=2, solid_capstyle="butt")
    axes.plot([interval.mean], [place - 0.1], "d", color=color, markersize=6)


def _draw_line(axes: Axes, x: Any, y: Any, name: str, place: int) -> None:
    marker = drawing.MARKERS[place % len(drawing.MARKERS)]
    drawing.line(axes, x, y, name, place, marker=marker, markersize=4)


def _dress(axes: Axes, x: str, y: str | None) -> None:
    """Name the axes of a panel, whose numbers stand there whole: not less an offset that is told in a corner."""
    drawing.dress(axes, "", x, y)
    axes.ticklabel_format(useOffset=False)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [drawing.shortened(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)


def _finish(axes: Axes, x: str, y: str, values: Sequence[float]) -> None:
    """Dress a panel whose x-axis counts."""
    from matplotlib.ticker import MaxNLocator

    _dress(axes, x, y)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if values and 0 < _MOST_LINEAR * min(values) < max(values):
        axes.set_yscale("log")


def _limits(board: Leaderboard, plan: Plan, ended: Sequence[FrozenTrial]) -> tuple[float, float]:
    """Return limits of an axis for the best trial of each finalist and the better three quarters of all."""
    better = max if board.direction == "max" else min
    best: dict[str, float] = {}
    for trial in ended:
        name = by_layer(plan.assigned(trial.params))
        best[name] = better(trial.values[0], best.get(name, trial.values[0]))
    shown = [best[row.candidate.activation] for row in board.rows if row.candidate.activation in best]
    values = sorted((trial.values[0] for trial in ended), reverse=board.direction == "max")
    shown += values[: 1 + 3 * len(values) // 4] or [row.mean.mean for row in board.rows]
    low, high = min(shown), max(shown)
    if 0 < _MOST_LINEAR * low < high:
        return low / 1.5, high * 1.5
    room = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    return low - room, high + room


def _better(direction: str) -> str:
    return "larger is better" if direction == "max" else "smaller is better"


def _color(place: int) -> str:
    return drawing.COLORS[place % len(drawing.COLORS)]


def _cell(column: int, row: int, color: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.47, row - 0.45), 0.94, 0.9, facecolor=color, alpha=0.4, linewidth=0)
