"""ReLU becomes Hardswish in a trained network, at once and blended: validation accuracy over time, with seeds.

Writes docs/images/scheduled-swap.png and prints the figures. The data is Fashion-MNIST, as Debian's package
dataset-fashion-mnist installs it.
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from collections.abc import Callable
from pathlib import Path

import lightning as L
import matplotlib as mpl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.zoo import FashionMNIST

mpl.use("agg")
import matplotlib.pyplot as plt

CHECKS_AN_EPOCH = 10


class Classifier(L.LightningModule):
    """A plain convolutional network that calls ``F.relu``; it knows nothing of swaps."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(a, b, 3, 2, 1) for a, b in ((1, 16), (16, 32), (32, 64))])
        self.hidden, self.last = nn.Linear(64 * 16, 128), nn.Linear(128, 10)
        self.accuracies: list[tuple[float, float]] = []

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = F.relu(conv(x))
        logits: Tensor = self.last(F.relu(self.hidden(x.flatten(1))))
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.log("val/acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def on_validation_epoch_end(self) -> None:
        if not self.trainer.sanity_checking:
            epoch = self.trainer.global_step / self.trainer.num_training_batches
            self.accuracies.append((epoch, float(self.trainer.callback_metrics["val/acc"])))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 1e-3)


def run(seed: int, epochs: int, callbacks: list[L.Callback], folder: Path, samples: int) -> list[tuple[float, float]]:
    """Train one network; return the epochs and accuracies of its validations."""
    L.seed_everything(seed, verbose=False)
    model = Classifier()
    trainer = L.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_train_batches=samples // 128,
        val_check_interval=1 / CHECKS_AN_EPOCH,
        limit_val_batches=16,
    )
    trainer.fit(model, FashionMNIST(folder=str(folder), batch_size=128))
    return model.accuracies


def main() -> None:
    """Train, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--at", type=int, default=4, help="epoch of the swap")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--samples", type=int, default=20_000, help="images an epoch")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "docs" / "images" / "scheduled-swap.png"
    )
    options = parser.parse_args()
    warnings.filterwarnings("ignore")

    at = {"epoch": options.at}
    ways: dict[str, Callable[[], list[L.Callback]]] = {
        "ReLU throughout": list,
        "Hardswish at once": lambda: [acts.ActivationSwap({"relu": "hardswish"}, at=at)],
        "Hardswish blended over 2 epochs": lambda: [
            acts.ActivationSwap({"relu": "hardswish"}, at=at, blend={"epochs": 2, "shape": "cosine"})
        ],
    }
    lowest = 1.0
    figure, axes = plt.subplots(figsize=(8, 4.5), constrained_layout=True)
    for name, swaps in ways.items():
        curves = []
        for seed in range(options.seeds):
            curves.append(run(seed, options.epochs, swaps(), options.folder, options.samples))
        epochs = [epoch for epoch, _ in curves[0]]
        values = torch.tensor([[accuracy for _, accuracy in curve] for curve in curves])
        mean = values.mean(0)
        lowest = min(lowest, float(values[:, [e > options.at / 2 for e in epochs]].min()))
        (line,) = axes.plot(epochs, mean, label=name)
        axes.fill_between(epochs, values.amin(0), values.amax(0), color=line.get_color(), alpha=0.15, linewidth=0)
        after = [float(v) for e, v in zip(epochs, mean, strict=True) if options.at < e <= options.at + 0.11]
        low = values[:, [e > options.at for e in epochs]].amin(1)
        last = values[:, -1]
        print(
            f"{name}: just after the swap {statistics.mean(after):.4f}, lowest after it {low.mean():.4f}, "
            f"at the end {last.mean():.4f} (from {last.min():.4f} to {last.max():.4f}), {options.seeds} seeds"
        )
    axes.axvline(options.at, color="gray", linestyle=":")
    axes.set_ylim(bottom=lowest - 0.01)  # the beginning, at which all are alike, would hide the rest
    axes.set(xlabel="epoch", ylabel="validation accuracy", title="ReLU becomes Hardswish in a trained network")
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
    options.out.parent.mkdir(exist_ok=True)
    figure.savefig(options.out, dpi=110)


if __name__ == "__main__":
    main()
