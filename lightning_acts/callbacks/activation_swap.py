"""The callback that swaps the activations of a model which knows nothing of it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import StochasticWeightAveraging, WeightAveraging
from lightning.pytorch.strategies.launchers.multiprocessing import _MultiProcessingLauncher
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import nn
from torch.nn.parameter import UninitializedParameter

from lightning_acts.callbacks.checkpoint import keep_swaps
from lightning_acts.surgery import history
from lightning_acts.surgery.finding import locate, seen_calls
from lightning_acts.surgery.flow import Flow
from lightning_acts.surgery.matching import Rules
from lightning_acts.surgery.observing import FunctionObserver
from lightning_acts.surgery.replacing import swap
from lightning_acts.surgery.report import SwapReport
from lightning_acts.surgery.site import Site, SwapError


class ActivationSwap(Callback):
    """Swap activations of the model that a Trainer is given: for fit, validate, test and predict.

    The swap takes place after the model is built (also in ``configure_model``), before weights are restored, the
    optimizer is made and the strategy wraps the model. Once swapped, a model stays so, and its checkpoints carry the
    swap: see :func:`lightning_acts.load_from_checkpoint`. With ``example_input_array`` in the model, calls of
    activation functions in forwards are listed at once; otherwise in the first batch of each stage.

    Args:
        map: Activation -> replacement, each a name, a spec string, or a mapping with ``name``; ``None`` leaves alone.
        include: Globs on paths; if given, only sites of which a path matches one are swapped.
        exclude: Globs on paths of sites to leave alone.
        role: The roles of the sites to swap.

    Attributes:
        report: What the last swap did; None before the first, and where the model had been swapped already.

    Raises:
        SpecError: An activation's name or a parameter is wrong.
        SwapError: A replacement changes shapes, or is not registered.

    Example:
        ::

            Trainer(callbacks=[acts.ActivationSwap({"relu": "mish"})])
    """

    def __init__(
        self,
        map: dict[str, Any],
        include: str | list[str] | None = None,
        exclude: str | list[str] | None = None,
        role: str | list[str] = "hidden",
    ) -> None:
        super().__init__()
        self._rules = Rules(map, include, exclude, role)
        request = self._rules.request()
        if request is None:
            raise SwapError("a checkpoint can't name a replacement that is not registered: see acts.register")
        self.request = request
        self.report: SwapReport | None = None
        self._observer: FunctionObserver | None = None
        self._stages: set[str] = set()
        self._reported: set[str] = set()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Have the swap made as soon as the model is complete."""
        if isinstance(trainer.strategy.launcher, _MultiProcessingLauncher):
            raise SwapError(
                "ActivationSwap can't bring a swap back from processes that the Trainer starts by spawn or fork: use "
                "strategy='ddp', or call acts.swap and acts.keep_swaps before the Trainer"
            )
        _refuse_earlier_copies(self, trainer)
        if not is_overridden("setup", pl_module) and not is_overridden("configure_model", pl_module):
            self._swap(pl_module)
            return
        if any(isinstance(other, StochasticWeightAveraging) for other in trainer.callbacks):  # type: ignore[attr-defined]
            raise SwapError(
                "StochasticWeightAveraging copies the model before setup() and configure_model() have made it whole: build "
                "the layers in the constructor, or use EMAWeightAveraging"
            )
        # The module may build its layers later. Lightning has no hook between configure_model and the loading of
        # weights: this makes one, for one call. A partial of a function counts as an overridden method there.
        previous = vars(pl_module).get("configure_model")
        pl_module.configure_model = functools.partial(_configure_and_swap, self, pl_module, previous)  # type: ignore[method-assign]

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave nothing behind but the swap and its place in checkpoints."""
        self._stop_observing(pl_module)
        self._unhook(pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """As :meth:`teardown`."""
        self._stop_observing(pl_module)
        self._unhook(pl_module)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Watch the first batch for calls of activation functions."""
        self._observe_first_batch(pl_module, "train")

    def on_validation_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Watch the first batch for calls of activation functions."""
        self._observe_first_batch(pl_module, "validate")

    def on_test_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Watch the first batch for calls of activation functions."""
        self._observe_first_batch(pl_module, "test")

    def on_predict_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Watch the first batch for calls of activation functions."""
        self._observe_first_batch(pl_module, "predict")

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Say what the first batch has shown."""
        self._stop_observing(pl_module)

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Say what the first batch has shown."""
        self._stop_observing(pl_module)

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Say what the first batch has shown."""
        self._stop_observing(pl_module)

    def on_predict_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Say what the first batch has shown."""
        self._stop_observing(pl_module)

    def _swap(self, model: LightningModule) -> None:
        """Make the swap, unless the model carries it already."""
        rebuilt = history.forget_lost(model)
        if rebuilt or not any(earlier.request == self.request for earlier in history.swaps_of(model)):
            request = self.request
            make = functools.partial(
                swap,
                model,
                request.map,
                include=request.include or None,
                exclude=request.exclude or None,
                role=request.role,
            )
            try:
                self.report = make(example_input=model.example_input_array)
            except SwapError as error:
                if "does not run on example_input" not in str(error):
                    raise
                # A forward that logs, say, runs under a Trainer's hooks only: its first batch will show its functions.
                self.report = make()
            self._reported = {left.site.path for left in self.report.left}
            _refuse_unsized(self.report, model)
            rank_zero_info(f"ActivationSwap {self.report.summary}")
        keep_swaps(model)

    def _observe_first_batch(self, model: LightningModule, stage: str) -> None:
        if stage in self._stages or self._observer is not None:
            return
        self._stages.add(stage)
        if not _is_compiled(model):
            self._observer = FunctionObserver(model, locate(model).activation_modules, Flow(model))
            self._observer.__enter__()  # type: ignore[no-untyped-call]

    def _stop_observing(self, model: LightningModule) -> None:
        if self._observer is None:
            return
        observer, self._observer = self._observer, None
        observer.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        calls = [site for site in seen_calls(model, observer) if site.calls and site.role in self.request.role]
        missed = [site for site in calls if self._rules.matches(site) and site.path not in self._reported]
        self._reported.update(site.path for site in missed)
        if missed:
            rank_zero_warn(
                f"ActivationSwap did not swap {_count(missed)} that only a batch has shown: "
                + ", ".join(f"{site.path} ({site.location})" for site in missed)
            )

    def _unhook(self, model: LightningModule) -> None:
        hook = vars(model).get("configure_model")
        if isinstance(hook, functools.partial) and hook.func is _configure_and_swap:
            del vars(model)["configure_model"]


def _configure_and_swap(callback: ActivationSwap, model: LightningModule, previous: Any) -> None:
    if previous is None:
        del vars(model)["configure_model"]
    else:
        vars(model)["configure_model"] = previous
    model.configure_model()
    callback._swap(model)


def _refuse_earlier_copies(callback: ActivationSwap, trainer: Trainer) -> None:
    for earlier in trainer.callbacks[: trainer.callbacks.index(callback)]:  # type: ignore[attr-defined]
        if isinstance(earlier, (StochasticWeightAveraging, WeightAveraging)):
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


def _is_compiled(model: nn.Module) -> bool:
    # An observer inside a compiled forward would be compiled with it.
    return any(hasattr(module, "_orig_mod") or module._compiled_call_impl is not None for module in model.modules())


def _count(sites: Sequence[Site]) -> str:
    return "1 call" if len(sites) == 1 else f"{len(sites)} calls"
