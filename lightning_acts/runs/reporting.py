"""Reports over several runs: a table, pictures, CSV, and one HTML page that needs nothing but itself."""

from __future__ import annotations

import contextlib
import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from lightning_acts.files import write_whole
from lightning_acts.hints import counted
from lightning_acts.reports import pictures
from lightning_acts.reports.pages import figure, is_ours, table, written
from lightning_acts.runs.config import Config
from lightning_acts.runs.folder import RunError, RunFolder, digest
from lightning_acts.runs.variants import interval_as_data, mean_interval

# Counts and amounts over time, for which there is a picture of their own.
_NOT_SCORES = ("swap/", "sites/")


@dataclass(frozen=True)
class Reported:
    """A finished run, as a report needs it."""

    folder: RunFolder
    config: Config
    summary: Mapping[str, Any]

    @classmethod
    def of(cls, folder: RunFolder) -> Reported:
        """Read a run.

        Raises:
            RunError: It is not finished, or a file of it is damaged.
            ConfigError: Its config is damaged.
        """
        if (status := folder.status()) != "finished":
            raise RunError(f"{folder} is {status}, not finished: there is nothing to report yet")
        folder.final_metrics()
        return cls(folder, folder.load_config(), folder.read("summary.json"))

    @property
    def scores(self) -> dict[str, float]:
        """Final metrics: those of the test, and of other stages where there was none."""
        metrics = {name: value for name, value in self.summary["metrics"].items() if not name.startswith(_NOT_SCORES)}
        tested = {name: value for name, value in metrics.items() if name.startswith("test")}
        return tested or metrics

    @cached_property
    def rows(self) -> list[dict[str, float]]:
        """Metrics, a row an epoch."""
        return self.folder.rows()


