"""A stranger's script: trained, interrupted by Ctrl-C, resumed, tested from the best checkpoint, loaded elsewhere."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parent / "autoencoder.py"


@pytest.mark.slow
def test_a_strangers_script(tmp_path: Path) -> None:
    last = tmp_path / "checkpoints" / "last.ckpt"
    fit = subprocess.Popen(
        [sys.executable, SCRIPT, "fit"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 120
    while not last.exists() and fit.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.5)  # well into the second epoch, which takes 12 seconds
    fit.send_signal(signal.SIGINT)
    said, _ = fit.communicate(timeout=60)
    assert last.exists(), said
    assert fit.returncode != 0 and "ActivationSwap swapped relu -> prelu(init=0.1) at 2 sites; nothing else" in said
    checkpoint = torch.load(last, weights_only=True)
    assert checkpoint["epoch"] == 0 and len(checkpoint["lightning_acts"]["plans"]) == 1
    slopes = [value for name, value in checkpoint["state_dict"].items() if name.endswith("coder.1.weight")]
    assert len(slopes) == 2 and all(abs(slope.item() - 0.1) > 1e-6 for slope in slopes), (
        "the new parameters were not trained"
    )

    resumed = run("resume", tmp_path)
    assert "epochs 2\n" in resumed
    best = resumed.strip().splitlines()[-1]
    inferred = run("infer", tmp_path).strip()
    assert inferred.startswith("PReLU(num_parameters=1) 0.")
    assert inferred == best


def run(stage: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, SCRIPT, stage], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
