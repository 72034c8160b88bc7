"""The life of a run, by the command line, in a folder away from the project."""

import csv
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lightning_acts.runs import training
from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import load
from lightning_acts.runs.reading import ConfigError

pytestmark = pytest.mark.slow

Cli = Callable[..., subprocess.CompletedProcess[str]]


def only_run(project: Path) -> Path:
    (run,) = project.glob("runs/*/*")
    return run


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def weights(run: Path, name: str = "last") -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]
    return state


def assert_same_run(one: Path, other: Path) -> None:
    assert rows(one) == rows(other)
    for name in ("last", "best"):
        first, second = weights(one, name), weights(other, name)
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first)
    summaries = [json.loads((run / "summary.json").read_text()) for run in (one, other)]
    assert summaries[0]["metrics"] == summaries[1]["metrics"]


def status(run: Path) -> str:
    found: str = json.loads((run / "status.json").read_text())["status"]
    return found


def test_a_strangers_model_from_yaml(project: Path, cli: Cli) -> None:
    done = cli("train", "mine.yaml")
    run = only_run(project)
    assert run.parent.name == "mine"
    assert "-prelu-s3-" in run.name
    shown = f"run: runs/mine/{run.name}"
    lines = done.stderr.strip().splitlines()
    assert lines[0] == shown
    assert lines[-1] == shown
    assert [line for line in lines if line.startswith("epoch ")][-1].startswith("epoch 4 of 4: ")
    assert "litlogger" not in done.stdout + done.stderr
    assert "test/loss" in done.stdout
    written = {
        str(path.relative_to(run)) for path in run.rglob("*") if path.is_file() and "tensorboard" not in path.parts
    }
    assert written == {
        ".lock", "config.yaml", "env.json", "swap.json", "metrics.csv", "summary.json", "status.json", "run.log",
        "checkpoints/best.ckpt", "checkpoints/last.ckpt", "plots/metrics.png", "plots/activations.png",
    }  # fmt: skip
    assert status(run) == "finished"
    assert [row["epoch"] for row in rows(run)] == ["0", "1", "2", "3"]
    assert float(rows(run)[-1]["val/acc"]) > 0.8
    swap = json.loads((run / "swap.json").read_text())
    assert swap["plans"][0]["sites"] == [{"paths": ["net.2"], "original": "relu", "replacement": "prelu(init=0.1)"}]
    assert {"torch", "lightning", "lightning-acts"} <= set(json.loads((run / "env.json").read_text())["packages"])
    assert "ActivationSwap swapped relu -> prelu(init=0.1) at 1 site" in (run / "run.log").read_text()

    evaluated = json.loads(cli("eval", str(run), "--json").stdout)
    assert evaluated["test/loss"] == json.loads((run / "summary.json").read_text())["metrics"]["test/loss"]
    cli("predict", str(run), "--out", "p.csv")
    with (project / "p.csv").open() as file:
        predictions = list(csv.reader(file))
    assert len(predictions) == 1 + 496
    assert sum(map(float, predictions[1][1:])) == pytest.approx(1, abs=1e-5)
    assert "exists, and is not overwritten" in cli("predict", str(run), "--out", "p.csv", expect=1).stderr
    assert "after 4 epochs" in cli("resume", str(run)).stderr

    sites = json.loads(cli("inspect", str(run), "--json").stdout)
    assert [site["activation"] for site in sites] == ["prelu(init=0.1)", "softmax(dim=1)"]  # of predict_step
    cli("swap", str(run), "--map", "prelu=mish", "--out", "mish.pt")
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert torch.equal(torch.load(project / "mish.pt")["net.1.weight"], best["net.1.weight"])
    assert "is a run and has its own weights" in cli("inspect", str(run), "--weights", "x", expect=2).stderr
    cli("train", "mine.yaml")
    assert len(list(project.glob("runs/*/*"))) == 2


