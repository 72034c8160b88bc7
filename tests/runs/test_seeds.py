"""Processes of runs that are told to stop, or killed, from outside."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(project: Path) -> Iterator[Start]:
    """Starts ``lightning-acts`` in the stranger's folder."""
    started = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "lightning_acts", *arguments]
        # Files, not pipes: a child that lives on would keep those open.
        with (project / "said").open("a") as said:
            started.append(subprocess.Popen(command, cwd=project, stdout=said, stderr=said, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def child_of(process: subprocess.Popen[str]) -> int:
    """Wait for the process of the first seed."""
    while True:
        assert process.poll() is None
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in map(int, children):
            if b"--end-with-stdin" in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
        time.sleep(0.02)


def is_over(pid: int, within: float = 120) -> bool:
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    return False


def wait_for(folder: Path, pattern: str, process: subprocess.Popen[str]) -> Path:
    while not (found := list(folder.glob(pattern))):
        assert process.poll() is None, (folder / "said").read_text()
        time.sleep(0.02)
    return found[0]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="children are found in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_training_ends_with_the_process_that_started_it(project: Path, start: Start, number: int) -> None:
    process = start("train", "mine.yaml", "--seeds", "0,1", "model.pause=0.05", "trainer.max_epochs=1000")
    child = child_of(process)
    last = wait_for(project, "runs/*/*/checkpoints/last.ckpt", process)
    process.send_signal(number)
    assert process.wait(120) == (130 if number == signal.SIGTERM else -signal.SIGKILL)
    assert is_over(child)
    assert '"interrupted"' in (last.parents[1] / "status.json").read_text()
    assert len(list(project.glob("runs/*/*/config.yaml"))) == 1


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="children are found in /proc")
def test_told_to_stop_before_the_training_has_begun(project: Path, start: Start) -> None:
    process = start("train", "mine.yaml", "--seeds", "0,1")
    child = child_of(process)
    process.terminate()
    assert process.wait(120) == 130
    assert is_over(child)
    assert not list(project.glob("runs/*/*/config.yaml"))


def test_the_second_of_two_that_go_on_with_one_run_writes_nothing(project: Path, start: Start) -> None:
    first = start("train", "mine.yaml", "model.pause=0.1", "trainer.max_epochs=1000")
    run = wait_for(project, "runs/*/*/checkpoints/last.ckpt", first).parents[1]
    first.kill()
    first.wait()
    before = (run / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    one = start("resume", str(run))
    while (run / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before:
        assert one.poll() is None, (project / "said").read_text()
        time.sleep(0.02)
    config = (run / "config.yaml").read_bytes()
    other = start("resume", str(run), "trainer.max_epochs=2000")
    assert other.wait(120) == 1
    assert "is in use: another process is running it" in (project / "said").read_text()
    assert (run / "config.yaml").read_bytes() == config
    assert one.poll() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_config_that_ships_goes_on_to_the_bit(project: Path, start: Start, number: int) -> None:
    options = ["digits", "trainer.max_epochs=2", "trainer.limit_train_batches=30", "trainer.accelerator=cpu"]
    assert start("train", *options, "--out", "whole").wait(500) == 0
    process = start("train", *options, "--out", "parts")
    parts = wait_for(project, "parts/*/*/metrics.csv", process).parent
    time.sleep(0.3)
    process.send_signal(number)
    assert process.wait(120) == (130 if number == signal.SIGINT else -signal.SIGKILL)
    state = torch.load(parts / "checkpoints" / "last.ckpt", weights_only=True)
    assert (state["global_step"] > 30) == (number == signal.SIGINT) and state["global_step"] < 60
    assert start("resume", str(parts)).wait(500) == 0
    (whole,) = project.glob("whole/*/*")
    assert (whole / "metrics.csv").read_text() == (parts / "metrics.csv").read_text()
    for name in ("last", "best"):
        one, other = (
            torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"] for run in (whole, parts)
        )
        assert all(torch.equal(value, other[key]) for key, value in one.items())
