"""Pictures of activations and of runs, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lightning_acts.extras import require
from lightning_acts.registry import ActivationLike
from lightning_acts.reports.curves import Curve, curve_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart by colour-blind readers too; lines differ in style as well.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES = ("-", "--", "-.", ":")


def plot_activations(activations: Sequence[ActivationLike], path: Path, low: float = -5.0, high: float = 5.0) -> Path:
    """Draw elementwise activations, their derivatives and their second derivatives, a panel each.

    Args:
        activations: Anything that :func:`lightning_acts.create` takes.
        path: The file to write; its suffix says which kind of picture.
        low: Left end.
        high: Right end.

    Raises:
        CurveError: One of them is not elementwise.
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure = _figure(13, 4)
    value, slope, curvature = figure.subplots(1, 3)
    x = torch.linspace(low, high, 1000, dtype=torch.float64)  # without 0, where many have a kink
    for index, activation in enumerate(activations):
        curve = curve_of(activation, x)
        _line(value, x, curve.y, curve.name, index)
        if curve.derivative is not None:
            _line(slope, x, curve.derivative, curve.name, index)
        if curve.second is not None:
            _line(curvature, x, curve.second, curve.name, index)
    for axes, title in ((value, "activation"), (slope, "derivative"), (curvature, "second derivative")):
        _dress(axes, title, "x", None)
        axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        axes.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    value.legend(frameon=False)
    return _save(figure, path)


def plot_comparison(one: Curve, other: Curve, path: Path) -> Path:
    """Draw two curves, their derivatives, and the differences of both on a logarithmic scale."""
    figure = _figure(13, 4)
    value, slope, gap = figure.subplots(1, 3)
    for index, curve in enumerate((one, other)):
        _line(value, curve.x, curve.y, curve.name, index)
        if curve.derivative is not None:
            _line(slope, curve.x, curve.derivative, curve.name, index)
    _line(gap, one.x, (one.y - other.y).abs(), "value", 0)
    if one.derivative is not None and other.derivative is not None:
        _line(gap, one.x, (one.derivative - other.derivative).abs(), "derivative", 1)
    # Linear below what float64 can tell apart, so that equal points are drawn at 0.
    gap.set_yscale("symlog", linthresh=1e-16)
    for axes, title in ((value, "value"), (slope, "derivative"), (gap, "absolute difference")):
        _dress(axes, title, "x", None)
        axes.legend(frameon=False)
    return _save(figure, path)


def plot_learning_curves(runs: Mapping[str, Sequence[Mapping[str, Any]]], metrics: Sequence[str], path: Path) -> Path:
    """Draw metrics over epochs, a panel each, a line for each run.

    Args:
        runs: Rows of metrics by the name of the run; a row holds ``epoch`` and the metrics that it knows.
        metrics: Their names, such as ``val/acc``.
        path: The file to write.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure = _figure(5 * len(metrics), 4)
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        for index, (name, rows) in enumerate(runs.items()):
            known = [(row["epoch"] + 1, row[metric]) for row in rows if metric in row]
            epochs, values = zip(*known, strict=True) if known else ((), ())
            _line(axes, epochs, values, name, index, marker="o", markersize=3)
        _dress(axes, metric, "epoch", None)
        axes.xaxis.get_major_locator().set_params(integer=True)
    panels[0].legend(frameon=False)
    return _save(figure, path)


def plot_confusion_matrices(matrices: Mapping[str, Tensor], path: Path) -> Path:
    """Draw confusion matrices side by side: colours are shares of the true class, numbers are counts.

    Args:
        matrices: ``(classes, classes)`` counts by name; rows are true classes.
        path: The file to write.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure = _figure(5.2 * len(matrices), 5)
    panels = figure.subplots(1, len(matrices), squeeze=False)[0]
    for axes, (name, matrix) in zip(panels, matrices.items(), strict=True):
        share = matrix / matrix.sum(dim=1, keepdim=True).clamp(min=1)
        axes.imshow(share.tolist(), cmap="Blues", vmin=0, vmax=1)
        classes = range(len(matrix))
        axes.set_xticks(classes)
        axes.set_yticks(classes)
        if len(matrix) <= 20:
            for row in classes:
                for column in classes:
                    count = int(matrix[row, column])
                    colour = "white" if share[row, column] > 0.5 else "black"
                    axes.text(
                        column, row, str(count) if count else "", ha="center", va="center", color=colour, fontsize=8
                    )
        axes.set(title=name, xlabel="predicted", ylabel="true")
    return _save(figure, path)


def plot_calibration(reliability: Mapping[str, Tensor], path: Path) -> Path:
    """Draw calibration diagrams: the share of right answers over the confidence, and how many had it.

    Args:
        reliability: ``(3, bins)`` by name: counts, sums of confidence, sums of right answers, for equal bins.
        path: The file to write.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure = _figure(5.2, 5.6)
    share, count = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    share.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="calibrated")
    for index, (name, bins) in enumerate(reliability.items()):
        counts, confidence, right = (row[bins[0] > 0].cpu() for row in bins)
        _line(share, confidence / counts, right / counts, name, index, marker="o", markersize=4)
        _line(count, confidence / counts, counts, name, index, marker="o", markersize=4)
    count.set_yscale("log")
    _dress(share, "calibration", "", "share of right answers")
    _dress(count, "", "confidence", "samples")
    share.legend(frameon=False)
    return _save(figure, path)


def _figure(width: float, height: float) -> Figure:
    require("matplotlib", extra="report")
    # Never pyplot: it keeps figures, and chooses a screen.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _line(axes: Axes, x: Any, y: Any, name: str, index: int, **style: Any) -> None:
    x, y = (values.tolist() if isinstance(values, Tensor) else values for values in (x, y))
    colour, dash = _COLOURS[index % len(_COLOURS)], _STYLES[index % len(_STYLES)]
    axes.plot(x, y, label=name, color=colour, linestyle=dash, linewidth=1.8, **style)


def _dress(axes: Axes, title: str, x: str, y: str | None) -> None:
    axes.set(title=title, xlabel=x, ylabel=y or "")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)


def _save(figure: Figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return path
