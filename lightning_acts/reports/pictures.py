"""Pictures of activations and of runs, drawn with matplotlib."""

from __future__ import annotations

import colorsys
import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from lightning_acts.factory import ActivationLike
from lightning_acts.reports import drawing
from lightning_acts.reports.curves import Curve, breaks_of, curve_of, grid, pieces

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Names of metrics that differ by the stage alone share a panel: train/loss and val/loss, train_loss and val_loss.
_STAGES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_STAGED = re.compile(rf"(?P<stage>{'|'.join(_STAGES)})[/_.](?P<metric>.+)", re.IGNORECASE)
_STYLE_OF_STAGE = {"train": "--", "test": ":"}

# With more classes, counts are left out and the pictures stop growing; names of classes need this much space.
_MOST_COUNTED = 20
_POINTS_PER_LABEL = 9
_MOST_POINTS = 5_000
# Light blue between two images, which are often black and white.
_GAP = (0.34, 0.71, 0.91)
# A metric that falls by more than this is drawn on a logarithmic axis: on a linear one its end is a flat line.
_MOST_LINEAR = 100


def plot_activations(activations: Sequence[ActivationLike], path: Path, low: float = -5.0, high: float = 5.0) -> Path:
    """Draw elementwise activations, their derivatives and their second derivatives, a panel each.

    Curves leave a gap where the function or the derivative jumps.

    Args:
        activations: Anything that :func:`lightning_acts.create` takes.
        path: The file to write; its suffix says which kind of picture.
        low: Left end.
        high: Right end.

    Raises:
        CurveError: One of them is not elementwise.
        ModuleNotFoundError: matplotlib is not installed.
    """
    drawn: dict[str, list[_Line]] = {"activation": [], "derivative": [], "second derivative": []}
    for index, activation in enumerate(activations):
        breaks = breaks_of(activation)
        curve = curve_of(activation, grid(breaks.second, low, high, 1000))
        places = (breaks.value, breaks.derivative, breaks.second)
        for lines, y, where in zip(drawn.values(), (curve.y, curve.derivative, curve.second), places, strict=True):
            if y is not None:
                lines.append(_Line(curve.name, index, pieces(curve.x, y, where)))
    figure = drawing.new_figure(13, 4)
    for axes, (title, lines) in zip(figure.subplots(1, 3), drawn.items(), strict=True):
        _draw_curves(axes, lines, low, high)
        drawing.dress(axes, title, "x", None)
        axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        axes.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    drawing.legend(figure)
    return drawing.save(figure, path)


def plot_comparison(one: Curve, other: Curve, path: Path) -> Path:
    """Draw two curves, their derivatives, and the differences of both on a logarithmic scale."""
    low, high = one.x[0].item(), one.x[-1].item()
    values, slopes = [], []
    both = [breaks_of(curve.module) for curve in (one, other)]
    for index, (curve, breaks) in enumerate(zip((one, other), both, strict=True)):
        values.append(_Line(curve.name, index, pieces(curve.x, curve.y, breaks.value)))
        if curve.derivative is not None:
            slopes.append(_Line(curve.name, index, pieces(curve.x, curve.derivative, breaks.derivative)))
    figure = drawing.new_figure(13, 4)
    value, slope, gap = figure.subplots(1, 3)
    _draw_curves(value, values, low, high)
    _draw_curves(slope, slopes, low, high)
    differences = [((one.y - other.y).abs(), [at for breaks in both for at in breaks.value])]
    if one.derivative is not None and other.derivative is not None:
        places = [at for breaks in both for at in breaks.derivative]
        differences.append(((one.derivative - other.derivative).abs(), places))
    for index, (name, (y, places)) in enumerate(zip(("value", "derivative"), differences, strict=False)):
        drawing.line(gap, *_joined(pieces(one.x, y, places)), name, index)
    # Linear below what float64 can tell apart, so that equal points are drawn at 0.
    gap.set_yscale("symlog", linthresh=1e-16)
    for axes, title in ((value, "value"), (slope, "derivative"), (gap, "absolute difference")):
        drawing.dress(axes, title, "x", None)
    gap.legend(frameon=False)
    drawing.legend(figure, value)
    return drawing.save(figure, path)


