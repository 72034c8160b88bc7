"""The two packages that Lightning comes as, ``lightning`` and ``pytorch_lightning``: each has classes of its own."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import lightning.pytorch
from lightning.pytorch import LightningModule
from torch import nn

_PACKAGES: list[Any] = [lightning.pytorch]
# It may be absent, or too old to be imported here; whoever uses it has it imported.
with contextlib.suppress(Exception):
    _PACKAGES.append(importlib.import_module("pytorch_lightning"))

if TYPE_CHECKING:
    from lightning.pytorch import Callback as Callback
else:
    Callback = type("Callback", tuple(package.Callback for package in _PACKAGES), {"__module__": __name__})

#: What each package calls so, for ``isinstance``.
AVERAGES: tuple[type, ...] = tuple(
    p.callbacks.WeightAveraging for p in _PACKAGES if hasattr(p.callbacks, "WeightAveraging")
)
STOCHASTIC_AVERAGES: tuple[type, ...] = tuple(p.callbacks.StochasticWeightAveraging for p in _PACKAGES)
LAUNCHERS_OF_COPIES: tuple[type, ...] = tuple(
    p.strategies.launchers.multiprocessing._MultiProcessingLauncher for p in _PACKAGES
)

_COMPILED = ("forward", "training_step", "validation_step", "test_step", "predict_step")


def overrides(model: LightningModule, name: str) -> bool:
    """Check whether the class of a LightningModule, of either package, defines a method of Lightning itself."""
    theirs = [getattr(package.LightningModule, name) for package in _PACKAGES]
    return getattr(type(model), name) not in theirs


def is_compiled(model: nn.Module) -> bool:
    """Check whether a model, or a part of it, was given to ``torch.compile``."""
    if getattr(model, "_compiler_ctx", None) is not None:
        return True
    return any(hasattr(module, "_orig_mod") or module._compiled_call_impl is not None for module in model.modules())


@contextlib.contextmanager
def uncompiled(model: LightningModule) -> Iterator[None]:
    """Give a model that a Trainer got from ``torch.compile`` its class's methods, for the length of a block.

    The Trainer has put their compiled forms on the instance, past the class, where code of the class does not count.
    """
    context: Any = model._compiler_ctx
    if context is None:
        yield
        return
    for name in _COMPILED:
        own = context[f"original_{name}"]
        while hasattr(own, "_torchdynamo_orig_callable"):  # each stage wraps what the one before has wrapped
            own = own._torchdynamo_orig_callable
        if getattr(own, "__func__", None) is getattr(type(model), name):
            del vars(model)[name]
        else:
            vars(model)[name] = own
    try:
        yield
    finally:
        for name in _COMPILED:
            context[f"original_{name}"] = getattr(model, name)
            vars(model)[name] = context["dynamo_ctx"](getattr(model, name))
