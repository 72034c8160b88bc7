#!/usr/bin/env python3
"""Python time that ActivationSwap takes on a step with nothing due, beside a callback without hooks.

scripts/bench_callback.py [--sites 50]
"""

import argparse
import timeit
import warnings
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import lightning_acts as acts


class Net(L.LightningModule):
    """Layers with as many activations."""

    def __init__(self, sites: int) -> None:
        super().__init__()
        self.net = nn.Sequential(*(layer for _ in range(sites) for layer in (nn.Linear(4, 4), nn.ReLU())))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Return some loss."""
        loss: Tensor = self.net(batch[0]).square().mean()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return SGD."""
        return torch.optim.SGD(self.parameters(), 0.01)


class Measured(L.Callback):
    """Times the hooks of another callback in the middle of a fit."""

    def __init__(self, callback: L.Callback) -> None:
        self.callback = callback
        self.microseconds = 0.0

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Call both hooks a thousand times, five times over; the fastest counts."""
        if trainer.global_step != 3:
            return

        def step() -> None:
            self.callback.on_train_batch_start(trainer, pl_module, batch, batch_idx)
            self.callback.on_train_batch_end(trainer, pl_module, None, batch, batch_idx)

        self.microseconds = min(timeit.repeat(step, number=1000, repeat=5)) * 1000


STATES: dict[str, dict[str, Any]] = {
    "waits for an epoch": {"at": {"epoch": 99}},
    "waits for a part of the fit": {"at": {"fraction": 0.9}},
    "waits for a metric": {"at": {"metric": "loss", "below": -1.0}},
    "waits, to be blended site by site": {"at": {"epoch": 99}, "blend": {"epochs": 3}, "order": "from_output"},
    "is over": {"at": {"step": 1}},
    "was made at the start": {},
}


def measure(callback: L.Callback, sites: int) -> float:
    """Return the microseconds of a step."""
    measured = Measured(callback)
    x = torch.zeros(8, 4)
    trainer = L.Trainer(
        max_steps=5, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[callback, measured],
    )  # fmt: skip
    trainer.fit(Net(sites), DataLoader(TensorDataset(x), 1))
    return measured.microseconds


def main() -> None:
    """Print a line for each state."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=50)
    sites = parser.parse_args().sites
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    none = measure(L.Callback(), sites)
    print(f"{sites} sites; microseconds a step, of both hooks together\n{none:8.2f}  callback without hooks")
    for name, options in STATES.items():
        took = measure(acts.ActivationSwap({"relu": "mish"}, **options), sites)
        print(f"{took:8.2f}  {name} ({took / none:.0f} times)")


if __name__ == "__main__":
    main()
