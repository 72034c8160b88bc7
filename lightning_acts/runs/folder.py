"""The folder of a run: made once, never overwritten, enough to go on from."""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from lightning_acts.callbacks.checkpoint import check_checkpoint
from lightning_acts.errors import ActsError
from lightning_acts.files import UNFINISHED, write_whole
from lightning_acts.runs.config import Config, load, to_yaml
from lightning_acts.runs.listing import run_paths
from lightning_acts.runs.reading import shown_path

Status = Literal["running", "interrupted", "failed", "finished"]

_PACKAGES = ("lightning-acts", "torch", "lightning", "torchmetrics", "omegaconf", "torchvision", "timm", "numpy")


class RunError(ActsError, RuntimeError):
    """A run's folder can't be used as asked."""


@dataclass(frozen=True)
class RunFolder:
    """Paths in the folder of a run, and the files that are plain data."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        """One row an epoch."""
        return self.path / "metrics.csv"

    @property
    def checkpoints(self) -> Path:
        """``best.ckpt`` and ``last.ckpt``."""
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        """The checkpoint to go on from."""
        return self.checkpoints / "last.ckpt"

    @property
    def best(self) -> Path:
        """The best checkpoint; the last one, where no ModelCheckpoint says which is best.

        Raises:
            RunError: It is missing.
            CheckpointError: ``last.ckpt``, which names it where it is not ``best.ckpt``, is damaged.
        """
        best = self.checkpoints / "best.ckpt"
        if best.exists():
            return best
        if not self.last.exists():
            raise RunError(f"{self} has no checkpoint: {shown_path(best)} and {self.last.name} are missing")
        recorded = self.recorded_best(check_checkpoint(self.last))
        missing = [path for path in recorded if not path.exists()]
        if missing:
            raise RunError(
                f"{shown_path(missing[0])} is missing, which {self.last.name} names as the best: put it back"
            )
        return recorded[0] if recorded else self.last

    def recorded_best(self, checkpoint: Mapping[str, Any]) -> list[Path]:
        """Return the files that a checkpoint of the run names as the best, by their place in the folder as it stands now."""
        states = checkpoint.get("callbacks")
        paths = [
            Path(state["best_model_path"])
            for state in (states.values() if isinstance(states, dict) else ())
            if isinstance(state, dict) and isinstance(state.get("best_model_path"), str) and state["best_model_path"]
        ]
        return [path if path.exists() else self.checkpoints / path.name for path in paths]

    @property
    def plots(self) -> Path:
        """Pictures."""
        return self.path / "plots"

    @property
    def log(self) -> Path:
        """What was said during the run."""
        return self.path / "run.log"

    def __str__(self) -> str:
        return shown_path(self.path)

    def read(self, name: str) -> Any:
        """Return the content of one of the JSON files.

        Raises:
            RunError: It is missing or damaged.
        """
        path = self.path / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(f"{shown_path(path)} is missing: {self} is no folder of a run, or is not complete") from None
        except (OSError, ValueError) as error:
            raise RunError(f"{shown_path(path)} is damaged: {error}") from None

    def write(self, name: str, data: Any) -> None:
        """Write one of the JSON files, whole or not at all."""
        write_whole(self.path / name, json.dumps(data, indent=2) + "\n")

    def status(self) -> Status:
        """Return how far the run is."""
        data = self.read("status.json")
        found = data.get("status") if isinstance(data, dict) else data
        known: tuple[Status, ...] = get_args(Status)
        if found not in known:
            raise RunError(
                f"{shown_path(self.path / 'status.json')} is damaged: {found!r} is not one of {', '.join(known)}"
            )
        return next(status for status in known if status == found)

    def name(self) -> str:
        """Return the name of the config that the run was started with."""
        with contextlib.suppress(RunError):
            data = self.read("env.json")
            if isinstance(data, dict) and isinstance(data.get("config"), str):
                return str(data["config"])
        return self.path.parent.name

    def load_config(self, overrides: Iterable[str] = ()) -> Config:
        """Return the config of the run, under the name that it was started with."""
        return replace(load([str(self.config)], overrides), name=self.name())

    def final_metrics(self) -> dict[str, float]:
        """Return the metrics of a finished run.

        Raises:
            RunError: ``summary.json`` is missing or damaged.
        """
        data = self.read("summary.json")
        metrics = data.get("metrics") if isinstance(data, dict) else None
        if not isinstance(metrics, dict) or not all(isinstance(value, (int, float)) for value in metrics.values()):
            raise RunError(f"{shown_path(self.path / 'summary.json')} is damaged: it holds no metrics")
        return metrics

    def set_status(self, status: Status, **more: Any) -> None:
        """Say how far the run is."""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        self.write("status.json", {"status": status, "time": now, **more})

    def rows(self) -> list[dict[str, float]]:
        """Return the rows of the metrics, one an epoch; values that were not measured are left out.

        Raises:
            RunError: The file is damaged.
        """
        if not self.metrics.exists():
            return []
        shown = shown_path(self.metrics)
        try:
            text = self.metrics.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise RunError(f"{shown} is damaged: {error}") from None
        head, *lines = csv.reader(io.StringIO(text)) if text else [[]]
        rows = []
        for number, line in enumerate(lines, start=2):
            last = number == len(lines) + 1
            try:
                if len(line) != len(head) or (last and not text.endswith("\n")):
                    raise ValueError("it is cut")
                rows.append({key: float(value) for key, value in zip(head, line, strict=True) if value != ""})
            except ValueError as error:
                raise RunError(f"{shown}:{number}: the line is damaged: {error}") from None
        return rows

    @staticmethod
    def rows_in(checkpoint: Mapping[str, Any]) -> list[dict[str, float]]:
        """Return the rows that ``last.ckpt`` holds."""
        state = checkpoint["callbacks"].get("Recorder")
        rows = state.get("rows") if isinstance(state, dict) else None
        return rows if isinstance(rows, list) else []

    def write_rows(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write all rows of the metrics again, whole or not at all: a later epoch may have measured more."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {key: int(value) if key in ("epoch", "step") else repr(float(value)) for key, value in row.items()}
            for row in rows
        )
        write_whole(self.metrics, text.getvalue())

    def remove_unfinished(self) -> None:
        """Remove the files that a killed process was writing; call it under the lock."""
        for left in self.path.rglob(f".*{UNFINISHED}"):
            left.unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from working in the folder; the lock goes when the process does, however it ends.

        Raises:
            RunError: One does already, or nothing can be written there.
        """
        try:
            lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise RunError(f"{self} can't be worked in: {_reason(error)}") from error
        with lock as file:
            try:
                # Unlike flock, it does not pass to workers of a loader, which outlive a killed process by seconds.
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise RunError(f"{self} is in use: another process is running it") from error
            yield


