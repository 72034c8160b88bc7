"""The package as somebody gets it who installs a wheel: far from this checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

import lightning_acts

PROJECT = Path(lightning_acts.__file__).parent.parent

USE = """
import lightning_acts as acts, torch, pathlib, sys
assert pathlib.Path(acts.__file__).is_relative_to(sys.prefix), acts.__file__
from lightning_acts.zoo import Digits, ImageClassifier
import lightning as L
model = ImageClassifier("torchvision:resnet18", in_channels=1, small_images=True)
trainer = L.Trainer(fast_dev_run=True, accelerator="cpu", callbacks=[acts.ActivationSwap({"relu": "mish"})])
trainer.fit(model, Digits())
assert "Mish" in repr(model) and len(acts.names()) > 30
acts.compare("mish", against="silu").plot("picture.png")
print("ALL WELL")
"""


def test_every_folder_of_the_package_is_in_the_wheel() -> None:
    tomllib = pytest.importorskip("tomllib")  # part of Python 3.11
    setuptools = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {
        path.parent.relative_to(PROJECT).as_posix()
        for top in ("lightning_acts", *setuptools["package-dir"].values())
        for path in (PROJECT / top).rglob("__init__.py")
    }
    named = {setuptools["package-dir"].get(name, name.replace(".", "/")) for name in setuptools["packages"]}
    assert named >= folders, "named in pyproject.toml, since zoo and configs lie beside the package"


@pytest.mark.slow
def test_the_wheel_alone_works(tmp_path: Path) -> None:
    source = tmp_path / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=PROJECT, capture_output=True, text=True
    )
    for name in tracked.stdout.split():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((PROJECT / name).read_bytes())
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "dist", source)
    (wheel,) = (tmp_path / "dist").iterdir()
    inside = zipfile.ZipFile(wheel).namelist()
    assert {
        "lightning_acts/py.typed",
        "lightning_acts/zoo/data/digits.py",
        "lightning_acts/activations/hard.py",
    } <= set(inside)
    assert not [name for name in inside if name.startswith(("tests", "scripts", "zoo/"))]
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    # What it depends on is borrowed from here; the package itself comes from the wheel.
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(str(Path(torch.__file__).parents[1]))
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", wheel)
    (tmp_path / "elsewhere").mkdir()
    assert "ALL WELL" in run(python, "-c", USE, cwd=tmp_path / "elsewhere")
    command = tmp_path / "venv" / "bin" / "lightning-acts"
    assert "fashion_mnist" in run(command, "ls", cwd=tmp_path / "elsewhere")
    assert "would train 5 epochs" in run(command, "train", "digits", "--dry-run", cwd=tmp_path / "elsewhere")


def run(*command: object, cwd: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
