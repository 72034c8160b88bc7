"""The two packages that Lightning comes as, ``lightning`` and ``pytorch_lightning``: each has classes of its own."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import lightning.pytorch
from lightning.pytorch import LightningModule
from torch import nn

_COMPILED = ("forward", "training_step", "validation_step", "test_step", "predict_step")


def _packages() -> list[Any]:
    """Return those that are imported. The other one is never imported here: it would take over Lightning's messages."""
    return [sys.modules[name] for name in ("lightning.pytorch", "pytorch_lightning") if name in sys.modules]


class Callback(lightning.pytorch.Callback):
    """A callback for the Trainer of either package."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Callback:
        """Make it one of each package that is imported by now."""
        _be_one_of_each_package()
        return super().__new__(cls)


def _be_one_of_each_package() -> None:
    for package in _packages():
        if not issubclass(Callback, package.Callback):
            Callback.__bases__ = (*Callback.__bases__, package.Callback)


# LightningCLI asks for the class before it makes an instance.
_be_one_of_each_package()


def averages() -> tuple[type, ...]:
    """Return the callbacks that keep averages of weights, for ``isinstance``."""
    return tuple(p.callbacks.WeightAveraging for p in _packages() if hasattr(p.callbacks, "WeightAveraging"))


def stochastic_averages() -> tuple[type, ...]:
    """Return the callbacks that average weights by SWA, for ``isinstance``."""
    return tuple(package.callbacks.StochasticWeightAveraging for package in _packages())


def launchers_of_copies() -> tuple[Any, ...]:
    """Return what launches processes that get copies of the model, for ``isinstance``."""
    return tuple(package.strategies.launchers.multiprocessing._MultiProcessingLauncher for package in _packages())


def overrides(model: LightningModule, name: str) -> bool:
    """Check whether the class of a LightningModule, of either package, defines a method of Lightning itself."""
    theirs = [getattr(package.LightningModule, name) for package in _packages()]
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
