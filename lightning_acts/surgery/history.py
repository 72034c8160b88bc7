"""The swaps that were made in a model, and the way back.

They are kept in an attribute of the model that is no module and no parameter: not in ``state_dict``, not in
``parameters()``, and copied together with the model, so that a deep copy restores its own copies.
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass, field, replace

import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin

from lightning_acts.surgery.plan import Plan, Request
from lightning_acts.surgery.site import SwapError

_ATTRIBUTE = "_lightning_acts_swaps"


@dataclass(eq=False)
class Exchange:
    """One module that took the place of another, in every slot that held it: parent and name in the parent."""

    path: str
    requested: str | None
    original: nn.Module
    replacement: nn.Module
    slots: tuple[tuple[nn.Module, str], ...]


@dataclass(eq=False)
class Swap:
    """One swap as it was made.

    Attributes:
        request: What was asked; None where an activation has no spec.
        plan: What was done; None where a replacement has no spec.
        exchanges: The modules.
        number: Swaps of a whole and of its parts are undone in the reverse of this order.
        fast_paths: Transformer layers whose fused path was switched off, with the flag that they had.
    """

    request: Request | None
    plan: Plan | None
    exchanges: list[Exchange]
    fast_paths: list[tuple[nn.TransformerEncoderLayer, int]]
    number: int = field(default_factory=itertools.count().__next__)


def swaps_of(model: nn.Module) -> list[Swap]:
    """The swaps of ``model``, the first one first; a copy of the list."""
    return list(vars(model).get(_ATTRIBUTE, ()))


def keep(model: nn.Module, swaps: list[Swap]) -> None:
    """Remember these swaps of a model, and no others."""
    # Straight into the dictionary: the model's class may have a __setattr__ of its own.
    if swaps:
        vars(model)[_ATTRIBUTE] = swaps
    else:
        vars(model).pop(_ATTRIBUTE, None)


def undo(model: nn.Module, swap: Swap) -> None:
    """Undo the last swap of ``model``.

    Raises:
        SwapError: It is not the last one, or undone already.
    """
    swaps = swaps_of(model)
    if swap not in swaps:
        raise SwapError("this swap was undone already")
    if swap is not swaps[-1]:
        raise SwapError(
            f"{len(swaps) - 1 - swaps.index(swap)} later swap(s) of this model must be undone first; acts.restore undoes all"
        )
    for exchange in swap.exchanges:
        _put_back(model, exchange)
    for layer, flag in swap.fast_paths:
        layer.activation_relu_or_gelu = flag
    keep(model, swaps[:-1])


def restore(model: nn.Module) -> None:
    """Undo every swap of a model, and of modules within it: the very same module objects come back.

    Trained weights stay as they are. A model that was never swapped is left alone.

    Example:
        >>> import lightning_acts as acts
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        >>> relu = model[1]
        >>> _ = acts.swap(model, {"relu": "mish"})
        >>> acts.restore(model)
        >>> model[1] is relu
        True
    """
    made = [(swap.number, swap, module) for module in model.modules() for swap in swaps_of(module)]
    for _, swap, module in sorted(made, key=lambda entry: -entry[0]):
        undo(module, swap)


def forget_lost(model: nn.Module) -> bool:
    """Forget exchanges that are gone because a part of the model was built anew since; whether there were any."""
    present = set(model.modules())
    lost = False
    kept = []
    for swap in swaps_of(model):
        still = [
            exchange
            for exchange in swap.exchanges
            if all(
                parent in present and parent._modules.get(name) is exchange.replacement
                for parent, name in exchange.slots
            )
        ]
        if len(still) < len(swap.exchanges):
            lost = True
            paths = {exchange.path for exchange in still}
            plan = swap.plan and replace(
                swap.plan, sites=tuple(site for site in swap.plan.sites if site.paths[0] in paths)
            )
            swap = Swap(swap.request, plan, still, swap.fast_paths, swap.number)
        if still:
            kept.append(swap)
    keep(model, kept)
    return lost


def placement(*modules: nn.Module) -> tuple[torch.device, torch.dtype] | None:
    """Device and type of the first floating-point parameter of the first module that has one."""
    for module in modules:
        for parameter in module.parameters():
            if parameter.is_floating_point():
                return parameter.device, parameter.dtype
    return None


def _put_back(model: nn.Module, exchange: Exchange) -> None:
    original, replacement = exchange.original, exchange.replacement
    if isinstance(replacement, LazyModuleMixin):
        # Its hooks are the original's: the one that would size it must not stay there.
        replacement._initialize_hook.remove()
    original.train(replacement.training)
    where = placement(replacement, *(parent for parent, _ in exchange.slots), model)
    if where is not None and placement(original) is not None:
        original.to(*where)
    for parent, name in exchange.slots:
        if parent._modules.get(name) is replacement:
            parent._modules[name] = original
        else:
            warnings.warn(
                f"{exchange.path}: not restored where it was replaced by something else after the swap", stacklevel=4
            )
