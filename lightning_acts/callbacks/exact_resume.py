"""Resuming as if nothing had happened."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import torch
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torchmetrics import Metric

from lightning_acts.callbacks.packages import Callback

_KEY = "lightning_acts_exact_resume"


class ExactResume(Callback):
    """Keep the state of the random generators, and of metrics in the middle of an epoch, in every checkpoint.

    Lightning keeps weights, optimizers and counters, not the generators: with shuffling or dropout a resumed run is
    another one. With this callback it is the same to the bit, from checkpoints at the end of an epoch; from those within
    an epoch if the data loader keeps its place (``state_dict`` and ``load_state_dict``), as those of the zoo do.

    Example:
        ::

            Trainer(callbacks=[acts.ExactResume()])
    """

    def __init__(self) -> None:
        self._loaded: dict[str, Any] | None = None
        self._logged: dict[str, dict[str, Tensor]] = {}

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Put the states into the checkpoint, as tensors and plain data."""
        within_epoch = not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        state: dict[str, Any] = {"generators": _generators(), "within_epoch": within_epoch}
        if within_epoch:
            state["metrics"] = {
                name: {"count": metric._update_count, "state": copy.deepcopy(dict(metric.metric_state))}
                for name, metric in _metrics(pl_module).items()
                if metric._update_count
            }
            state["logged"] = {
                key: {name: getattr(result, name).clone() for name in result._defaults}
                for key, result in trainer.fit_loop.epoch_loop._results.items()
                if result.is_tensor and result.meta.on_epoch and not result.has_reset
            }
        checkpoint[_KEY] = state

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Remember them until the fit begins."""
        self._loaded = checkpoint.get(_KEY)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the generators back, before data loaders draw from them."""
        if self._loaded is None:
            return
        _set_generators(self._loaded["generators"])
        # A model that asks for estimated_stepping_batches in configure_optimizers has the loaders made, and their
        # iterators with other draws, before Lightning knows their state, which it then never loads: made again, they get it.
        trainer.fit_loop._combined_loader = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Within an epoch, put the generators back once more: making the iterators has drawn from them."""
        if self._loaded is not None and self._loaded["within_epoch"]:
            _set_generators(self._loaded["generators"])

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Within an epoch, put the metrics back."""
        loaded, self._loaded = self._loaded, None
        if loaded is None or not loaded["within_epoch"]:
            return
        for name, metric in _metrics(pl_module).items():
            if name in loaded["metrics"]:
                saved = loaded["metrics"][name]
                for key, value in saved["state"].items():
                    setattr(metric, key, move_data_to_device(value, metric.device))
                metric._update_count = saved["count"]
        self._logged = loaded["logged"]

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Join what was logged earlier in the epoch with what is logged again for the first time."""
        results = trainer.fit_loop.epoch_loop._results
        for key in [key for key in self._logged if key in results]:
            result = results[key]
            join = result.meta.reduce_fx if result.meta.is_max_reduction or result.meta.is_min_reduction else torch.add
            for name, earlier in self._logged.pop(key).items():
                now = getattr(result, name)
                setattr(result, name, join(earlier.to(now.device), now))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what was not logged again."""
        self._logged = {}


def _generators() -> dict[str, Any]:
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (name, torch.tensor(np.asarray(keys, dtype=np.int64)), position, has_gauss, cached),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _set_generators(state: dict[str, Any]) -> None:
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"].cpu())
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([entry.cpu() for entry in state["cuda"]])


def _metrics(module: LightningModule) -> dict[str, Metric]:
    return {name: metric for name, metric in module.named_modules() if isinstance(metric, Metric)}
