"""Classification of images by any backbone."""

from __future__ import annotations

import functools
import math
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.utils.data import DataLoader, DistributedSampler
from torchmetrics import MeanMetric, Metric, MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassAUROC,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
)

import lightning_acts as acts
from lightning_acts.models import ModelError, build, options_of

# What these libraries' models take; a callable of one's own says so in its signature.
_OPTIONS = {"torchvision": {"num_classes"}, "timm": {"num_classes", "in_chans"}}


class ImageClassifier(L.LightningModule):
    """An image classifier around a backbone of torchvision, timm or one's own.

    Trained with cross-entropy and AdamW, the learning rate warmed up and then falling along a cosine. Logs ``train/loss``, ``train/acc``,
    ``val/loss``, ``val/acc``, ``val/f1``, and for the test ``loss``, ``acc`` (share of right ones), ``f1`` and
    ``auroc`` (means over classes), ``calibration_error`` (expected, over 15 bins of confidence). The confusion matrix
    of the last test is in ``test_confusion``: rows are true classes, columns predicted ones. What a calibration diagram
    shows is in ``test_reliability``: for each bin of confidence the number of samples, and the sums of confidence and of
    right answers, ``(3, 15)``. Over several processes,
    each sample counts once, although samplers hand some of them to two processes.

    Args:
        backbone: ``torchvision:NAME``, ``timm:NAME``, or ``package.module:callable``, which is given ``num_classes`` and
            ``in_channels`` if it takes them; ``@WEIGHTS`` after it for pretrained weights.
        num_classes: Number of classes.
        in_channels: Channels of the images; for torchvision another number than 3 replaces the first convolution.
        small_images: Fit the stem of a torchvision ResNet to images of some 8 to 64 pixels: a 3x3 convolution of
            stride 1 in place of the 7x7 one of stride 2, and no pooling after it.
        lr: Peak of the learning rate.
        weight_decay: Of AdamW, for the weights that :func:`lightning_acts.parameter_groups` lets decay.
        optimizer: Makes another optimizer from these two groups of parameters; ``lr`` and ``weight_decay`` are then its own.
        scheduler: Makes another scheduler from the optimizer, stepped once an epoch.

    Shape:
        ``(N, in_channels, H, W)`` to logits ``(N, num_classes)``.

    Raises:
        ModelError: There is no such backbone, or it can't be fitted as asked.

    Example:
        >>> model = ImageClassifier("torchvision:resnet18", num_classes=10, in_channels=1, small_images=True)
        >>> model(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        backbone: str = "torchvision:resnet18",
        num_classes: int = 10,
        in_channels: int = 3,
        small_images: bool = False,
        lr: float = 1e-3,
        weight_decay: float = 0.05,
        optimizer: Callable[..., torch.optim.Optimizer] | None = None,
        scheduler: Callable[..., torch.optim.lr_scheduler.LRScheduler] | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("num_classes", num_classes), ("in_channels", in_channels)):
            if value < 1:
                raise ValueError(f"ImageClassifier({name}={value}): at least 1")
        if lr <= 0 or weight_decay < 0:
            raise ValueError(
                f"ImageClassifier(lr={lr}, weight_decay={weight_decay}): lr above 0, weight_decay not below"
            )
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        self._make_optimizer, self._make_scheduler = optimizer, scheduler
        options: dict[str, Any] = {"num_classes": num_classes, "in_chans": in_channels, "in_channels": in_channels}
        taken = _OPTIONS.get(backbone.partition(":")[0]) or options_of(backbone) or {"num_classes"}
        self.backbone = build(backbone, **{name: value for name, value in options.items() if name in taken})
        if small_images:
            _fit_stem(self.backbone, backbone)
        if backbone.startswith("torchvision:"):
            _fit_channels(self.backbone, backbone, in_channels)
        self.train_acc = MulticlassAccuracy(num_classes, average="micro")
        scores: dict[str, Metric | MetricCollection] = {
            "acc": MulticlassAccuracy(num_classes, average="micro"),
            "f1": MulticlassF1Score(num_classes),
        }
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()
        self.val_scores = MetricCollection(scores, prefix="val/")
        self.test_scores = MetricCollection(
            {**scores, "calibration_error": MulticlassCalibrationError(num_classes, n_bins=15)}, prefix="test/"
        ).clone()
        self.test_auroc = MulticlassAUROC(num_classes, average=None)
        self.test_matrix = MulticlassConfusionMatrix(num_classes)
        self.test_bins = _ReliabilityBins()
        self.test_confusion: Tensor | None = None
        self.test_reliability: Tensor | None = None
        self._seen: Counter[int] = Counter()

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        output = self.backbone(images)
        # Inception and GoogLeNet give their auxiliary heads too, while they are trained.
        logits: Tensor = getattr(output, "logits", output)
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Cross-entropy of one batch."""
        images, labels = batch
        logits = self(images)
        loss = F.cross_entropy(logits, labels)
        self.train_acc(logits.detach(), labels)
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=len(labels), sync_dist=True)
        self.log("train/acc", self.train_acc, on_step=False, on_epoch=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Count the samples of this epoch from 0."""
        self._seen.clear()

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        """Loss, accuracy and F1 of one batch."""
        logits, labels = self._evaluate(batch, self.trainer.val_dataloaders, dataloader_idx)
        if len(labels):
            self.val_loss.update(F.cross_entropy(logits, labels), len(labels))
            self.val_scores.update(logits, labels)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics, over all loaders together."""
        self.log("val/loss", self.val_loss)
        self.log_dict(self.val_scores)

    def on_test_epoch_start(self) -> None:
        """Count the samples of this epoch from 0."""
        self._seen.clear()

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        """All metrics of one batch."""
        logits, labels = self._evaluate(batch, self.trainer.test_dataloaders, dataloader_idx)
        probabilities = logits.softmax(dim=1)
        # With an empty batch too: a process that has none at all must have a state of the same shape as the others'.
        self.test_auroc.update(probabilities, labels)
        if len(labels):
            self.test_loss.update(F.cross_entropy(logits, labels), len(labels))
            self.test_scores.update(probabilities, labels)
            self.test_matrix.update(probabilities, labels)
            self.test_bins.update(probabilities, labels)

    def on_test_epoch_end(self) -> None:
        """Log the metrics, over all loaders together; AUROC over the classes that occur, for others have none."""
        self.log("test/loss", self.test_loss)
        self.log_dict(self.test_scores)
        self.test_confusion = self.test_matrix.compute()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No (positive|negative) samples in targets")
            auroc = self.test_auroc.compute()
        occur = self.test_confusion.sum(dim=1) > 0
        if occur.sum() > 1:
            self.log("test/auroc", auroc[occur].mean(), sync_dist=True)
        self.test_reliability = self.test_bins.compute()
        self.test_bins.reset()
        self.test_matrix.reset()
        self.test_auroc.reset()

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Probabilities ``(N, num_classes)``; the batch is images, or a pair that begins with them."""
        probabilities: Tensor = self(batch[0] if isinstance(batch, (tuple, list)) else batch).softmax(dim=1)
        return probabilities

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW; the rate rises over the first tenth of the steps and falls along a cosine; constant without an end."""
        groups = acts.parameter_groups(self)
        if self._make_optimizer is not None:
            optimizer = self._make_optimizer(groups)
        else:
            optimizer = torch.optim.AdamW(groups, lr=self.hparams["lr"], weight_decay=self.hparams["weight_decay"])
        if self._make_scheduler is not None:
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self._make_scheduler(optimizer)}}
        steps = self.trainer.estimated_stepping_batches
        if not math.isfinite(steps):
            return optimizer
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, functools.partial(_share_of_peak, steps=steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _evaluate(self, batch: tuple[Tensor, Tensor], loaders: Any, index: int) -> tuple[Tensor, Tensor]:
        """Logits and labels of the samples of a batch that are no padding."""
        images, labels = batch
        first = self._seen[index]
        self._seen[index] += len(labels)
        loader = loaders[index] if isinstance(loaders, (list, tuple)) else loaders
        kept = _without_padding(loader, first, len(labels)).to(labels.device)
        return self(images)[kept], labels[kept]


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


def _without_padding(loader: Any, first: int, count: int) -> Tensor:
    """Return which of ``count`` samples, the first of which is this process's number ``first``, are no padding.

    A DistributedSampler gives process r the positions r, r + n, r + 2n, ...; positions beyond the end of the data are
    repetitions, there so that all processes have equally many.
    """
    sampler = getattr(loader, "sampler", None) if isinstance(loader, DataLoader) else None
    if not isinstance(sampler, DistributedSampler):
        return torch.ones(count, dtype=torch.bool)
    positions = torch.arange(first, first + count) * sampler.num_replicas + sampler.rank
    kept: Tensor = positions < len(sampler.dataset)  # type: ignore[arg-type]
    return kept


def _share_of_peak(step: int, steps: float) -> float:
    warm_up = max(1.0, 0.1 * steps)
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    progress = min(1.0, (step - warm_up) / max(1.0, steps - warm_up))
    return 0.5 * (1 + math.cos(math.pi * progress))


def _fit_stem(backbone: nn.Module, name: str) -> None:
    resnet = name.startswith("torchvision:") and isinstance(getattr(backbone, "conv1", None), nn.Conv2d)
    if not resnet or not isinstance(getattr(backbone, "maxpool", None), nn.MaxPool2d):
        raise ModelError(f"small_images=True fits the stem of torchvision's ResNets only, not of {name}")
    if "@" in name:
        raise ModelError(
            f"small_images=True replaces the first convolution of {name}, and its pretrained weights with it"
        )
    old: Any = backbone.conv1
    backbone.conv1 = nn.Conv2d(old.in_channels, old.out_channels, kernel_size=3, padding=1, bias=False)
    nn.init.kaiming_normal_(backbone.conv1.weight, mode="fan_out", nonlinearity="relu")
    backbone.maxpool = nn.Identity()


def _fit_channels(backbone: nn.Module, name: str, in_channels: int) -> None:
    found = next(((path, module) for path, module in backbone.named_modules() if isinstance(module, nn.Conv2d)), None)
    if found is None or found[1].in_channels == in_channels:
        return
    if "@" in name:
        raise ModelError(
            f"in_channels={in_channels} replaces the first convolution of {name}, and its pretrained weights with it: "
            f"give it images of {found[1].in_channels} channels"
        )
    path, old = found
    new = nn.Conv2d(
        in_channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    backbone.set_submodule(path, new)
