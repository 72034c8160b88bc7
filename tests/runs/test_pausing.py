"""A run that is stopped at any moment of an epoch, and resumed, against one that is not: equal to the bit."""

import copy
import dataclasses
import io
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_acts.runs import training
from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import load
from lightning_acts.runs.folder import RunError, RunFolder
from lightning_acts.runs.reading import ConfigError
from lightning_acts.surgery.checkpoints import CheckpointError

# 5 batches an epoch, 2 in a validation.
CONFIG = """
model: {_target_: lightning_acts.zoo.ImageClassifier, backbone: "smallnet:net", in_channels: 1}
data: {_target_: lightning_acts.zoo.Digits, batch_size: 200}
callbacks:
  best: {_target_: lightning.pytorch.callbacks.ModelCheckpoint, monitor: val/acc, mode: max, filename: best, enable_version_counter: false}
  stop: {_target_: smallnet.Stop}
trainer: {max_epochs: 3, accelerator: cpu}
"""

SMALLNET = """
import os, signal
import lightning as L
import torch
from torch import nn
from lightning_acts.zoo import ImageClassifier

WHEN = None  # (hook, epoch, index)

class Killed(BaseException):
    pass

def net(num_classes=10):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, num_classes))

class Stop(L.Callback):
    def at(self, hook, trainer, index=None):
        if WHEN and WHEN[:3] == (hook, trainer.current_epoch, index) and not trainer.sanity_checking:
            if WHEN[3] == "kill":
                raise Killed
            os.kill(os.getpid(), WHEN[3])
    def on_train_batch_start(self, trainer, module, batch, index): self.at("train", trainer, index)
    def on_validation_batch_start(self, trainer, module, batch, index, loader=0): self.at("val", trainer, index)
    def on_train_epoch_end(self, trainer, module): self.at("end", trainer)
    def on_test_start(self, trainer, module): self.at("test", trainer)

class Plateau(ImageClassifier):
    def __init__(self, interval="epoch", frequency=1):
        if frequency < 1:
            raise ValueError(f"a frequency is 1 at least, not {frequency}")
        super().__init__("smallnet:net", in_channels=1)
        self.interval, self.frequency = interval, frequency

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), 0.1)
        # Whatever it is told, it gets lower with each step.
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", threshold=10.0, patience=0)
        monitor = "val/acc" if self.interval == "epoch" else "train/loss_step"
        settings = {"scheduler": scheduler, "monitor": monitor, "interval": self.interval, "frequency": self.frequency}
        return {"optimizer": optimizer, "lr_scheduler": settings}

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.log("train/loss_step", loss.detach())
        return loss
"""


@pytest.fixture
def smallnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "smallnet.py").write_text(SMALLNET)
    (tmp_path / "c.yaml").write_text(CONFIG)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(training, "_draw", lambda *_: None)
    monkeypatch.setattr(training, "_tensorboard", lambda *_: [])
    import smallnet

    # A background job of a shell is started with Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield smallnet
    signal.signal(signal.SIGINT, before)
    del sys.modules["smallnet"]


def train(out: str, *overrides: str) -> RunFolder:
    found: list[RunFolder] = []
    try:
        training.train(check_config(load(["c.yaml"], overrides)), Path(out), found.append)
    except BaseException as error:
        if not found or not (isinstance(error, training.Interrupted) or type(error).__name__ == "Killed"):
            raise
    return found[0]


def resume(folder: RunFolder, *overrides: str) -> None:
    config = load([str(folder.config)], overrides)
    training.resume(check_config(dataclasses.replace(config, name=folder.name())), folder)


def assert_same(one: RunFolder, other: RunFolder) -> None:
    assert one.metrics.read_text() == other.metrics.read_text()
    for name in ("last", "best"):
        first, second = (torch.load(run.checkpoints / f"{name}.ckpt", weights_only=True) for run in (one, other))
        assert first["epoch"] == second["epoch"]
        assert first["lr_schedulers"] == second["lr_schedulers"]
        assert all(torch.equal(value, second["state_dict"][key]) for key, value in first["state_dict"].items())
    summaries = [run.read("summary.json") for run in (one, other)]
    for summary in summaries:
        del summary["seconds"]
    assert summaries[0] == summaries[1]


