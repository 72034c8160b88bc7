import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CONFIG = """\
model: {_target_: stranger.LitDigits}
data: {_target_: stranger.DigitsData}
swap: [{map: {relu: "prelu(init=0.1)"}}]
trainer: {max_epochs: 4, accelerator: cpu, devices: 1}
callbacks:
  best: {_target_: lightning.pytorch.callbacks.ModelCheckpoint, monitor: val/acc, mode: max, filename: best, enable_version_counter: false}
seed: 3
"""

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder of somebody's, away from ours, with a model, data and a config."""
    shutil.copy(Path(__file__).parent / "stranger.py", tmp_path)
    (tmp_path / "mine.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def cli(project: Path) -> Cli:
    """Runs ``lightning-acts`` in that folder."""

    def run(*arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "lightning_acts", *arguments],
            cwd=project, env=os.environ, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    return run
