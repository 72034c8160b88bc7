"""What a run writes while it goes: metrics, the last checkpoint, pictures; and how it stops when it is told to."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint

from lightning_acts.files import replacing
from lightning_acts.runs.folder import RunFolder


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its place and moves it there: killed in the middle, or on a full disk, the old one stays."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write ``checkpoint`` to ``path``."""
        if "://" in os.fspath(path):  # elsewhere a file is there when it was sent
            super().save_checkpoint(checkpoint, os.fspath(path), storage_options)
            return
        with replacing(path) as unfinished:
            super().save_checkpoint(checkpoint, unfinished, storage_options)


class Recorder(Checkpoint):
    """At the end of each epoch, ``last.ckpt`` and then a row of metrics; told to stop, a checkpoint within the epoch.

    The checkpoint holds all rows so far, so that killed between any two files nothing is lost: a run that is resumed
    writes ``metrics.csv`` from it.

    Args:
        folder: The folder of the run.
        lines: Whether each epoch is a line on stderr.
        ends: Whether a run that had ended by itself, as by early stopping, stays so when it is resumed.
    """

    def __init__(self, folder: RunFolder, lines: bool, ends: bool = False) -> None:
        self.folder, self.lines, self.ends = folder, lines, ends
        self.begun = False
        self._rows: list[dict[str, float]] = []
        self._ended = False
        self._due: dict[int, float] = {}
        self._stop: int | None = None
        self._handlers: dict[int, Any] = {}

    @property
    def state_key(self) -> str:
        """Not the folder's: a run may be moved."""
        return "Recorder"

    def state_dict(self) -> dict[str, Any]:
        """Return the rows so far, whether the run has ended by itself, and the steps of schedulers that are due."""
        return {"rows": self._rows, "ended": self._ended, "due": self._due}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the rows of the epochs before."""
        self._rows, self._ended = [dict(row) for row in state_dict["rows"]], state_dict["ended"]
        self._due = dict(state_dict.get("due", {}))

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Let a run that was moved keep its best: Lightning forgets it where the folder has another name."""
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint) and callback.dirpath == str(self.folder.checkpoints):
                state = checkpoint["callbacks"].get(callback.state_key)
                if state is not None:
                    checkpoint["callbacks"][callback.state_key] = _moved(state, str(callback.dirpath))

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the rows of the checkpoint: those in the file may be of epochs that begin again, or damaged."""
        if self._rows and trainer.is_global_zero:
            self.folder.write_rows(self._rows)
        if self._ended and self.ends:
            trainer.should_stop = True

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """From now on, stop between batches when told to.

        Raises:
            RuntimeError: The checkpoint counts other epochs than it has rows.
        """
        progress: Any = trainer.fit_loop.epoch_progress.current
        if progress.processed != len(self._rows):
            raise RuntimeError(f"it counts {progress.processed} epochs, and has rows of {len(self._rows)}")
        self._step_due(trainer)
        if trainer.is_global_zero and trainer.world_size == 1:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._note)

    def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Note that everything was restored."""
        self.begun = True

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Told to stop: save, so that the run can go on with the next batch."""
        if self._stop is not None and _can_pause(trainer):
            self._due = _due(trainer, "step", batch_idx)
            trainer.save_checkpoint(self.folder.last, weights_only=False)
            raise KeyboardInterrupt

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save a checkpoint, then the row that it holds too."""
        measured = {name: value.item() for name, value in trainer.callback_metrics.items() if value.numel() == 1}
        self._rows.append({"epoch": trainer.current_epoch, "step": trainer.global_step, **measured})
        self._ended = trainer.should_stop
        self._due = _due(trainer, "epoch", trainer.current_epoch)
        trainer.save_checkpoint(self.folder.last, weights_only=False)
        if trainer.fit_loop.restarting:  # Lightning leaves them out in an epoch that was gone on with
            self._step_due(trainer)
        if trainer.is_global_zero:
            self.folder.write_rows(self._rows)
            if self.lines:
                # Counts of sites stand in the table: a line is for what changes.
                shown = ", ".join(
                    f"{name} {value:.4f}" for name, value in measured.items() if not name.startswith("sites/")
                )
                _say(f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}: {shown}")
        self._stop_if_told()

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Signals do again what they did."""
        self._release()
        self._stop_if_told()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Signals do again what they did."""
        self._release()

    def _step_due(self, trainer: L.Trainer) -> None:
        for index, value in self._due.items():
            trainer.lightning_module.lr_scheduler_step(trainer.lr_scheduler_configs[index].scheduler, value)

    def _stop_if_told(self) -> None:
        if self._stop is not None:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._stop is not None:  # told twice: at once
            raise KeyboardInterrupt
        self._stop = number
        _say("stopping after this batch, or with the epoch if that is near; once more to stop at once")

    def _release(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}


def _can_pause(trainer: L.Trainer) -> bool:
    """Return whether a run can go on from a checkpoint that is written after this batch.

    A checkpoint holds no gradients that were accumulated, and Lightning goes on behind a validation, or an end of the
    epoch, that was to follow the batch.
    """
    loop = trainer.fit_loop.epoch_loop
    fetcher = trainer.fit_loop._data_fetcher
    assert fetcher is not None
    return not (loop._is_training_done or loop._should_accumulate() or loop._should_check_val_fx(fetcher))


def _due(trainer: L.Trainer, interval: str, index: int) -> dict[int, float]:
    """Return what each ReduceLROnPlateau is stepped with after this, when the checkpoint is written already."""
    module, logged = trainer.lightning_module, trainer.callback_metrics
    return {
        number: logged[config.monitor].item()
        for number, config in enumerate(trainer.lr_scheduler_configs)
        if config.reduce_on_plateau and config.interval == interval and (index + 1) % config.frequency == 0
        if module.automatic_optimization and config.monitor in logged
    }


def _moved(state: dict[str, Any], folder: str) -> dict[str, Any]:
    """Return the state of a ModelCheckpoint whose files are in another folder now."""
    former = state["dirpath"]

    def moved(path: str) -> str:
        return str(Path(folder, Path(path).relative_to(former))) if path and Path(path).is_relative_to(former) else path

    paths = {
        name: moved(state[name]) for name in ("dirpath", "best_model_path", "kth_best_model_path", "last_model_path")
    }
    return {**state, **paths, "best_k_models": {moved(path): score for path, score in state["best_k_models"].items()}}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - results go to stdout, this does not