def create_run(out: Path, config: Config, seed: int, activation: str) -> RunFolder:
    """Make the folder of a new run: ``OUT/<config>/<time>-<activation>-s<seed>-<hash>``.

    Raises:
        RunError: It can't be made there.
    """
    name = f"{activation}-s{seed}-{digest(config)}"
    try:
        parent = out / config.name
        parent.mkdir(parents=True, exist_ok=True)
        # Killed while its files are written, it leaves no folder that looks like a run.
        with tempfile.TemporaryDirectory(prefix=".new-", dir=parent, ignore_cleanup_errors=True) as made:
            unfinished = RunFolder(Path(made, "run"))
            unfinished.path.mkdir()
            unfinished.checkpoints.mkdir()
            unfinished.plots.mkdir()
            write_whole(unfinished.config, to_yaml(config.data))
            unfinished.write("env.json", {"config": config.name, **environment()})
            unfinished.set_status("running")
            return _moved(unfinished.path, parent, name)
    except OSError as error:
        raise RunError(f"no folder can be made in {out}: {_reason(error)}") from error


def open_run(path: str) -> RunFolder:
    """Return the folder of a run that exists.

    Raises:
        RunError: There is none, or something that it needs is missing.
    """
    folder = RunFolder(Path(path).absolute())
    if not folder.path.is_dir():
        near = sorted(map(str, run_paths(Path("runs"))))
        latest = f"; the latest run here is {near[-1]}" if near else ""
        raise RunError(f"there is no run {path!r}{latest}")
    if not folder.config.exists():
        raise RunError(f"{shown_path(folder.config)} is missing: {folder} is no folder of a run, or is not complete")
    return folder


def digest(config: Config) -> str:
    """Six characters that tell runs of different configs apart; the seed has its own place in the name."""
    data = {key: value for key, value in config.data.items() if key != "seed"}
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:6]


def environment() -> dict[str, Any]:
    """Versions, git commit and device, for whoever wants to run it again."""
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions,
        "git": _git_commit(),
        "device": torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else (platform.processor() or platform.machine()),
        "cpus": os.cpu_count(),
        "command": sys.argv,
    }


def _moved(made: Path, parent: Path, name: str) -> RunFolder:
    """Give a folder a name that did not exist; two runs that start within one second get two."""
    attempt = 1
    while True:
        suffix = "" if attempt == 1 else f"-{attempt}"
        path = parent / f"{datetime.now():%Y%m%d-%H%M%S}-{name}{suffix}"
        try:
            made.rename(path)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            attempt += 1
            continue
        return RunFolder(path.absolute())


def _git_commit() -> str | None:
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "the disk is full"
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return f"it is not writable ({error.filename})"
    return str(error)