class Report:
    """Several runs, those that differ by their seed alone as one group.

    Args:
        runs: The runs.
    """

    def __init__(self, runs: Sequence[Reported]) -> None:
        self.groups = _named_groups(runs)
        self.metrics = list(dict.fromkeys(name for run in runs for name in run.scores))

    def values(self, group: str, metric: str) -> list[float]:
        """Return a metric of each run of a group that has it."""
        return [run.scores[metric] for run in self.groups[group] if metric in run.scores]

    def table(self) -> list[list[str]]:
        """Return the cells of the table, a row a group, the first row its head."""
        rows = [["run", "seeds", "epochs", "seconds", *self.metrics]]
        for name, runs in self.groups.items():
            seeds = ", ".join(str(run.summary["seed"]) for run in runs)
            epochs = "-".join(map(str, sorted({min(e := [run.summary["epochs"] for run in runs]), max(e)})))
            seconds = f"{sum(run.summary['seconds'] for run in runs) / len(runs):.0f}"
            rows.append([name, seeds, epochs, seconds, *(_cell(self.values(name, metric)) for metric in self.metrics)])
        return rows

    def show(self) -> None:
        """Print the metrics, each with a row for each group: as narrow as can be, however many there are."""
        table = Table("metric", "run", "seeds", "mean ± 95 %", box=box.SIMPLE)
        for metric in self.metrics:
            for index, (name, runs) in enumerate(self.groups.items()):
                table.add_row("" if index else metric, name, str(len(runs)), _cell(self.values(name, metric)))
            table.add_section()
        Console().print(table)

    def to_dict(self) -> dict[str, Any]:
        """Return the groups as plain data: runs, and values, mean and 95 % interval of each metric."""
        found: dict[str, Any] = {}
        for name, runs in self.groups.items():
            known = {metric: self.values(name, metric) for metric in self.metrics}
            metrics = {metric: interval_as_data(values) for metric, values in known.items() if values}
            found[name] = {"runs": [str(run.folder) for run in runs], "metrics": metrics}
        return found

    def write(self, out: Path) -> Path:
        """Write ``index.html``, ``runs.csv`` and the pictures into a folder.

        A report that was written there before is replaced.

        Args:
            out: The folder; made if it does not exist.

        Returns:
            The page.

        Raises:
            RunError: ``out`` is a file, or holds something else.
            ModuleNotFoundError: matplotlib is not installed.
        """
        page = out / "index.html"
        if out.exists() and not out.is_dir():
            raise RunError(f"--out {out} is a file: the report needs a folder")
        if out.is_dir() and any(out.iterdir()) and not is_ours(page):
            raise RunError(
                f"--out {out} holds something that is not a report, and is not overwritten: choose another folder"
            )
        out.mkdir(parents=True, exist_ok=True)
        drawn = self._draw(out)
        write_whole(out / "runs.csv", self._csv())
        caption = f"{counted(sum(map(len, self.groups.values())), 'run')} of {counted(len(self.groups), 'kind')}"
        text = written(
            "runs.html",
            table=table(self.table(), caption),
            pictures="\n".join(figure(path, title) for title, path in drawn.items()),
            runs="\n".join(_section(name, run) for name, runs in self.groups.items() for run in runs),
        )
        write_whole(page, text)
        return page

    def _draw(self, out: Path) -> dict[str, Path]:
        rows = [(name, run.rows) for name, runs in self.groups.items() for run in runs if run.rows]
        curves = dict.fromkeys(
            name
            for _, each in rows
            for row in each
            for name in row
            if name not in ("epoch", "step") and not name.startswith(_NOT_SCORES)
        )
        drawn = {}
        scores = {name: {m: self.values(name, m) for m in self.metrics} for name in self.groups}
        if self.metrics:
            drawn["Final metrics: a point a run, a bar at the mean"] = pictures.plot_scores(scores, out / "scores.png")
        if curves:
            path = pictures.plot_learning_curves(rows, list(curves), out / "metrics.png")
            drawn["Metrics over epochs, a line a run"] = path
        names = dict.fromkeys(run.summary["activation"] for runs in self.groups.values() for run in runs)
        used = dict.fromkeys(name for joined in names for name in joined.split("+") if name != "unswapped")
        with contextlib.suppress(ValueError):  # not all activations have a curve
            if used:
                path = pictures.plot_activations(list(used), out / "activations.png")
                drawn["The activations, with default parameters"] = path
        return drawn

    def _csv(self) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["run", "group", "config", "activation", "seed", "epochs", "seconds", *self.metrics])
        for name, runs in self.groups.items():
            for run in runs:
                facts = [run.summary[key] for key in ("config", "activation", "seed", "epochs", "seconds")]
                scores = [repr(run.scores[metric]) if metric in run.scores else "" for metric in self.metrics]
                writer.writerow([run.folder, name, *facts, *scores])
        return text.getvalue()


def _named_groups(runs: Sequence[Reported]) -> dict[str, list[Reported]]:
    """Return runs by a name that tells those of different configs apart."""
    by_config: dict[tuple[str, str, str], list[Reported]] = {}
    for run in runs:
        key = (run.summary["config"], run.summary["activation"], digest(run.config))
        by_config.setdefault(key, []).append(run)
    configs = {config for config, _, _ in by_config}
    labels = [f"{config}: {activation}" if len(configs) > 1 else activation for config, activation, _ in by_config]
    return {
        label if labels.count(label) == 1 else f"{label} ({key[2]})": sorted(group, key=lambda run: run.summary["seed"])
        for label, (key, group) in zip(labels, by_config.items(), strict=True)
    }


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    mean, half = mean_interval(values)
    return f"{mean:.4g}" if math.isnan(half) else f"{mean:.4g} ± {half:.2g}"


def _section(name: str, run: Reported) -> str:
    """Return what a run has drawn and written itself, folded."""
    parts = [figure(path, path.stem.replace("_", " ")) for path in sorted(run.folder.plots.glob("*.png"))]
    texts = [path.read_text(encoding="utf-8") for path in sorted(run.folder.plots.glob("*.txt"))]
    content = "\n".join([*parts, *(f"<pre>{escape(text)}</pre>" for text in texts)])
    title = f"{name}, seed {run.summary['seed']}"
    return (
        f"<details><summary>{escape(title)}</summary><p><code>{escape(str(run.folder))}</code></p>{content}</details>"
    )
