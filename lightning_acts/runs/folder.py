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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import torch

from lightning_acts.files import write_whole
from lightning_acts.runs.config import Config, to_yaml
from lightning_acts.runs.reading import shown_path

Status = Literal["running", "interrupted", "failed", "finished"]

_PACKAGES = ("lightning-acts", "torch", "lightning", "torchmetrics", "omegaconf", "torchvision", "timm", "numpy")


class RunError(RuntimeError):
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
        """The best checkpoint; the last one, where no metric says which is best."""
        best = self.checkpoints / "best.ckpt"
        return best if best.exists() else self.last

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
        """The content of one of the JSON files.

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
        """How far the run is."""
        status: Status = self.read("status.json")["status"]
        return status

    def set_status(self, status: Status, **more: Any) -> None:
        """Say how far the run is."""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        self.write("status.json", {"status": status, "time": now, **more})

    def rows(self) -> list[dict[str, float]]:
        """The rows of the metrics, one an epoch; values that were not measured are left out."""
        if not self.metrics.exists():
            return []
        with self.metrics.open(newline="", encoding="utf-8") as file:
            return [{key: float(value) for key, value in row.items() if value != ""} for row in csv.DictReader(file)]

    def write_rows(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write all rows of the metrics anew, whole or not at all: a later epoch may have measured more."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {key: int(value) if key in ("epoch", "step") else repr(float(value)) for key, value in row.items()}
            for row in rows
        )
        write_whole(self.metrics, text.getvalue())

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from working in the folder; the lock goes when the process does, however it ends.

        Raises:
            RunError: One does already.
        """
        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise RunError(f"{self} is in use: another process is running it") from error
            yield


def create(out: Path, config: Config, seed: int, activation: str) -> RunFolder:
    """Make the folder of a new run: ``OUT/<config>/<time>-<activation>-s<seed>-<hash>``.

    Raises:
        RunError: It can't be made there.
    """
    name = f"{activation}-s{seed}-{digest(config)}"
    try:
        parent = out / config.name
        parent.mkdir(parents=True, exist_ok=True)
        folder = _make(parent, name)
        folder.checkpoints.mkdir()
        folder.plots.mkdir()
        write_whole(folder.config, to_yaml(config.data))
        folder.write("env.json", environment())
        folder.set_status("running")
    except OSError as error:
        raise RunError(f"no folder can be made in {out}: {_reason(error)}") from error
    return folder


def open_run(path: str) -> RunFolder:
    """The folder of a run that exists.

    Raises:
        RunError: There is none, or something that it needs is missing.
    """
    folder = RunFolder(Path(path).absolute())
    if not folder.path.is_dir():
        near = sorted(str(found.parent) for found in Path().glob("runs/*/*/config.yaml"))
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


def _make(parent: Path, name: str) -> RunFolder:
    """A folder that did not exist; two runs that start within one second get two."""
    attempt = 1
    while True:
        suffix = "" if attempt == 1 else f"-{attempt}"
        path = parent / f"{datetime.now():%Y%m%d-%H%M%S}-{name}{suffix}"
        try:
            path.mkdir()
        except FileExistsError:
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
