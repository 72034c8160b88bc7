"""What a run writes while it goes: metrics, the last checkpoint, pictures; and how it stops when it is told to."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

import lightning as L
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint

from lightning_acts.files import replacing
from lightning_acts.runs.folder import RunFolder


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its place and moves it there: killed in the middle, or on a full disk, the old one stays."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write ``checkpoint`` to ``path``."""
        if "://" in os.fspath(path):  # elsewhere a file is there when it was sent
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        with replacing(path) as unfinished:
            super().save_checkpoint(checkpoint, unfinished, storage_options)


class Recorder(Checkpoint):
    """At the end of each epoch, first a row of metrics, then ``last.ckpt``: a run that is killed loses neither.

    The row of an epoch whose checkpoint was not written is dropped when the run is resumed, and written again.
    """

    def __init__(self, folder: RunFolder, lines: bool) -> None:
        self.folder, self.lines = folder, lines
        self._stop: int | None = None
        self._handlers: dict[int, Any] = {}

    @property
    def state_key(self) -> str:
        """Not the folder's: a run may be moved."""
        return "Recorder"

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Drop rows of epochs that begin anew; from now on, stop between batches when told to."""
        if not trainer.is_global_zero:
            return
        rows = self.folder.rows()
        kept = [row for row in rows if row["epoch"] < trainer.current_epoch]
        if len(kept) < len(rows):
            self.folder.write_rows(kept)
        if trainer.world_size == 1:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._note)

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Told to stop: save, so that the run can go on with the next batch."""
        if self._stop is not None:
            trainer.save_checkpoint(self.folder.last, weights_only=False)
            raise KeyboardInterrupt

    def on_validation_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Told to stop: the run will go on from the last checkpoint."""
        if self._stop is not None:
            raise KeyboardInterrupt

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """A row, then a checkpoint."""
        measured = {name: value.item() for name, value in trainer.callback_metrics.items() if value.numel() == 1}
        row = {"epoch": trainer.current_epoch, "step": trainer.global_step, **measured}
        if trainer.is_global_zero:
            self.folder.write_rows([*self.folder.rows(), row])
            if self.lines:
                shown = ", ".join(f"{name} {value:.4f}" for name, value in measured.items())
                _say(f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}: {shown}")
        trainer.save_checkpoint(self.folder.last, weights_only=False)

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Signals do again what they did."""
        self._release()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Signals do again what they did."""
        self._release()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._stop is not None:  # told twice: at once
            raise KeyboardInterrupt
        self._stop = number
        _say("stopping after this batch; once more to stop at once")

    def _release(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - results go to stdout, this does not
