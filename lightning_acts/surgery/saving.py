"""The swaps of a model in a file beside its weights, and the way back.

A swap without parameters leaves no trace in a ``state_dict``: whoever loads the weights alone gets the old activations
without a word. The file holds the plans of all swaps, in order.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from lightning_acts.errors import SwapError
from lightning_acts.extras import require
from lightning_acts.surgery import checkpoints, history
from lightning_acts.surgery.history import exchanges_of, lost_among, plans_of
from lightning_acts.surgery.plan import Plan, read_data, write_data
from lightning_acts.surgery.report import SwapReport
from lightning_acts.surgery.swapping import refuse_model, replay
from lightning_acts.surgery.turns import one_at_a_time
from lightning_acts.surgery.wrappers import wrappers_of

#: What the file is called in the folder of a model.
FILE_NAME = "swap.json"
#: What its name ends with beside a file of weights: ``model.swap.json`` for ``model.pt``.
SUFFIX = f".{FILE_NAME}"


def save_swaps(model: nn.Module, path: str | os.PathLike[str]) -> Path:
    """Write the swaps of a model to a file beside its weights; :func:`load_swaps` makes them again.

    Args:
        model: The model, or a part or a whole of what was swapped: paths in the file are those from here on, without the
            prefixes of wrappers. Without swaps the file says so.
        path: The file (``.json``, ``.yaml``), or a folder such as ``save_pretrained`` writes, where it is ``swap.json``.

    Returns:
        The file; an existing one is replaced whole.

    Raises:
        SwapError: A replacement is not registered, so that no file can name it, or something else stands there now.

    Example:
        >>> import tempfile, torch, lightning_acts as acts
        >>> from torch import nn
        >>> make = lambda: nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        >>> model, fresh = make(), make()
        >>> _ = acts.swap(model, {"relu": "mish"})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save(model.state_dict(), f"{folder}/model.pt")
        ...     file = acts.save_swaps(model, f"{folder}/model.swap.json")
        ...     _ = acts.load_swaps(fresh, file)  # first the swaps, then the weights
        ...     fresh.load_state_dict(torch.load(f"{folder}/model.pt"))
        <All keys matched successfully>
        >>> fresh[1]
        Mish()
    """
    plans = plans_of(model)
    changes = sorted(exchanges_of(model), key=lambda entry: -entry.change.transaction.number)
    if lost := [entry.path for entry in lost_among(changes)]:
        raise SwapError(
            f"{', '.join(lost)}: something else stands there than what the swap put there, and no file can name it: swap it "
            "with acts.swap, or restore the model"
        )
    target = Path(path) / FILE_NAME if Path(path).is_dir() else Path(path)
    return write_data(target, {"plans": [plan.to_dict() for plan in plans]})


@one_at_a_time
def load_swaps(model: nn.Module, path: str | os.PathLike[str]) -> list[SwapReport]:
    """Make the swaps that :func:`save_swaps` has written, all or none of them.

    Args:
        model: A fresh model of the same structure; a wrapper (compiled, averaged, set up by Fabric) stands for the model
            within it.
        path: The file, or the folder of a model, such as ``save_pretrained`` writes: from its ``model.safetensors``
            come the values of the parameters that the swaps bring, which ``from_pretrained`` could not place.

    Returns:
        The reports, one a swap.

    Raises:
        SwapError: The file holds no swaps, or was made for another model; the model is as it was.
        FileNotFoundError: There is no such file.
    """
    folder = Path(path) if Path(path).is_dir() else None
    file = folder / FILE_NAME if folder else Path(path)
    plans = read_plans(file)
    *wrappers, model = wrappers_of(model)
    for wrapper in wrappers:
        if not isinstance(wrapper, AveragedModel):
            refuse_model(wrapper)
    before, earlier = set(model.modules()), history.newest(model)
    try:
        reports = replay(model, plans)
        if folder:
            _fill(model, before, folder)
    except BaseException:
        history.undo_since(model, earlier)
        raise
    return reports


def read_plans(file: Path) -> list[Plan]:
    """Return the plans in a file that :func:`save_swaps` or :meth:`Plan.save` has written.

    Raises:
        SwapError: It holds none.
        FileNotFoundError: There is no such file.
    """
    data = read_data(file)
    plans = data.get("plans", [data]) if isinstance(data, Mapping) else None
    if not isinstance(plans, list):
        raise SwapError(f"{file} holds no plans of swaps, but {type(plans or data).__name__}")
    named = [str(file) if plans == [data] else f"{file}: plan {index}" for index in range(len(plans))]
    return [Plan.from_dict(plan, name) for plan, name in zip(plans, named, strict=True)]


def keep_swaps(model: nn.Module) -> None:
    """Let every checkpoint of a LightningModule carry its swaps, and compare every checkpoint that it loads with them.

    ``acts.swap`` and ``ActivationSwap`` do this themselves. Asked for explicitly, swaps that no checkpoint can name
    are refused at once.

    Args:
        model: The LightningModule. Its hooks are the instance's own, and stay: a checkpoint may be saved long after the
            fit.

    Raises:
        SwapError: It is not a LightningModule, or a replacement is not registered.

    Example:
        ::

            acts.keep_swaps(lit)
            trainer.fit(lit)
    """
    if not checkpoints.has_checkpoints(model):
        raise SwapError(
            f"{type(model).__name__} is not a LightningModule: acts.save_swaps keeps the swaps of any module"
        )
    plans_of(model)
    checkpoints.hook(model, replay)


def _fill(model: nn.Module, before: set[nn.Module], folder: Path) -> None:
    """Load the parameters and buffers of modules that were not there before from the weights in a folder."""
    paths: dict[nn.Module, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if module not in before:
            paths.setdefault(module, []).append(name)
    wanted = [
        (tensor, [f"{path}.{name}" for path in names])
        for module, names in paths.items()
        for name, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    ]
    files = _files_of_keys(folder) if wanted else {}
    for tensor, keys in wanted:
        # A parameter that several places share may be stored under the name of any of them.
        key = next((key for key in keys if key in files), None)
        if key is None:
            raise SwapError(f"{folder}: the weights there have no {keys[0]}, which a swap brings")
        with _opened(files[key]) as stored, torch.no_grad():
            value = stored.get_tensor(key)
            if isinstance(tensor, nn.parameter.UninitializedParameter):
                tensor.materialize(value.shape)
            if value.shape != tensor.shape:
                raise SwapError(f"{files[key]}: {key} has the shape {(*value.shape,)}, the model's {(*tensor.shape,)}")
            tensor.copy_(value)


def _files_of_keys(folder: Path) -> dict[str, Path]:
    index = folder / "model.safetensors.index.json"
    if index.exists():
        try:
            shards = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
            return {key: folder / shard for key, shard in shards.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SwapError(f"{index} can't be read as the index of weights: it is damaged ({error!r})") from error
    single = folder / "model.safetensors"
    if not single.exists():
        raise SwapError(f"{folder} has no model.safetensors: give the file {FILE_NAME}, and load the weights yourself")
    with _opened(single) as stored:
        return dict.fromkeys(stored.keys(), single)


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Any]:
    safetensors = require("safetensors", extra="hf")
    try:
        with safetensors.safe_open(file, framework="pt") as stored:
            yield stored
    except (safetensors.SafetensorError, OSError) as error:
        raise SwapError(f"{file} can't be read as weights: it is empty, damaged or missing ({error})") from error
