"""Keeping a swap in a Lightning checkpoint, and bringing it back.

A swap is more than weights: a checkpoint of a swapped model carries the plans of its swaps as plain strings, and an
empty tensor in its ``state_dict`` whose name says how to load it. The tensor makes every plain strict loader stop with
that name in its message, where it would otherwise give the old activations without a word.
"""

from __future__ import annotations

import functools
import os
import pickle
import sys
from collections.abc import Callable, Mapping
from typing import IO, Any, TypeVar

import fsspec
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities import rank_zero_warn

from lightning_acts.surgery.plan import Plan
from lightning_acts.surgery.saving import plans_of, replay
from lightning_acts.surgery.site import SwapError

Module = TypeVar("Module", bound=LightningModule)

_KEY = "lightning_acts"
_GUARD = (
    "activations were swapped: load this checkpoint with lightning_acts.load_from_checkpoint, "
    "or with the callback lightning_acts.ActivationSwap in the Trainer"
)


class CheckpointError(RuntimeError):
    """A checkpoint can't be read, or does not belong to the model."""


def load_from_checkpoint(
    cls: type[Module], path: str | os.PathLike[str] | IO[bytes], *, weights_only: bool = True, **kwargs: Any
) -> Module:
    """Load a LightningModule from a checkpoint, with the activations that it was saved with.

    A checkpoint of a model that was never swapped is loaded as by ``cls.load_from_checkpoint``. Only tensors and plain
    data are read from the file unless told otherwise.

    Args:
        cls: The class of the model.
        path: The checkpoint: a path, a URL, or an open binary file.
        weights_only: False also loads other objects, which may run code: for files that you trust.
        kwargs: What ``cls.load_from_checkpoint`` takes: ``map_location``, ``hparams_file``, ``strict``, and values for
            the constructor of ``cls``.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: The file is damaged, no checkpoint, of another model, or of a newer version.

    Example:
        ::

            model = acts.load_from_checkpoint(MyModule, "best.ckpt")
    """
    shown = os.fspath(path) if isinstance(path, (str, os.PathLike)) else "the checkpoint"
    checkpoint = _read_structure(path, shown, weights_only)
    plans = _plans_in(checkpoint, shown)
    target, class_path = _class_in(checkpoint, cls)
    loader = _loader_class(target, plans)
    if class_path is not None:
        # LightningCLI's checkpoints name their class: it has to be the one that replays the swaps.
        kwargs["_class_path"] = f"{loader.__module__}.{loader.__name__}"
    try:
        model: Module = loader.load_from_checkpoint(path, weights_only=weights_only, **kwargs)  # type: ignore[arg-type]
    except SwapError as error:
        raise CheckpointError(f"{shown} does not fit {target.__name__}: {error}") from error
    except RuntimeError as error:
        if "state_dict" not in str(error):
            raise
        raise CheckpointError(
            f"{shown} does not fit {target.__name__}; was it saved by another model? {error}"
        ) from error
    finally:
        globals().pop(loader.__name__, None)
    return model


def check_checkpoint(path: str | os.PathLike[str]) -> None:
    """Check that a file is a whole Lightning checkpoint, without loading its tensors' values.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: It is damaged, or no checkpoint.
    """
    shown = os.fspath(path)
    _plans_in(_read_structure(path, shown), shown)


def keep_swaps(model: LightningModule) -> None:
    """Let every checkpoint of ``model`` carry its swaps, and every checkpoint that it loads be compared with them.

    The callback ``ActivationSwap`` does this itself; a model that ``acts.swap`` has swapped needs it to be asked for.

    The hooks are the instance's own, and stay: a checkpoint may be saved long after the fit.
    """
    for name, hook in (("on_save_checkpoint", _save_plans), ("on_load_checkpoint", _compare_plans)):
        own = getattr(model, name)
        if not (isinstance(own, functools.partial) and own.func is hook):
            # A partial of a bound method is copied and pickled together with the model; a closure would not be.
            setattr(model, name, functools.partial(hook, model, own))


def _save_plans(model: LightningModule, own: Callable[[dict[str, Any]], None], checkpoint: dict[str, Any]) -> None:
    own(checkpoint)
    plans = plans_of(model)
    if plans:
        checkpoint[_KEY] = {"plans": [plan.to_dict() for plan in plans]}
        checkpoint["state_dict"][_GUARD] = torch.empty(0)