INT, TERM = signal.SIGINT, signal.SIGTERM
SWAP = "+swap=[{map: {relu: prelu(init=0.1)}, at: {epoch: 1}, blend: {epochs: 1}}]"  # more in test_interrupted_swaps.py
MOMENTS: list[tuple[tuple[str, int, int | None, Any], tuple[str, ...]]] = [
    (("train", 0, 0, INT), ()),
    (("train", 1, 0, INT), ()),
    (("train", 1, 2, TERM), ()),
    (("train", 1, 3, INT), ()),
    (("train", 1, 4, TERM), ()),
    (("train", 2, 4, INT), ()),
    (("val", 0, 0, INT), ()),
    (("val", 1, 1, TERM), ()),
    (("end", 1, None, INT), ()),
    (("end", 2, None, TERM), ()),
    (("test", 3, None, INT), ()),
    (("train", 1, 3, "kill"), ()),
    (("val", 0, 1, "kill"), ()),
    (("val", 2, 1, "kill"), ()),
    (("end", 0, None, "kill"), ()),
    (("end", 1, None, "kill"), ()),
    (("test", 3, None, "kill"), ()),
    (("train", 1, 2, INT), ("trainer.accumulate_grad_batches=2",)),
    (("train", 1, 1, INT), ("trainer.val_check_interval=0.5",)),
    (("val", 1, 0, INT), ("trainer.val_check_interval=0.5",)),
    (("train", 1, 2, INT), ("trainer.max_steps=12",)),
    (("train", 2, 1, INT), ("trainer.max_steps=12",)),
    (("train", 1, 1, INT), ("trainer.limit_train_batches=3",)),
    (("train", 1, 2, INT), ("trainer.limit_train_batches=3",)),
    (("train", 1, 2, INT), (SWAP,)),
    (("train", 1, 2, INT), ("data.num_workers=2",)),
    (("end", 0, None, INT), ("data.num_workers=1",)),
    (("train", 1, 2, INT), ("optimizer={_target_: torch.optim.SGD, lr: 0.1, momentum: 0.9}", "scheduler={_target_: torch.optim.lr_scheduler.StepLR, step_size: 1}")),
    (("end", 0, None, INT), ("model={_target_: smallnet.Plateau}",)),
    (("end", 1, None, "kill"), ("model={_target_: smallnet.Plateau}",)),
    (("end", 1, None, INT), ("model={_target_: smallnet.Plateau, frequency: 2}",)),
    (("train", 1, 2, INT), ("model={_target_: smallnet.Plateau}",)),
    (("train", 1, 2, INT), ("model={_target_: smallnet.Plateau, interval: step}",)),
    (("test", 2, None, INT), ("+callbacks.early={_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: train/loss, mode: max, patience: 1}",)),
]  # fmt: skip


_FAST = {("train", 0, 0), ("train", 1, 2), ("train", 1, 4), ("val", 1, 1), ("end", 0, None)}


