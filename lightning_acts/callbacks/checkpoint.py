"""Loading of Lightning checkpoints with the swaps that they carry."""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import struct
import sys
import zipfile
from collections.abc import Mapping
from typing import IO, Any, TypeVar

import fsspec
import torch
from lightning.pytorch import LightningModule
from torch.serialization import get_unsafe_globals_in_checkpoint

from lightning_acts.errors import SwapError
from lightning_acts.files import damaged_record
from lightning_acts.surgery.checkpoints import CheckpointError, SavedSwaps, complete, strip_guard, warn_if_plain
from lightning_acts.surgery.swapping import replay

Module = TypeVar("Module", bound=LightningModule)

# What reading a damaged file raises.
_DAMAGE = (
    RuntimeError, EOFError, pickle.UnpicklingError, ValueError, LookupError, TypeError, AttributeError, OSError,
    zipfile.BadZipFile, struct.error, OverflowError,
)  # fmt: skip


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
    saved = SavedSwaps.within(checkpoint, shown)
    if saved.unnamed is not None:
        raise CheckpointError(f"{shown}: its swap can't be made again ({saved.unnamed})")
    target, class_path = _class_in(checkpoint, cls)
    loader = _loader_class(target, saved, shown)
    if class_path is not None:
        # LightningCLI's checkpoints name their class: it has to be the one that replays the swaps.
        kwargs["_class_path"] = f"{loader.__module__}.{loader.__name__}"
    try:
        model: Module = loader.load_from_checkpoint(path, weights_only=weights_only, **kwargs)  # type: ignore[arg-type]
    except SwapError as error:
        raise CheckpointError(f"{shown} does not fit {target.__name__}: {error}") from error
    finally:
        globals().pop(loader.__name__, None)
    return model


def load_into(model: LightningModule, path: str | os.PathLike[str]) -> None:
    """Give a model, just made, the swaps and the weights of a checkpoint.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: The file is damaged, no checkpoint, or of another model.
    """
    shown = os.fspath(path)
    saved = SavedSwaps.within(_read_structure(path, shown), shown)
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    try:
        complete(model, saved, replay)
        strip_guard(checkpoint)
        model.load_state_dict(checkpoint["state_dict"])
    except (SwapError, RuntimeError) as error:
        raise CheckpointError(f"{shown} does not fit {type(model).__name__}: {error}") from error


def check_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Check that a file is a whole Lightning checkpoint, without loading its tensors' values.

    Returns:
        All of it but the values of its tensors.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: It is damaged, or no checkpoint.
    """
    shown = os.fspath(path)
    checkpoint = _read_structure(path, shown)
    SavedSwaps.within(checkpoint, shown)
    return checkpoint


def _read_structure(path: Any, shown: str, weights_only: bool = True) -> dict[str, Any]:
    """Return all of a checkpoint but the values of its tensors."""
    try:
        if not isinstance(path, (str, os.PathLike)):
            start = path.tell()
            checkpoint = _loaded(path, weights_only)
            path.seek(start)
        else:
            with fsspec.open(shown, "rb") as file:
                checkpoint = _loaded(file, weights_only)
    except FileNotFoundError:
        raise
    except CheckpointError as error:
        raise CheckpointError(f"{shown} {error}") from None
    except _DAMAGE as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise CheckpointError(f"{shown} can't be read: it is truncated, or no checkpoint ({reason})") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise CheckpointError(f"{shown} is not a Lightning checkpoint: it has no state_dict")
    state = checkpoint["state_dict"]
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{shown} is damaged: its state_dict is of type {type(state).__name__}")
    for name, value in state.items():
        if not isinstance(value, torch.Tensor) and not str(name).endswith("_extra_state"):
            raise CheckpointError(f"{shown} is damaged: {name!r} in its state_dict is of type {type(value).__name__}")
    return checkpoint


def _loaded(file: IO[bytes], weights_only: bool) -> Any:
    record = damaged_record(file)
    if record is not None:
        raise CheckpointError(f"is damaged: the checksum of its record {record} is wrong")
    start = file.tell()
    try:
        return torch.load(file, map_location="meta", weights_only=weights_only)
    except pickle.UnpicklingError:
        file.seek(start)
        objects: list[str] = []
        with contextlib.suppress(*_DAMAGE):
            objects = get_unsafe_globals_in_checkpoint(file)
        if not weights_only or not objects:
            raise
    raise CheckpointError(
        f"can't be read: it holds objects other than tensors and plain data ({', '.join(sorted(objects))}), which may run "
        "code when loaded; weights_only=False trusts it"
    )


def _load_weights(model: LightningModule, shown: str, *args: Any, **kwargs: Any) -> Any:
    """Load weights by the model's own method, which this stands in for once; weights that don't fit name their file."""
    del vars(model)["load_state_dict"]
    try:
        return model.load_state_dict(*args, **kwargs)
    except RuntimeError as error:
        name = type(model).__name__
        raise CheckpointError(f"{shown} does not fit {name}; was it saved by another model? {error}") from error


def _class_in(checkpoint: Mapping[str, Any], cls: type[Module]) -> tuple[type[Module], str | None]:
    """Return the class to make, and its path if the checkpoint names one that is imported already; else ``cls``."""
    hyper_parameters = checkpoint.get(cls.CHECKPOINT_HYPER_PARAMS_KEY) or {}
    class_path = hyper_parameters.get("_class_path") if isinstance(hyper_parameters, Mapping) else None
    if isinstance(class_path, str):
        module, _, name = class_path.rpartition(".")
        named = getattr(sys.modules.get(module), name, None)
        if isinstance(named, type) and issubclass(named, cls):
            return named, class_path
    return cls, None


def _loader_class(cls: type[Module], saved: SavedSwaps, shown: str) -> type[Module]:
    """Return a class that becomes ``cls``, with the swaps, at the moment before its weights are loaded."""

    def on_load_checkpoint(self: Any, checkpoint: dict[str, Any]) -> None:
        self.__class__ = cls
        strip_guard(checkpoint)
        # The model's own hook may compare the weights with the model, or build layers: the swap is there before it, if
        # the layers are, and after it in any case.
        with contextlib.suppress(SwapError, CheckpointError):
            complete(self, saved, replay)
        type(self).on_load_checkpoint(self, checkpoint)
        complete(self, saved, replay)
        warn_if_plain(self, saved)
        vars(self)["load_state_dict"] = functools.partial(_load_weights, self, shown)

    name = f"_Loader{id(on_load_checkpoint)}"
    members = {"on_load_checkpoint": on_load_checkpoint, "__module__": __name__, "__doc__": cls.__doc__}
    metaclass: Any = type(cls)
    loader: type[Module] = metaclass(name, (cls,), members)
    globals()[name] = loader  # LightningCLI finds it there, by name
    return loader
