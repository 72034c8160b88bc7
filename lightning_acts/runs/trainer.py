"""Trainer arguments that Lightning refuses, found by building a Trainer."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import lightning as L
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.accelerators import AcceleratorRegistry
from lightning.pytorch.strategies import StrategyRegistry

from lightning_acts.runs.console import silenced

#: What a class raises that refuses its arguments.
REFUSALS = (TypeError, ValueError, ImportError, OSError, MisconfigurationException)

# Lightning takes less than these, and divides by zero or does something else later.
_LEAST = {
    "accumulate_grad_batches": 1,
    "check_val_every_n_epoch": 1,
    "val_check_interval": 1,
    "num_sanity_val_steps": -1,
}
# These depend on the machine, which may be another one, or change this process: only values that none takes are tried.
_OF_THE_MACHINE: Mapping[str, Callable[[Any], bool]] = {
    "accelerator": lambda name: name not in ("auto", "gpu", *AcceleratorRegistry.available_accelerators()),
    "strategy": lambda name: name.lower() not in ("auto", *StrategyRegistry.available_strategies()),
    "devices": lambda devices: devices in (0, "0", []),
    "num_nodes": lambda number: number < 1,
    "precision": lambda _: False,
    "plugins": lambda _: False,
    "profiler": lambda name: name != "xla",
    "benchmark": lambda _: False,
    "deterministic": lambda _: False,
}


def refused_anywhere(arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Find arguments of Trainer that are refused on every machine, without a trace in this process.

    Args:
        arguments: Arguments by name, all of them plain data.

    Yields:
        The name of an argument, "" if no single one is to blame, and what is wrong with it.
    """
    tried = {
        name: value for name, value in arguments.items() if name not in _OF_THE_MACHINE or _OF_THE_MACHINE[name](value)
    }
    # On one device and without a cluster, a Trainer leaves the rank of this process alone.
    neutral: dict[str, Any] = {"accelerator": "cpu", "devices": 1, "plugins": [LightningEnvironment()], "logger": False}
    neutral |= {"enable_progress_bar": False, "enable_model_summary": False}
    refused = set()

    def make(without: set[str]) -> L.Trainer:
        return L.Trainer(**neutral | {name: tried[name] for name in tried.keys() - without})

    for name, error in refused_arguments(make, tried):
        refused.add(name)
        if not isinstance(error, ImportError):  # another machine may have the package
            yield name, str(error)
    for name, least in _LEAST.items():
        value = arguments.get(name)
        if isinstance(value, int) and value < least and name not in refused:
            yield name, f"must be {least} or more, not {value}"


def refused_arguments(
    make: Callable[[set[str]], object], names: Collection[str], preferred: Collection[str] = ()
) -> Iterator[tuple[str, Exception]]:
    """Find every argument that a class refuses, though it tells the first only.

    Args:
        make: Makes an instance without the arguments that it is given the names of.
        names: The names of the arguments.
        preferred: Those to blame first where two contradict each other.

    Yields:
        The name of an argument, "" if no single one is to blame, and what the class raises because of it.
    """
    without: set[str] = set()
    while error := _refusal(make, without):
        # A message names few arguments by their names, so each is left out in turn.
        to_blame = [
            name for name in names if name not in without and str(_refusal(make, {*without, name}) or "") != str(error)
        ]
        to_blame.sort(key=lambda name: (not re.search(rf"\b{name}\b", str(error)), name not in preferred))
        yield (to_blame[0] if to_blame else ""), error
        if not to_blame:
            return
        without.add(to_blame[0])


def _refusal(make: Callable[[set[str]], object], without: set[str]) -> Exception | None:
    try:
        with silenced():
            make(without)
    except REFUSALS as error:
        return error
    return None
