"""A network with the weights of its authors: pitch from sound, in a forward that calls ``F.relu``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import lightning_acts as acts

torchcrepe = pytest.importorskip("torchcrepe")


def tones() -> Tensor:
    """Frames of 1024 samples at 16 kHz, with mean 0 and deviation 1: A4, A3 and E5."""
    time = torch.arange(1024) / 16_000
    frames = torch.stack([torch.sin(2 * torch.pi * pitch * time) for pitch in (440.0, 220.0, 659.26)])
    return (frames - frames.mean(1, keepdim=True)) / frames.std(1, keepdim=True)


def crepe() -> nn.Module:
    model = torchcrepe.Crepe("tiny")
    weights = Path(torchcrepe.__file__).parent / "assets" / "tiny.pth"
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval()


def pitches(model: nn.Module) -> list[float]:
    """In Hz: the model's 360 bins are 20 cents wide, from 32.7 Hz on, shifted by 1997.3794 cents of 10 Hz."""
    with torch.no_grad():
        bins = model(tones()).argmax(1)
    return [10 * 2 ** ((20 * float(index) + 1997.3794084376191) / 1200) for index in bins]


def test_swapped_verified_saved_loaded_and_restored(tmp_path: Path) -> None:
    model = crepe()
    heard = pitches(model)
    assert heard == pytest.approx([440.0, 220.0, 659.26], rel=0.02), "these are the weights"
    with torch.no_grad():
        original = model(tones())
    report = acts.swap(model, {"relu": "leaky_relu(negative_slope=0.01)"}, example_input=tones())
    (site,) = report.swapped
    assert site.site.calls == 6 and [left.site.activation for left in report.left] == ["sigmoid"]
    acts.verify(model, tones())
    # So near to ReLU that it goes on hearing.
    assert pitches(model) == pytest.approx(heard, rel=0.05)
    with torch.no_grad():
        swapped = model(tones())
    assert not torch.equal(swapped, original)
    torch.save(model, tmp_path / "whole.pt")
    torch.save(model.state_dict(), tmp_path / "state.pt")
    report.plan.save(tmp_path / "swap.json")
    script = """
import sys, torch, torchcrepe, lightning_acts as acts
whole = torch.load("whole.pt", weights_only=False)
fresh = torchcrepe.Crepe("tiny").eval()
acts.swap(fresh, acts.Plan.load("swap.json"))
fresh.load_state_dict(torch.load("state.pt", weights_only=True))
x = torch.load("x.pt")
with torch.no_grad():
    assert torch.equal(whole(x), fresh(x))
    acts.verify(whole, x)
    y = whole(x)
    acts.restore(whole)
    torch.save([y, whole(x)], "y.pt")
"""
    torch.save(tones(), tmp_path / "x.pt")
    subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, check=True, env={**os.environ, "PYTHONWARNINGS": "ignore"}
    )
    there = torch.load(tmp_path / "y.pt")
    torch.testing.assert_close(there[0], swapped)  # two processes need not round alike
    torch.testing.assert_close(there[1], original)
    acts.restore(model)
    with torch.no_grad():
        assert torch.equal(model(tones()), original)
