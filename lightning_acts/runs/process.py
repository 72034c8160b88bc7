"""A run in a process of its own, which ends when the one that started it does.

Each run gets a process because no state of an earlier one may reach it, and a command line of its own because
Lightning's strategies start that command line again for their other processes. Nothing here imports torch.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from lightning_acts.files import write_whole
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
        tested: Whether the run ends with a test.
        dry: Whether one batch of each stage runs, and nothing is written.
        metrics: What a dry run has to log.
    """

    config: Config
    out: Path
    resumed: Path | None = None
    modules: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    tested: bool = True
    dry: bool = False
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ended:
    """How a process ended: by Ctrl-C or SIGTERM, or because who watched it stopped it; ``folder`` is that of its run, if it made one."""

    status: int
    interrupted: bool
    folder: Path | None
    stopped: bool = False


def run_in_process(request: Request, *, watch: Callable[[Path], bool] | None = None, said: Path | None = None) -> Ended:
    """Run a request and wait for its end; Ctrl-C and SIGTERM stop it, and return once it has stopped.

    Args:
        request: What to run.
        watch: Asked twice a second, with the folder of the run, whether to stop it.
        said: A file to which what the process says is appended, if it is not to be seen.
    """
    with tempfile.TemporaryDirectory(prefix="lightning-acts-") as exchange:
        Path(exchange, "request").write_bytes(pickle.dumps(request))
        command = [sys.executable, "-m", "lightning_acts.runs.worker", exchange]
        started: list[subprocess.Popen[bytes]] = []
        told: list[int] = []
        stopped = False
        made = Path(exchange, "folder")

        def stop(number: int, frame: FrameType | None) -> None:
            told.append(number)
            if number == signal.SIGTERM:  # Ctrl-C reaches that process by itself
                for process in started:
                    process.terminate()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with (
                said.open("ab") if said else contextlib.nullcontext() as errors,
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors) as process,
            ):
                started.append(process)
                if told:  # before it was among those to stop
                    process.terminate()
                while watch:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(0.5)
                        break
                    if made.exists() and watch(Path(made.read_text(encoding="utf-8"))):
                        process.terminate()
                        watch, stopped = None, True
                status = process.wait()  # until it has ended its batch, and said what it did
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        folder = Path(made.read_text(encoding="utf-8")) if made.exists() else None
        return Ended(status, bool(told), folder, stopped)


def read_request(exchange: Path) -> Request:
    """Read the request in a folder that :func:`run_in_process` made."""
    request: Request = pickle.loads((exchange / "request").read_bytes())
    return request


def tell_folder(exchange: Path, folder: Path) -> None:
    """Tell the process that waits which folder the run has."""
    write_whole(exchange / "folder", str(folder))


def end_with_stdin() -> None:
    """Tell this process to stop when its stdin is closed, as it is when the process at its other end is gone."""

    def wait() -> None:
        while os.read(0, 1):  # not sys.stdin, which can't be closed while a thread reads from it
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
