"""The callback that swaps the activations of a model which knows nothing of it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from multiprocessing.context import get_spawning_popen
from typing import TYPE_CHECKING, Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch import nn
from torch.nn.parameter import UninitializedParameter

from lightning_acts.callbacks.first_batches import FirstBatches
from lightning_acts.callbacks.packages import (
    Callback,
    averages,
    launchers_of_copies,
    overrides,
    stochastic_averages,
    uncompiled,
)
from lightning_acts.errors import SwapError
from lightning_acts.surgery import checkpoints, history
from lightning_acts.surgery.example import ExampleError
from lightning_acts.surgery.exchanging.matching import Rules
from lightning_acts.surgery.report import SwapReport
from lightning_acts.surgery.request import SwapOptions, SwapRequest, takes_options
from lightning_acts.surgery.swapping import replay, swap
from lightning_acts.surgery.wrappers import plain_path

if TYPE_CHECKING:
    from typing_extensions import Unpack

_COPIES = (
    "ActivationSwap can't bring a swap back from processes that the Trainer starts by spawn or fork: use strategy='ddp', "
    "or call acts.swap before the Trainer, without the callback"
)


class ActivationSwap(Callback):
    """Swap activations of the model that a Trainer is given: for fit, validate, test and predict.

    The swap takes place after the model is built (also in ``configure_model``), before weights are restored, the
    optimizer is made and the strategy wraps the model. Once swapped, a model stays so, and its checkpoints carry the
    swap: see :func:`lightning_acts.load_from_checkpoint`. With ``example_input_array`` in the model, calls of
    activation functions in forwards are listed at once; otherwise in the first batch of each stage.

    Args:
        map: Activation -> replacement, each a name, a spec string, or a mapping with ``name``; ``None`` leaves alone. Or a
            request with all options.
        options: Those of :class:`lightning_acts.SwapRequest`.

    Attributes:
        request: What is asked, as plain text.
        report: What the last swap did; None before the first, and where the model had been swapped already.

    Raises:
        SpecError: An activation's name or a parameter is wrong.
        SwapError: A replacement changes shapes or is not registered, or ``where`` is no function that can be imported.

    Example:
        ::

            Trainer(callbacks=[acts.ActivationSwap({"relu": "mish"})])
    """

    @takes_options
    def __init__(self, map: dict[str, Any] | SwapRequest, **options: Unpack[SwapOptions]) -> None:
        super().__init__()
        rules = Rules(SwapRequest.of(map, options))
        self.request = rules.request.plain()
        self.report: SwapReport | None = None
        self._running = False
        self._postponed: SwapError | None = None
        self._watcher = FirstBatches(rules)

    def __getstate__(self) -> dict[str, Any]:
        """Refuse to go to a process that the Trainer starts by spawn, before it is started."""
        if get_spawning_popen() is not None and not self._running:
            raise SwapError(_COPIES)
        return vars(self)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Have the swap made as soon as the model is complete."""
        # Started by fork: nothing of a callback is asked before.
        if isinstance(trainer.strategy.launcher, launchers_of_copies()) and not self._is_carried_by(pl_module):
            raise SwapError(_COPIES)
        self._running = True
        _refuse_earlier_copies(self, trainer)
        callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
        if self._watcher not in callbacks:
            callbacks.insert(callbacks.index(self) + 1, self._watcher)
        if not overrides(pl_module, "setup") and not overrides(pl_module, "configure_model"):
            self._swap_or_postpone(pl_module)
            return
        if any(isinstance(other, stochastic_averages()) for other in trainer.callbacks):  # type: ignore[attr-defined]
            # It copies the model before these hooks run: what they build, the copy would lack.
            self._swap_or_postpone(pl_module)
            _once_after(pl_module, "configure_model", functools.partial(_refuse_new_modules, set(pl_module.modules())))
            return
        # The module may build its layers later. Lightning has no hook between configure_model and the loading of
        # weights: this makes one, for one call.
        _once_after(pl_module, "configure_model", self._swap_or_postpone)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop if nothing could be swapped; warn of replacements that no optimizer trains."""
        self._begin(pl_module)
        _warn_of_untrained(self.request, trainer, pl_module)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop if nothing could be swapped."""
        self._begin(pl_module)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop if nothing could be swapped."""
        self._begin(pl_module)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop if nothing could be swapped."""
        self._begin(pl_module)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave nothing behind but the swap and its place in checkpoints."""
        _remove_hooks(pl_module)
        self._running, self._postponed = False, None

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """As :meth:`teardown`."""
        self.teardown(trainer, pl_module, "")

    def _swap_or_postpone(self, model: LightningModule) -> None:
        """Make the swap; if there is nothing to swap yet, after the model's own hook has seen the checkpoint."""
        checkpoints.hook(model, replay)
        builds = overrides(model, "on_load_checkpoint")
        try:
            self._swap(model)
        except SwapError as error:
            if not builds:
                raise
            self._postponed = error
        if builds:
            _once_after(model, "on_load_checkpoint", self._swap)

    def _begin(self, model: LightningModule) -> None:
        """Stop before any work if nothing could be swapped, with or without a checkpoint."""
        _remove_hooks(model)
        error, self._postponed = self._postponed, None
        if error is not None:
            raise error

    def _is_carried_by(self, model: LightningModule) -> bool:
        return any(made.request == self.request for made in history.swaps_of(model))

    def _swap(self, model: LightningModule) -> None:
        """Make the swap where the model does not carry it already."""
        rebuilt = history.forget_lost(model)
        if rebuilt or not self._is_carried_by(model):
            present = history.replacements_of(model, self.request)
            carried = {
                plain_path(name) for name, module in model.named_modules(remove_duplicate=False) if module in present
            }
            # Of a model that was partly built again, the new part.
            asked = self.request.limited_to(lambda site: carried.isdisjoint(site.paths)) if carried else self.request
            with uncompiled(model):
                try:
                    self.report = swap(model, asked, example_input=model.example_input_array)
                except ExampleError:
                    # A forward that logs, say, runs under a Trainer's hooks only: its first batch will show its functions.
                    self.report = swap(model, asked)
            self._watcher.reported = {left.site.path for left in self.report.left}
            _refuse_unsized(self.report, model)
            rank_zero_info(f"ActivationSwap {self.report.summary}")
        self._postponed = None


