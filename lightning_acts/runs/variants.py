"""Many runs of one config: the finished ones are skipped, the interrupted ones resumed."""

from __future__ import annotations

import contextlib
import math
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from scipy import stats

from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import Config, collect, load
from lightning_acts.runs.folder import RunFolder
from lightning_acts.runs.listing import run_paths
from lightning_acts.runs.process import Ended, Request, run_in_process
from lightning_acts.runs.reading import ConfigError
from lightning_acts.runs.training import Interrupted


@dataclass(frozen=True)
class Variant:
    """One of many runs of a config: what it overrides, such as ``swap.0.map.relu=silu``, and its seed."""

    overrides: tuple[str, ...] = ()
    seed: int | None = None

    @property
    def all_overrides(self) -> tuple[str, ...]:
        """The overrides, that of the seed last."""
        return self.overrides if self.seed is None else (*self.overrides, f"seed={self.seed}")


@dataclass(frozen=True)
class Outcome:
    """The folders of the variants that finished, and the variants that failed."""

    finished: dict[Variant, RunFolder]
    failed: list[Variant]


def run_variants(
    files: Sequence[str],
    variants: Sequence[Variant],
    out: Path,
    *,
    overrides: Sequence[str] = (),
    folders: Sequence[Path] = (),
    modules: Sequence[str] = (),
) -> Outcome:
    """Run each variant of a config, one after another; all of them are checked before the first one trains.

    Args:
        files: Paths or names of configs; later ones win.
        variants: What to run.
        out: Where the folders of runs are made, and where earlier ones are looked for.
        overrides: What all of them override.
        folders: Where named configs are looked for, before the shipped ones.
        modules: Modules that register activations, by name or file.

    Raises:
        ConfigError: A variant's config is wrong.
        Interrupted: By Ctrl-C or SIGTERM.
    """
    configs = {}
    for variant in variants:
        config, problems = collect(files, [*overrides, *variant.all_overrides], folders)
        configs[variant] = check_config(config, problems).config
    outcome = Outcome({}, [])
    for variant, config in configs.items():
        folder = _earlier(config, out)
        if folder is None or folder.status() != "finished":
            folder = run_config(config, folder, out, modules)
        if folder is None:
            outcome.failed.append(variant)
        else:
            outcome.finished[variant] = folder
    return outcome


def run_config(
    config: Config,
    earlier: RunFolder | None,
    out: Path,
    modules: Sequence[str] = (),
    *,
    tested: bool = True,
    watch: Callable[[Path], bool] | None = None,
    said: Path | None = None,
) -> RunFolder | None:
    """Train, or resume an earlier run, in a process; returns the folder of the run, None if it failed.

    Args:
        config: What to train.
        earlier: The folder of the run to resume.
        out: Where the folder of a new run is made.
        modules: Modules that register activations, by name or file.
        tested: Whether the run ends with a test.
        watch: Asked now and then, with the folder of the run, whether to stop it; it can be resumed then.
        said: A file to which what the process says is appended, if it is not to be seen.

    Raises:
        Interrupted: By Ctrl-C or SIGTERM.
    """
    request = Request(
        config if earlier is None else earlier.load_config(),
        out,
        None if earlier is None else earlier.path,
        tuple(modules),
        tuple(sys.argv),
        tested,
    )
    ended = _ended(request, watch, said)
    done = ended.status == 0 or ended.stopped
    return RunFolder(ended.folder) if done and ended.folder is not None else None


def try_config(config: Config, metrics: Sequence[str], modules: Sequence[str], said: Path) -> bool:
    """Run one batch of each stage in a process, which writes nothing; returns whether that works.

    Args:
        config: What to try.
        metrics: What has to be logged.
        modules: Modules that register activations, by name or file.
        said: A file to which what the process says is appended.

    Raises:
        Interrupted: By Ctrl-C or SIGTERM.
    """
    request = Request(config, Path(), None, tuple(modules), tuple(sys.argv), dry=True, metrics=tuple(metrics))
    return _ended(request, None, said).status == 0


def _ended(request: Request, watch: Callable[[Path], bool] | None, said: Path | None) -> Ended:
    ended = run_in_process(request, watch=watch, said=said)
    if ended.interrupted or (ended.status == Interrupted.exit_status and not ended.stopped):
        raise Interrupted("interrupted; the same command goes on where it stopped")
    return ended


def _earlier(config: Config, out: Path) -> RunFolder | None:
    """Return the latest run of this config, a finished one first; the config in the folder counts."""
    found = []
    for path in run_paths(out, config.name):
        folder = RunFolder(path.absolute())
        with contextlib.suppress(ConfigError):  # not one of ours, or damaged
            # A run without a seed had the default one.
            if {"seed": 0, **load([str(folder.config)]).data} == {"seed": 0, **config.data}:
                found.append((folder.status() == "finished", folder.path.name, folder))
    return max(found, key=lambda entry: entry[:2])[2] if found else None


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean, and half the width of its 95 % interval by Student's t; the latter is nan for a single value.

    Example:
        >>> mean, half = mean_interval([1.0, 2.0, 3.0])
        >>> mean, round(half, 2)
        (2.0, 2.48)
    """
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, math.nan
    spread = statistics.stdev(values) / math.sqrt(len(values))
    return mean, float(stats.t.ppf(0.975, len(values) - 1)) * spread


def interval_as_data(values: Sequence[float]) -> dict[str, Any]:
    """Return values, their mean and half the width of its 95 % interval, None for a single value, as plain data."""
    mean, half = mean_interval(values)
    return {"values": values, "mean": mean, "ci95": None if math.isnan(half) else half}


@dataclass(frozen=True)
class SeedTable:
    """The metrics of several runs: values by seed, mean, and the 95 % interval of the mean by Student's t."""

    runs: dict[int, RunFolder]
    metrics: dict[str, list[float]]

    @classmethod
    def of(cls, runs: Mapping[int, RunFolder]) -> SeedTable:
        """Return the table of finished runs: the metrics that all of them have."""
        summaries = [folder.final_metrics() for folder in runs.values()]
        common = [name for name in (summaries[0] if summaries else {}) if all(name in summary for summary in summaries)]
        return cls(dict(runs), {name: [summary[name] for summary in summaries] for name in common})

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain data."""
        rows = {metric: interval_as_data(values) for metric, values in self.metrics.items()}
        return {"runs": {str(seed): str(folder) for seed, folder in self.runs.items()}, "metrics": rows}

    def show(self) -> None:
        """Print the table."""
        table = Table("metric", *(f"seed {seed}" for seed in self.runs), "mean ± 95 %", box=box.SIMPLE)
        for metric, values in self.metrics.items():
            mean, half = mean_interval(values)
            shown = f"{mean:.4f}" + ("" if math.isnan(half) else f" ± {half:.4f}")
            table.add_row(metric, *(f"{value:.4f}" for value in values), shown)
        Console().print(table)