def plot_learning_curves(
    runs: Mapping[str, Sequence[Mapping[str, Any]]] | Sequence[tuple[str, Sequence[Mapping[str, Any]]]],
    metrics: Sequence[str],
    path: Path,
) -> Path:
    """Draw metrics over epochs: a panel for each metric, with a line for each run and stage.

    ``train/loss`` and ``val/loss`` are one metric in two stages.

    Args:
        runs: Rows of metrics by the name of the run, or pairs of both, of which several may have one name and then one
            color; a row holds ``epoch``, counted from 0, and the metrics that it knows.
        metrics: Their names, such as ``val/acc``.
        path: The file to write.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    pairs = list(runs.items()) if isinstance(runs, Mapping) else list(runs)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(name for name, _ in pairs))}
    panels: dict[str, list[tuple[str, str]]] = {}
    for name in metrics:
        if not any(name in row for _, rows in pairs for row in rows):
            continue
        staged = _STAGED.fullmatch(name)
        stage = _STAGES[staged["stage"].lower()] if staged else ""
        panels.setdefault(staged["metric"] if staged else name, []).append((stage, name))
    figure, all_axes = drawing.panels(len(panels), 4.0, 3.2)
    from matplotlib.ticker import MaxNLocator

    several_stages = any(stage for members in panels.values() for stage, _ in members)
    last = max((row["epoch"] + 1 for _, rows in pairs for row in rows), default=1)
    for axes, (metric, members) in zip(all_axes, panels.items(), strict=True):
        for run, rows in pairs:
            index = numbers[run]
            for stage, name in members:
                known = [(row["epoch"] + 1, row[name]) for row in rows if name in row]
                epochs, values = zip(*known, strict=True) if known else ((), ())
                axes.plot(
                    epochs,
                    values,
                    label=f"{run}, {stage}" if stage else "_unnamed" if several_stages else run,
                    color=drawing.COLORS[index % len(drawing.COLORS)],
                    linestyle=_STYLE_OF_STAGE.get(stage, "-"),
                    linewidth=1.6,
                    marker=drawing.MARKERS[index // len(drawing.COLORS) % len(drawing.MARKERS)],
                    markersize=3.5,
                    markerfacecolor="white" if stage == "train" else None,
                    markevery=max(1, math.ceil(len(epochs) / 20)),
                )
        drawing.dress(axes, metric, "epoch", None)
        lines: Any = axes.get_lines()
        drawn = [value for line in lines for value in line.get_ydata() if math.isfinite(value)]
        if drawn and 0 < _MOST_LINEAR * min(drawn) < max(drawn):
            axes.set_yscale("log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        beside = 0.03 * (last - 1) or 0.5
        axes.set_xlim(1 - beside, last + beside)
    drawing.legend(figure, *all_axes)
    return drawing.save(figure, path)


def plot_confusion_matrices(matrices: Mapping[str, Tensor], path: Path, class_names: Sequence[str] = ()) -> Path:
    """Draw confusion matrices side by side: colors are shares of the true class, numbers are counts.

    Args:
        matrices: ``(classes, classes)`` counts by name; rows are true classes.
        path: The file to write.
        class_names: Names of the classes; their numbers where there are none, or not as many as classes.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    most = max(map(len, matrices.values()))
    size = min(max(4.2, 0.36 * most), 0.36 * _MOST_COUNTED)
    figure, all_axes = drawing.panels(len(matrices), size + 0.6, size + 0.6)
    figure.set_layout_engine("compressed")  # squares leave no space between them
    for axes, (name, matrix) in zip(all_axes, matrices.items(), strict=True):
        share = matrix / matrix.sum(dim=1, keepdim=True).clamp(min=1)
        image = axes.imshow(share.tolist(), cmap="Blues", vmin=0, vmax=1)
        classes = len(matrix)
        step = _round_up(classes * _POINTS_PER_LABEL / (72 * size))
        ticks = range(0, classes, step)
        names = list(class_names) if len(class_names) == classes else [str(number) for number in range(classes)]
        labels = [drawing.shortened(names[tick]) for tick in ticks]
        axes.set_xticks(ticks, labels, fontsize=8, rotation=90 if max(map(len, labels)) > 2 else 0)
        axes.set_yticks(ticks, labels, fontsize=8)
        if classes <= _MOST_COUNTED:
            _write_counts(axes, matrix, share)
        total = matrix.sum().item()
        accuracy = f": accuracy {matrix.diagonal().sum().item() / total:.4f}" if total else ""
        axes.set(title=f"{name}{accuracy}", xlabel="predicted", ylabel="true")
    figure.colorbar(image, ax=all_axes, label="share of the true class")
    return drawing.save(figure, path)


