"""Runs with scheduled swaps that are interrupted and killed, and resumed, against one that is not: equal to the bit."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_acts.runs.folder import RunFolder

# 5 batches an epoch: the first swap goes from step 5 to 15, the second one is made at step 18.
CONFIG = """
model: {_target_: lightning_acts.zoo.ImageClassifier, backbone: "smallnet:Net", in_channels: 1}
data: {_target_: lightning_acts.zoo.Digits, batch_size: 200}
swap:
  - map: {relu: prelu(init=0.1)}
    at: {epoch: 1}
    blend: {epochs: 2, shape: cosine}
  - map: {prelu(init=0.25): mish}
    include: backbone.slope
    at: {step: 18}
callbacks:
  best: {_target_: lightning.pytorch.callbacks.ModelCheckpoint, monitor: val/acc, mode: max, filename: best, enable_version_counter: false}
  stop: {_target_: smallnet.Stop}
trainer: {max_epochs: 5, accelerator: cpu}
"""

SMALLNET = """
import json, os, signal, time
import lightning as L
import torch
import torch.nn.functional as F
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.first, self.act, self.dropout = nn.Linear(64, 16), nn.ReLU(), nn.Dropout(0.2)
        self.second, self.slope = nn.Linear(16, 16), nn.PReLU()
        self.third, self.last = nn.Linear(16, 16), nn.Linear(16, num_classes)

    def forward(self, x):
        x = self.slope(self.second(self.dropout(self.act(self.first(x.flatten(1))))))
        return self.last(F.relu(self.third(x)))

class Stop(L.Callback):
    def at(self, hook, trainer, index=None):
        *when, number = json.loads(os.environ.get("STOP", "[0]"))
        if when == [hook, trainer.current_epoch, index] and not trainer.sanity_checking:
            os.kill(os.getpid(), number)
    def on_train_batch_start(self, trainer, module, batch, index):
        time.sleep(float(os.environ.get("PAUSE", 0)))
        self.at("train", trainer, index)
    def on_validation_batch_start(self, trainer, module, batch, index, loader=0): self.at("val", trainer, index)
    def on_train_epoch_end(self, trainer, module): self.at("end", trainer)
"""

#: Runs commands, a line each, in processes that need no time to import torch; tells their exit statuses.
SERVER = """
import json, os, sys
from lightning_acts.runs import training
from lightning_acts.zoo import Digits, ImageClassifier
import sklearn.datasets, sklearn.model_selection
training._draw = lambda *_: None
training._tensorboard = lambda *_: []
for line in sys.stdin:
    arguments, stop = json.loads(line)
    child = os.fork()
    if not child:
        from lightning_acts.cli.app import main
        os.environ["STOP"] = stop
        sys.argv = ["lightning-acts", *arguments]
        output = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1), os.dup2(output, 2)
        try:
            main()
        except SystemExit as exit:  # what the interpreter does at its end is not for a fork
            os._exit(exit.code or 0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("interrupted")
    (path / "smallnet.py").write_text(SMALLNET)
    (path / "c.yaml").write_text(CONFIG)
    return path


class Server:
    def __init__(self, folder: Path, process: "subprocess.Popen[str]") -> None:
        self.folder, self.process = folder, process

    def __call__(self, *arguments: str, stop: tuple[Any, ...] = (0,)) -> int:
        asked, told = self.process.stdin, self.process.stdout
        print(json.dumps([arguments, json.dumps(stop)]), file=asked, flush=True)
        assert told is not None
        return int(told.readline())

    def said(self) -> str:
        return (self.folder / "said.txt").read_text()

    def only(self, out: str) -> RunFolder:
        (run,) = self.folder.glob(f"{out}/*/*")
        return RunFolder(run)


@pytest.fixture(scope="module")
def command(folder: Path) -> Iterator[Server]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    yield Server(folder, process)
    process.communicate(timeout=30)


@pytest.fixture(scope="module")
def whole(command: Server) -> RunFolder:
    assert command("train", "c.yaml", "--out", "whole") == 0, command.said()
    return command.only("whole")


def assert_same(one: RunFolder, other: RunFolder, swapped: int = 2) -> None:
    assert one.metrics.read_text() == other.metrics.read_text()
    for name in ("last", "best"):
        first, second = (torch.load(run.checkpoints / f"{name}.ckpt", weights_only=True) for run in (one, other))
        assert first["state_dict"].keys() == second["state_dict"].keys()
        assert all(torch.equal(value, second["state_dict"][key]) for key, value in first["state_dict"].items())
        torch.testing.assert_close(first["optimizer_states"], second["optimizer_states"], rtol=0, atol=0)
        swaps = [{key: state for key, state in each["callbacks"].items() if "ActivationSwap" in key}
                 for each in (first, second)]  # fmt: skip
        assert len(swaps[0]) == swapped
        assert swaps[0] == swaps[1]
    assert one.read("summary.json")["metrics"] == other.read("summary.json")["metrics"]


MOMENTS: list[tuple[str, int, int | None]] = [
    ("train", 0, 3),  # before the first swap begins
    ("train", 1, 0),  # at its beginning
    ("train", 1, 1),  # after it
    ("train", 2, 2),  # in mid-blend
    ("val", 1, 0),  # in a validation of the blend
    ("train", 2, 4),  # before its end
    ("end", 2, None),  # at its end
    ("train", 3, 0),  # after it
    ("train", 3, 2),  # before the second swap
    ("train", 3, 3),  # at it
    ("train", 3, 4),  # after it
    ("val", 3, 1),  # in the validation of its epoch
]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_interrupted_and_resumed_it_is_the_same(
    moment: tuple[str, int, int | None], number: signal.Signals, command: Server, whole: RunFolder
) -> None:
    out = "-".join(map(str, (*moment, number.name)))
    status = command("train", "c.yaml", "--out", out, stop=(*moment, number))
    assert status == (130 if number == signal.SIGINT else -9), command.said()
    run = command.only(out)
    assert run.status() != "finished"
    assert command("resume", str(run.path)) == 0, command.said()
    assert run.status() == "finished"
    assert_same(whole, run)


#: Shipped configs of three tasks, each with a swap that is blended in from step 5 to 15.
TASKS = {
    "generation/autoencoder_digits": "{mish: hardswish}",
    "tabular/wine_residual": "{mish: 'prelu(init=0.1)'}",
    "fields/pinn_heat": "{tanh: gelu}",
}


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_tasks_of_the_zoo_killed_within_a_blend_are_the_same(task: str, command: Server) -> None:
    name = task.partition("/")[2]
    text = f"""
base: {task}
swap: [{{map: {TASKS[task]}, at: {{epoch: 1}}, blend: {{epochs: 2}}}}]
data: {{batch_size: 8}}
trainer: {{max_epochs: 4, limit_train_batches: 5, accelerator: cpu}}
callbacks: {{stop: {{_target_: smallnet.Stop}}}}
"""
    (command.folder / f"{name}.yaml").write_text(text)
    assert command("train", f"{name}.yaml", "--out", f"{name}-whole") == 0, command.said()
    assert command("train", f"{name}.yaml", "--out", f"{name}-parts", stop=("train", 2, 2, signal.SIGKILL)) == -9
    parts = command.only(f"{name}-parts")
    assert command("resume", str(parts.path)) == 0, command.said()
    assert_same(command.only(f"{name}-whole"), parts, swapped=1)
