"""Processes that a Trainer starts by spawn or fork: they train copies of the model, and swaps come back with the weights.

Lightning loads the weights of the first process into the model that was given to the Trainer. No hook of a callback runs
there: after a fork the launcher is the only object that meets both sides.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from torch import nn

from lightning_acts.callbacks.packages import launchers_of_copies, uncompiled
from lightning_acts.errors import SwapError
from lightning_acts.surgery.checkpoints import SavedSwaps, complete
from lightning_acts.surgery.swapping import replay

if TYPE_CHECKING:
    from lightning_acts.callbacks.activation_swap import ActivationSwap

_KEY = "lightning_acts"


def bring_swaps_back(swap_class: type[ActivationSwap]) -> None:
    """Let the launchers of each package that is imported bring swaps back, of the callbacks of a class."""
    for launcher in launchers_of_copies():
        if not hasattr(launcher.get_extra_results, "__wrapped__"):
            launcher.get_extra_results = _sending(launcher.get_extra_results, swap_class)
            launcher._recover_results_in_main_process = _receiving(
                launcher._recover_results_in_main_process, swap_class
            )


def trains_copies(trainer: Any) -> bool:
    """Check whether the model that a Trainer trains is a copy of the one that it was given."""
    return isinstance(trainer.strategy.launcher, launchers_of_copies())


def refuse_unnamed(model: nn.Module) -> None:
    """Check before a copy is trained that its swaps can come back.

    Raises:
        SwapError: They can't be written down.
    """
    unnamed = SavedSwaps.of(model).unnamed
    if unnamed is not None:
        raise SwapError(f"a process started by spawn or fork can't send its swap back: {unnamed}")


def _sending(own: Any, swap_class: type[ActivationSwap]) -> Any:
    @functools.wraps(own)
    def get_extra_results(launcher: Any, trainer: Any) -> dict[str, Any]:
        extra: dict[str, Any] = own(launcher, trainer)
        swaps = [callback for callback in trainer.callbacks if isinstance(callback, swap_class)]
        if swaps and trainer.state.fn == "fit":  # weights come back from a fit only
            plans = [plan.to_dict() for plan in SavedSwaps.of(trainer.lightning_module).plans]
            extra[_KEY] = {"plans": plans, "states": {swap.state_key: swap.state_dict() for swap in swaps}}
        return extra

    return get_extra_results


def _receiving(own: Any, swap_class: type[ActivationSwap]) -> Any:
    @functools.wraps(own)
    def _recover_results_in_main_process(launcher: Any, worker_output: Any, trainer: Any) -> None:
        sent = worker_output.extra.pop(_KEY, None)
        if sent is not None:
            model = trainer.lightning_module
            states = sent["states"]
            # One of configure_callbacks may have taken the place of another one.
            swaps = [one for one in trainer.callbacks if isinstance(one, swap_class) and one.state_key in states]
            for swap in swaps:
                swap.swap_as_copy(model)
            for swap in swaps:
                swap.give_back(model)
                swap.load_state_dict(states[swap.state_key])
            with uncompiled(model):
                complete(model, SavedSwaps.within({_KEY: sent}, "what the process has sent"), replay)
        own(launcher, worker_output, trainer)

    return _recover_results_in_main_process
