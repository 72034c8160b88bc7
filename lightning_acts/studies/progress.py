"""How far a study is: a table in the terminal that follows it, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lightning_acts.hints import counted
from lightning_acts.runs.folder import RunFolder
from lightning_acts.studies.plan import Plan

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# More activations do not fit a terminal.
_MOST_ROWS = 12


class Progress:
    """Table of the ranking so far, what runs, and the time spent and left, for the length of a ``with`` block.

    Lines that are said stand above it. Where stderr is not a terminal there are only these.

    Args:
        plan: The study.
        say: Takes the lines instead; there is no table then.
        console: Where both are shown; default stderr.
    """

    def __init__(self, plan: Plan, say: Callable[[str], None] | None = None, console: Console | None = None) -> None:
        self._plan, self._said = plan, say
        self._console = console or Console(stderr=True)
        self._start, self._part, self._count, self._run, self._epochs = time.perf_counter(), "", 0, "", 0
        self._trials: Sequence[tuple[str | None, FrozenTrial]] = ()
        self._live = Live(get_renderable=self.table, console=self._console, refresh_per_second=1, transient=True)

    def __enter__(self) -> Progress:
        """Show the table from now on."""
        if self._said is None and self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Show it no more."""
        self.stop()

    def stop(self) -> None:
        """Show the table no more; lines go on."""
        self._live.stop()

    def say(self, line: str) -> None:
        """Say how something has ended."""
        if self._said is not None:
            self._said(line)
        else:
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def update(self, part: str, count: int, trials: Iterable[tuple[str | None, FrozenTrial]]) -> None:
        """Take over how a part of the study stands: how many runs it has, and trials with their activations."""
        self._part, self._count, self._trials, self._run = part, count, list(trials), ""

    def watched(self, run: str, watch: Callable[[Path], bool] | None) -> Callable[[Path], bool] | None:
        """Return what watches a run, and shows its epochs too where there is a table."""
        self._run, self._epochs = run, 0
        if not self._live.is_started:
            return watch

        def look(path: Path) -> bool:
            self._epochs = len(RunFolder(path).rows())
            return watch is not None and watch(path)

        return look

    def table(self) -> RenderableType:
        """Return what is shown."""
        states = [trial.state.name for _, trial in self._trials]
        ended = len(states) - states.count("RUNNING") - states.count("WAITING")
        running = max(1, states.count("RUNNING") + bool(self._run))
        parts = [f"{self._plan.name}, {self._part}: {ended} of {self._count} runs"]
        parts += [f"{states.count(state)} {word}" for state, word in _WORDS.items() if state in states]
        parts.append(f"{_duration(time.perf_counter() - self._start)} so far")
        known = [trial.user_attrs["seconds"] for _, trial in self._trials if "seconds" in trial.user_attrs]
        if known:
            left = sum(known) / len(known) * max(0, self._count - ended) / running
            parts.append(f"about {_duration(left)} left in this part")
        lines: list[RenderableType] = [self._ranking(), Text(", ".join(parts))]
        if self._run:
            lines.append(Text(f"running here: {self._run}, {counted(self._epochs, 'epoch')} of {self._plan.epochs}"))
        return Group(*lines)

    def _ranking(self) -> Table:
        metric, sign = self._plan.objective.metric, self._plan.objective.sign
        searching = self._part == "search"
        scores: dict[str, list[float]] = {}
        for name, trial in self._trials:
            if name is not None and trial.values and trial.state.name == "COMPLETE":
                scores.setdefault(name, []).append(sign * trial.values[0])
        shown = {name: max(values) if searching else math.fsum(values) / len(values) for name, values in scores.items()}
        table = Table("", "activation", f"{'best' if searching else 'mean'} {metric}", "runs", box=box.SIMPLE)
        for rank, name in enumerate(sorted(shown, key=lambda name: -shown[name])[:_MOST_ROWS], 1):
            table.add_row(str(rank), name, f"{sign * shown[name]:.4g}", str(len(scores[name])))
        return table


_WORDS = {"PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}


def _duration(seconds: float) -> str:
    """Return seconds as a reader counts them.

    Example:
        >>> _duration(59.4), _duration(61), _duration(7260)
        ('59 s', '1 min', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(int(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
