"""Base of models that predict a number."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MeanAbsoluteError, MeanSquaredError, Metric, R2Score
from torchmetrics.utilities import dim_zero_cat

from lightning_acts.reports.pictures import plot_parity

from .base import SupervisedModel

RegressionOutput: TypeAlias = Literal["linear", "softplus"]


class Regressor(SupervisedModel):
    """A regressor; a task adds the network, whose last layer gives ``(N,)`` or ``(N, 1)`` scores.

    The output, the predictions and ``mse``, ``mae`` and ``r2`` are in the units of the targets. The network itself sees
    neither their mean nor their deviation: before training both are taken from the data's ``target_mean`` and
    ``target_std``, if it has them, and kept in checkpoints. ``loss`` is the squared error in units of that deviation.

    ``output`` says what becomes of the scores in ``forward``:

    - ``linear``: ``target_mean + target_std * scores``, any number.
    - ``softplus``: ``target_std * softplus(scores)``, so that what must be positive is.

    Logs ``loss``, ``mse``, ``mae`` and ``r2`` (1 minus the squared error as a share of the targets' variance; NaN for a
    single sample) in every stage. The predictions and targets of the last test are in ``test_pairs``, ``(N, 2)``.

    Args:
        output: ``linear`` or ``softplus``.
        options: Those of :class:`~lightning_acts.zoo.models.base.ZooModel`.

    Raises:
        ValueError: A number is out of range, or ``output`` is another word.

    Example:
        >>> class Same(Regressor):
        ...     def forward(self, x: Tensor) -> Tensor:
        ...         return self.in_units(x)
        >>> Same(output="linear")(torch.tensor([-3.0, 3.0]))
        tensor([-3.,  3.])
        >>> Same(output="softplus")(torch.tensor([-3.0, 3.0]))
        tensor([0.0486, 3.0486])
    """

    target_mean: Tensor
    target_std: Tensor

    def __init__(self, output: RegressionOutput = "linear", **options: Any) -> None:
        super().__init__(**options)
        if output not in ("linear", "softplus"):
            raise ValueError(f"{type(self).__name__}(output={output!r}): linear or softplus")
        self.output = output
        # Of one dimension, so that scores of a lower precision are promoted to theirs.
        self.register_buffer("target_mean", torch.zeros(1))
        self.register_buffer("target_std", torch.ones(1))
        self.test_pairs: Tensor | None = None
        self.set_metrics({"mse": MeanSquaredError(), "mae": MeanAbsoluteError(), "r2": _R2()})
        self.test_points = _Pairs()

    def setup(self, stage: str) -> None:
        """Take mean and deviation of the targets from the data, before training."""
        super().setup(stage)
        data: Any = getattr(self.trainer, "datamodule", None)
        if stage == "fit" and hasattr(data, "target_std"):
            self.target_mean.fill_(data.target_mean)
            self.target_std.fill_(data.target_std)

    def in_units(self, scores: Tensor) -> Tensor:
        """Return the output for the scores of the last layer; ``forward`` ends with it."""
        scores = scores.flatten()
        if self.output == "softplus":
            return self.target_std * F.softplus(scores)
        return self.target_mean + self.target_std * scores

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean squared error, in units of the targets' deviation."""
        return F.mse_loss(outputs / self.target_std, targets / self.target_std)

    def measure_test(self, outputs: Tensor, targets: Tensor) -> None:
        """Measure the outputs for a batch of the test."""
        super().measure_test(outputs, targets)
        # With an empty batch too: a process that has none at all must have a state as the others.
        self.test_points.update(outputs, targets)

    def on_test_epoch_end(self) -> None:
        """Log the metrics, over all loaders together."""
        super().on_test_epoch_end()
        self.test_pairs = self.test_points.compute()
        self.test_points.reset()

    def draw_results(self, folder: Path, label: str) -> None:
        """Draw predictions over targets, and what is left of them."""
        if self.test_pairs is not None and len(self.test_pairs):
            name = self.of_data("target_name", "")
            plot_parity({label: self.test_pairs.cpu()}, folder / "parity.png", name)


class _R2(R2Score):
    """R2 from sums in double precision: in single precision a mean far from 0 would cancel all digits."""

    def __init__(self) -> None:
        super().__init__()
        self.set_dtype(torch.float64)

    def update(self, preds: Tensor, target: Tensor) -> None:
        super().update(preds.double(), target.double())

    def compute(self) -> Tensor:
        return super().compute() if self.total > 1 else torch.full_like(self.sum_error, torch.nan)


class _Pairs(Metric):
    """Predictions and targets ``(N, 2)`` of all processes."""

    pairs: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("pairs", [], dist_reduce_fx="cat")

    def update(self, preds: Tensor, target: Tensor) -> None:
        self.pairs.append(torch.stack([preds.detach(), target.to(preds.dtype)], dim=1))

    def compute(self) -> Tensor:
        return dim_zero_cat(self.pairs)
