"""Bases of the zoo's models: what no task owns."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler
from torchmetrics import MeanMetric, Metric, MetricCollection

import lightning_acts as acts
from lightning_acts.hints import listed

#: Makes an optimizer from groups of parameters, as a config's group ``optimizer`` does.
MakeOptimizer: TypeAlias = Callable[..., torch.optim.Optimizer]
#: Makes a scheduler from an optimizer, as a config's group ``scheduler`` does.
MakeScheduler: TypeAlias = Callable[..., torch.optim.lr_scheduler.LRScheduler]

#: Sizes that models take and data have under one name, and where the data may say what they count.
SIZES: Mapping[str, str] = {
    "num_classes": "class_names",
    "in_channels": "",
    "in_features": "feature_names",
    "out_features": "",
    "vocab_size": "",
}


class ZooModel(L.LightningModule):
    """A LightningModule with AdamW, whose learning rate is warmed up and then falls along a cosine.

    Parameters of activations, of normalization, and biases have no weight decay. Sizes that differ from those of the data
    module are refused before the first batch.

    Args:
        lr: Peak of the learning rate.
        weight_decay: Of AdamW, for the weights that :func:`lightning_acts.parameter_groups` lets decay.
        optimizer: Makes another optimizer from these two groups of parameters; ``lr`` and ``weight_decay`` are then its own.
        scheduler: Makes another scheduler from the optimizer, stepped once an epoch.

    Raises:
        ValueError: ``lr`` or ``weight_decay`` is out of range.

    Example:
        >>> class Mean(ZooModel):
        ...     def __init__(self) -> None:
        ...         super().__init__(lr=0.1)
        ...         self.mean = torch.nn.Parameter(torch.zeros(2))
        ...     def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        ...         return (self.inputs(batch) - self.mean).square().mean()
        >>> Mean().training_step(torch.ones(4, 2), 0)
        tensor(1., grad_fn=<MeanBackward0>)
    """

    def __init__(
        self,
        lr: float = 1e-3,
        weight_decay: float = 0.05,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__()
        if lr <= 0 or weight_decay < 0:
            raise ValueError(
                f"{type(self).__name__}(lr={lr}, weight_decay={weight_decay}): lr above 0, weight_decay not below"
            )
        self._lr, self._weight_decay = lr, weight_decay
        self._make_optimizer, self._make_scheduler = optimizer, scheduler
        self._seen: Counter[int] = Counter()

    def _apply(self, fn: Any, recurse: bool = True) -> ZooModel:
        # A sum over hundreds of samples in bfloat16 would stop growing: metrics keep their precision.
        kept = [
            (metric, name, default.dtype)
            for metric in self.modules()
            if isinstance(metric, Metric)
            for name, default in metric._defaults.items()
            if isinstance(default, Tensor)
        ]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for metric, name, dtype in kept:
            metric._defaults[name] = torch.as_tensor(metric._defaults[name], dtype=dtype)
            setattr(metric, name, getattr(metric, name).to(dtype))
        return self

    def setup(self, stage: str) -> None:
        """Compare the model's sizes with those of the data, as :meth:`check_data` does."""
        self.check_data(getattr(self.trainer, "datamodule", None))

    def check_data(self, data: Any) -> None:
        """Compare the model's sizes with those of data; a run does so before it makes a folder.

        Raises:
            ValueError: Some differ.
        """
        if wrong := self.wrong_sizes({**self.hparams, **vars(self)}, data):
            raise ValueError("; ".join(wrong.values()))

    @classmethod
    def wrong_sizes(cls, arguments: Mapping[str, Any], data: Any) -> dict[str, str]:
        """Return what is wrong with sizes of the model, such as ``num_classes``, by their names.

        Args:
            arguments: Arguments of the model.
            data: A data module, or its class, which knows some of its sizes before it is made.
        """
        wrong = {}
        for name, members in SIZES.items():
            own, given = arguments.get(name), getattr(data, name, None)
            if not isinstance(own, int) or not isinstance(given, int):
                continue
            # A model may know more tokens than occur.
            if own < given or (own > given and name != "vocab_size"):
                names = getattr(data, members, ()) if members else ()
                called = f": {listed(names, most=20)}" if isinstance(names, (list, tuple)) and names else ""
                kind = data if isinstance(data, type) else type(data)
                wrong[name] = f"{cls.__name__}({name}={own}): {kind.__name__} has {name}={given}{called}"
        return wrong

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW; the rate rises over the first tenth of the steps and falls along a cosine; constant without an end."""
        optimizer = self.new_optimizer()
        if self._make_scheduler is not None:
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self._make_scheduler(optimizer)}}
        steps = self.trainer.estimated_stepping_batches
        if not math.isfinite(steps):
            return optimizer
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, functools.partial(share_of_peak, steps=steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def new_optimizer(self) -> torch.optim.Optimizer:
        """Return the optimizer of all parameters, in groups with and without weight decay."""
        groups = acts.parameter_groups(self)
        if self._make_optimizer is not None:
            return self._make_optimizer(groups)
        return torch.optim.AdamW(groups, lr=self._lr, weight_decay=self._weight_decay)

    def plot_results(self, folder: Path, label: str) -> None:
        """Draw pictures of the last test into a folder, in eval mode; a run calls it at its end.

        Args:
            folder: Where the pictures are written.
            label: What the run is called in them.
        """
        self.eval()
        with torch.no_grad():
            self.draw_results(folder, label)

    def draw_results(self, folder: Path, label: str) -> None:
        """Draw what a task has to show, for :meth:`plot_results`; by default nothing."""

    def of_data(self, name: str, default: Any = None) -> Any:
        """Return an attribute of the data module that the trainer has, or ``default``."""
        return getattr(getattr(self.trainer, "datamodule", None), name, default)

    def inputs(self, batch: Any) -> Any:
        """Return the inputs in a batch: its first member, or all of a batch that is a tensor."""
        return batch[0] if isinstance(batch, (tuple, list)) else batch

    def draw_noise(self, count: int, size: int, like: Tensor) -> Tensor:
        """Return normally distributed rows ``(count, size)``; over several processes, which have one seed, each has its own.

        Args:
            count: Samples in the batch of this process.
            size: Numbers for a sample.
            like: Gives type and device.
        """
        processes = 1 if self._trainer is None else self._trainer.world_size
        # Those that one process would draw for the batches of all.
        rows = torch.randn(count * processes, size, dtype=like.dtype, device=like.device)
        return rows[self.global_rank :: processes]

    def first_test_batch(self) -> Any:
        """Return the first batch of the last test on the model's device, for pictures; None without a test."""
        loaders = self._trainer.test_dataloaders if self._trainer is not None else None
        loader = loaders[0] if isinstance(loaders, (list, tuple)) else loaders
        return None if loader is None else self.transfer_batch_to_device(next(iter(loader)), self.device, 0)

    def on_validation_epoch_start(self) -> None:
        """Begin with empty metrics, and count samples from 0."""
        self._begin("val_")

    def on_test_epoch_start(self) -> None:
        """Begin with empty metrics, and count samples from 0."""
        self._begin("test_")

    def _begin(self, stage: str) -> None:
        self._seen.clear()
        # Lightning has emptied them in inference mode, outside of which they could not be updated: in a fit.
        for name, metric in self.named_children():
            if name.startswith(stage) and isinstance(metric, (Metric, MetricCollection)):
                metric.reset()

    def not_padding(self, loaders: Any, index: int, count: int) -> Tensor:
        """Return which samples of the next batch of a validation or test are not padding.

        Args:
            loaders: The loaders of the stage.
            index: The number of the loader that gave the batch.
            count: The number of samples in the batch.
        """
        first = self._seen[index]
        self._seen[index] += count
        loader = loaders[index] if isinstance(loaders, (list, tuple)) else loaders
        return samples_once(loader, first, count).to(self.device)

    def check_at_least(self, least: float, **values: float) -> None:
        """Refuse arguments that are too small.

        Raises:
            ValueError: One is below ``least``.
        """
        for name, value in values.items():
            if value < least:
                raise ValueError(f"{type(self).__name__}({name}={value}): at least {least}")

    def check_dropout(self, dropout: float) -> None:
        """Refuse a dropout that is not a probability below 1.

        Raises:
            ValueError: It is not.
        """
        if not 0 <= dropout < 1:
            raise ValueError(f"{type(self).__name__}(dropout={dropout}): from 0 to below 1")


class SupervisedModel(ZooModel):
    """A model that is trained on pairs of inputs and targets, and measured by metrics over all samples.

    A task defines ``forward`` and :meth:`loss`, and names its metrics with :meth:`set_metrics`. Logs ``train/``, ``val/``
    and ``test/`` with ``loss`` and each metric, computed in single precision at least. Over several processes each sample counts once in validation and test,
    although samplers hand some of them to two processes.

    Args:
        options: Those of :class:`ZooModel`.

    Example:
        >>> from torchmetrics import MeanSquaredError
        >>> class Line(SupervisedModel):
        ...     def __init__(self) -> None:
        ...         super().__init__(lr=0.1)
        ...         self.linear = torch.nn.Linear(1, 1)
        ...         self.set_metrics({"mse": MeanSquaredError()})
        ...     def forward(self, x: Tensor) -> Tensor:
        ...         return self.linear(x)
        ...     def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        ...         return torch.nn.functional.mse_loss(outputs, targets)
        >>> Line().val_metrics.prefix
        'val/'
    """

    train_metrics: MetricCollection
    val_metrics: MetricCollection
    test_metrics: MetricCollection

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()

    def set_metrics(self, metrics: Mapping[str, Metric], **test: Metric) -> None:
        """Name the metrics of all stages, and those of the test alone.

        Args:
            metrics: Metrics by name; each is given :meth:`prediction` and the targets.
            test: Metrics of the test alone.
        """
        self.train_metrics = MetricCollection(dict(metrics), prefix="train/").clone()
        self.val_metrics = MetricCollection(dict(metrics), prefix="val/").clone()
        self.test_metrics = MetricCollection({**metrics, **test}, prefix="test/").clone()

    def outputs(self, batch: Any) -> Any:
        """Return the outputs of the network for the inputs in a batch."""
        return self(self.inputs(batch))

    def targets(self, batch: Any) -> Tensor:
        """Return the targets in a batch: its last member."""
        targets: Tensor = batch[-1]
        return targets

    def loss(self, outputs: Any, targets: Tensor) -> Tensor:
        """Return the mean loss of a batch."""
        raise NotImplementedError(f"{type(self).__name__} has no loss")

    def prediction(self, outputs: Any) -> Tensor:
        """Return what metrics and ``predict`` are given for the outputs of the network; by default the outputs."""
        prediction: Tensor = outputs
        return prediction

    def measure(self, metrics: MetricCollection, outputs: Any, targets: Tensor) -> None:
        """Update metrics by the outputs for a batch; by default by their predictions."""
        metrics.update(self.prediction(outputs), targets)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        outputs, targets = at_least_single((self.outputs(batch), self.targets(batch)))
        loss = self.loss(outputs, targets)
        self.measure(self.train_metrics, apply_to_collection(outputs, Tensor, Tensor.detach), targets)
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=len(targets), sync_dist=True)
        self.log_dict(self.train_metrics, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Measure a batch."""
        outputs, targets = self.without_padding(batch, self.trainer.val_dataloaders, dataloader_idx)
        if len(targets):
            self.val_loss.update(self.loss(outputs, targets), len(targets))
            self.measure(self.val_metrics, outputs, targets)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics, over all loaders together."""
        self.log("val/loss", self.val_loss)
        self.log_dict(self.val_metrics)

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Measure a batch, with the metrics of the test too."""
        outputs, targets = self.without_padding(batch, self.trainer.test_dataloaders, dataloader_idx)
        self.measure_test(outputs, targets)

    def measure_test(self, outputs: Any, targets: Tensor) -> None:
        """Measure the outputs for a batch of the test, which may be empty."""
        if len(targets):
            self.test_loss.update(self.loss(outputs, targets), len(targets))
            self.measure(self.test_metrics, outputs, targets)

    def on_test_epoch_end(self) -> None:
        """Log the metrics, over all loaders together."""
        self.log("test/loss", self.test_loss)
        self.log_dict(self.test_metrics)

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Return the predictions for a batch of inputs, or of pairs that begin with them."""
        return self.prediction(at_least_single(self.outputs(batch)))

    def without_padding(self, batch: Any, loaders: Any, index: int) -> tuple[Any, Tensor]:
        """Return outputs and targets of the samples of a batch that are not padding.

        Args:
            batch: A batch.
            loaders: The loaders of the stage.
            index: The number of the loader that gave the batch.
        """
        outputs, targets = at_least_single((self.outputs(batch), self.targets(batch)))
        kept = self.not_padding(loaders, index, len(targets))
        outputs = apply_to_collection(outputs, Tensor, lambda output: output[kept])
        return outputs, targets[kept]


def at_least_single(values: Any) -> Any:
    """Return values with tensors in half precision, of which losses and metrics would lose digits, made single ones."""
    half = (torch.float16, torch.bfloat16)
    return apply_to_collection(values, Tensor, lambda value: value.float() if value.dtype in half else value)


def samples_once(loader: Any, first: int, count: int) -> Tensor:
    """Return which of ``count`` samples, the first of which is this process's number ``first``, are not padding.

    A DistributedSampler gives process r the positions r, r + n, r + 2n, ...; positions beyond the end of the data are
    repetitions, there so that all processes have equally many.
    """
    sampler = getattr(loader, "sampler", None) if isinstance(loader, DataLoader) else None
    if not isinstance(sampler, DistributedSampler):
        return torch.ones(count, dtype=torch.bool)
    positions = torch.arange(first, first + count) * sampler.num_replicas + sampler.rank
    kept: Tensor = positions < len(sampler.dataset)  # type: ignore[arg-type]
    return kept


def share_of_peak(step: int, steps: float) -> float:
    """Return the learning rate at a step as a share of its peak: up over the first tenth, then down along a cosine."""
    warm_up = max(1.0, 0.1 * steps)
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    progress = min(1.0, (step - warm_up) / max(1.0, steps - warm_up))
    return 0.5 * (1 + math.cos(math.pi * progress))
