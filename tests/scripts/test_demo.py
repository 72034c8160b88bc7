import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lightning_acts

DEMO = Path(lightning_acts.__file__).parents[1] / "scripts" / "demo.py"


@pytest.mark.slow
def test_one_epoch_of_the_demonstration(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, DEMO, "--epochs", "1"],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for text in ("activation", "macro F1", "calibration", "relu/best.ckpt", "mish/best.ckpt", "  relu  ", "  mish  "):
        assert text in done.stdout
    (folder,) = (tmp_path / "runs" / "demo").iterdir()
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    pictures = {"learning_curves.png", "confusion_matrices.png", "activations.png"}
    assert written == pictures | {"relu/best.ckpt", "mish/best.ckpt"}
    assert all(f"picture: runs/demo/{folder.name}/{name}" in done.stdout for name in pictures)
    assert "swapped relu(inplace=True) -> mish at 9 sites" in done.stderr
    assert "relu: epoch 1 of 1" in done.stderr
    assert "litlogger" not in done.stdout + done.stderr
    assert "Warning" not in done.stderr


@pytest.mark.slow
def test_interrupted(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, DEMO], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not list(tmp_path.glob("runs/demo/*")) and demo.poll() is None:
        time.sleep(0.1)
    time.sleep(3)
    demo.send_signal(signal.SIGINT)
    _, said = demo.communicate(timeout=60)
    assert demo.returncode == 130, said
    assert "interrupted; what was done is in runs/demo/" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--activations", "relu,mishh"], "did you mean 'mish'"), (["--epochs", "0"], "--epochs 0: at least 1")],
)
def test_mistakes_are_said_before_any_work(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    demo = importlib.import_module("demo")
    signal.signal(signal.SIGINT, handler)  # its import sets another
    with pytest.raises(SystemExit) as left:
        demo.main(arguments)
    assert left.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
