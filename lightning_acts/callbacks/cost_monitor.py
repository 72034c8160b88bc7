"""The callback that measures what a model costs: time, memory that its backward keeps, and sparsity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import torch
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.benchmark import Timer

from lightning_acts.callbacks.loops import is_last_epoch
from lightning_acts.callbacks.packages import Callback, is_compiled
from lightning_acts.errors import ActsError
from lightning_acts.hints import did_you_mean
from lightning_acts.surgery.example import after_each_call, as_it_was
from lightning_acts.surgery.exchanging.exposing import exposed
from lightning_acts.surgery.finding.sites import locate

Cost = Literal["cost/latency", "cost/step", "cost/saved", "cost/sparsity"]

#: What can be measured, each with the direction in which it is better.
COSTS: Mapping[str, Literal["max", "min"]] = MappingProxyType(
    {"cost/latency": "min", "cost/step": "min", "cost/saved": "min", "cost/sparsity": "max"}
)

# Seconds in which calls are timed; one that takes longer is timed once.
_LEAST_TIME = 0.3


class CostError(ActsError, RuntimeError):
    """What a model costs can't be measured."""


class CostMonitor(Callback):
    """Measure once, in the last epoch of a fit, what the model costs, and log it as metrics of that epoch.

    The model's ``forward`` runs on the input that the first training step has given it; on ``example_input_array`` if
    the step does not call it. The model is left as it was.

    - ``cost/latency``: seconds of a forward in evaluation mode, without gradients;
    - ``cost/step``: seconds of a forward in train mode and the backward from what it returns;
    - ``cost/saved``: bytes that such a forward keeps for its backward, each storage counted once, parameters and buffers
      not counted;
    - ``cost/sparsity``: share of exact zeros in what hidden activations and gates return, in evaluation mode.

    Times are medians over a third of a second. They are comparable on one machine with the same load alone: other
    processes there, such as other workers of a study, make them longer, and not evenly.

    Args:
        metrics: Which of them; default all.

    Raises:
        CostError: There is no such metric; or, in a fit, it can't be measured: sparsity in a compiled model or in one
            without activations, any if the first step calls no ``forward`` and there is no ``example_input_array``.

    Example:
        ::

            Trainer(callbacks=[CostMonitor()])
    """

    def __init__(self, metrics: Sequence[Cost] | None = None) -> None:
        super().__init__()
        self._metrics: Sequence[str] = tuple(COSTS) if metrics is None else metrics
        unknown = [metric for metric in self._metrics if metric not in COSTS]
        if unknown:
            near = did_you_mean(unknown[0], COSTS)
            raise CostError(f"CostMonitor: there is no metric {unknown[0]!r}{near} There are: {', '.join(COSTS)}")
        self._input: tuple[Any, Any] | None = None
        self._hook: Any = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check that activations can be watched."""
        if "cost/sparsity" in self._metrics:
            if is_compiled(pl_module):
                raise CostError("cost/sparsity can't be measured in a compiled model")
            if not _watched(pl_module):
                raise CostError(f"cost/sparsity: {type(pl_module).__name__} has no hidden activation that is known")

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Take the input of the first forward."""
        if self._input is None and self._hook is None:
            self._hook = pl_module.register_forward_pre_hook(self._take, with_kwargs=True)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Take the example in its place where there was no forward."""
        self._release()
        if self._input is None:
            example: Any = pl_module.example_input_array
            if example is None:
                raise CostError(
                    f"{', '.join(self._metrics)}: the training step of {type(pl_module).__name__} does not call its forward, "
                    "so give it an example_input_array"
                )
            named = isinstance(example, dict)
            arguments = () if named else example if isinstance(example, tuple) else (example,)
            self._input = _copied((arguments, example if named else {}))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure in the last epoch, and log."""
        if self._input is None or not is_last_epoch(trainer):
            return
        arguments, named = move_data_to_device(self._input, pl_module.device)

        def forward() -> Any:
            return pl_module(*_copied(arguments), **_copied(named))

        with as_it_was(pl_module), trainer.precision_plugin.forward_context():
            for metric in self._metrics:
                value = _MEASURES[metric](pl_module, forward)
                pl_module.log(metric, value, on_step=False, on_epoch=True, sync_dist=True, batch_size=1)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave no hook behind."""
        self._release()

    def _take(self, model: nn.Module, arguments: Any, named: Any) -> None:
        # Strategies call the step in the place of the forward.
        if self._input is None and "forward" not in vars(model):
            self._input = _copied((arguments, named))

    def _release(self) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._hook = None


def _copied(values: Any) -> Any:
    """Return copies of all tensors: a forward may work in place."""
    return tree_map(
        lambda leaf: leaf.detach().clone().requires_grad_(leaf.requires_grad) if isinstance(leaf, Tensor) else leaf,
        values,
    )


def _latency(model: LightningModule, forward: Callable[[], Any]) -> float:
    model.eval()
    return _median(lambda: _without_gradients(forward))


def _step(model: LightningModule, forward: Callable[[], Any]) -> float:
    model.train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def step() -> None:
        with torch.enable_grad():
            made = [leaf for leaf in tree_leaves(forward()) if isinstance(leaf, Tensor) and leaf.requires_grad]
            if not made:
                raise CostError(f"cost/step: what the forward of {type(model).__name__} returns has no gradient")
            ones = [torch.ones_like(leaf) for leaf in made]
            torch.autograd.grad(made, parameters, ones, allow_unused=True)

    return _median(step)


def _saved(model: LightningModule, forward: Callable[[], Any]) -> float:
    model.train()
    there = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in there:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # an output that held itself would never be freed

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        kept = forward()  # as long as its graph lives, no storage is used again
    del kept
    return float(sum(sizes.values()))


def _sparsity(model: LightningModule, forward: Callable[[], Any]) -> float:
    model.eval()
    zeros, total = [], []

    def count(module: nn.Module, arguments: Any, result: Any) -> None:
        if isinstance(result, Tensor):
            zeros.append(int((result == 0).sum()))
            total.append(result.numel())

    with exposed(model, _watched(model)) as modules, after_each_call(set(modules.values()), count):
        _without_gradients(forward)
    if not sum(total):
        raise CostError(f"cost/sparsity: no activation ran in the forward of {type(model).__name__}")
    return sum(zeros) / sum(total)


_MEASURES: Mapping[str, Callable[[LightningModule, Callable[[], Any]], float]] = {
    "cost/latency": _latency,
    "cost/step": _step,
    "cost/saved": _saved,
    "cost/sparsity": _sparsity,
}


def _watched(model: LightningModule) -> list[Any]:
    return [located for located in locate(model).located if located.site.role in ("hidden", "gate")]


def _without_gradients(forward: Callable[[], Any]) -> Any:
    try:
        with torch.no_grad():
            return forward()
    except RuntimeError:  # some differentiate within their forward
        with torch.enable_grad():
            return forward()


def _median(call: Callable[[], Any]) -> float:
    call()  # what is compiled or chosen in a first call is no part of it
    timer = Timer("call()", globals={"call": call}, num_threads=torch.get_num_threads())
    return float(timer.blocked_autorange(min_run_time=_LEAST_TIME).median)
