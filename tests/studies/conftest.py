import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

SEARCH = {
    "activations": ["relu", "mish", "leaky_relu"],
    "parameters": {"leaky_relu": {"negative_slope": {"low": 0.01, "high": 0.3}}},
    "space": {"model.lr": {"low": 1e-4, "high": 1e-2, "log": True}},
    "objective": "val/acc",
    "budget": {"trials": 6},
    "seeds": [4, 7],
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Writes a config with a search over the small network of digits; keys given as None are left out."""

    def write(base: str = "cnn_digits", **search: object) -> str:
        block = {key: value for key, value in {**SEARCH, **search}.items() if value is not None}
        text = yaml.safe_dump({"base": base, "search": block, "trainer": {"max_epochs": 3}}, sort_keys=False)
        (tmp_path / "study.yaml").write_text(text)
        return "study.yaml"

    return write


@pytest.fixture
def simulate(tmp_path: Path, own_modules: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Lets runs be simulated, with the quality of each activation."""
    shutil.copy(Path(__file__).parent / "simulated.py", tmp_path)
    module = importlib.import_module("simulated")

    def simulate(**quality: float) -> Any:
        simulated = module.Simulated(quality)
        simulated.install(monkeypatch.setattr)
        return simulated

    return simulate