@pytest.mark.parametrize(
    ("moment", "options"),
    [
        pytest.param(*entry, marks=[] if entry[0][:3] in _FAST and entry[1] in ((), (SWAP,)) else pytest.mark.slow)
        for entry in MOMENTS
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_stopped_at_any_moment(moment: tuple[Any, ...], options: tuple[str, ...], smallnet: Any) -> None:
    whole = train("whole", *options)
    smallnet.WHEN = moment
    parts = train("parts", *options)
    assert parts.status() != "finished"
    smallnet.WHEN = None
    resume(parts)
    assert parts.status() == "finished"
    assert_same(whole, parts)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damage_that_a_resume_tells(smallnet: Any, tmp_path: Path) -> None:
    folder = train("r", "trainer.max_epochs=2")
    last, best = folder.last.read_bytes(), folder.best.read_bytes()
    config, before = folder.config.read_text(), folder.metrics.read_text()

    def refused(message: str, *overrides: str) -> None:
        with pytest.raises((RuntimeError, ValueError), match=message):
            resume(folder, *(overrides or ("trainer.max_epochs=3",)))
        assert folder.config.read_text() == config
        assert folder.metrics.read_text() == before

    refused("1 is less than the 2 epochs", "trainer.max_epochs=1")
    folder.best.unlink()
    refused("best.ckpt is missing, which last.ckpt names as the best")
    with pytest.raises(RunError, match="best.ckpt is missing, which last.ckpt names"):
        _ = folder.best
    (folder.checkpoints / "best.ckpt").write_bytes(best)
    for part, value, message in [
        ("optimizer_states", {}, "its part 'optimizer_states' is of type dict"),
        ("loops", None, "its part 'loops' is of type NoneType"),
        ("state_dict", [1], "its state_dict is of type list"),
        ("state_dict", {"backbone.1.weight": "x"}, "'backbone.1.weight' in its state_dict is of type str"),
    ]:
        changed = torch.load(io.BytesIO(last), weights_only=True)
        torch.save({**changed, part: value}, folder.last)
        refused(message)
    changed["callbacks"]["Recorder"] = {"rows": 5, "ended": False}
    torch.save(changed, folder.last)
    refused("last.ckpt can't be resumed from: TypeError")
    where = last.index(
        torch.load(io.BytesIO(last), weights_only=True)["state_dict"]["backbone.1.weight"].numpy().tobytes()
    )
    folder.last.write_bytes(last[: where + 3] + bytes([last[where + 3] ^ 0x40]) + last[where + 4 :])
    refused(r"is damaged: the checksum of its record .*data/\d+ is wrong")
    folder.last.unlink()
    refused("last.ckpt is missing, though the run has whole epochs behind it")
    folder.last.write_bytes(last)
    for text in ('{"status": "done"}', '["running"]', "7"):
        (folder.path / "status.json").write_text(text)
        with pytest.raises(RunError, match="is damaged: .* is not one of running"):
            folder.status()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_parts_of_a_checkpoint_that_do_not_fit_are_told_with_its_name(smallnet: Any) -> None:
    folder = train("r", "trainer.max_epochs=1")
    whole = torch.load(folder.last, weights_only=True)
    for path, value in [
        (("callbacks", "Recorder"), {"rows": 5}),
        (("lr_schedulers",), [7]),
        (("optimizer_states",), ["x"]),
        (("loops", "fit_loop"), []),
        (("lightning_acts_exact_resume",), "x"),
        (("lightning_acts_exact_resume", "generators"), {"torch": 1}),
    ]:
        changed = copy.deepcopy(whole)
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        torch.save(changed, folder.last)
        with pytest.raises(CheckpointError, match="last.ckpt can't be resumed from"):
            resume(folder, "trainer.max_epochs=2")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_damaged_best_checkpoint_is_told_before_training_goes_on(smallnet: Any) -> None:
    folder = train("r", "trainer.max_epochs=1")
    folder.best.write_bytes(folder.best.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match=r"best.ckpt can't be read: it is truncated"):
        resume(folder, "trainer.max_epochs=2")
    assert len(folder.rows()) == 1


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_moved_run_keeps_its_best_and_mends_its_metrics(smallnet: Any) -> None:
    stayed = train("r", "trainer.max_epochs=2")
    shutil.copytree(stayed.path, "moved")
    moved = RunFolder(Path("moved").absolute())
    moved.metrics.write_text(moved.metrics.read_text()[:-20])
    with pytest.raises(RunError, match=r"metrics.csv:3: the line is damaged: it is cut"):
        moved.rows()
    for folder in (stayed, moved):
        resume(folder, "trainer.max_epochs=4")
    assert_same(stayed, moved)
    assert moved.name() == "c"
    state = next(
        state for state in torch.load(moved.last, weights_only=True)["callbacks"].values() if "dirpath" in state
    )
    assert str(stayed.path) not in str(state)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_class_that_refuses_its_values_is_told_at_once(smallnet: Any) -> None:
    wrong = (
        "model={_target_: smallnet.Plateau, frequency: 0}",
        "data.test_fraction=7",
        "callbacks.best.mode=upwards",
        "trainer.devices=[0, 1]",
    )
    with pytest.raises(ConfigError) as caught:
        training.dry_run(check_config(load(["c.yaml"], wrong)))
    assert [str(problem.origin) for problem in caught.value.problems] == [f"command line: {text}" for text in wrong]