def test_the_same_twice_is_the_same_to_the_last_digit(project: Path, cli: Cli) -> None:
    cli("train", "mine.yaml", "--out", "one")
    cli("train", "mine.yaml", "--out", "two")
    assert_same_run(*(next(project.glob(f"{out}/*/*")) for out in ("one", "two")))


def test_resumed_at_an_epochs_end_it_is_the_same(project: Path, cli: Cli) -> None:
    cli("train", "mine.yaml", "--out", "whole")
    cli("train", "mine.yaml", "trainer.max_epochs=2", "--out", "parts")
    (parts,) = project.glob("parts/*/*")
    cli("resume", str(parts), "trainer.max_epochs=4")
    (whole,) = project.glob("whole/*/*")
    assert_same_run(whole, parts)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_within_an_epoch_and_resumed_it_is_the_same(project: Path, cli: Cli, number: int) -> None:
    # Our data module keeps its place; the stranger's can't.
    options = ["data._target_=lightning_acts.zoo.Digits"]
    cli("train", "mine.yaml", *options, "--out", "whole")
    process = start(project, "train", "mine.yaml", *options, "model.pause=0.05", "--out", "parts")
    while not list(project.glob("parts/*/*/checkpoints/last.ckpt")):
        time.sleep(0.02)
        assert process.poll() is None
    time.sleep(0.4)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    (parts,) = project.glob("parts/*/*")
    assert process.returncode == 130, said
    assert f"lightning-acts resume parts/mine/{parts.name}" in said
    assert "Traceback" not in said
    assert status(parts) == "interrupted"
    checkpoint = torch.load(parts / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] % 16 != 0, "not within an epoch"
    text = (parts / "config.yaml").read_text()
    (parts / "config.yaml").write_text(text.replace("pause: 0.05", "pause: 0.0"))
    cli("resume", str(parts))
    (whole,) = project.glob("whole/*/*")
    assert_same_run(whole, parts)


