import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from lightning_acts.cli.app import app

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run() -> Run:
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
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Runs a command in this process, which is faster; it finds the modules in the folder of the test."""
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)

    def run(*arguments: str, expect: int = 0) -> Result:
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == expect, done.output
        return done

    yield run
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
