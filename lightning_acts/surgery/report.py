"""What a swap did and what it left alone, for people and for programs."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text
from torch import nn

from lightning_acts.errors import SwapError
from lightning_acts.surgery import history
from lightning_acts.surgery.plan import Plan
from lightning_acts.surgery.site import LeftSite, Site


@dataclass(frozen=True)
class SwappedSite:
    """A site, the spec of what stands there now, and where that is in the tree: the prefix of its parameters' names."""

    site: Site
    replacement: str
    path: str


@dataclass(frozen=True, eq=False)
class SwapReport:
    """What a swap did; ``print(report)`` shows a table, :meth:`to_dict` gives plain data, :meth:`undo` takes it back.

    Attributes:
        swapped: The sites that were swapped.
        left: Every other site, with the reason.
        notes: What else should be known.
    """

    swapped: tuple[SwappedSite, ...]
    left: tuple[LeftSite, ...]
    notes: tuple[str, ...]
    _model: nn.Module = field(repr=False)
    _number: int = field(repr=False)
    _plan: Plan | None = field(repr=False)
    _was_read: bool = field(repr=False)

    @property
    def plan(self) -> Plan:
        """The swap as plain strings.

        Raises:
            SwapError: A replacement is not registered, so that no string makes it.
        """
        if self._plan is None:
            unnamed = sorted({site.replacement for site in self.swapped if not _is_spec(site.replacement)})
            raise SwapError(f"no plan can name {', '.join(unnamed)}: register it first, see acts.register")
        return self._plan

    @property
    def summary(self) -> str:
        """One line: how many of what became what, and what was left."""
        changes = Counter((swapped.site.activation, swapped.replacement) for swapped in self.swapped)
        done = ", ".join(f"{old} -> {new} at {_sites(count)}" for (old, new), count in changes.items())
        if not self.left:
            return (
                f"swapped {done}; {'nothing else' if self._was_read else 'not all code could be read, see the notes'}"
            )
        rest = Counter((left.site.activation, left.obstacle) for left in self.left)
        return f"swapped {done}; left: " + ", ".join(
            f"{name} at {_sites(n)} ({reason})" for (name, reason), n in rest.items()
        )

    def undo(self) -> None:
        """Take the swap back; the originals, the very same objects, return to their places.

        Raises:
            SwapError: It was undone already, or a later swap of the model or a part of it was not, or something else has
                changed a class since, so that there is no way back; the model is as it was.
        """
        history.undo(self._model, self._number)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "swapped": [
                {**entry.site.to_dict(), "replacement": entry.replacement, "now": entry.path} for entry in self.swapped
            ],
            "left": [{**entry.site.to_dict(), "obstacle": entry.obstacle} for entry in self.left],
            "notes": list(self.notes),
            "plan": None if self._plan is None else self._plan.to_dict(),
        }

    def to_json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(self.to_dict(), indent=2)

    def __rich__(self) -> Group:
        sites = [*(entry.site for entry in self.swapped), *(entry.site for entry in self.left)]
        counted = any(site.calls is not None for site in sites)
        table = Table(*["site", "was", "is", "role", *(["calls"] if counted else []), "why not"])
        for swapped in self.swapped:
            table.add_row(*_cells(swapped.site, swapped.replacement, "", counted))
        for left in self.left:
            table.add_row(*_cells(left.site, "not swapped", left.obstacle, counted), style="dim")
        return Group(table, Text(self.summary), *(Text(f"note: {note}") for note in self.notes))

    def __str__(self) -> str:
        # Wide enough for every path, so that a log or a file holds whole lines.
        console = Console(file=io.StringIO(), width=10_000, color_system=None)
        with console.capture() as capture:
            console.print(self)
        return capture.get().rstrip()


def _cells(site: Site, replacement: str, reason: str, counted: bool) -> list[Text]:
    path = site.path if site.location is None else f"{site.path} ({site.location})"
    paths = "\n= ".join((path, *site.paths[1:]))
    calls = ["?" if site.calls is None else str(site.calls)] if counted else []
    # Text, not markup: a path or a reason may hold square brackets.
    return [Text(cell) for cell in (paths, site.activation, replacement, site.role, *calls, reason)]


def _sites(count: int) -> str:
    return "1 site" if count == 1 else f"{count} sites"


def _is_spec(text: str) -> bool:
    return "." not in text.split("(")[0]
