"""Activation functions for PyTorch Lightning: a registry, and a way to swap them in models that exist.

The public names, loaded when they are first used: importing this package imports neither torch nor lightning.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_acts.callbacks.activation_swap import ActivationSwap as ActivationSwap
    from lightning_acts.callbacks.checkpoint import load_from_checkpoint as load_from_checkpoint
    from lightning_acts.callbacks.exact_resume import ExactResume as ExactResume
    from lightning_acts.catalogue import info as info
    from lightning_acts.catalogue import names as names
    from lightning_acts.catalogue import nearest as nearest
    from lightning_acts.definition import learnable as learnable
    from lightning_acts.errors import ActsError as ActsError
    from lightning_acts.errors import SwapError as SwapError
    from lightning_acts.factory import create as create
    from lightning_acts.factory import spec_of as spec_of
    from lightning_acts.initialization import gain as gain
    from lightning_acts.initialization import init_ as init_
    from lightning_acts.parameters import parameter_groups as parameter_groups
    from lightning_acts.registry import register as register
    from lightning_acts.reports.comparison import compare as compare
    from lightning_acts.spec import SpecError as SpecError
    from lightning_acts.studies.search import search as search
    from lightning_acts.surgery.checkpoints import CheckpointError as CheckpointError
    from lightning_acts.surgery.finding.sites import find as find
    from lightning_acts.surgery.history import restore as restore
    from lightning_acts.surgery.optimizing import optimize as optimize
    from lightning_acts.surgery.plan import Plan as Plan
    from lightning_acts.surgery.request import SwapRequest as SwapRequest
    from lightning_acts.surgery.saving import keep_swaps as keep_swaps
    from lightning_acts.surgery.saving import load_swaps as load_swaps
    from lightning_acts.surgery.saving import save_swaps as save_swaps
    from lightning_acts.surgery.scheduling import ScheduledSwap as ScheduledSwap
    from lightning_acts.surgery.site import Site as Site
    from lightning_acts.surgery.swapping import swap as swap
    from lightning_acts.surgery.swapping import swapped as swapped
    from lightning_acts.surgery.verifying import VerificationError as VerificationError
    from lightning_acts.surgery.verifying import verify as verify

#: Where each public name is defined.
_EXPORTS = {
    "ActivationSwap": "callbacks.activation_swap",
    "ActsError": "errors",
    "CheckpointError": "surgery.checkpoints",
    "ExactResume": "callbacks.exact_resume",
    "Plan": "surgery.plan",
    "Site": "surgery.site",
    "SpecError": "spec",
    "SwapError": "errors",
    "ScheduledSwap": "surgery.scheduling",
    "SwapRequest": "surgery.request",
    "VerificationError": "surgery.verifying",
    "compare": "reports.comparison",
    "create": "factory",
    "find": "surgery.finding.sites",
    "gain": "initialization",
    "info": "catalogue",
    "init_": "initialization",
    "keep_swaps": "surgery.saving",
    "learnable": "definition",
    "load_from_checkpoint": "callbacks.checkpoint",
    "load_swaps": "surgery.saving",
    "names": "catalogue",
    "nearest": "catalogue",
    "optimize": "surgery.optimizing",
    "parameter_groups": "parameters",
    "register": "registry",
    "restore": "surgery.history",
    "save_swaps": "surgery.saving",
    "search": "studies.search",
    "spec_of": "factory",
    "swap": "surgery.swapping",
    "swapped": "surgery.swapping",
    "verify": "surgery.verifying",
}


def __getattr__(name: str) -> Any:
    if name == "functional":
        return importlib.import_module(f"{__name__}.functional")
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_EXPORTS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*_EXPORTS, "functional"])
