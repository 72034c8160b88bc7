"""How the command line shows things: tables, trees, a curve in the terminal."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from lightning_acts import catalogue, factory
from lightning_acts.files import json_ready
from lightning_acts.hints import counted
from lightning_acts.measuring import Measured
from lightning_acts.reports.curves import CurveError, curve_of
from lightning_acts.surgery.site import Site


@dataclass(frozen=True)
class ShownFacts:
    """Facts about an activation, as text and as plain data."""

    text: str
    data: dict[str, Any]


def activation_facts(name: str) -> ShownFacts:
    """Return what is known about the activation that a spec names."""
    spec = factory.resolve_pattern(name)
    definition = catalogue.info(spec.name)
    data = {
        "name": definition.name,
        "aliases": [*definition.aliases, *definition.variants],
        "formula": definition.formula,
        "source": definition.source,
        "family": definition.family,
        "kind": definition.kind,
        "parameters": {str(p.name): str(p) for p in definition.parameters},
        "learnable": definition.learnable,
        "stochastic": definition.stochastic,
        "year": definition.year,
        "claim": definition.claim,
        "used_in": list(definition.used_in),
        "related": list(definition.related),
        "notes": list(definition.notes),
        "limits": dict(definition.limits),
        "measured": definition.measured and _plain(definition.measured),
        "nearest": [each for each, _ in catalogue.nearest(name, 4)] if definition.measured else [],
    }
    return ShownFacts(str(definition), data)


def _plain(measured: Measured) -> dict[str, Any]:
    """Return the measured facts for JSON."""
    public = [name for name in dir(measured) if not name.startswith("_") and name != "rows"]
    facts: dict[str, Any] = json_ready({name: getattr(measured, name) for name in public})
    return facts


def draw_in_terminal(name: str, width: int = 56, height: int = 15) -> None:
    """Draw the curve of an elementwise activation in braille dots; nothing for the others."""
    try:
        curve = curve_of(name, torch.linspace(-4, 4, 2 * width, dtype=torch.float64))
    except (CurveError, ValueError):
        return
    low, high = min(curve.y.min().item(), -0.5), max(curve.y.max().item(), 0.5)
    dots = [[0] * width for _ in range(height)]
    previous: int | None = None
    for column, y in enumerate(curve.y.tolist()):
        row = round((high - y) / (high - low) * (4 * height - 1))
        for filled in range(min(row, previous or row), max(row, previous or row) + 1):
            dots[filled // 4][column // 2] |= _BRAILLE[filled % 4][column % 2]
        previous = row
    axis = round(high / (high - low) * (4 * height - 1)) // 4
    for row, cells in enumerate(dots):
        empty = "─" if row == axis else " "
        line = "".join(
            chr(0x2800 + cell) if cell else ("│" if i == width // 2 and row != axis else empty)
            for i, cell in enumerate(cells)
        )
        label = f"{high:6.2f} " if row == 0 else f"{low:6.2f} " if row == height - 1 else " " * 7
        Console().print(Text(label + line), soft_wrap=True)
    Console().print(Text(f"{'':7}{'-4':<{width - 1}}4"))


_BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def metrics_table(metrics: Mapping[str, float]) -> None:
    """Print metrics, a row each."""
    table = Table("metric", "value", box=box.SIMPLE)
    for name, value in metrics.items():
        table.add_row(name, f"{value:.6g}")
    Console().print(table)


def site_tree(model: str, sites: Sequence[Site]) -> None:
    """Print the sites of a model as a tree of its parts, with the number of calls where it is known."""
    root = Tree(Text(f"{model}: {counted(len(sites), 'site')}"))
    nodes: dict[str, Tree] = {"": root}
    for site in sites:
        where, _, name = site.path.replace("/", ".").rpartition(".")
        parent = _branch(nodes, where)
        calls = "" if site.calls is None else f", {counted(site.calls, 'call')}"
        more = f" (= {', '.join(site.paths[1:])})" if len(site.paths) > 1 else ""
        place = f" at {site.location}" if site.location else ""
        style = "" if site.role == "hidden" else "dim"
        parent.add(Text(f"{name}: {site.shown} · {site.role}{calls}{more}{place}", style=style))
    console = Console()
    if not console.is_terminal:
        console.width = 1000  # else a tree cuts its lines at 80
    console.print(root)
    counts: dict[tuple[str, str, str], int] = {}
    for site in sites:
        key = (site.shown, site.role, site.kind)
        counts[key] = counts.get(key, 0) + 1
    table = Table("activation", "role", "kind", "sites", box=box.SIMPLE)
    for (activation, role, kind), count in counts.items():
        table.add_row(Text(activation), role, kind, str(count))
    console.print(table)


def _branch(nodes: dict[str, Tree], path: str) -> Tree:
    if path not in nodes:
        above, _, name = path.rpartition(".")
        nodes[path] = _branch(nodes, above).add(Text(name))
    return nodes[path]


def data_modules() -> dict[str, str]:
    """Return the data modules of the zoo, each with the first line of its description."""
    from lightning_acts import zoo

    members = [getattr(zoo, name) for name in zoo.__all__]
    found = [member for member in members if inspect.isclass(member) and issubclass(member, L.LightningDataModule)]
    return {f"lightning_acts.zoo.{cls.__name__}": (inspect.getdoc(cls) or "").split("\n")[0] for cls in found}
