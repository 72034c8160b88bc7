"""Both packages of Lightning; ``test_all_with_the_other_name`` runs every test of this folder with the older one."""

import copy
import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from models import loader
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.callbacks.packages import overrides

NAMES = ["lightning.pytorch", "pytorch_lightning"]


def net_of(package: Any) -> Any:
    class Net(package.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))

        def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
            return self.net(batch[0]).square().mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), 0.1)

    return Net


def trainer_of(package: Any, **options: Any) -> Any:
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return package.Trainer(max_epochs=1, accelerator="cpu", **quiet, **options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("listed", [True, False], ids=["in a list", "alone"])
def test_fit_save_and_load(name: str, listed: bool, tmp_path: Path) -> None:
    package = importlib.import_module(name)
    model, callback = net_of(package)(), acts.ActivationSwap({"relu": "prelu"})
    trainer = trainer_of(package, callbacks=[callback, acts.ExactResume()] if listed else callback)
    trainer.fit(model, loader())
    assert type(model.net[1]) is nn.PReLU and model.net[1].weight.item() != 0.25
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    loaded = acts.load_from_checkpoint(type(model), tmp_path / "a.ckpt")
    assert type(loaded) is type(model) and torch.equal(loaded.net[1].weight, model.net[1].weight)


@pytest.mark.parametrize("name", NAMES)
def test_are_callbacks_of_both(name: str) -> None:
    package = importlib.import_module(name)
    for callback in (acts.ActivationSwap({"relu": "mish"}), acts.ExactResume()):
        assert isinstance(callback, package.Callback) and isinstance(copy.deepcopy(callback), package.Callback)
    model = net_of(package)()
    assert overrides(model, "training_step") and not overrides(model, "configure_model")


def test_the_other_package_is_left_alone_where_nobody_uses_it() -> None:
    code = """
import sys
import lightning.pytorch as L
from lightning_utilities.core import rank_zero
import lightning_acts as acts

before = rank_zero.log
L.Trainer(callbacks=[acts.ActivationSwap({"relu": "mish"}), acts.ExactResume()], accelerator="cpu", logger=False)
print(rank_zero.log is before, "pytorch_lightning" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines()[-1:] == ["True False"], done.stdout + done.stderr


def test_a_model_of_one_with_the_trainer_of_the_other() -> None:
    one, other = map(importlib.import_module, NAMES)
    with pytest.raises(TypeError, match="LightningModule"):
        trainer_of(one, callbacks=acts.ActivationSwap({"relu": "mish"})).fit(net_of(other)(), loader())


@pytest.mark.slow
def test_all_with_the_other_name() -> None:
    tests = sorted(str(file) for file in Path(__file__).parent.glob("test_*.py") if file.name != Path(__file__).name)
    environment = {**os.environ, "LIGHTNING_PACKAGE": "pytorch_lightning"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not gpu", *tests],
        cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout
