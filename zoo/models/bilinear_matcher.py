"""Matching: do two inputs belong together."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC, BinaryF1Score

from lightning_acts.reports.pictures import plot_matches

from .base import MakeOptimizer, MakeScheduler, SupervisedModel
from .layers import MLP, Activations

_MOST_DRAWN = 24


class BilinearMatcher(SupervisedModel):
    """A matcher of two inputs: an encoder for each, and a bilinear layer that gives the logit of their belonging together.

    The bilinear layer, ``x1 @ W @ x2 + b``, is linear in each of its inputs, and compares every feature of one with every
    feature of the other. Trained by binary cross-entropy; labels are 1 where both belong together, else 0.

    Logs ``loss``, ``acc`` and ``f1`` in every stage, ``auroc`` for the test.

    Args:
        in_features1: Values of the first input; images are flattened.
        in_features2: Values of the second input.
        width: Size of the encoders' hidden layers, and of the bilinear layer's inputs.
        depth: Number of hidden layers in each encoder, before its last, linear one.
        activation: One spec for all hidden layers, or ``depth`` specs, which both encoders use.
        dropout: Probability with which a hidden value is dropped in training.
        lr: Peak of the learning rate.
        weight_decay: Weight decay of the weights of layers.
        optimizer: Makes another optimizer from groups of parameters.
        scheduler: Makes another scheduler from the optimizer.

    Shape:
        ``(N, ...)`` of ``in_features1`` values and ``(N, ...)`` of ``in_features2`` to ``(N,)``.

    Raises:
        SpecError: An activation's spec can't be read, or none is called so.
        ValueError: A number is out of range, or there are more or fewer specs than hidden layers.

    Example:
        >>> model = BilinearMatcher(in_features1=32, in_features2=20, activation="mish")
        >>> model(torch.zeros(5, 1, 8, 4), torch.zeros(5, 20)).shape
        torch.Size([5])
    """

    def __init__(
        self,
        in_features1: int,
        in_features2: int,
        width: int = 64,
        depth: int = 1,
        activation: Activations = "relu",
        dropout: float = 0.0,
        lr: float = 1e-3,
        weight_decay: float = 0.05,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, optimizer=optimizer, scheduler=scheduler)
        self.check_at_least(1, in_features1=in_features1, in_features2=in_features2, width=width)
        self.check_at_least(0, depth=depth)
        self.check_dropout(dropout)
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        self.example_input_array = (torch.zeros(2, in_features1), torch.zeros(2, in_features2))
        self.encoder1 = MLP(in_features1, [width] * depth, width, activation, dropout)
        self.encoder2 = MLP(in_features2, [width] * depth, width, activation, dropout)
        self.bilinear = nn.Bilinear(width, width, 1)
        self.set_metrics({"acc": BinaryAccuracy(), "f1": BinaryF1Score()})
        self.test_auroc = BinaryAUROC()

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """Return the logit of each pair."""
        features = self.encoder1(input1.flatten(1)), self.encoder2(input2.flatten(1))
        # Autocast leaves a bilinear layer as it is, and the features in half precision.
        logits: Tensor = self.bilinear(*(each.to(self.bilinear.weight.dtype) for each in features))
        return logits.squeeze(1)

    def outputs(self, batch: Any) -> Tensor:
        """Return the logits for a batch, whose first member is a pair of inputs."""
        logits: Tensor = self(*self.inputs(batch))
        return logits

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the binary cross-entropy."""
        return F.binary_cross_entropy_with_logits(outputs, targets.to(outputs.dtype))

    def prediction(self, outputs: Tensor) -> Tensor:
        """Return the probabilities of belonging together."""
        return outputs.sigmoid()

    def measure_test(self, outputs: Tensor, targets: Tensor) -> None:
        """Measure the outputs for a batch of the test."""
        super().measure_test(outputs, targets)
        # With an empty batch too: a process that has none at all must have a state of the same shape as the others'.
        self.test_auroc.update(self.prediction(outputs), targets)

    def on_test_epoch_end(self) -> None:
        """Log the metrics, over all loaders together; AUROC is 0 where one kind of pair does not occur."""
        super().on_test_epoch_end()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No (positive|negative) samples in targets")
            self.log("test/auroc", self.test_auroc.compute(), sync_dist=True)
        self.test_auroc.reset()

    def draw_results(self, folder: Path, label: str) -> None:
        """Draw the first pairs of the test, if they are images, each with its probability."""
        batch = self.first_test_batch()
        if batch is None:
            return
        (left, right), labels = ([part[:_MOST_DRAWN] for part in batch[0]], batch[1][:_MOST_DRAWN])
        if left.dim() == right.dim() == 4 and left.shape[1:3] == right.shape[1:3]:
            probabilities = self.prediction(self(left, right))
            plot_matches(list(zip(left, right, strict=True)), probabilities, labels, folder / "matches.png", label)
