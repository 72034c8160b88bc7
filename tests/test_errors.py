import importlib
import pkgutil
import sys

import pytest

import lightning_acts as acts
from lightning_acts.errors import ActsError
from lightning_acts.formula import FormulaError
from lightning_acts.models import ModelError
from lightning_acts.reports.curves import CurveError
from lightning_acts.reports.gallery import GalleryError
from lightning_acts.runs.console import errors_in_words
from lightning_acts.runs.folder import RunError
from lightning_acts.runs.reading import ConfigError
from lightning_acts.runs.training import Interrupted
from lightning_acts.surgery.example import ExampleError


def test_all_errors_of_the_package_have_the_base() -> None:
    for found in pkgutil.walk_packages(acts.__path__, "lightning_acts."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    own = {
        value
        for name, module in sys.modules.items()
        if name.startswith("lightning_acts.")
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseException) and value.__module__ == name
    }
    assert len(own) > 10
    assert not [error for error in own if not issubclass(error, ActsError)]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (acts.ActsError(), 1),
        (acts.SpecError(), 2),
        (FormulaError(), 2),
        (acts.SwapError(), 2),
        (ExampleError(), 2),
        (acts.VerificationError([]), 2),
        (CurveError(), 2),
        (ModelError(), 2),
        (ConfigError(), 2),
        (acts.CheckpointError(), 1),
        (RunError(), 1),
        (GalleryError(), 1),
        (Interrupted(), 130),
        (ValueError(), 1),
        (FileNotFoundError(), 1),
    ],
)
def test_exit_status(error: Exception, status: int) -> None:
    with pytest.raises(SystemExit) as ended, errors_in_words():
        raise error
    assert ended.value.code == status


@pytest.mark.parametrize(
    ("error", "base"),
    [
        (acts.SpecError, ValueError),
        (acts.SwapError, ValueError),
        (CurveError, ValueError),
        (ModelError, ValueError),
        (ConfigError, ValueError),
        (acts.CheckpointError, RuntimeError),
        (RunError, RuntimeError),
        (GalleryError, FileExistsError),
    ],
)
def test_errors_are_those_of_python_too(error: type[Exception], base: type[Exception]) -> None:
    assert issubclass(error, base)
