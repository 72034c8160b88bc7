from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import Net, loader
from package import L
from torch import Tensor, nn
from torch.utils.data import DataLoader

import lightning_acts as acts
from lightning_acts.zoo.data.loading import ResumableLoader


class Noisy(Net):
    """Draws from every generator while it trains."""

    def build(self) -> None:
        super().build()
        self.drop = nn.Dropout(0.5)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = super().training_step([self.drop(batch[0]) * np.random.uniform(0.9, 1.1), batch[1]], batch_idx)
        self.log("train_loss", loss, on_epoch=True, on_step=False)
        return loss


def data(resumable: bool) -> DataLoader[tuple[Tensor, ...]]:
    dataset = loader().dataset
    return ResumableLoader(dataset, batch_size=16) if resumable else DataLoader(dataset, batch_size=16, shuffle=True)


def state_after(trainer: Callable[..., Any], stops: list[int], folder: Path, exact: bool, resumable: bool, steps: bool) -> tuple[dict[str, Tensor], float]:  # fmt: skip
    L.seed_everything(11, verbose=False)
    path = None
    for stop in stops:
        callbacks: list[Any] = [acts.ExactResume()] if exact else []
        if steps:
            callbacks.append(
                L.callbacks.ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)
            )
        options = {"max_steps": stop, "max_epochs": -1} if steps else {"max_epochs": stop}
        running = trainer(callbacks=callbacks, enable_checkpointing=steps, **options)
        model = Noisy()
        running.fit(model, data(resumable), ckpt_path=path, weights_only=True)
        path = folder / (f"step={stop}.ckpt" if steps else f"{stop}.ckpt")
        if not steps:
            running.save_checkpoint(path, weights_only=False)
        torch.rand(7), np.random.rand(7)  # what happens between two processes
    return model.state_dict(), running.callback_metrics["train_loss"].item()


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended:UserWarning")
@pytest.mark.parametrize(
    ("stops", "resumable", "steps"), [([2, 5], False, False), ([1, 2, 5], True, False), ([6, 16], True, True), ([3, 9, 16], True, True)]
)  # fmt: skip
def test_equal_to_the_bit_to_an_uninterrupted_run(
    trainer: Callable[..., Any], tmp_path: Path, stops: list[int], resumable: bool, steps: bool
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    whole = state_after(trainer, stops[-1:], tmp_path / "one", True, resumable, steps)
    parts = state_after(trainer, stops, tmp_path / "two", True, resumable, steps)
    assert all(torch.equal(value, parts[0][name]) for name, value in whole[0].items())
    assert whole[1] == parts[1]


def test_without_it_a_resumed_run_is_another_one(trainer: Callable[..., Any], tmp_path: Path) -> None:
    whole = state_after(trainer, [5], tmp_path, False, False, False)
    parts = state_after(trainer, [2, 5], tmp_path, False, False, False)
    assert not all(torch.equal(value, parts[0][name]) for name, value in whole[0].items())
