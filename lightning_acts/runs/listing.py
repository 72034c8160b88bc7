"""The folders of runs that exist. Nothing here imports torch."""

from __future__ import annotations

from pathlib import Path


def run_paths(out: Path, config: str | None = None) -> list[Path]:
    """Return the folders of the runs of a config, or of all configs, below the folder where runs are made."""
    parents = [out / config] if config is not None else _folders(out)
    return [path for parent in parents for path in _folders(parent) if (path / "config.yaml").is_file()]


def _folders(parent: Path) -> list[Path]:
    """Return the folders in a folder, without those that are still being made."""
    if not parent.is_dir():
        return []
    return sorted(path for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))
