"""Monitors of callbacks: refused where nothing logs them, taken where a later batch or epoch does."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightning_acts.runs import training
from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import load
from lightning_acts.runs.reading import ConfigError

CONFIG = """
model: {_target_: lateclasses.Classifier}
data: {_target_: lightning_acts.zoo.Digits, batch_size: 200}
callbacks:
  best: {_target_: lightning.pytorch.callbacks.ModelCheckpoint, monitor: val/acc, mode: max, filename: best, enable_version_counter: false}
trainer: {max_epochs: 1, accelerator: cpu, num_sanity_val_steps: 1}
"""
CLASSES = """
import lightning as L
import torch
from torch import nn
from lightning_acts.zoo import ImageClassifier

def net(num_classes=10):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, num_classes))

class Classifier(ImageClassifier):
    def __init__(self):
        super().__init__("lateclasses:net", in_channels=1)

    def training_step(self, batch, batch_idx):
        if batch_idx == 2:
            self.log("late/first", 1.0)
            self.log(f"later/{batch_idx}", 1.0)
            self.log("late" + f"/sum{batch_idx}", 1.0)
            self.log("late/both", 1.0, on_step=True, on_epoch=True)
        return super().training_step(batch, batch_idx)

class Logs(L.Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if batch_idx == 2:
            self.log("late/callback", 1.0)
"""
EARLY = "+callbacks.early={{_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: {}}}"
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(autouse=True)
def classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "lateclasses.py").write_text(CLASSES)
    (tmp_path / "c.yaml").write_text(CONFIG)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "_draw", lambda *_: None)
    monkeypatch.setattr(training, "_tensorboard", lambda *_: [])
    yield
    sys.modules.pop("lateclasses", None)


def train(*overrides: str) -> None:
    training.train(check_config(load(["c.yaml"], overrides)), Path("r"), lambda folder: None)


def test_a_dry_run_tells_a_monitor_that_is_never_logged() -> None:
    assert "one batch of each stage ran" in training.dry_run(check_config(load(["c.yaml"])))
    with pytest.raises(ConfigError, match=r"command line: .*'val/accc' is never logged; did you mean 'val/acc'"):
        training.dry_run(check_config(load(["c.yaml"], ["callbacks.best.monitor=val/accc"])))


def test_a_run_tells_a_monitor_that_is_never_logged_before_an_epoch() -> None:
    with pytest.raises(ConfigError) as caught:
        train("callbacks.best.monitor=val/accc", EARLY.format("train/los"))
    (run,) = Path("r").glob("*/*")
    assert not (run / "metrics.csv").exists()
    assert "command line: callbacks.best.monitor=val/accc: " in str(caught.value)
    assert "callbacks.best.monitor: 'val/accc' is never logged; did you mean 'val/acc'" in str(caught.value)
    assert "callbacks.early.monitor: 'train/los' is never logged; did you mean 'train/loss'" in str(caught.value)


@pytest.mark.parametrize("name", ["late/first", "later/2", "late/sum2", "late/both_epoch", "late/both_step"])
def test_what_a_later_batch_logs_is_taken(name: str) -> None:
    training.dry_run(check_config(load(["c.yaml"], [EARLY.format(name)])))
    train(EARLY.format(name))


def test_what_a_callback_logs_in_a_later_batch_is_taken() -> None:
    train("+callbacks.logs={_target_: lateclasses.Logs}", EARLY.format("late/callback"))


@pytest.mark.parametrize("name", ["late/firs", "late/both_epoc", "sum2", "early/2"])
def test_what_no_batch_logs_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"callbacks.early.monitor: '{name}' is never logged"):
        train(EARLY.format(name))
