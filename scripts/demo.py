"""ReLU against Mish in torchvision's ResNet-18 on handwritten digits, on a CPU, in minutes.

Both runs begin with the same weights and see the same batches; the second has the callback ActivationSwap.
"""

from __future__ import annotations

import signal
import sys

# The imports below take seconds: Ctrl-C ends them as it ends the rest.
signal.signal(signal.SIGINT, lambda *_: sys.exit(130))

import argparse
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor

import lightning_acts as acts
from lightning_acts.factory import resolve
from lightning_acts.reports.pictures import plot_activations, plot_confusion_matrices, plot_learning_curves
from lightning_acts.runs.console import quiet
from lightning_acts.zoo import Digits, ImageClassifier


@dataclass
class Run:
    """One trained and tested network."""

    activation: str
    metrics: dict[str, float]
    epochs: list[dict[str, float]]
    confusion: Tensor
    seconds: float
    checkpoint: Path


class Epochs(L.Callback):
    """Keeps the metrics of each epoch, and prints them where no progress bar can be drawn."""

    def __init__(self, name: str, print_lines: bool) -> None:
        self.name, self.print_lines = name, print_lines
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        row = {name: value.item() for name, value in trainer.callback_metrics.items()}
        self.rows.append({"epoch": trainer.current_epoch, **row})
        if self.print_lines:
            print(
                f"{self.name}: epoch {trainer.current_epoch + 1} of {trainer.max_epochs}, train/loss {row['train/loss']:.3f}, "
                f"val/acc {row['val/acc']:.4f}",
                file=sys.stderr,
                flush=True,
            )


def train(activation: str, epochs: int, seed: int, folder: Path) -> Run:
    """Train and test one network; ``relu`` is the network as it comes."""
    L.seed_everything(seed, verbose=False)
    data = Digits()
    model = ImageClassifier(
        "torchvision:resnet18", num_classes=data.num_classes, in_channels=data.in_channels, small_images=True
    )
    best = ModelCheckpoint(folder / activation, filename="best", monitor="val/acc", mode="max")
    terminal = sys.stderr.isatty()
    log = Epochs(activation, print_lines=not terminal)
    callbacks: list[L.Callback] = [best, log]
    if activation != "relu":
        callbacks.insert(0, acts.ActivationSwap({"relu": activation}))
    if terminal:
        callbacks.append(RichProgressBar())
    trainer = L.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        callbacks=callbacks,
        enable_progress_bar=terminal,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    start = time.perf_counter()
    trainer.fit(model, data)
    seconds = time.perf_counter() - start
    (metrics,) = trainer.test(model, data, ckpt_path="best", verbose=False, weights_only=True)
    assert model.test_confusion is not None
    return Run(activation, dict(metrics), log.rows, model.test_confusion, seconds, Path(best.best_model_path))


def show(runs: list[Run], pictures: list[Path], folder: Path) -> None:
    """Print the table, and where the rest is."""
    table = Table(title="ResNet-18 on handwritten digits", title_justify="left", box=box.SIMPLE)
    for column in ("activation", "accuracy", "macro F1", "calibration error", "seconds", "best checkpoint"):
        table.add_column(
            column, justify="left" if column in ("activation", "best checkpoint") else "right", overflow="fold"
        )
    for run in runs:
        scores = (run.metrics[f"test/{name}"] for name in ("acc", "f1", "calibration_error"))
        table.add_row(
            run.activation,
            *(f"{score:.4f}" for score in scores),
            f"{run.seconds:.0f}",
            str(run.checkpoint.relative_to(folder)),
        )
    console = Console()
    console.print(table)
    console.print("One seed each: this shows the tool at work, not which activation is better.")
    for picture in pictures:
        console.print(f"picture: {shown(picture)}", soft_wrap=True)
    console.print(f"everything is in {shown(folder)}", soft_wrap=True)


def shown(path: Path) -> str:
    """Return a path as short as it can be from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration; returns the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument(
        "--activations", default="relu,mish", help="names or spec strings, with commas between (%(default)s)"
    )
    parser.add_argument("--epochs", type=int, default=5, help="epochs of each run (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and batches (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder for the results (%(default)s)")
    options = parser.parse_args(arguments)
    if options.epochs < 1:
        parser.error(f"--epochs {options.epochs}: at least 1")
    try:
        activations = [str(resolve(name)) for name in options.activations.split(",")]
    except acts.SpecError as error:
        parser.error(f"--activations: {error}")
    folder = options.out / f"{datetime.now():%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    folder = folder.resolve()
    quiet()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        runs = []
        for activation in activations:
            print(f"training with {activation} ...", file=sys.stderr, flush=True)
            runs.append(train(activation, options.epochs, options.seed, folder))
    except (KeyboardInterrupt, SystemExit):
        print(f"interrupted; what was done is in {shown(folder)}", file=sys.stderr)
        return 130
    pictures = [
        plot_learning_curves(
            {run.activation: run.epochs for run in runs},
            ["train/loss", "val/loss", "val/acc"],
            folder / "learning_curves.png",
        ),
        plot_confusion_matrices({run.activation: run.confusion for run in runs}, folder / "confusion_matrices.png"),
        plot_activations(activations, folder / "activations.png"),
    ]
    show(runs, pictures, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
