"""Parameters that a swap brings, in an optimizer that exists already."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch.nn import Parameter
from torch.optim import LBFGS, Optimizer

from lightning_acts.errors import SwapError

#: Lists that torch's schedulers keep, of one element a group: learning rates, and others.
_RATES = ("base_lrs", "_last_lr", "min_lrs", "max_lrs")
_PER_GROUP = (*_RATES, "lr_lambdas", "base_momentums", "max_momentums")


def set_apart(
    optimizer: Optimizer,
    parameters: Iterable[Parameter],
    lr_factor: float = 1.0,
    weight_decay: float = 0.0,
    schedulers: Iterable[Any] = (),
) -> None:
    """Move parameters into groups of their own, with the options of those in which they are.

    Nothing is moved out of a group that has these options already. State, order and options of all others stay.

    Args:
        optimizer: Any optimizer.
        parameters: Those to move; others than the optimizer's are left out.
        lr_factor: Their learning rate, in parts of that of their group.
        weight_decay: Their weight decay, where the optimizer has one.
        schedulers: Those of the optimizer: what they keep for each group, they get for the new ones.
    """
    wanted = {id(parameter) for parameter in parameters}
    for index, group in enumerate(list(optimizer.param_groups)):
        moved = [parameter for parameter in group["params"] if id(parameter) in wanted]
        if not moved or (lr_factor == 1.0 and group.get("weight_decay", weight_decay) == weight_decay):
            continue
        options = {key: value for key, value in group.items() if key not in ("params", "param_names")}
        if lr_factor != 1.0:
            options |= {key: value * lr_factor for key, value in options.items() if _is_rate(key, value)}
        if "weight_decay" in options:
            options["weight_decay"] = weight_decay
        added: list[Any] = moved
        if "param_names" in group:
            named = dict(zip(map(id, group["params"]), group["param_names"], strict=True))
            group["param_names"] = [name for key, name in named.items() if key not in wanted]
            added = [(named[id(parameter)], parameter) for parameter in moved]
        group["params"] = [parameter for parameter in group["params"] if id(parameter) not in wanted]
        optimizer.add_param_group({**options, "params": added})
        for scheduler in schedulers:
            _extend(scheduler, optimizer, index, lr_factor)


def exchange_parameters(optimizer: Optimizer, gone: Iterable[Parameter], come: Mapping[str, Parameter]) -> None:
    """Drop parameters from an optimizer, with what it keeps for them, and add others, which are not decayed.

    Args:
        optimizer: Any optimizer but LBFGS.
        gone: Those to drop; others than the optimizer's are left out.
        come: Those to add, by name. They join the first group without weight decay, or get one with the options of the first.
    """
    dropped = {id(parameter) for parameter in gone}
    for group in optimizer.param_groups:
        stays = [id(parameter) not in dropped for parameter in group["params"]]
        for key in ("params", "param_names"):
            if key in group:
                group[key][:] = itertools.compress(group[key], stays)
    for parameter in [parameter for parameter in optimizer.state if id(parameter) in dropped]:
        del optimizer.state[parameter]
    if come:
        undecayed = [group for group in optimizer.param_groups if not group.get("weight_decay")]
        group = (undecayed or optimizer.param_groups)[0]
        group["params"].extend(come.values())
        if "param_names" in group:
            group["param_names"].extend(come)
        set_apart(optimizer, come.values())


def refuse_unchangeable(optimizer: Optimizer) -> None:
    """Check that parameters can come to an optimizer and go, and have groups of their own.

    Raises:
        SwapError: It keeps one state for all of them.
    """
    if isinstance(optimizer, LBFGS):
        raise SwapError(
            "LBFGS keeps one state for all parameters: swap before it is made, and make another one afterwards"
        )


def completed_states(
    states: tuple[dict[str, Any], list[dict[str, Any]]],
    optimizer: Optimizer,
    schedulers: Sequence[Any],
    parameters: Iterable[Parameter],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Complete the states of an optimizer and its schedulers that were saved before some parameters were there.

    Args:
        states: What was saved: of the optimizer, and of each scheduler.
        optimizer: The optimizer as it is now.
        schedulers: Its schedulers.
        parameters: Those that were not there.

    Returns:
        States that fit; those of the optimizer for which there is nothing to complete are returned as they are.
    """
    saved, saved_schedulers = states
    brought = {id(parameter) for parameter in parameters}
    own = optimizer.state_dict()
    numbers = [number for group in own["param_groups"] for number in group["params"]]
    all_parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    kept = [n for n, parameter in zip(numbers, all_parameters, strict=True) if id(parameter) not in brought]
    before = [number for group in saved["param_groups"] for number in group["params"]]
    if len(before) != len(kept) or len(before) == len(numbers):
        return states
    groups = [
        {**group, **(earlier or {}), "params": group["params"]}
        for group, earlier in itertools.zip_longest(own["param_groups"], saved["param_groups"])
    ]
    state = {new: saved["state"][old] for old, new in zip(before, kept, strict=True) if old in saved["state"]}
    many, few = len(own["param_groups"]), len(saved["param_groups"])
    completed = [
        {
            key: [*value, *vars(scheduler)[key][few:]]
            if key in _PER_GROUP and len(value) == few < many == len(vars(scheduler).get(key, ()))
            else value
            for key, value in entry.items()
        }
        for entry, scheduler in zip(saved_schedulers, schedulers, strict=True)
    ]
    return {**saved, "state": state, "param_groups": groups}, completed


def _is_rate(key: str, value: Any) -> bool:
    return key.endswith("lr") and isinstance(value, float)


def _extend(scheduler: Any, optimizer: Optimizer, index: int, lr_factor: float) -> None:
    """Let a scheduler keep for the last group what it keeps for one of the others."""
    for inner in getattr(scheduler, "_schedulers", ()):
        _extend(inner, optimizer, index, lr_factor)
    if getattr(scheduler, "optimizer", None) is not optimizer:
        return
    for name in _PER_GROUP:
        kept = vars(scheduler).get(name)
        if isinstance(kept, list) and len(kept) == len(optimizer.param_groups) - 1:
            kept.append(kept[index] * lr_factor if name in _RATES else kept[index])
