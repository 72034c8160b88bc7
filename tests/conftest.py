import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_acts import catalogue
from lightning_acts.cli.app import main
from lightning_acts.registry import DEFINITIONS
from lightning_acts.reports import drawing

# Several test processes, and those that they start, share the cores.
if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="needs a GPU, and there is none")
    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def clean_registry() -> Iterator[None]:
    """What a test registers is gone after it."""
    catalogue.names()
    saved = dict(DEFINITIONS)
    yield
    DEFINITIONS.remove(list(DEFINITIONS))
    for name, definition in saved.items():
        DEFINITIONS.add(definition, [name])


@pytest.fixture
def own_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules in the folder of the test can be imported, and are gone after it."""
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def run(
    own_modules: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command in this process as the shell does, with errors in words; a process would start for seconds."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["lightning-acts", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        status = left.value.code or 0
        assert status == expect, said.out + said.err
        return subprocess.CompletedProcess(arguments, expect, said.out, said.err)

    return run


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every figure that is saved, so that a test can ask what was drawn."""
    figures: list[Any] = []
    save = drawing.save
    monkeypatch.setattr(drawing, "save", lambda figure, path: figures.append(figure) or save(figure, path))
    return figures
