"""Two processes: each model of the zoo is trained and tested as by one; three by YAML."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from small_runs import RUNS, small_run
from torch import nn
from trainers import on_one_and_two_processes, quiet

#: Of odd sizes, so that a sampler hands a sample to both processes.
TASKS = {
    "segmentation/digits_in_scenes": [],
    "tabular/wine_residual": [],
    "matching/digit_halves": ["data.batch_size=64"],
}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "lightning_acts", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_metrics_are_those_of_one_process(task: str, tmp_path: Path) -> None:
    small = ["trainer.max_epochs=1", "+trainer.limit_train_batches=3", "trainer.accelerator=cpu"]
    run(tmp_path, "train", task, *TASKS[task], *small, "trainer.devices=2", "+trainer.strategy=ddp")
    (folder,) = tmp_path.glob("runs/*/*")
    two = {
        name: value
        for name, value in json.loads((folder / "summary.json").read_text())["metrics"].items()
        if name.startswith("test/")
    }
    config = folder / "config.yaml"
    text = config.read_text()
    assert "devices: 2" in text
    config.write_text(text.replace("devices: 2", "devices: 1").replace("strategy: ddp", "strategy: auto"))
    one = json.loads(run(tmp_path, "eval", str(folder), "--json").stdout)
    assert set(one) == set(two)
    assert two == pytest.approx(one, abs=1e-5, rel=1e-5)


class _Seeded(L.Callback):
    """A fit that begins with the same random numbers, however many were drawn before it."""

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        torch.manual_seed(0)


def measure(trainer: L.Trainer, accelerator: str = "cpu") -> dict[str, Any]:
    """Tests, validates and trains each model, on as many processes as the trainer has."""
    devices = trainer.num_devices
    measured = {}
    for name in RUNS:
        # 37 samples are 19 for each of two processes, the last batch of the second has padding alone.
        model, data = small_run(name, 18 // devices, {"train": 72, "val": 37, "test": 37})
        ddp = "ddp_find_unused_parameters_true" if name == "GAN" else "ddp"
        new = functools.partial(
            quiet, accelerator=accelerator, devices=devices, strategy=ddp if devices > 1 else "auto"
        )
        (tested,) = new().test(model, data, verbose=False)
        (validated,) = new().validate(model, data, verbose=False)
        fit = new(max_epochs=2, callbacks=[_Seeded()])
        fit.fit(model, data)
        parameters = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
        gathered: Any = fit.strategy.all_gather(parameters)
        measured[name] = {
            "metrics": {**tested, **validated},
            "fitted": {key: value.item() for key, value in fit.callback_metrics.items()},
            "equal": bool((gathered.reshape(devices, -1) == parameters).all()),
            "steps": fit.global_step,
            "parameters": parameters[:2000].tolist(),
        }
    return measured


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    body = "from test_two_processes import measure"
    return on_one_and_two_processes(body, tmp_path_factory.mktemp("two"), timeout=580)


def depends_on_the_batch(name: str) -> bool:
    """Whether a model is trained otherwise if batches are divided: by batch normalization and dropout."""
    model, _ = small_run(name, 1, {"train": 1, "val": 1, "test": 1})
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.AlphaDropout)
    return any(isinstance(module, kinds) for module in model.modules())


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_each_model_is_trained_and_tested_as_by_one_process(name: str, measured: list[dict[str, Any]]) -> None:
    one, two = (each[name] for each in measured)
    assert set(two["metrics"]) == set(one["metrics"])
    assert two["metrics"] == pytest.approx(one["metrics"], rel=1e-5, abs=1e-6)
    assert two["equal"], "parameters differ between the processes"
    assert two["steps"] == one["steps"] == 8
    assert set(two["fitted"]) == set(one["fitted"])
    if not depends_on_the_batch(name):
        assert two["fitted"] == pytest.approx(one["fitted"], rel=1e-4, abs=1e-5)
        assert two["parameters"] == pytest.approx(one["parameters"], rel=1e-4, abs=1e-6)
