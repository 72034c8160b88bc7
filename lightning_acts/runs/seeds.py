"""The same config with several seeds: a process each, taken up again where an earlier start was stopped."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import statistics
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from scipy import stats

from lightning_acts.runs.checking import Checked
from lightning_acts.runs.config import load
from lightning_acts.runs.folder import RunFolder
from lightning_acts.runs.reading import ConfigError
from lightning_acts.runs.training import Interrupted


@dataclass(frozen=True)
class SeedTable:
    """The metrics of several runs: values by seed, mean, and the 95 % interval of the mean by Student's t."""

    runs: dict[int, RunFolder]
    metrics: dict[str, list[float]]

    def interval(self, metric: str) -> tuple[float, float]:
        """Mean and half the width of the interval; the latter is nan for a single run."""
        values = self.metrics[metric]
        mean = statistics.fmean(values)
        if len(values) < 2:
            return mean, math.nan
        spread = statistics.stdev(values) / math.sqrt(len(values))
        return mean, float(stats.t.ppf(0.975, len(values) - 1)) * spread

    def to_dict(self) -> dict[str, Any]:
        """The table as plain data."""
        rows = {}
        for metric, values in self.metrics.items():
            mean, half = self.interval(metric)
            rows[metric] = {"values": values, "mean": mean, "ci95": None if math.isnan(half) else half}
        return {"runs": {str(seed): str(folder) for seed, folder in self.runs.items()}, "metrics": rows}

    def show(self) -> None:
        """Print the table."""
        table = Table("metric", *(f"seed {seed}" for seed in self.runs), "mean ± 95 %", box=box.SIMPLE)
        for metric, values in self.metrics.items():
            mean, half = self.interval(metric)
            shown = f"{mean:.4f}" + ("" if math.isnan(half) else f" ± {half:.4f}")
            table.add_row(metric, *(f"{value:.4f}" for value in values), shown)
        Console().print(table)


def run_seeds(
    checked: Checked,
    seeds: Sequence[int],
    arguments: Sequence[str],
    options: Sequence[str],
    out: Path,
    imports: Sequence[str] = (),
) -> tuple[SeedTable, list[int]]:
    """Run a config once for each seed; what is finished is not run again, what was interrupted goes on.

    Returns:
        The table of those that finished, and the seeds of those that failed.

    Raises:
        Interrupted: By Ctrl-C.
    """
    runs: dict[int, RunFolder] = {}
    failed = []
    for seed in seeds:
        earlier = _earlier(checked, seed, out)
        if earlier is None or earlier.status() != "finished":
            verb = (
                ["resume", str(earlier)]
                if earlier
                else ["train", *arguments, f"seed={seed}", *options, "--out", str(out)]
            )
            status = _run([*imports, *verb])
            if status == Interrupted.exit_status:
                raise Interrupted("interrupted; the same command goes on where it stopped")
            earlier = _earlier(checked, seed, out)
            if status != 0 or earlier is None:
                failed.append(seed)
                continue
        runs[seed] = earlier
    summaries = [folder.final_metrics() for folder in runs.values()]
    common = [name for name in (summaries[0] if summaries else {}) if all(name in summary for summary in summaries)]
    return SeedTable(runs, {name: [summary[name] for summary in summaries] for name in common}), failed


def _run(arguments: list[str]) -> int:
    """The exit status of a command of ours in a process of its own, which ends when this one does."""
    command = [sys.executable, "-m", "lightning_acts", "--end-with-stdin", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    told: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        told.append(number)
        if number == signal.SIGTERM:  # Ctrl-C reaches that process by itself
            process.terminate()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        status = process.wait()  # until it has ended its batch, and said what it did
        return Interrupted.exit_status if told else status
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_with_stdin() -> None:
    """Tell this process to stop when its stdin is closed, as it is when the process at its other end is gone."""

    def wait() -> None:
        while os.read(0, 1):  # not sys.stdin, which can't be closed while a thread reads from it
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def _earlier(checked: Checked, seed: int, out: Path) -> RunFolder | None:
    """The latest run of this config with this seed, a finished one first; the config in the folder counts."""
    wanted = {**checked.config.data, "seed": seed}
    found = []
    for path in sorted((out / checked.config.name).glob("[!.]*/config.yaml")):
        folder = RunFolder(path.parent.absolute())
        with contextlib.suppress(ConfigError):  # not one of ours, or damaged
            if load([str(path)]).data == wanted:
                found.append((folder.status() == "finished", folder.path.name, folder))
    return max(found, key=lambda entry: entry[:2])[2] if found else None
