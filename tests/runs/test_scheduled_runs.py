"""Runs with scheduled swaps: what is printed, logged and drawn of them."""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightning_acts.runs import training
from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import load
from lightning_acts.runs.folder import RunFolder
from lightning_acts.runs.reading import ConfigError

# 5 batches an epoch.
CONFIG = """
model: {_target_: lightning_acts.zoo.ImageClassifier, backbone: "scheduled_net:Net", in_channels: 1}
data: {_target_: lightning_acts.zoo.Digits, batch_size: 200}
swap:
  - map: {relu: mish}
    at: {epoch: 1}
    blend: {epochs: 2}
  - map: {prelu(init=0.25): silu}
    at: {step: 18}
callbacks:
  best: {_target_: lightning.pytorch.callbacks.ModelCheckpoint, monitor: val/acc, mode: max, filename: best, enable_version_counter: false}
trainer: {max_epochs: 4, accelerator: cpu}
"""

NET = """
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, IterableDataset
from lightning_acts.zoo import Digits

class Net(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.first, self.act, self.second, self.slope = nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 8), nn.PReLU()
        self.third, self.fourth, self.last = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, num_classes)

    def forward(self, x):
        x = self.slope(self.second(self.act(self.first(x.flatten(1)))))
        return self.last(F.gelu(self.fourth(F.relu(self.third(x)))))

class Stream(IterableDataset):
    def __iter__(self):
        yield from ((torch.zeros(1, 8, 8), 1) for _ in range(40))

class Endless(Digits):
    def train_dataloader(self):
        return DataLoader(Stream(), batch_size=10)
"""
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(autouse=True)
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "scheduled_net.py").write_text(NET)
    (tmp_path / "c.yaml").write_text(CONFIG)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(training, "_tensorboard", lambda *_: [])
    yield
    sys.modules.pop("scheduled_net", None)


def dry(*overrides: str) -> list[str]:
    said = training.dry_run(check_config(load(["c.yaml"], overrides)))
    return [line for line in said.splitlines() if " begins " in line]


@pytest.mark.parametrize(
    ("overrides", "first", "second"),
    [
        ([], "begins at epoch 1 (step 5), is over at epoch 3 (step 15)", "begins at epoch 3.6 (step 18) and changes at once"),
        (["trainer.accumulate_grad_batches=2"], "begins at epoch 1 (step 3), is over at epoch 3 (step 9)", "begins at epoch 6 (step 18) and changes at once; the fit ends before that, at epoch 4"),
        (["trainer.limit_train_batches=3"], "begins at epoch 1 (step 3), is over at epoch 3 (step 9)", "begins at epoch 6 (step 18) and changes at once; the fit ends before that, at epoch 4"),
        (["trainer.limit_train_batches=0.5"], "begins at epoch 1 (step 2), is over at epoch 3 (step 6)", "begins at epoch 9 (step 18) and changes at once; the fit ends before that, at epoch 4"),
        (["trainer.max_steps=12"], "begins at epoch 1 (step 5), is over at epoch 3 (step 15); the fit ends before that, at epoch 2.4", "begins at epoch 3.6 (step 18) and changes at once; the fit ends before that, at epoch 2.4"),
        (["~swap.0.at.epoch", "+swap.0.at.fraction=0.5", "trainer.max_steps=12", "trainer.max_epochs=-1"], "begins at epoch 1.2 (step 6), is over at epoch 3.2 (step 16); the fit ends before that, at epoch 2.4", "begins at epoch 3.6 (step 18) and changes at once; the fit ends before that, at epoch 2.4"),
        (["~swap.0.at", "+swap.0.at={metric: val/acc, above: 0.9}"], "begins when val/acc is more than 0.9, and takes 2 epochs", "begins at epoch 3.6 (step 18) and changes at once"),
        (["data._target_=scheduled_net.Endless"], "begins at epoch 1, is over at epoch 3", "begins at step 18 and changes at once"),
        (["data._target_=scheduled_net.Endless", "trainer.limit_train_batches=2"], "begins at epoch 1 (step 2), is over at epoch 3 (step 6)", "begins at epoch 9 (step 18) and changes at once; the fit ends before that, at epoch 4"),
    ],
)  # fmt: skip
def test_a_dry_run_tells_the_schedule(overrides: list[str], first: str, second: str) -> None:
    assert dry(*overrides) == [f"relu -> mish: {first}", f"prelu(init=0.25) -> silu: {second}"]