def plot_calibration(reliability: Mapping[str, Tensor], path: Path) -> Path:
    """Draw calibration diagrams: the share of right answers over the confidence, and how many had it.

    Args:
        reliability: ``(3, bins)`` by name: counts, sums of confidence, sums of right answers, for equal bins.
        path: The file to write.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure = drawing.new_figure(5.2, 5.6)
    share, count = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    share.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="calibrated")
    for index, (name, bins) in enumerate(reliability.items()):
        counts, confidence, right = (row[bins[0] > 0].cpu() for row in bins)
        drawing.line(share, confidence / counts, right / counts, name, index, marker="o", markersize=4)
        drawing.line(count, confidence / counts, counts, name, index, marker="o", markersize=4)
    count.set_yscale("log")
    drawing.dress(share, "calibration", "", "share of right answers")
    drawing.dress(count, "", "confidence", "samples")
    share.legend(frameon=False)
    return drawing.save(figure, path)


def plot_image_rows(rows: Mapping[str, Tensor], path: Path, title: str = "") -> Path:
    """Draw images above each other that belong together, such as images and their reconstructions: a row for each name.

    Args:
        rows: Images ``(N, C, H, W)`` of 1 or 3 channels with values in [0, 1], by name; as many for each name.
        path: The file to write.
        title: Stands above them.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    columns = max(map(len, rows.values()))
    figure = drawing.new_figure(max(1.1 * columns, 4) + 0.3, 1.1 * len(rows) + 0.4 * bool(title))
    all_axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (name, images) in zip(all_axes, rows.items(), strict=True):
        for axes, image in itertools.zip_longest(line, images):
            _draw_image(axes, image)
        line[0].set_ylabel(name, fontsize=9)
    if title:
        figure.suptitle(title, fontsize=11)
    return drawing.save(figure, path)


def plot_image_sheet(images: Tensor, path: Path, title: str = "") -> Path:
    """Draw many images as one sheet, as square as can be, row by row.

    Args:
        images: ``(N, C, H, W)`` of 1 or 3 channels with values in [0, 1].
        path: The file to write.
        title: Stands above them.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    count, channels, height, width = images.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    # Lines of white between the images, and where there are fewer than places.
    sheet = images.new_ones(channels, rows * (height + 1) - 1, columns * (width + 1) - 1)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, left = row * (height + 1), column * (width + 1)
        sheet[:, top : top + height, left : left + width] = image
    figure = drawing.new_figure(6, 6 * rows * height / (columns * width) + 0.3 * bool(title))
    axes = figure.subplots()
    _draw_image(axes, sheet)
    if title:
        axes.set_title(title, fontsize=11)
    return drawing.save(figure, path)


def plot_segmentations(
    images: Tensor, truth: Tensor, predicted: Tensor, path: Path, class_names: Sequence[str] = (), title: str = ""
) -> Path:
    """Draw images above the classes of their pixels, the true ones and the predicted ones.

    Args:
        images: ``(N, C, H, W)`` of 1 or 3 channels with values in [0, 1].
        truth: Classes ``(N, H, W)``; below 0 where there is none.
        predicted: Classes ``(N, H, W)``.
        path: The file to write.
        class_names: Names of all classes.
        title: Stands above them.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    classes = max(len(class_names), int(truth.max()) + 1, int(predicted.max()) + 1)
    names = list(class_names) or [str(number) for number in range(classes)]
    figure = drawing.new_figure(1.3 * len(images) + 1.6, 4.2 + 0.3 * bool(title))
    all_axes = figure.subplots(3, len(images), squeeze=False)
    from matplotlib.colors import ListedColormap

    colors = ListedColormap(_class_colors(classes))
    for column, (image, *masks) in enumerate(zip(images, truth, predicted, strict=True)):
        _draw_image(all_axes[0, column], image)
        for axes, mask in zip(all_axes[1:, column], masks, strict=True):
            _draw_image(axes, None)
            shown = mask.cpu().float().masked_fill(mask.cpu() < 0, math.nan)
            axes.imshow(shown.tolist(), cmap=colors, vmin=-0.5, vmax=classes - 0.5, interpolation="nearest")
    for axes, name in zip(all_axes[:, 0], ("image", "truth", "prediction"), strict=True):
        axes.set_ylabel(name, fontsize=9)
    from matplotlib.patches import Patch

    occurring = sorted({*truth[truth >= 0].flatten().tolist(), *predicted.flatten().tolist()})
    patches = [Patch(facecolor=colors(number), edgecolor="0.5", label=names[number]) for number in occurring]
    figure.legend(handles=patches[:_MOST_COUNTED], loc="outside right upper", frameon=False, fontsize=8)
    if title:
        figure.suptitle(title, fontsize=11)
    return drawing.save(figure, path)


