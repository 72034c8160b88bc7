"""Test metrics over two processes, by YAML, are those of one: for pictures, a table and pairs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
