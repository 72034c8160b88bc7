"""Watcher of the first batch of each stage, for calls of activations that a swap did not reach."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn

from lightning_acts.callbacks.packages import Callback, is_compiled
from lightning_acts.hints import counted
from lightning_acts.surgery.exchanging.matching import Rules
from lightning_acts.surgery.finding.observing import FunctionObserver
from lightning_acts.surgery.finding.sites import locate, seen_calls
from lightning_acts.surgery.roles.dataflow import Flow


class FirstBatches(Callback):
    """Warn once of calls that were meant, and that only a batch shows; ``ActivationSwap`` adds it to the Trainer.

    Args:
        rules: What was meant.

    Attributes:
        reported: The paths of sites of which the user knows already.
    """

    def __init__(self, rules: Rules) -> None:
        super().__init__()
        self.reported: set[str] = set()
        self._rules = rules
        self._observer: FunctionObserver | None = None
        self._stages: set[str] = set()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Watch the first batch for calls of activation functions."""
        self._observe_first(pl_module, "train")

    def on_validation_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Watch the first batch for calls of activation functions."""
        self._observe_first(pl_module, "validate")

    def on_test_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Watch the first batch for calls of activation functions."""
        self._observe_first(pl_module, "test")

    def on_predict_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Watch the first batch for calls of activation functions."""
        self._observe_first(pl_module, "predict")

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Warn of what the first batch has shown."""
        self._stop(pl_module)

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Warn of what the first batch has shown."""
        self._stop(pl_module)

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Warn of what the first batch has shown."""
        self._stop(pl_module)

    def on_predict_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Warn of what the first batch has shown."""
        self._stop(pl_module)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave no mode of torch behind."""
        self._stop(pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """As :meth:`teardown`."""
        self._stop(pl_module)

    def _observe_first(self, model: LightningModule, stage: str) -> None:
        if stage in self._stages or self._observer is not None:
            return
        self._stages.add(stage)
        if not is_compiled(model):
            self._observer = FunctionObserver(model, locate(model).activation_modules, Flow(model))
            self._observer.__enter__()  # type: ignore[no-untyped-call]

    def _stop(self, model: LightningModule) -> None:
        if self._observer is None:
            return
        observer, self._observer = self._observer, None
        observer.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        calls = [site for site in seen_calls(model, observer) if site.calls and site.role in self._rules.request.role]
        missed = [site for site in calls if self._rules.matches(site) and site.path not in self.reported]
        self.reported.update(site.path for site in missed)
        if missed:
            rank_zero_warn(
                f"ActivationSwap did not swap {counted(len(missed), 'call')} that only a batch has shown: "
                + ", ".join(f"{site.path} ({site.location})" for site in missed)
            )
