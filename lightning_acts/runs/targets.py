"""Which classes and functions a config may name: those that models and data are made of, and a user's own.

A config is content that is passed on. What can only be there to run commands, to open files or sockets or to load
pickles is refused by where it is defined, under whatever name it was imported.
"""

from __future__ import annotations

import functools
import inspect
import sys
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import Logger
from torchmetrics import Metric

# Of Python's own library, only what is a value.
_VALUES = {
    "collections.OrderedDict", "datetime.timedelta", "decimal.Decimal", "fractions.Fraction", "pathlib.Path",
}  # fmt: skip
# Makers of tensors and the like, which are defined in C.
_MAKERS = {
    f"torch.{name}"
    for name in (
        "arange", "as_tensor", "device", "empty", "eye", "full", "linspace", "logspace", "ones", "rand", "randn", "tensor",
        "zeros", "Generator", "Size", "Tensor",
    )
}  # fmt: skip
_LIGHTNING = ("accelerators", "callbacks", "loggers", "plugins", "profilers", "strategies")
_MODELING = (
    "torch.nn", "torch._C._nn", "torch.amp", "torch.distributions", "torch.optim", "torch.profiler", "torch.utils.data",
    "torchmetrics", "torchvision.models", "torchvision.ops", "torchvision.transforms",
    "timm.data", "timm.layers", "timm.loss", "timm.models", "timm.optim", "timm.scheduler",
    "transformers.models", "transformers.optimization",
    "lightning_acts.activations", "lightning_acts.factory", "lightning_acts.module", "lightning_acts.zoo",
    *(f"{package}.{part}" for package in ("lightning.pytorch", "lightning.fabric", "pytorch_lightning", "lightning_fabric") for part in _LIGHTNING),
)  # fmt: skip
# Within those, what loads files or starts processes.
_NOT_MODELING = (
    "timm.models._helpers", "timm.models._hub", "torch.utils.data.datapipes", "lightning.pytorch.strategies.launchers",
    "lightning.fabric.strategies.launchers",
)  # fmt: skip
_BASES = (
    torch.nn.Module, torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler, torch.utils.data.Dataset,
    torch.utils.data.DataLoader, torch.utils.data.Sampler, torch.distributions.Distribution, L.LightningDataModule,
    L.Callback, Logger, Metric,
)  # fmt: skip

REFUSED = (
    "is refused: a config names what models and data are made of, not what can run commands, open files or load "
    "pickles; a function of your own may do it"
)


def is_refused_name(name: str) -> bool:
    """Return whether an import path leads into Python's own library, where only values are of use; nothing is imported.

    Example:
        >>> is_refused_name("os.system"), is_refused_name("datetime.timedelta"), is_refused_name("torch.nn.ReLU")
        (True, False, False)
    """
    return name.partition(".")[0] in sys.stdlib_module_names and name not in _VALUES


def is_refused(target: Any) -> bool:
    """Return whether a class or function, wherever it was imported from, is one of Python's own library."""
    target = _unwrapped(target)
    return is_refused_name(f"{_module(target)}.{getattr(target, '__qualname__', '')}")


def is_modeling(target: Any, name: str) -> bool:
    """Return whether a class or function, imported as ``name``, is one that models and data are made of, or a user's own."""
    target = _unwrapped(target)
    module = _module(target)
    if any(_within(module, place) for place in _NOT_MODELING):
        return False
    if isinstance(target, type) and issubclass(target, _BASES):
        return True
    if name in _MAKERS and module.partition(".")[0] == "torch":
        return True
    return name in _VALUES or any(_within(module, place) for place in _MODELING) or _is_own(module)


def _unwrapped(target: Any) -> Any:
    while isinstance(target, functools.partial):
        target = target.func
    return inspect.unwrap(target) if inspect.isroutine(target) else target


def _module(target: Any) -> str:
    named = target if inspect.isclass(target) or inspect.isroutine(target) else type(target)
    owner = getattr(named, "__self__", None)
    return str(getattr(named, "__module__", None) or getattr(owner, "__name__", None) or "builtins")


def _within(module: str, place: str) -> bool:
    return f"{module}.".startswith(f"{place}.")


def _is_own(module: str) -> bool:
    """Return whether a module is in a folder of the user's, not among what is installed."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or _within(module, "lightning_acts"):
        return module == "__main__"
    return not {"site-packages", "dist-packages"} & set(Path(file).parts)