def test_killed_at_random_and_resumed_each_time(project: Path, cli: Cli) -> None:
    cli("train", "mine.yaml", "trainer.max_epochs=12", "--out", "whole")
    process = start(project, "train", "mine.yaml", "trainer.max_epochs=12", "model.pause=0.05", "--out", "parts")
    generator = random.Random(5)
    while not list(project.glob("parts/*/*/checkpoints/last.ckpt")):
        time.sleep(0.02)
    for _ in range(5):
        time.sleep(generator.uniform(0.2, 1.5))
        assert process.poll() is None, "it ended before it was killed"
        process.kill()
        process.communicate()
        (parts,) = project.glob("parts/*/*")
        before = (parts / "checkpoints" / "last.ckpt").stat().st_mtime_ns
        process = start(project, "resume", str(parts))
        while (parts / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before and process.poll() is None:
            time.sleep(0.02)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 0, said
    (whole,) = project.glob("whole/*/*")
    assert [row["epoch"] for row in rows(parts)] == [str(epoch) for epoch in range(12)]
    assert_same_run(whole, parts)
    assert not list(parts.rglob("*.unfinished"))


def test_what_a_killed_process_was_writing_goes(project: Path, cli: Cli) -> None:
    cli("train", "mine.yaml", "trainer.max_epochs=1")
    run = only_run(project)
    left = [run / name for name in (".metrics.csv.7.unfinished", "checkpoints/.last.ckpt.7.unfinished")]
    for path in left:
        path.write_text("half")
    cli("resume", str(run), "trainer.max_epochs=2")
    assert not any(path.exists() for path in left)


def start(project: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lightning_acts", *arguments]
    return subprocess.Popen(
        command, cwd=project, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_what_would_make_it_another_run_is_refused(project: Path, cli: Cli) -> None:
    cli("train", "mine.yaml", "trainer.max_epochs=1")
    run = str(only_run(project))
    refused = cli(
        "resume", run, "trainer.max_epochs=2", "seed=4", "trainer.precision=64-true", "model.width=8", expect=2
    ).stderr
    for name in ("seed", "trainer.precision", "model"):
        assert f"{name}: a resumed run can't change this" in refused
    assert "max_epochs" not in refused


def test_damaged_folders(project: Path, cli: Cli) -> None:
    cli("train", "mine.yaml", "trainer.max_epochs=1")
    run = only_run(project)
    last = run / "checkpoints" / "last.ckpt"
    whole = last.read_bytes()
    last.write_bytes(whole[:1000])
    assert (
        "last.ckpt can't be read: it is truncated" in cli("resume", str(run), "trainer.max_epochs=2", expect=1).stderr
    )
    other = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    other["state_dict"] = {"another": torch.ones(1)}
    torch.save(other, run / "checkpoints" / "best.ckpt")
    assert "another" in cli("eval", str(run), expect=1).stderr
    last.write_bytes(whole)
    (run / "status.json").write_text("{")
    assert "status.json is damaged" in cli("resume", str(run), expect=1).stderr
    (run / "status.json").unlink()
    assert "status.json is missing" in cli("resume", str(run), expect=1).stderr
    (run / "config.yaml").unlink()
    assert "config.yaml is missing" in cli("eval", str(run), expect=1).stderr
    assert "there is no run 'nowhere'" in cli("eval", "nowhere", expect=1).stderr


def test_a_run_in_use_is_left_alone(project: Path, cli: Cli) -> None:
    process = start(project, "train", "mine.yaml", "model.pause=0.1", "trainer.max_epochs=1000")
    while not list(project.glob("runs/*/*/checkpoints/last.ckpt")):
        time.sleep(0.05)
    assert "is in use" in cli("resume", str(only_run(project)), expect=1).stderr
    process.kill()
    process.communicate()


def test_a_dry_run_writes_nothing(project: Path, cli: Cli) -> None:
    before = sorted(project.rglob("*"))
    said = cli("train", "mine.yaml", "--dry-run").stdout
    assert "relu" in said
    assert "prelu(init=0.1)" in said
    assert "would train 4 epochs" in said
    after = [path for path in sorted(project.rglob("*")) if "__pycache__" not in path.parts]
    assert after == before


def test_a_dry_run_needs_no_test(project: Path, own_modules: None) -> None:
    (project / "untested.py").write_text("""
import lightning as L
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

class Points(L.LightningDataModule):
    def train_dataloader(self):
        return DataLoader(TensorDataset(torch.randn(8, 2)), 4)

class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    def training_step(self, batch, index):
        return self.net(batch[0]).square().mean()
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)
""")
    (project / "untested.yaml").write_text("model: {_target_: untested.Net}\ndata: {_target_: untested.Points}\n")
    assert "one batch of each stage ran" in training.dry_run(check_config(load([str(project / "untested.yaml")])))


def test_a_dry_run_tells_what_the_run_would_be_refused_for(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(project)
    overrides = [
        "+trainer.enable_checkpointing=false",
        "trainer.devices=[0, 1]",
        "trainer.strategy=fsdp",
        "model.dropout=3.0",
        "callbacks.best.mode=maxx",
    ]
    with pytest.raises(ConfigError) as caught:
        training.dry_run(check_config(load(["mine.yaml"], overrides)))
    messages = [
        "model.dropout=3.0: model: dropout probability has to be between 0 and 1",
        "callbacks.best.mode=maxx: callbacks.best: `mode` can be min, max but got maxx",
        "trainer.devices=[0, 1]: trainer.devices: `devices` selected with `CPUAccelerator` should be an int > 0",
        "trainer.strategy=fsdp: trainer.strategy: The strategy `fsdp` requires a GPU accelerator",
    ]
    for problem, message in zip(caught.value.problems, messages, strict=True):
        assert str(problem).startswith(f"command line: {message}")
    with pytest.raises(ConfigError, match=r"trainer.enable_checkpointing: .* but found `ModelCheckpoint`"):
        training.dry_run(check_config(load(["mine.yaml"], overrides[:1])))
    assert not (project / "runs").exists()
    assert capfd.readouterr() == ("", "")


def test_a_dry_run_tells_where_the_argument_stands_that_does_not_fit_the_data() -> None:
    with pytest.raises(ConfigError) as caught:
        training.dry_run(check_config(load(["wine_residual"], ["model.in_features=7", "trainer.accelerator=cpu"])))
    message = "command line: model.in_features=7: model: TabularClassifier(in_features=7): Wine has in_features=13: alc"
    assert str(caught.value).startswith(message)
    with pytest.raises(ConfigError) as caught:
        training.dry_run(check_config(load(["own_images"], ["trainer.accelerator=cpu"])))
    assert re.match(
        r".*own_images.yaml:\d+: data: ImageFolder\(folder='my_images'\): there is no such", str(caught.value)
    )


def test_a_progress_bar_of_ones_own_where_there_is_no_terminal(project: Path, cli: Cli) -> None:
    bar = "+callbacks.bar={_target_: lightning.pytorch.callbacks.TQDMProgressBar}"
    assert "Epoch 0" in cli("train", "mine.yaml", "--dry-run", bar).stdout


def test_a_class_that_refuses_its_arguments(project: Path, cli: Cli) -> None:
    (project / "bad.yaml").write_text("model:\n  dropout: 3.0\ntrainer:\n  devices: 99")
    said = cli("train", "mine.yaml", "bad.yaml", expect=2).stderr
    assert "yaml:2: model: dropout probability has to be between 0 and 1" in said
    assert "Traceback" not in said
    assert not (project / "runs").exists()


def test_an_unwritable_place(project: Path, cli: Cli) -> None:
    (project / "file").write_text("")
    assert "no folder can be made in file" in cli("train", "mine.yaml", "--out", "file", expect=1).stderr


def test_two_processes_make_one_folder(project: Path, cli: Cli) -> None:
    cli("train", "mine.yaml", "trainer.devices=2", "trainer.strategy=ddp", "trainer.max_epochs=2")
    run = only_run(project)
    assert status(run) == "finished"
    assert [row["epoch"] for row in rows(run)] == ["0", "1"]


def test_two_processes_measure_what_one_does_on_an_odd_split(project: Path, cli: Cli) -> None:
    cli("train", "digits", "trainer.devices=2", "trainer.strategy=ddp", "trainer.accelerator=cpu", "trainer.max_epochs=1",
        "trainer.limit_train_batches=3", "data.test_fraction=0.225")  # fmt: skip
    run = only_run(project)
    by_two = json.loads((run / "summary.json").read_text())["metrics"]
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(
        text.replace("devices: 2", "devices: 1").replace("strategy: ddp", "strategy: auto")
    )
    by_one = json.loads(cli("eval", str(run), "--json").stdout)
    assert set(by_one) == {f"test/{name}" for name in ("loss", "acc", "f1", "auroc", "calibration_error")}
    assert by_one == pytest.approx({name: by_two[name] for name in by_one}, abs=1e-6)


def test_data_that_are_missing_or_damaged(project: Path, cli: Cli) -> None:
    missing = cli("train", "fashion_mnist", "data.folder=none", "data.download=false", expect=2).stderr
    assert "none has no train-images-idx3-ubyte" in missing
    assert "apt install dataset-fashion-mnist" in missing
    (project / "bad").mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (project / "bad" / f"{name}-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x09abc")
    damaged = cli("train", "fashion_mnist", "data.folder=bad", expect=2).stderr
    assert "bad/train-images-idx3-ubyte is damaged: (9,) needs 9 bytes, and it has 3" in damaged
    assert "Traceback" not in missing + damaged


def test_a_failure_is_noted(project: Path, cli: Cli) -> None:
    text = (project / "stranger.py").read_text()
    (project / "stranger.py").write_text(
        text.replace(
            "    def test_step",
            "    def on_train_epoch_end(self):\n        raise OSError(28, 'No space left on device')\n\n    def test_step",
        )
    )
    said = cli("train", "mine.yaml", expect=1).stderr
    assert "No space left on device" in said
    assert "Traceback" not in said
    assert status(only_run(project)) == "failed"


def test_lightnings_own_options_by_their_names(project: Path, cli: Cli) -> None:
    (project / "more.yaml").write_text(
        "trainer: {max_epochs: 2, gradient_clip_val: 1.0, accumulate_grad_batches: 2, precision: bf16-mixed}\n"
        "compile: {backend: eager}\n"
        "callbacks:\n"
        "  stop: {_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/acc, mode: max}\n"
        "  ema: {_target_: lightning.pytorch.callbacks.EMAWeightAveraging, decay: 0.9}\n"
        "  rate: {_target_: lightning.pytorch.callbacks.LearningRateMonitor}\n"
    )
    cli("train", "mine.yaml", "more.yaml")
    run = only_run(project)
    assert status(run) == "finished"
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 20


def test_optimizer_and_scheduler_for_a_model_that_takes_them(project: Path, cli: Cli) -> None:
    options = [
        "optimizer={_target_: torch.optim.SGD, lr: 0.25}",
        "scheduler={_target_: torch.optim.lr_scheduler.ExponentialLR, gamma: 0.5}",
    ]
    small = [
        "model.backbone=timm:resnet10t",
        "model.small_images=false",
        "trainer.limit_train_batches=2",
        "trainer.max_epochs=2",
    ]
    cli("train", "digits", "data.image_size=32", *small, *options)
    state = torch.load(only_run(project) / "checkpoints" / "last.ckpt", weights_only=True)["optimizer_states"][0]
    assert [group["lr"] for group in state["param_groups"]] == [0.0625, 0.0625]
    said = cli("train", "mine.yaml", options[0], expect=2).stderr
    assert "optimizer: LitDigits brings its own, and takes none from a config" in said


def test_a_run_without_a_swap_is_called_by_the_activation_of_its_model(project: Path, cli: Cli) -> None:
    cli("train", "mine.yaml", "~swap", "trainer.max_epochs=1")
    run = only_run(project)
    assert "-relu-s3-" in run.name
    assert json.loads((run / "summary.json").read_text())["activation"] == "relu"
    assert (run / "plots" / "activations.png").exists()


def test_a_run_whose_model_has_a_gate_alone_is_called_by_it(project: Path, cli: Cli) -> None:
    cli("train", "gpt_swiglu", "model.width=8", "trainer.max_epochs=1", "trainer.limit_train_batches=1")
    assert "-swiglu-s0-" in only_run(project).name


DRAWS = """
import stranger

class Draws(stranger.LitDigits):
    def plot_results(self, folder, label):
        from matplotlib.figure import Figure
        (folder / "label.txt").write_text(label)
        Figure((1, 1)).savefig(folder / "mine.png")
        if self.hparams.width == 8:
            raise KeyError("no such thing")
"""


@pytest.mark.parametrize("width", [32, 8])
def test_what_a_model_draws_is_shown_and_costs_no_run(project: Path, cli: Cli, width: int) -> None:
    (project / "draws.py").write_text(DRAWS)
    done = cli("train", "mine.yaml", "model._target_=draws.Draws", f"+model.width={width}", "trainer.max_epochs=1")
    run = only_run(project)
    assert status(run) == "finished"
    assert (run / "plots" / "label.txt").read_text() == "prelu"
    assert ("Draws.plot_results failed: KeyError: 'no such thing'" in done.stderr) is (width == 8)
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["images"]) == {"activations", "metrics", "mine"}
