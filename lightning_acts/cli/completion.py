"""What the shell offers when Tab is pressed: configs, activations, models, runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lightning_acts.runs.listing import run_paths


def configs(incomplete: str) -> list[str]:
    """Return the names of configs; without their folders until one is typed."""
    from lightning_acts.runs.config import named

    short = dict.fromkeys(name.rpartition("/")[2] for name in named())
    return _beginning(named() if "/" in incomplete else short, incomplete)


def activations(incomplete: str) -> list[str]:
    """Return the names of activations."""
    from lightning_acts.catalogue import names

    return _beginning(names(), incomplete)


def pairs(incomplete: str) -> list[str]:
    """Return ``OLD=`` while the old activation is typed, ``OLD=NEW`` after it."""
    old, equals, new = incomplete.partition("=")
    return [f"{old}={name}" for name in activations(new)] if equals else [f"{name}=" for name in activations(old)]


def models(incomplete: str) -> list[str]:
    """Return runs and sources of models; after a source, its models."""
    source, colon, _ = incomplete.partition(":")
    if not colon:
        return [*_beginning(["torchvision:", "timm:", "hf:"], incomplete), *runs(incomplete)]
    if source not in ("torchvision", "timm"):
        return []
    from lightning_acts.models import model_names

    try:
        return _beginning(model_names(), incomplete)
    except ImportError:  # an extra that is not installed
        return []


def runs(incomplete: str) -> list[str]:
    """Return the folders of runs."""
    return _beginning(map(str, run_paths(Path("runs"))), incomplete)


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