def plot_field(
    field: Tensor, truth: Tensor, path: Path, name: str, coordinates: Tensor, axes_names: Sequence[str] = ()
) -> Path:
    """Draw a field, the true one, and the difference: lines in one dimension, maps or images in two.

    Args:
        field: ``(n, 1)``, ``(rows, columns, 1)``, or ``(rows, columns, 3)`` of colors in [-1, 1].
        truth: Of the same shape.
        path: The file to write.
        name: What the field is called.
        coordinates: Of its points, ``(n, 1)`` or ``(rows, columns, 2)``.
        axes_names: Names of the coordinates.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    error = field - truth
    if field.ndim == 2:
        figure = drawing.new_figure(9, 5.2)
        value, gap = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        x = coordinates[:, 0]
        value.plot(x.tolist(), truth[:, 0].tolist(), color="0.6", linewidth=3, label="truth")
        drawing.line(value, x, field[:, 0], name, 0)
        drawing.line(gap, x, error[:, 0], "error", 1)
        drawing.dress(value, "", "", "value")
        drawing.dress(gap, "", axes_names[0] if axes_names else "x", "error")
        drawing.legend(figure, value)
        return drawing.save(figure, path)
    colored = field.shape[-1] == 3
    figure = drawing.new_figure(13, 4)
    size = error.square().mean(dim=-1).sqrt() if colored else error[..., 0]
    most = size.abs().max().item() or 1.0
    # Of an image, rows go down; of a function, its first coordinate goes to the right, its second one up.
    place: dict[str, Any] = {"aspect": "equal" if colored or not axes_names else "auto"}
    if axes_names:
        truth, field, size = truth.transpose(0, 1), field.transpose(0, 1), size.T
        (left, bottom), (right, top) = (coordinates[corner].tolist() for corner in ((0, 0), (-1, -1)))
        place |= {"extent": (left, right, bottom, top), "origin": "lower"}
    limits = {"vmin": min(truth.min().item(), field.min().item()), "vmax": max(truth.max().item(), field.max().item())}
    signed = {"vmin": -most, "vmax": most, "cmap": "RdBu_r"}
    for axes, values, title in zip(figure.subplots(1, 3), (truth, field, size), ("truth", name, "error"), strict=True):
        if title == "error":
            shown = {"vmin": 0.0, "vmax": most, "cmap": "magma"} if colored else signed
            image = axes.imshow(values.tolist(), **shown, **place)
        elif colored:
            axes.imshow(((values + 1) / 2).clamp(0, 1).tolist(), **place)
        else:
            image = axes.imshow(values[..., 0].tolist(), **limits, cmap="viridis" if axes_names else "gray", **place)
        axes.set_title(title)
        if axes_names:
            axes.set(xlabel=axes_names[0], ylabel=axes_names[1])
        else:
            axes.set_axis_off()
        if title == "error" or not colored:
            figure.colorbar(image, ax=axes, fraction=0.046, aspect=30)
    return drawing.save(figure, path)


def plot_swaps(
    swaps: Mapping[str, Sequence[tuple[float, float]]],
    path: Path,
    steps_per_epoch: float,
    metric: tuple[str, Sequence[tuple[float, float]]] | None = None,
) -> Path:
    """Draw how far scheduled swaps had taken over in the course of a run, and below it a metric.

    Args:
        swaps: Epoch and amount, from 0 to 1, of each swap by its name.
        path: The file to write.
        steps_per_epoch: For a second axis.
        metric: Name, and epoch and value of each reading.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure = drawing.new_figure(8, 5.6 if metric else 3.6)
    panels = list(figure.subplots(2 if metric else 1, 1, sharex=True, squeeze=False).flat)
    for index, (name, points) in enumerate(swaps.items()):
        epochs, amounts = zip(*points, strict=True)
        drawing.line(panels[0], epochs, amounts, name, index)
        # Where it leaves 0, and where it reaches 1.
        begun = [epoch for (epoch, _), (_, after) in itertools.pairwise(points) if after > 0.0][:1]
        ended = [epoch for epoch, amount in points if amount == 1.0][:1]
        for axes in panels:
            for event in (*begun, *ended):
                axes.axvline(
                    event, color=drawing.COLORS[index % len(drawing.COLORS)], linewidth=0.9, alpha=0.6, linestyle=":"
                )
    if metric:
        name, points = metric
        epochs, values = zip(*points, strict=True)
        panels[1].plot(epochs, values, color="0.2", linewidth=1.6, marker="o", markersize=3.5)
        drawing.dress(panels[1], "", "epoch", name)
    drawing.dress(panels[0], "", "" if metric else "epoch", "part of the replacement")
    panels[0].set_ylim(-0.05, 1.05)
    steps = panels[0].secondary_xaxis("top", functions=(lambda x: x * steps_per_epoch, lambda x: x / steps_per_epoch))
    steps.set_xlabel("step")
    steps.spines["top"].set_visible(False)
    drawing.legend(figure, panels[0])
    return drawing.save(figure, path)