def test_a_dry_run_tells_swaps_that_mean_the_same() -> None:
    with pytest.raises(ConfigError, match="c.yaml:4: swap: two swaps mean backbone.act: relu -> mish has it already"):
        dry("~swap.1.map", "+swap.1.map={relu: silu}")


def test_a_dry_run_tells_a_metric_that_is_never_logged() -> None:
    with pytest.raises(
        ConfigError, match="c.yaml:4: swap: at: metric: 'val/accc' was not logged; did you mean 'val/acc'"
    ):
        dry("~swap.0.at", "+swap.0.at={metric: val/accc, above: 0.9}")


def test_a_run_tells_a_metric_that_is_never_logged_before_an_epoch() -> None:
    with pytest.raises(
        ConfigError, match=r"command line: .*swap.0.at.metric: 'val/accc' is never logged; did you mean"
    ):
        run("~swap.0.at", "+swap.0.at={metric: val/accc, above: 0.9}")


def run(*overrides: str) -> RunFolder:
    found: list[RunFolder] = []
    training.train(check_config(load(["c.yaml"], overrides)), Path("r"), found.append)
    return found[0]


def test_what_is_seen_of_a_run() -> None:
    folder = run("~swap.1.at", "+swap.1.at={metric: val/loss, below: 1000}")
    with folder.metrics.open() as file:
        rows = [{key: value for key, value in row.items() if key.startswith(("swap", "sites"))}
                for row in csv.DictReader(file)]  # fmt: skip
    expected: dict[str, list[float]] = {
        "swap/relu_to_mish": [0, 0.5, 1, 1],
        "swap/prelu_init_0.25_to_silu": [0, 1, 1, 1],
        "sites/relu": [2, 0, 0, 0],
        "sites/blend": [0, 2, 0, 0],
        "sites/mish": [0, 0, 2, 2],
        "sites/prelu": [1, 0, 0, 0],
        "sites/silu": [0, 1, 1, 1],
        "sites/gelu": [1, 1, 1, 1],
    }
    assert {name: [float(row[name]) for row in rows] for name in rows[0]} == expected
    lines = [line.split("INFO ")[1] for line in folder.log.read_text().splitlines() if "ActivationSwap at" in line]
    assert lines[0] == (
        "ActivationSwap at epoch 1, step 5: relu -> mish at 2 sites (backbone.act, backbone/relu/0) begins to take over, "
        "over 2 epochs, because epoch 1 has come"
    )
    assert lines[1].startswith(
        "ActivationSwap at epoch 1, step 5: prelu(init=0.25) -> silu at 1 site (backbone.slope) takes over at once, because "
        "val/loss is less than 1000 (now 2."
    )
    assert lines[2:] == [
        "ActivationSwap at epoch 3, step 15: relu -> mish at 2 sites (backbone.act, backbone/relu/0) has ended: the "
        "replacement runs alone"
    ]
    assert (folder.plots / "swaps.png").stat().st_size > 10_000


def test_a_run_without_a_schedule_has_no_picture_of_one() -> None:
    folder = run("~swap.1", "~swap.0.at", "~swap.0.blend", "trainer.max_epochs=1")
    assert not (folder.plots / "swaps.png").exists()
    assert not [name for name in folder.rows()[0] if name.startswith(("swap/", "sites/"))]


def test_the_picture_shows_the_swaps_and_the_metric_that_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(training, "plot_swaps", lambda *arguments: drawn.append(arguments))
    run("~swap.1.at", "+swap.1.at={metric: val/loss, below: 1000}")
    ((swaps, path, steps_per_epoch, metric),) = drawn
    assert path.name == "swaps.png"
    assert steps_per_epoch == 5
    assert metric[0] == "val/loss"
    assert [epoch for epoch, _ in metric[1]] == [1, 2, 3, 4]
    first, second = swaps.values()
    assert second == [(0, 0), (1, 0), (1, 0), (1, 1), (2, 1), (3, 1), (4, 1)]
    assert (2, 0.5) in first and first[-1] == (4, 1) and max(epoch for epoch, amount in first if amount == 0) == 1.2