def _once_after(model: LightningModule, name: str, then: Callable[[LightningModule], None]) -> None:
    """Have something done after the next call of a hook of the model; a partial counts as an overridden method there."""
    vars(model)[name] = functools.partial(_call_and_then, model, name, vars(model).get(name), then)


def _refuse_new_modules(before: set[nn.Module], model: LightningModule) -> None:
    if not before.issuperset(model.modules()):
        raise SwapError(
            "StochasticWeightAveraging copies the model before setup() and configure_model() have made it whole: build "
            "the layers in the constructor, or use EMAWeightAveraging"
        )


def _call_and_then(
    model: LightningModule, name: str, previous: Any, then: Callable[[LightningModule], None], *arguments: Any
) -> None:
    _put_back(model, name, previous)
    getattr(model, name)(*arguments)
    then(model)


def _put_back(model: LightningModule, name: str, previous: Any) -> None:
    if previous is None:
        del vars(model)[name]
    else:
        vars(model)[name] = previous


def _remove_hooks(model: LightningModule) -> None:
    for name in ("configure_model", "on_load_checkpoint"):
        while isinstance(hook := vars(model).get(name), functools.partial) and hook.func is _call_and_then:
            _put_back(model, name, hook.args[2])


def _warn_of_untrained(request: SwapRequest, trainer: Trainer, model: LightningModule) -> None:
    groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
    trained = {id(parameter) for group in groups for parameter in group["params"]}
    if trained.isdisjoint(map(id, model.parameters())):
        return  # the strategy trains copies of them, or nothing is trained
    replacements = history.replacements_of(model, request)
    untrained = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        and id(parameter) not in trained
        and model.get_submodule(name.rpartition(".")[0]) in replacements
    ]
    if untrained:
        more = f" and {len(untrained) - 3} more" if len(untrained) > 3 else ""
        rank_zero_warn(
            f"{', '.join(untrained[:3])}{more}: ActivationSwap brought these parameters, and no optimizer has them, so they "
            "keep their values. Make the optimizer in configure_optimizers, of the parameters that the model has then"
        )


def _refuse_earlier_copies(callback: ActivationSwap, trainer: Trainer) -> None:
    for earlier in trainer.callbacks[: trainer.callbacks.index(callback)]:  # type: ignore[attr-defined]
        if isinstance(earlier, (*stochastic_averages(), *averages())):
            name = type(earlier).__name__
            raise SwapError(
                f"{name} has copied the model before the swap: put ActivationSwap before {name} in callbacks="
            )


def _refuse_unsized(report: SwapReport, model: LightningModule) -> None:
    unsized = [name for name, parameter in model.named_parameters() if isinstance(parameter, UninitializedParameter)]
    if unsized and model.example_input_array is None:
        report.undo()
        raise SwapError(
            f"{', '.join(unsized[:3])}: per=channel takes the number of channels from a batch, and the optimizer is made "
            "before the first one: give the model an example_input_array, or the activation num_parameters="
        )