def plot_scores(groups: Mapping[str, Mapping[str, Sequence[float]]], path: Path) -> Path:
    """Draw final metrics: a panel for each, with a row for each group of runs, a point for each run, a bar at the mean.

    Args:
        groups: Values of metrics, one a run, by the name of the group.
        path: The file to write.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    names = list(groups)
    metrics = list(dict.fromkeys(metric for values in groups.values() for metric in values))
    figure, panels = drawing.panels(len(metrics), 4.0, 1.4 + 0.32 * len(names))
    for axes, metric in zip(panels, metrics, strict=True):
        for row, name in enumerate(names):
            values = list(groups[name].get(metric, ()))
            color = drawing.COLORS[row % len(drawing.COLORS)]
            axes.plot(values, [row] * len(values), "o", color=color, markersize=4.5, alpha=0.6)
            if values:
                axes.plot(
                    [math.fsum(values) / len(values)], [row], "|", color=color, markersize=16, markeredgewidth=2.2
                )
        drawing.dress(axes, metric, "", None)
        axes.set_yticks(range(len(names)), [drawing.shortened(name) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
    return drawing.save(figure, path)


def plot_parity(pairs: Mapping[str, Tensor], path: Path, name: str = "") -> Path:
    """Draw predictions over true values, and below them what is left: predicted less true.

    Args:
        pairs: ``(N, 2)`` predictions and true values by name; of very many, some are drawn.
        path: The file to write.
        name: What is predicted.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure = drawing.new_figure(5.2, 6.4)
    value, rest = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    for index, (label, both) in enumerate(pairs.items()):
        predicted, true = both[:: max(1, math.ceil(len(both) / _MOST_POINTS))].cpu().double().T
        style = {
            "color": drawing.COLORS[index % len(drawing.COLORS)],
            "marker": drawing.MARKERS[index % len(drawing.MARKERS)],
        }
        for axes, y in ((value, predicted), (rest, predicted - true)):
            axes.plot(true.tolist(), y.tolist(), linestyle="", label=label, markersize=3.5, alpha=0.6, **style)
    everything = torch.cat([both[:, 1].cpu().double() for both in pairs.values()])
    ends = [everything.min().item(), everything.max().item()]
    value.plot(ends, ends, color="0.4", linewidth=1, label="predicted = true", zorder=0)
    rest.axhline(0, color="0.4", linewidth=1, zorder=0)
    drawing.dress(value, name, "", "predicted")
    drawing.dress(rest, "", "true", "predicted - true")
    value.legend(frameon=False)
    return drawing.save(figure, path)


