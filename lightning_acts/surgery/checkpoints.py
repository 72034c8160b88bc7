"""Swaps in the checkpoints of a LightningModule: written by its own hooks, compared when one is loaded.

A swap is more than weights: a checkpoint of a swapped model carries the plans of its swaps as plain strings, and a
tensor in its ``state_dict`` whose name says how to load it. The tensor makes every plain strict loader stop with that
name in its message, where it would otherwise give the old activations silently. Nothing here imports Lightning: a
LightningModule is known by its hooks, whichever package it comes from.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from lightning_acts.errors import ActsError, SwapError
from lightning_acts.surgery import history
from lightning_acts.surgery.blending import ScheduledSite
from lightning_acts.surgery.history import Exchange, exchanges_of
from lightning_acts.surgery.plan import BlendState, Plan

_KEY = "lightning_acts"
_GUARDED = "activations were swapped: "
_GUARD = (
    f"{_GUARDED}load this checkpoint with lightning_acts.load_from_checkpoint, "
    "or into a model that is swapped in the same way, by acts.swap or the callback lightning_acts.ActivationSwap"
)

Replay = Callable[[nn.Module, list[Plan]], object]


class CheckpointError(ActsError, RuntimeError):
    """A checkpoint can't be read, or does not belong to the model."""


@dataclass(frozen=True)
class SavedSwaps:
    """The swaps of a model as its checkpoint has them.

    Attributes:
        plans: The plans, the first one first.
        unnamed: Why they can't be written down; None if they can.
    """

    plans: list[Plan]
    unnamed: str | None = None

    @classmethod
    def of(cls, model: nn.Module) -> SavedSwaps:
        """Return the swaps that a model has."""
        try:
            return cls(history.plans_of(model))
        except SwapError as error:
            return cls([], str(error))

    @classmethod
    def within(cls, checkpoint: Mapping[str, Any], shown: str) -> SavedSwaps:
        """Return the swaps that a checkpoint carries; ``shown`` names it in errors.

        Raises:
            CheckpointError: Its entry is damaged, or of a newer version.
        """
        if _KEY not in checkpoint:
            return cls([])
        try:
            entry = checkpoint[_KEY]
            return cls([Plan.from_dict(data, f"the plan in {shown}") for data in entry["plans"]], entry.get("unnamed"))
        except (KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{shown}: its entry {_KEY!r} is damaged ({error!r})") from None
        except SwapError as error:
            raise CheckpointError(str(error)) from error

    def __bool__(self) -> bool:
        return bool(self.plans) or self.unnamed is not None

    def __str__(self) -> str:
        return self.unnamed or "; ".join(str(plan.request) for plan in self.plans) or "not at all"

    @property
    def structure(self) -> dict[tuple[str, ...], tuple[tuple[str, BlendState | None], ...]]:
        """The replacement at each place after all the plans, however they were divided, and how far it has taken over.

        It comes after those on which its blend lies.
        """
        found: dict[tuple[str, ...], tuple[tuple[str, BlendState | None], ...]] = {}
        for site in (site for plan in self.plans for site in plan.sites):
            below = found.get(site.paths, ()) if site.blend is not None else ()
            found[site.paths] = (*below, (site.replacement, site.blend))
        return found

    @property
    def fingerprint(self) -> Tensor:
        """A hash of the structure, as bytes in a tensor."""
        text = json.dumps([sorted(map(repr, self.structure.items())), self.unnamed])
        return torch.tensor(list(hashlib.sha256(text.encode()).digest()), dtype=torch.uint8)

    def lacking(self, present: SavedSwaps) -> list[Plan]:
        """Return the plans for the places that a model with the swaps ``present`` does not have yet, or has had changed since.

        Raises:
            CheckpointError: The model has swaps that are not among these.
        """
        if not self:
            return []
        if self.unnamed == present.unnamed and self.plans[: len(present.plans)] == present.plans:
            return [plan for plan in self.plans[len(present.plans) :] if plan.sites]
        if self.unnamed != present.unnamed or not present.structure.items() <= self.structure.items():
            raise _differs(self, present)
        missing = self.structure.keys() - present.structure.keys()
        plans = [replace(p, sites=tuple(site for site in p.sites if site.paths in missing)) for p in self.plans]
        return [plan for plan in plans if plan.sites]


def knows_swaps(checkpoint: Mapping[str, Any]) -> bool:
    """Check whether a checkpoint was saved by a swapped model."""
    return _KEY in checkpoint


def has_checkpoints(model: nn.Module) -> bool:
    """Check whether a module, or one within it, is a LightningModule."""
    return any(True for _ in _lightning_modules(model))


def hook(model: nn.Module, replay: Replay) -> None:
    """Give each LightningModule within a model hooks that keep its swaps in checkpoints.

    Args:
        model: The model.
        replay: Makes the swaps of plans in a model.
    """
    for module in _lightning_modules(model):
        for name, function in (("on_save_checkpoint", _save), ("on_load_checkpoint", _load)):
            own = getattr(module, name)
            if not (isinstance(own, functools.partial) and own.func is function):
                # A partial of a bound method is copied and pickled together with the model; a closure would not be.
                # Straight into the dictionary: the model's class may have a __setattr__ of its own.
                vars(module)[name] = functools.partial(function, module, own, replay)


def follow(replay: Replay, changed: nn.Module) -> list[RemovableHandle]:
    """Let the checkpoints of any LightningModule around a changed module keep its swap.

    A module does not know what holds it. A LightningModule that lies beyond the model is found as soon as its state
    dict is made or loaded, which Lightning does before it saves a checkpoint, and after it has read one.

    Args:
        replay: Makes the swaps of plans in a model.
        changed: The module, which holds a replacement.

    Returns:
        The handles that end this.
    """
    return [
        changed.register_state_dict_pre_hook(functools.partial(_before_saving, replay)),  # type: ignore[no-untyped-call]
        changed.register_load_state_dict_pre_hook(_before_loading),  # type: ignore[no-untyped-call]
    ]


def strip_guard(checkpoint: Mapping[str, Any]) -> None:
    """Take out the tensor that stops plain loaders; earlier versions gave its name another end."""
    state = checkpoint["state_dict"]
    for name in [name for name in state if str(name).startswith(_GUARDED)]:
        del state[name]


def complete(model: nn.Module, saved: SavedSwaps, replay: Replay) -> None:
    """Make the swaps of a checkpoint that a model does not have.

    Raises:
        CheckpointError: The model has others, or the checkpoint can't name them.
        SwapError: They do not fit the model.
    """
    history.forget_lost(model)
    restate(model, saved)
    replay(model, saved.lacking(SavedSwaps.of(model)))


def restate(model: nn.Module, saved: SavedSwaps) -> None:
    """Bring each scheduled site of a model to the state in which a checkpoint has it."""
    planned = [site for plan in saved.plans for site in plan.sites]
    states = dict(zip(_numbered((site.paths, site.original) for site in planned), planned, strict=True))
    present = [entries for swap in history.swaps_of(model) for entries in swap.sites]
    for key, entries in zip(
        _numbered((history.paths_of(entries), entries[0].change.was) for entries in present), present, strict=True
    ):
        blend = entries[0].change.blend
        if blend is not None and key in states:
            ScheduledSite(blend, entries).restate(states[key].blend)


def _numbered(sites: Iterable[tuple[tuple[str, ...], str]]) -> list[tuple[tuple[str, ...], str, int]]:
    """Count, for sites given by paths and original, the first swap first: a chain may come by the same one again."""
    seen: Counter[tuple[tuple[str, ...], str]] = Counter()
    keys = []
    for site in sites:
        keys.append((*site, seen[site]))
        seen[site] += 1
    return keys


def warn_if_plain(model: nn.Module, saved: SavedSwaps) -> None:
    """Warn if the weights of a model without swaps go into one with swaps."""
    present = SavedSwaps.of(model)
    if present and not saved:
        warnings.warn(
            f"the checkpoint comes from a model without swapped activations; its weights go into one swapped {present}",
            stacklevel=2,
        )


def _differs(saved: SavedSwaps, present: SavedSwaps) -> CheckpointError:
    return CheckpointError(
        f"the checkpoint was saved by a model swapped {saved}; this model is swapped {present}. Swap it in the same "
        "way (ActivationSwap with the same arguments), or use lightning_acts.load_from_checkpoint"
    )


def _lightning_modules(model: nn.Module) -> Iterator[nn.Module]:
    for module in model.modules():
        # Asked of the class: wrappers pass attributes of what they wrap.
        if hasattr(type(module), "on_save_checkpoint") and hasattr(type(module), "on_load_checkpoint"):
            yield module


def _save(model: nn.Module, own: Callable[[dict[str, Any]], None], replay: Replay, checkpoint: dict[str, Any]) -> None:
    own(checkpoint)
    saved = SavedSwaps.of(model)
    if not saved:
        return
    if saved.unnamed is not None:
        warnings.warn(f"the checkpoint can't bring its swap back: {saved.unnamed}", stacklevel=2)
    checkpoint[_KEY] = {"plans": [plan.to_dict() for plan in saved.plans], "unnamed": saved.unnamed}
    checkpoint["state_dict"][_GUARD] = saved.fingerprint


def _load(model: nn.Module, own: Callable[[dict[str, Any]], None], replay: Replay, checkpoint: dict[str, Any]) -> None:
    saved = SavedSwaps.within(checkpoint, "the checkpoint")
    strip_guard(checkpoint)
    before = set(model.modules())
    own(checkpoint)
    if before != set(model.modules()):
        complete(model, saved, replay)  # the model's own hook has built layers, or built them again
    else:
        restate(model, saved)
        if saved.lacking(SavedSwaps.of(model)):
            raise _differs(saved, SavedSwaps.of(model))
    warn_if_plain(model, saved)
    if not saved:
        fit_plain_weights(model, checkpoint["state_dict"])


def fit_plain_weights(model: nn.Module, state: dict[str, Any]) -> None:
    """Give the weights of a model without swaps the keys of one with swaps; what these brought keeps its values.

    Args:
        model: The model with swaps.
        state: The weights, which are changed.
    """
    paths: dict[nn.Module, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        paths.setdefault(module, []).append(name)
    places: dict[tuple[nn.Module, str], list[Exchange]] = {}
    for entry in exchanges_of(model):
        places.setdefault((entry.owner, entry.change.name), []).append(entry.change)
    for (owner, name), exchanges in places.items():
        standing = exchanges[-1].standing(owner)
        if standing is None or all(standing is not exchange.replacement for exchange in exchanges):
            continue
        original = exchanges[0].before
        stood = [] if original is None else list(original.state_dict())
        within = next((path for path, module in standing.named_modules() if module is original), None)
        for path in paths[owner]:
            prefix = f"{path}.{name}.".lstrip(".")
            values = {key: state.pop(prefix + key) for key in stood if prefix + key in state}
            if within is not None:
                state.update({f"{prefix}{within}.{key}": value for key, value in values.items()})
            present = standing.state_dict(prefix=prefix, keep_vars=True)
            state.update({key: value for key, value in present.items() if key not in state})


def _before_saving(replay: Replay, module: nn.Module, prefix: str, keep_vars: bool) -> None:
    for whole, _ in _wholes("state_dict"):
        hook(whole, replay)


def _before_loading(
    module: nn.Module, state_dict: Any, prefix: str, metadata: Any, strict: bool, missing: Any, unexpected: list[str], errors: Any
) -> None:  # fmt: skip
    if _GUARD not in unexpected:
        return
    for whole, local in _wholes("load_state_dict"):
        if _GUARD in local["state_dict"] and torch.equal(
            local["state_dict"][_GUARD].cpu(), SavedSwaps.of(whole).fingerprint
        ):
            unexpected.remove(_GUARD)
            return


def _wholes(method: str) -> Iterator[tuple[nn.Module, Mapping[str, Any]]]:
    """Find the modules of which a method of torch is running, from the inside to the outside, with its variables."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name == method:
            local = frame.f_locals
            if isinstance(local.get("self"), nn.Module):
                yield local["self"], local
        frame = frame.f_back
