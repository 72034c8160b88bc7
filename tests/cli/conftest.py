import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from lightning_acts.cli.app import app

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_process() -> Run:
    """Runs a command in a process of its own."""

    def run(
        *arguments: str, expect: int = 0, cwd: Path | None = None, timeout: int = 120
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lightning_acts", *arguments]
        environment = {**os.environ, "COLUMNS": "100"}
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout)
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def invoke(own_modules: None) -> Callable[..., Result]:
    """Runs a command in this process; its errors are raised."""

    def run(*arguments: str, expect: int = 0) -> Result:
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == expect, done.output
        return done

    return run