def _compare_plans(model: LightningModule, own: Callable[[dict[str, Any]], None], checkpoint: dict[str, Any]) -> None:
    plans = _plans_in(checkpoint, "the checkpoint")
    present = plans_of(model)
    if plans and _structure(plans) != _structure(present):
        raise CheckpointError(
            f"the checkpoint was saved by a model swapped {_words(plans)}; this model is swapped {_words(present)}. "
            "Give ActivationSwap the same arguments, or use lightning_acts.load_from_checkpoint"
        )
    if present and not plans:
        rank_zero_warn(
            f"the checkpoint comes from a model without swapped activations; its weights go into one swapped {_words(present)}"
        )
    _strip_guard(checkpoint)
    own(checkpoint)


def _read_structure(path: Any, shown: str, weights_only: bool = True) -> dict[str, Any]:
    """All of a checkpoint but the values of its tensors."""
    try:
        if not isinstance(path, (str, os.PathLike)):
            start = path.tell()
            checkpoint = torch.load(path, map_location="meta", weights_only=weights_only)
            path.seek(start)
        else:
            with fsspec.open(shown, "rb") as file:
                checkpoint = torch.load(file, map_location="meta", weights_only=weights_only)
    except FileNotFoundError:
        raise
    except (RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError, OSError) as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        if "Unsupported global" in str(error):
            hint = "it holds objects other than tensors and plain data, which may run code when loaded; weights_only=False trusts it"
        else:
            hint = "it is truncated, or no checkpoint"
        raise CheckpointError(f"{shown} can't be read: {hint} ({reason})") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise CheckpointError(f"{shown} is no Lightning checkpoint: it has no state_dict")
    return checkpoint


def _plans_in(checkpoint: Mapping[str, Any], shown: str) -> list[Plan]:
    if _KEY not in checkpoint:
        return []
    try:
        return [Plan.from_dict(data, f"the plan in {shown}") for data in checkpoint[_KEY]["plans"]]
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{shown}: its entry {_KEY!r} is damaged ({error!r})") from None
    except SwapError as error:
        raise CheckpointError(str(error)) from error


def _class_in(checkpoint: Mapping[str, Any], cls: type[Module]) -> tuple[type[Module], str | None]:
    """The class to make, and its path if the checkpoint names one that is imported already; else ``cls``."""
    hyper_parameters = checkpoint.get(cls.CHECKPOINT_HYPER_PARAMS_KEY) or {}
    class_path = hyper_parameters.get("_class_path") if isinstance(hyper_parameters, Mapping) else None
    if isinstance(class_path, str):
        module, _, name = class_path.rpartition(".")
        named = getattr(sys.modules.get(module), name, None)
        if isinstance(named, type) and issubclass(named, cls):
            return named, class_path
    return cls, None


def _loader_class(cls: type[Module], plans: list[Plan]) -> type[Module]:
    """A class that becomes ``cls``, and replays the swaps, at the moment before its weights are loaded."""

    def on_load_checkpoint(self: Any, checkpoint: dict[str, Any]) -> None:
        self.__class__ = cls
        replay(self, plans)
        _strip_guard(checkpoint)
        self.on_load_checkpoint(checkpoint)
        if plans:
            keep_swaps(self)

    name = f"_Loader{id(on_load_checkpoint)}"
    members = {"on_load_checkpoint": on_load_checkpoint, "__module__": __name__, "__doc__": cls.__doc__}
    metaclass: Any = type(cls)
    loader: type[Module] = metaclass(name, (cls,), members)
    globals()[name] = loader  # LightningCLI finds it there, by name
    return loader


def _strip_guard(checkpoint: dict[str, Any]) -> None:
    checkpoint["state_dict"].pop(_GUARD, None)


def _structure(plans: list[Plan]) -> dict[tuple[str, ...], str]:
    """What stands where after all the plans, however they were divided."""
    return {site.paths: site.replacement for plan in plans for site in plan.sites}


def _words(plans: list[Plan]) -> str:
    return "; ".join(str(plan.request) for plan in plans) or "not at all"
