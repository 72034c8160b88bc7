"""Many runs of one config, and processes of runs that are told to stop, or killed, from outside."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import yaml

from lightning_acts.runs.config import load
from lightning_acts.runs.folder import RunFolder
from lightning_acts.runs.reading import ConfigError
from lightning_acts.runs.variants import Variant, run_config, run_variants

pytestmark = pytest.mark.slow

Cli = Callable[..., subprocess.CompletedProcess[str]]
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
            if b"lightning_acts.runs.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
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


def test_seeds_end_in_a_mean_and_an_interval_and_go_on(project: Path, cli: Cli) -> None:
    first = json.loads(cli("train", "mine.yaml", "trainer.max_epochs=1", "--seeds", "0,1,2", "--json").stdout)
    values = first["metrics"]["test/loss"]["values"]
    assert len(set(values)) == 3
    mean = sum(values) / 3
    deviation = (sum((value - mean) ** 2 for value in values) / 2) ** 0.5
    assert first["metrics"]["test/loss"]["mean"] == pytest.approx(mean)
    assert first["metrics"]["test/loss"]["ci95"] == pytest.approx(4.302652729911275 * deviation / 3**0.5)
    again = json.loads(cli("train", "mine.yaml", "trainer.max_epochs=1", "--seeds", "0,1,2,3", "--json").stdout)
    assert list(again["runs"].values())[:3] == list(first["runs"].values())
    assert len(list(project.glob("runs/*/*"))) == 4
    assert "± " in cli("train", "mine.yaml", "trainer.max_epochs=1", "--seeds", "0,1").stdout


def test_seeds_interrupted_go_on_where_they_stopped(project: Path, cli: Cli) -> None:
    options = [
        "mine.yaml",
        "data._target_=lightning_acts.zoo.Digits",
        "model.pause=0.05",
        "trainer.max_epochs=2",
        "--seeds",
        "0,1",
    ]
    command = [sys.executable, "-m", "lightning_acts", "train", *options]
    process = subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not list(project.glob("runs/*/*-s1-*/checkpoints/last.ckpt")) and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "the same command goes on where it stopped" in said
    table = json.loads(cli("train", *options, "--json").stdout)
    assert list(table["runs"]) == ["0", "1"]
    assert len(list(project.glob("runs/*/*"))) == 2


def test_variants_differ_in_overrides_and_seeds(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(project)
    elu, silu = ("swap.0.map.relu=elu",), ("swap.0.map.relu=silu",)
    variants = [Variant(elu, 0), Variant(silu, 0), Variant(silu, 1), Variant(("model.dropout=3.0",))]
    shared = {"out": Path("runs"), "overrides": ["trainer.max_epochs=1", "trainer.limit_train_batches=2"]}
    outcome = run_variants(["mine.yaml"], variants, **shared)  # type: ignore[arg-type]
    assert list(outcome.finished) == variants[:3]
    assert outcome.failed == variants[3:] and "dropout probability has to be between" in capfd.readouterr().err
    for variant, folder in outcome.finished.items():
        written = yaml.safe_load(folder.config.read_text())
        assert (written["swap"][0]["map"]["relu"], written["seed"]) == (
            variant.overrides[0].partition("=")[2],
            variant.seed,
        )
        assert folder.read("env.json")["command"] == sys.argv
    again = run_variants(["mine.yaml"], [*variants[:3], Variant(elu, 7)], **shared)  # type: ignore[arg-type]
    assert {variant: again.finished[variant] for variant in variants[:3]} == outcome.finished
    assert len(list(project.glob("runs/*/*"))) == 4
    with pytest.raises(ConfigError, match="sily"):
        run_variants(["mine.yaml"], [Variant(seed=8), Variant(("swap.0.map.relu=sily",))], **shared)  # type: ignore[arg-type]
    assert len(list(project.glob("runs/*/*"))) == 4


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


def test_who_watches_a_run_can_stop_it_and_a_run_can_end_without_a_test(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    config, said = load(["mine.yaml"], ["trainer.max_epochs=400"]), project / "said.log"
    seen: list[int] = []

    def watch(path: Path) -> bool:
        seen.append(len(RunFolder(path).rows()))
        return seen[-1] >= 2

    stopped = run_config(config, None, project / "runs", tested=False, watch=watch, said=said)
    assert stopped
    assert stopped.status() == "interrupted"
    assert seen == sorted(seen)
    assert 2 <= len(stopped.rows()) < 400
    assert "epoch 2 of 400" in said.read_text()
    short = load(["mine.yaml"], ["trainer.max_epochs=2"])
    finished = run_config(short, None, project / "runs", tested=False, watch=lambda path: False, said=said)
    assert finished
    assert finished.status() == "finished"
    assert not [name for name in finished.final_metrics() if name.startswith("test")]
    assert finished.final_metrics()["val/acc"] > 0.1
    failed = run_config(load(["mine.yaml"], ["model.width=none"]), None, project / "runs", said=said)
    assert failed is None
