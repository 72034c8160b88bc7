"""What pictures have in common: colors, figures with panels, legends, and the file that they are written to."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from lightning_acts.extras import require
from lightning_acts.files import replacing
from lightning_acts.hints import did_you_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart by color-blind readers too; lines differ in style as well.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D")


def shortened(name: str, longest: int = 20) -> str:
    """Return a name that fits beside a picture.

    Example:
        >>> shortened("leaky_relu(negative_slope=0.2)")
        'leaky_relu(negative…'
    """
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def panels(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels in rows that a page holds."""
    columns = min(count, 3) if count != 4 else 2
    while columns > 1 and columns * width > 16:
        columns -= 1
    rows = math.ceil(count / columns)
    figure = new_figure(columns * width, rows * height)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def legend(figure: Figure, *panels: Axes) -> None:
    """Put one legend for the panels (default: all) above them, each label once."""
    handles: dict[str, Any] = {}
    for axes in panels or figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if not handles:
        return
    room = figure.get_figwidth() * 72 / 6  # characters in a row
    columns = max(1, min(len(handles), int(room // (max(map(len, handles)) + 8))))
    figure.legend(handles.values(), handles.keys(), loc="outside upper left", ncols=columns, frameon=False, fontsize=9)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, its size in inches.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    require("matplotlib", extra="report")
    # Never pyplot: it keeps figures, and chooses a screen.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def line(axes: Axes, x: Any, y: Any, name: str, index: int, **style: Any) -> None:
    """Draw a line in the color and style of its number."""
    x, y = (values.tolist() if isinstance(values, Tensor) else values for values in (x, y))
    color, dash = COLORS[index % len(COLORS)], STYLES[index % len(STYLES)]
    axes.plot(x, y, label=name, color=color, linestyle=dash, linewidth=1.8, **style)


def dress(axes: Axes, title: str, x: str, y: str | None) -> None:
    """Give a panel its title and names of axes, and a look that pictures share."""
    axes.set(title=title, xlabel=x, ylabel=y or "")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)


def save(figure: Figure, path: Path) -> Path:
    """Write a figure.

    Raises:
        ValueError: No picture is written under such a suffix.
    """
    kinds = figure.canvas.get_supported_filetypes()
    if (suffix := path.suffix.removeprefix(".").lower()) not in kinds:
        raise ValueError(
            f"{path}: a picture is a file {', '.join(f'.{kind}' for kind in kinds)}{did_you_mean(suffix, kinds)}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=130, format=suffix)
    return path
