"""Modules of the user's: found in the current folder too, and named by their file."""

from __future__ import annotations

import sys
from pathlib import Path

from lightning_acts.extras import ImportPathError, import_module
from lightning_acts.runs.reading import ConfigError, Problem


def import_named(module: str) -> None:
    """Import a module of the user's by its name or its file."""
    path = Path(module)
    name = path.stem if path.suffix == ".py" else module
    if path.suffix == ".py":
        if not path.is_file():
            raise ConfigError(Problem(None, f"--import {module}: there is no such file"))
        sys.path.insert(0, str(path.parent.resolve()))
    import_from_here()
    try:
        import_module(name)
    except ImportPathError as error:
        raise ConfigError(Problem(None, f"--import {module}: {error}")) from None


def import_from_here() -> None:
    """Import paths are looked up in the current folder too, as python -m does."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
