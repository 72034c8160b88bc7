import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lightning_acts import catalogue
from lightning_acts.registry import DEFINITIONS

# Several test processes share the cores.
if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)


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
