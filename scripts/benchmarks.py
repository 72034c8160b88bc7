"""Parts of the benchmarks: rounds in which all are timed in turn, results that are written as they come, and tables."""

from __future__ import annotations

import argparse
import csv
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import torch

Row = Mapping[str, object]


class Results:
    """Rows of a CSV file: those that it has already, and new ones, each written as it comes.

    Args:
        file: The file; its folder is made.
        columns: Names of the columns.
        key: The columns that tell what was measured; what is there is not measured again.

    Raises:
        ValueError: The file has other columns.
    """

    def __init__(self, file: Path, columns: Sequence[str], key: Sequence[str]) -> None:
        self._file, self._columns, self._key = file, list(columns), list(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        self.rows = read(file) if file.exists() else []
        if not self.rows:
            file.write_text(",".join(columns) + "\n", encoding="utf-8")
        elif list(self.rows[0]) != self._columns:
            raise ValueError(f"{file} has the columns {', '.join(self.rows[0])}, not {', '.join(columns)}")
        self._had = {tuple(row[name] for name in key) for row in self.rows}

    def has(self, **measured: object) -> bool:
        """Return whether there are rows with this key."""
        return tuple(str(measured[name]) for name in self._key) in self._had

    def add(self, rows: Iterable[Row]) -> None:
        """Write rows, and keep them."""
        with self._file.open("a", encoding="utf-8", newline="") as stream:
            for row in rows:
                texts = {name: _text(row[name]) for name in self._columns}
                csv.DictWriter(stream, self._columns, lineterminator="\n").writerow(texts)
                self.rows.append(texts)


def read(file: Path) -> list[dict[str, str]]:
    """Return the rows of a file of results."""
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def interleaved(
    steps: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float],
    repeats: int = 1,
    untimed: int = 0,
) -> dict[str, list[float]]:
    """Return the seconds that each step takes, one number a round; all are timed in turn in each round.

    Args:
        steps: What is timed.
        rounds: How often.
        clock: Returns seconds.
        repeats: How often a step is run in each round, for the mean.
        untimed: How often it is run before: the first run finds caches and free memory as another step left them.
    """
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():  # compiles, and fills caches
        step()
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            for _ in range(untimed):
                step()
            begin = clock()
            for _ in range(repeats):
                step()
            taken[name].append((clock() - begin) / repeats)
    return taken


def ratio(times: Sequence[float], others: Sequence[float]) -> float:
    """Return the median over rounds of how many times as long one took as another."""
    return statistics.median(one / other for one, other in zip(times, others, strict=True))


def clock_of(device: torch.device, threads: int) -> Callable[[], float]:
    """Return a clock in seconds: the time of the thread where there is one, so that other processes matter less."""
    if device.type != "cpu":

        def synchronized() -> float:
            torch.cuda.synchronize(device)
            return time.perf_counter()

        return synchronized
    return time.thread_time if threads == 1 else time.perf_counter


def machine_of(device: torch.device) -> str:
    """Return in words what is measured on."""
    is_cpu = device.type == "cpu"
    name = f"{_processor()} of {os.cpu_count()} cores" if is_cpu else torch.cuda.get_device_name(device)
    return f"{name}; torch {torch.__version__.partition('+')[0]}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE) if info.exists() else None
    return re.sub(r"\((?:R|TM)\)", "", found[1]) if found else platform.processor() or platform.machine()


def add_options(parser: argparse.ArgumentParser, rounds: int, elsewhere: str) -> None:
    """Add the options that all benchmarks take: devices, rounds and the folder of the results.

    Args:
        parser: Takes them.
        rounds: How many rounds there are unless told otherwise.
        elsewhere: What takes another folder, since the file of results does not tell it.
    """
    parser.add_argument(
        "--devices", nargs="+", type=device, metavar="DEVICE", help="cpu, and cuda where there is one",
        default=[torch.device("cpu")] + [torch.device("cuda")] * torch.cuda.is_available(),
    )  # fmt: skip
    parser.add_argument("--rounds", type=at_least_one, default=rounds, metavar="N", help=str(rounds))
    parser.add_argument(
        "--output", type=Path, default=Path("runs/benchmarks"), metavar="FOLDER",
        help=f"runs/benchmarks; {elsewhere} another one",
    )  # fmt: skip


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def elements(text: str) -> int:
    """Return a number of elements, ``64M`` for instance; k and M are powers of two.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    found = re.fullmatch(r"([1-9]\d*)([kM]?)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of elements such as 4096, 32k or 1M")
    return int(found[1]) << {"": 0, "k": 10, "M": 20}[found[2]]


def in_words(size: int) -> str:
    """Return a number of elements as :func:`elements` reads it."""
    for power, unit in ((20, "M"), (10, "k")):
        if size % (1 << power) == 0:
            return f"{size >> power}{unit}"
    return str(size)


def at_least_one(text: str) -> int:
    """Return a number from 1 on.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number, at least 1")
    return int(text)


def threads(text: str) -> int:
    """Return a number of threads; ``all`` is one a core.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    return os.cpu_count() or 1 if text == "all" else at_least_one(text)


def device(text: str) -> torch.device:
    """Return a device that is there.

    Raises:
        argparse.ArgumentTypeError: It is not.
    """
    if text == "cpu" or (re.fullmatch(r"cuda(:\d+)?", text) and torch.cuda.is_available()):
        return torch.device(text)
    has = "cpu, cuda" if torch.cuda.is_available() else "cpu; torch finds no GPU"
    raise argparse.ArgumentTypeError(f"{text!r}: this machine has {has}")
