"""A run in a process of its own, which ends when the one that started it does.

Each run gets a process because no state of an earlier one may reach it, and a command line of its own because
Lightning's strategies start that command line again for their other processes. Nothing here imports torch.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from lightning_acts.runs.config import Config


@dataclass(frozen=True)
class Request:
    """What a process is to run.

    Attributes:
        config: The resolved config.
        out: Where the folder of a new run is made.
        resumed: The folder of the run to resume; None for a new run.
        modules: Modules that register activations, by name or file.
        command: The command that the user typed.
    """

    config: Config
    out: Path
    resumed: Path | None = None
    modules: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ended:
    """How a process ended; ``folder`` is that of its run, None if it made none."""

    status: int
    interrupted: bool
    folder: Path | None


def run_in_process(request: Request) -> Ended:
    """Run a request and wait for its end; Ctrl-C and SIGTERM stop it, and return once it has stopped."""
    with tempfile.TemporaryDirectory(prefix="lightning-acts-") as exchange:
        Path(exchange, "request").write_bytes(pickle.dumps(request))
        command = [sys.executable, "-m", "lightning_acts.runs.worker", exchange]
        started: list[subprocess.Popen[bytes]] = []
        told: list[int] = []

        def stop(number: int, frame: FrameType | None) -> None:
            told.append(number)
            if number == signal.SIGTERM:  # Ctrl-C reaches that process by itself
                for process in started:
                    process.terminate()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
                started.append(process)
                if told:  # before it was among those to stop
                    process.terminate()
                status = process.wait()  # until it has ended its batch, and said what it did
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        made = Path(exchange, "folder")
        return Ended(status, bool(told), Path(made.read_text(encoding="utf-8")) if made.exists() else None)


def read_request(exchange: Path) -> Request:
    """Read the request in a folder that :func:`run_in_process` made."""
    request: Request = pickle.loads((exchange / "request").read_bytes())
    return request


def tell_folder(exchange: Path, folder: Path) -> None:
    """Tell the process that waits which folder the run has."""
    (exchange / "folder").write_text(str(folder), encoding="utf-8")


def end_with_stdin() -> None:
    """Tell this process to stop when its stdin is closed, as it is when the process at its other end is gone."""

    def wait() -> None:
        while os.read(0, 1):  # not sys.stdin, which can't be closed while a thread reads from it
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