def plot_matches(
    pairs: Sequence[tuple[Tensor, Tensor]], probabilities: Tensor, labels: Tensor, path: Path, title: str = ""
) -> Path:
    """Draw pairs of images, each with the probability that its two belong together; wrong answers are framed.

    Args:
        pairs: Two images each, ``(channels, height, width)``, gray or RGB, with values in [0, 1].
        probabilities: ``(N,)``.
        labels: ``(N,)``: 1 where both belong together, else 0.
        path: The file to write.
        title: Stands above all.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    columns = min(len(pairs), 8)
    rows = math.ceil(len(pairs) / columns)
    figure = drawing.new_figure(1.4 * columns, 1.6 * rows + 0.3 + 0.2 * bool(title))
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in panels[len(pairs) :]:
        unused.remove()
    for axes, (left, right), probability, label in zip(
        panels, pairs, probabilities.tolist(), labels.tolist(), strict=False
    ):
        left, right = (image.detach().cpu().float().expand(3, -1, -1) for image in (left, right))
        gap = left.new_tensor(_GAP)[:, None, None].expand(3, left.shape[1], max(1, left.shape[2] // 8))
        _draw_image(axes, torch.cat([left, gap, right], dim=2))
        wrong = (probability > 0.5) != bool(label)
        color = drawing.COLORS[1] if wrong else "black"
        axes.set_title(f"{'same' if label else 'other'}: {probability:.2f}", fontsize=8, color=color)
        axes.spines[:].set(visible=wrong, color=color, linewidth=2)
    note = "what is true, and the probability that both belong together; mistakes are framed"
    figure.suptitle(f"{title}\n{note}" if title else note, fontsize=10)
    return drawing.save(figure, path)


class _Line(NamedTuple):
    """A curve in pieces, between which it jumps; a number for its color and style."""

    name: str
    color: int
    pieces: Sequence[tuple[Tensor, Tensor]]

    def away_from_breaks(self, margin: float, low: float, high: float) -> Iterable[Tensor]:
        """Return the values of the pieces that are not beside a break; those of a shorter piece whole."""
        for x, y in self.pieces:
            start, end = x[0].item(), x[-1].item()
            inside = (x >= start + margin * (start > low)) & (x <= end - margin * (end < high))
            yield y[inside] if bool(inside.any()) else y


def _draw_curves(axes: Axes, lines: Sequence[_Line], low: float, high: float) -> None:
    """Draw curves with gaps between their pieces; a pole is cut off rather than flattening all the rest."""
    for line in lines:
        drawing.line(axes, *_joined(line.pieces), line.name, line.color)
    everything = [y for line in lines for _, y in line.pieces]
    if not everything:
        return
    calm = [y for line in lines for y in line.away_from_breaks(0.05 * (high - low), low, high)]
    (bottom, top), (lowest, highest) = (
        (torch.cat(ys).min().item(), torch.cat(ys).max().item()) for ys in (calm, everything)
    )
    height = top - bottom or 1.0
    if highest - lowest > 3 * height:
        axes.set_ylim(max(lowest, bottom) - 0.05 * height, min(highest, top) + 0.05 * height)


def _joined(parts: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return the points of all pieces with a NaN between two of them, where matplotlib leaves a gap."""
    gap = torch.tensor([torch.nan], dtype=torch.float64)
    x, y = ([part for piece in parts for part in (piece[side].double(), gap)][:-1] for side in (0, 1))
    return (torch.cat(x), torch.cat(y)) if parts else (gap, gap)


def _draw_image(axes: Axes, image: Tensor | None) -> None:
    """Draw an image without axes; a place without one stays empty."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    if image is not None:
        pixels = image.detach().cpu().float().clamp(0, 1)
        shown = pixels[0] if len(pixels) == 1 else pixels.movedim(0, -1)
        axes.imshow(shown.tolist(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def _class_colors(count: int) -> list[tuple[float, ...]]:
    """Return a light gray for the first class, mostly the background, and colors around the circle for the others."""
    hues = [index / max(1, count - 1) for index in range(count - 1)]
    return [
        (0.92, 0.92, 0.92),
        # Neighbors differ in lightness too.
        *(colorsys.hls_to_rgb(hue, (0.4, 0.65)[index % 2], 0.75) for index, hue in enumerate(hues)),
    ]


def _write_counts(axes: Axes, matrix: Tensor, share: Tensor) -> None:
    whole = bool((matrix == matrix.round()).all())
    for row in range(len(matrix)):
        for column in range(len(matrix)):
            count = matrix[row, column].item()
            text = (f"{count:.0f}" if whole else f"{count:.2f}") if count else ""
            color = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, text, ha="center", va="center", color=color, fontsize=7)


def _round_up(least: float) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50, ... that is not below ``least``."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if factor * power >= least:
                return factor * power
        power *= 10
