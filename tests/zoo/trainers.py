"""Trainers of the tests of the zoo: quiet ones, and those of one and of two processes."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import lightning as L


def quiet(**options: Any) -> L.Trainer:
    """Makes a Trainer that writes nothing."""
    defaults = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return L.Trainer(**{**defaults, **options})


SCRIPT = """
    import json, sys
    import lightning as L, torch
    from trainers import quiet
    BODY

    if __name__ == "__main__":
        devices = int(sys.argv[1])
        L.seed_everything(0, verbose=False)
        trainer = quiet(devices=devices, strategy="ddp" if devices > 1 else "auto")
        result = measure(trainer)
        if trainer.is_global_zero:
            open(f"{devices}.json", "w").write(json.dumps(result))
        if devices > 1:
            torch.distributed.destroy_process_group()
"""


def on_one_and_two_processes(body: str, folder: Path, timeout: float = 300) -> list[Any]:
    """Runs source that defines ``measure(trainer)``, on one process and on two; returns both results of the first one."""
    script = textwrap.dedent(SCRIPT).replace("BODY", textwrap.dedent(body))
    (folder / "script.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    for devices in (1, 2):
        command = [sys.executable, "script.py", str(devices)]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{devices}.json").read_text()) for devices in (1, 2)]
