"""Base of models that say which class, or which classes, an input belongs to."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassAUROC,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MultilabelAccuracy,
    MultilabelAUROC,
    MultilabelF1Score,
)

from lightning_acts.reports.pictures import plot_calibration, plot_confusion_matrices

from .base import SupervisedModel

Output: TypeAlias = Literal["logits", "log_softmax", "softmax", "sigmoid"]

#: Loss of the scores of the last layer, by the activation of the output.
_LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "logits": F.cross_entropy,
    "log_softmax": F.nll_loss,
    # A probability of 0 has no logarithm.
    "softmax": lambda probabilities, labels: F.nll_loss(
        probabilities.clamp_min(torch.finfo(probabilities.dtype).tiny).log(), labels
    ),
    "sigmoid": lambda logits, labels: F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype)),
}


class Classifier(SupervisedModel):
    """A classifier; a task adds the network, whose last layer gives ``(N, num_classes)`` scores.

    ``output`` says what becomes of these scores in ``forward``, and which loss that needs:

    - ``logits``: left as they are, for cross-entropy; the usual way, and the most accurate one.
    - ``log_softmax``: logarithms of probabilities, for the negative log-likelihood (``NLLLoss``); the same loss.
    - ``softmax``: probabilities, for the negative logarithm of the right one; the gradient vanishes where one rounds to 1.
    - ``sigmoid``: several labels may hold at once; logits, for binary cross-entropy. Targets are ``(N, num_classes)``
      of 0 and 1, and predictions the sigmoids.

    Logs ``loss``, ``acc`` (share of right ones) and ``f1`` (mean over classes) in every stage, and for the test ``auroc``
    (mean over classes that occur) and ``calibration_error`` (expected, over 15 bins of confidence; not for ``sigmoid``).
    The confusion matrix of the last test is in ``test_confusion``: rows are true classes, columns predicted ones. What a
    calibration diagram shows is in ``test_reliability``: for each bin of confidence the number of samples, and the sums
    of confidence and of right answers, ``(3, 15)``.

    Args:
        num_classes: Number of classes.
        output: What the output is: ``logits``, ``log_softmax``, ``softmax`` or ``sigmoid``.
        options: Those of :class:`~lightning_acts.zoo.models.base.ZooModel`.

    Raises:
        ValueError: A number is out of range, or ``output`` is another word.

    Example:
        >>> class Signs(Classifier):
        ...     def forward(self, x: Tensor) -> Tensor:
        ...         return self.activate(torch.stack([-x, x], dim=1))
        >>> model = Signs(num_classes=2, output="softmax")
        >>> model(torch.tensor([0.0, 3.0]))
        tensor([[0.5000, 0.5000],
                [0.0025, 0.9975]])
        >>> model.loss(model(torch.tensor([3.0])), torch.tensor([1]))
        tensor(0.0025)
    """

    def __init__(self, num_classes: int, output: Output = "logits", **options: Any) -> None:
        super().__init__(**options)
        self.check_at_least(1, num_classes=num_classes)
        if output not in _LOSSES:
            raise ValueError(f"{type(self).__name__}(output={output!r}): one of {', '.join(_LOSSES)}")
        self.num_classes, self.output = num_classes, output
        self.test_confusion: Tensor | None = None
        self.test_reliability: Tensor | None = None
        if output == "sigmoid":
            self.set_metrics({"acc": MultilabelAccuracy(num_classes), "f1": MultilabelF1Score(num_classes)})
            self.test_auroc: Metric = MultilabelAUROC(num_classes)
        else:
            self.set_metrics(
                {"acc": MulticlassAccuracy(num_classes, average="micro"), "f1": MulticlassF1Score(num_classes)},
                calibration_error=MulticlassCalibrationError(num_classes, n_bins=15),
            )
            self.test_auroc = MulticlassAUROC(num_classes, average=None)
            self.test_matrix = MulticlassConfusionMatrix(num_classes)
            self.test_bins = _ReliabilityBins()

    def activate(self, scores: Tensor) -> Tensor:
        """Return the output for the scores of the last layer; ``forward`` ends with it."""
        if self.output == "log_softmax":
            return scores.log_softmax(dim=1)
        return scores.softmax(dim=1) if self.output == "softmax" else scores

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss that fits the output."""
        return _LOSSES[self.output](outputs, targets)

    def prediction(self, outputs: Tensor) -> Tensor:
        """Return probabilities ``(N, num_classes)``."""
        match self.output:
            case "logits":
                return outputs.softmax(dim=1)
            case "log_softmax":
                return outputs.exp()
            case "sigmoid":
                return outputs.sigmoid()
        return outputs

    def measure_test(self, outputs: Tensor, targets: Tensor) -> None:
        """Measure the outputs for a batch of the test."""
        super().measure_test(outputs, targets)
        probabilities = self.prediction(outputs)
        # With an empty batch too: a process that has none at all must have a state of the same shape as the others'.
        self.test_auroc.update(probabilities, targets)
        if len(targets) and self.output != "sigmoid":
            self.test_matrix.update(probabilities, targets)
            self.test_bins.update(probabilities, targets)

    def on_test_epoch_end(self) -> None:
        """Log the metrics, over all loaders together; AUROC over the classes that occur, for others have none."""
        super().on_test_epoch_end()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No (positive|negative) samples in targets")
            auroc = self.test_auroc.compute()
        self.test_auroc.reset()
        if self.output == "sigmoid":
            self.log("test/auroc", auroc, sync_dist=True)
            return
        self.test_confusion, self.test_reliability = self.test_matrix.compute(), self.test_bins.compute()
        self.test_matrix.reset()
        self.test_bins.reset()
        occur = self.test_confusion.sum(dim=1) > 0
        if occur.sum() > 1:
            self.log("test/auroc", auroc[occur].mean(), sync_dist=True)

    def draw_results(self, folder: Path, label: str) -> None:
        """Draw the confusion matrix and the calibration diagram of the last test."""
        names = self.of_data("class_names", ())
        if self.test_confusion is not None and len(self.test_confusion):
            plot_confusion_matrices({label: self.test_confusion.cpu()}, folder / "confusion_matrix.png", names)
        if self.test_reliability is not None:
            plot_calibration({label: self.test_reliability.cpu()}, folder / "calibration.png")


class _ReliabilityBins(Metric):
    """Counts, sums of confidence and of right answers in equal bins of confidence; summed over processes."""

    bins: Tensor

    def __init__(self, bins: int = 15) -> None:
        super().__init__()
        self.add_state("bins", torch.zeros(3, bins, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, labels: Tensor) -> None:
        confidence, predicted = probabilities.double().max(dim=1)
        index = (confidence * self.bins.shape[1]).ceil().long().sub(1).clamp(0, self.bins.shape[1] - 1)
        values = torch.stack([torch.ones_like(confidence), confidence, (predicted == labels).double()])
        self.bins.index_add_(1, index, values)

    def compute(self) -> Tensor:
        return self.bins.clone()
