import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from package import L


@pytest.fixture
def trainer(tmp_path: Path) -> Callable[..., Any]:
    """Makes quiet CPU Trainers that write below ``tmp_path``."""

    def make(**options: Any) -> Any:
        defaults = {
            "max_epochs": 1,
            "accelerator": "cpu",
            "default_root_dir": tmp_path,
            "logger": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "enable_checkpointing": False,
        }
        return L.Trainer(**{**defaults, **options})

    return make
