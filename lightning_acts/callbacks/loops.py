"""What a scheduled swap asks of a Trainer: where its fit stands, and what its strategy bears."""

from __future__ import annotations

import gc
import math
from collections.abc import Sequence
from typing import Any

from lightning.pytorch import Trainer
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from lightning_acts.errors import SwapError
from lightning_acts.surgery.schedule import Position


def position_of(trainer: Trainer, batches: int) -> Position:
    """Return where a fit stands, of whose present epoch so many batches are done."""
    step = trainer.global_step
    in_epoch = trainer.num_training_batches
    epoch = trainer.current_epoch + (batches / in_epoch if math.isfinite(in_epoch) and in_epoch else 0.0)
    parts = []
    if trainer.max_epochs is not None and trainer.max_epochs > 0:
        parts.append(epoch / trainer.max_epochs)
    if trainer.max_steps > 0:
        parts.append(step / trainer.max_steps)
    return Position(step, epoch, max(parts, default=None))


def size_of(trainer: Trainer) -> tuple[float, float | None]:
    """Return the steps of an epoch and the epochs of a fit, as :func:`size_from` does."""
    epochs = -1 if trainer.max_epochs is None else trainer.max_epochs
    return size_from(trainer.num_training_batches, trainer.accumulate_grad_batches, epochs, trainer.max_steps)


def size_from(batches: float, accumulated: int, max_epochs: int, max_steps: int) -> tuple[float, float | None]:
    """Return the steps of an optimizer in an epoch, and the epochs that a fit has at most.

    Args:
        batches: Those of an epoch; infinite if nobody knows them.
        accumulated: How many of them make a step.
        max_epochs: As a Trainer has it: -1 for no end.
        max_steps: Likewise.

    Returns:
        The steps, infinite if nobody knows them; the epochs, None if there is no end.
    """
    steps = max(1.0, math.ceil(batches / accumulated)) if math.isfinite(batches) else math.inf
    ends = [float(max_epochs)] if max_epochs >= 0 else []
    if max_steps >= 0 and math.isfinite(steps):
        ends.append(max_steps / steps)
    return steps, min(ends, default=None)


def is_last_epoch(trainer: Trainer) -> bool:
    """Check, when an epoch of a fit has ended, whether no other follows."""
    epochs, steps = trainer.max_epochs, trainer.max_steps
    progress: Any = trainer.fit_loop.epoch_progress.current
    return (
        trainer.should_stop
        or (epochs is not None and 0 <= epochs <= progress.processed)
        or (steps is not None and 0 <= steps <= trainer.global_step)
    )


def is_strategy(trainer: Trainer, *names: str) -> bool:
    """Check whether a Trainer's strategy is one of these, of either package, or a subclass."""
    return any(cls.__name__ in names for cls in type(trainer.strategy).__mro__)


def refuse_strategies(trainer: Trainer) -> None:
    """Refuse strategies under which the activations of a model can't change during the fit.

    Raises:
        SwapError: The Trainer has one.
    """
    if is_strategy(trainer, "DeepSpeedStrategy"):
        raise SwapError(
            f"{type(trainer.strategy).__name__} compiles the order of a model's modules into its own: a swap during the fit is not possible there; "
            "swap at the start, or use another strategy"
        )


def refuse_unsharded(trainer: Trainer, model: nn.Module, brought: Sequence[nn.Parameter]) -> None:
    """Refuse parameters that came with replacements and that fully_shard has not met, as it leaves out those of calls.

    Raises:
        SwapError: There are some.
    """
    apart = any(not hasattr(parameter, "placements") for parameter in brought)
    if apart and any(hasattr(parameter, "placements") for parameter in model.parameters()):
        raise SwapError(
            f"{type(trainer.strategy).__name__}: fully_shard does not reach parameters that come with the replacement of a call, "
            "and nothing would keep them equal on all processes: use a replacement without parameters there, or exclude= it"
        )


def wrap_again(trainer: Trainer) -> None:
    """Have DistributedDataParallel look again at which parameters need gradients; other strategies always do.

    Raises:
        SwapError: The strategy has flattened the parameters.
    """
    strategy = trainer.strategy
    if is_strategy(trainer, "FSDPStrategy", "ModelParallelStrategy"):
        name = type(strategy).__name__
        raise SwapError(f"{name} can't take a scheduled swap where either activation has parameters: swap at the start")
    wrapper = getattr(strategy, "model", None)
    if isinstance(wrapper, DistributedDataParallel):
        strategy.model = wrapper.module
        del wrapper
        gc.collect()  # the hooks of the old reducer go with it
        strategy.configure_ddp()  # type: ignore[attr-defined]
