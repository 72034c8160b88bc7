"""The callback that swaps the activations of a model which knows nothing of it."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch import nn
from torch.nn.parameter import Parameter, UninitializedParameter

from lightning_acts.callbacks.copies import bring_swaps_back, refuse_unnamed, trains_copies
from lightning_acts.callbacks.first_batches import FirstBatches
from lightning_acts.callbacks.loops import (
    is_strategy,
    position_of,
    refuse_strategies,
    refuse_unsharded,
    size_of,
    wrap_again,
)
from lightning_acts.callbacks.packages import (
    Callback,
    averages,
    overrides,
    stochastic_averages,
    uncompiled,
)
from lightning_acts.errors import SwapError
from lightning_acts.hints import counted, listed
from lightning_acts.optimizers import completed_states, set_apart
from lightning_acts.surgery import checkpoints, history
from lightning_acts.surgery.blend import Blend
from lightning_acts.surgery.blending import name_of, scheduled_sites
from lightning_acts.surgery.example import ExampleError
from lightning_acts.surgery.finding.sites import find
from lightning_acts.surgery.report import SwapReport
from lightning_acts.surgery.request import SwapOptions, SwapRequest, takes_options
from lightning_acts.surgery.schedule import Order, Schedule, checked_number
from lightning_acts.surgery.scheduling import Event, ScheduledSwap
from lightning_acts.surgery.swapping import replay
from lightning_acts.surgery.wrappers import plain_path

if TYPE_CHECKING:
    from typing_extensions import Unpack


class ActivationSwap(Callback):
    """Swap activations of the model that a Trainer is given: for fit, validate, test and predict.

    The swap takes place after the model is built (also in ``configure_model``), before weights are restored, the
    optimizer is made and the strategy wraps the model. Once swapped, a model stays so, and its checkpoints carry the
    swap: see :func:`lightning_acts.load_from_checkpoint`. With ``example_input_array`` in the model, calls of
    activation functions in forwards are listed at once; otherwise in the first batch of each stage.

    With ``at`` or ``blend`` the replacements are put there likewise, but the originals run until their time comes. So
    everything is checked before the fit, and their parameters are known to the optimizer and the strategy. They change
    between two steps of the optimizer.

    Args:
        map: Activation -> replacement, each a name, a spec string, or a mapping with ``name``; ``None`` leaves alone. Or a
            request with all options.
        at: When the replacements begin to take over: ``"start"``; ``{"epoch": 5}``, ``{"step": 1000}`` of the optimizer,
            ``{"fraction": 0.3}`` of the fit; ``{"metric": "val/acc", "above": 0.9}``, or ``"below"``;
            ``{"metric": "val/loss", "patience": 3}``: once it was not better than its best for three readings, by
            ``"mode"``, ``"min"`` (default) or ``"max"``. Metrics are read after each validation, or at the end of an
            epoch if there is none, where those that the model logs in its own ``on_train_epoch_end`` are not there yet.
        blend: How: at once by default; ``{"epochs": 3}``, ``{"steps": 500}`` or ``{"fraction": 0.1}`` over a time, in which
            ``(1 - a) * old + a * new`` stands there. With ``"shape"``, a goes from 0 to 1 by ``"linear"`` (default),
            ``"cosine"``, ``"exponential"`` (fast at first), ``"abrupt"``, or a function of the part that has passed. With
            ``"parameter"``, ``"start"`` and ``"end"`` a parameter of the replacement moves instead.
        order: ``"together"``, or one after the other in the time of the blend: ``"from_input"``, ``"from_output"`` site by
            site, ``"from_input_by_stage"``, ``"from_output_by_stage"`` by parts of the model.
        lr_factor: Learning rate of the parameters that come with the replacements, in parts of that of their group.
        weight_decay: Their weight decay.
        restore: Give the model its own activations back at the end of each stage.
        options: Those of :class:`lightning_acts.SwapRequest`.

    Attributes:
        request: What is asked, as plain text.
        schedule: When, and how.
        report: What the last swap did; None before the first, and where the model had been swapped already.

    Raises:
        SpecError: An activation's name or a parameter is wrong.
        SwapError: A replacement changes shapes or is not registered, an option has a wrong value, or ``where`` is no
            function that can be imported.

    Example:
        ::

            Trainer(callbacks=[acts.ActivationSwap({"relu": "mish"})])
            Trainer(callbacks=[acts.ActivationSwap({"relu": "hardswish"}, at={"epoch": 5}, blend={"epochs": 3})])
    """

    @takes_options
    def __init__(
        self,
        map: dict[str, Any] | SwapRequest,
        *,
        at: str | dict[str, Any] | None = None,
        blend: dict[str, Any] | None = None,
        order: Order = "together",
        lr_factor: float = 1.0,
        weight_decay: float = 0.0,
        restore: bool = False,
        **options: Unpack[SwapOptions],
    ) -> None:
        super().__init__()
        bring_swaps_back(ActivationSwap)  # of a package that was imported since
        self._scheduled = ScheduledSwap(map, at=at, blend=blend, order=order, **options)
        self._lr_factor = checked_number("lr_factor", lr_factor)
        self._weight_decay = checked_number("weight_decay", weight_decay)
        self._restore = restore
        self.report: SwapReport | None = None
        self._running = False
        self._postponed: SwapError | None = None
        self._plain: dict[str, Any] | None = None
        self._found: dict[str, str] = {}
        self._watcher = FirstBatches(self._scheduled.rules)

    @property
    def request(self) -> SwapRequest:
        """What is asked, as plain text."""
        return self._scheduled.request

    @property
    def schedule(self) -> Schedule:
        """When the replacements take over, and how."""
        return self._scheduled.schedule

    @property
    def metric(self) -> str:
        """The name under which it is logged how far the replacements have taken over."""
        return f"swap/{_metric_name(str(self.request))}"

    @property
    def moments(self) -> list[tuple[float, float]]:
        """Epoch, and how far they have taken over, before and after each change of the activations that run."""
        return self._scheduled.moments

    @property
    def state_key(self) -> str:
        """The name of this callback's state in a checkpoint, which tells several of them apart."""
        return self._generate_state_key(swap=f"{self.request.to_dict()} at {self.schedule}")

    def state_dict(self) -> dict[str, Any]:
        """Return where the swap stands; the structure itself is kept by the model's own checkpoints."""
        return self._scheduled.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over where the swap of a checkpoint stood."""
        self._scheduled.load_state_dict(state_dict)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Remember one that knows no swaps: its optimizers lack what the replacements bring."""
        self._plain = checkpoint if not checkpoints.knows_swaps(checkpoint) else None

    def is_due(self, trainer: Trainer) -> bool:
        """Check whether the replacements begin to take over now: for subclasses that decide by something else.

        Asked before each step of the optimizer until it is true. By default never more than ``at`` says.
        """
        return False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Have the swap made as soon as the model is complete."""
        bring_swaps_back(ActivationSwap)  # in a process that imported a package after unpickling the callback
        self._running = True
        _refuse_earlier_copies(self, trainer)
        if not self.schedule.is_at_start:
            refuse_strategies(trainer)
        _refuse_equals(self, trainer)
        callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
        if self._watcher not in callbacks:
            callbacks.insert(callbacks.index(self) + 1, self._watcher)
        if not overrides(pl_module, "setup") and not overrides(pl_module, "configure_model"):
            self._swap_or_postpone(pl_module)
            return
        if is_strategy(trainer, "ModelParallelStrategy") and any(map(self._scheduled.rules.means, find(pl_module))):
            # There configure_model shards what the model has, and that are the replacements' parameters too.
            self._swap_or_postpone(pl_module)
        averaged = any(isinstance(other, stochastic_averages()) for other in trainer.callbacks)  # type: ignore[attr-defined]
        if averaged or trains_copies(trainer):
            # What these hooks build, the average, or the model that the copy is of, would lack.
            self._swap_or_postpone(pl_module)
            remedy = "use EMAWeightAveraging" if averaged else "use strategy='ddp'"
            refuse = functools.partial(_refuse_new_modules, set(pl_module.modules()), remedy)
            once_after(pl_module, "configure_model", refuse)
            return
        # The module may build its layers later. Lightning has no hook between configure_model and the loading of
        # weights: this makes one, for one call.
        once_after(pl_module, "configure_model", self._swap_or_postpone)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop if nothing could be swapped; prepare optimizers for what the replacements bring; warn if none trains it."""
        self._begin(pl_module)
        if trains_copies(trainer):
            refuse_unnamed(pl_module)
        _warn_of_untrained(self.request, trainer, pl_module)
        brought = _brought(pl_module, [self.request])
        refuse_unsharded(trainer, pl_module, brought)
        for optimizer in trainer.optimizers:
            schedulers = [config.scheduler for config in trainer.lr_scheduler_configs]
            set_apart(optimizer, brought, self._lr_factor, self._weight_decay, schedulers)
        swaps = [other for other in trainer.callbacks if isinstance(other, ActivationSwap)]  # type: ignore[attr-defined]
        if self._plain is not None and self is swaps[-1]:  # the groups of all are there now
            _complete_states(self._plain, trainer, _brought(pl_module, [swap.request for swap in swaps]))
        self._plain = None
        self._scheduled.attach(pl_module)
        for site in self._scheduled.sites:
            site.blend.freeze_idle()
        if any(site.blend.has_parameters for site in self._scheduled.sites):
            wrap_again(trainer)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check that there is an end of which a fraction can be taken; go on where another fit has stopped."""
        position = position_of(trainer, 0)
        if position.fraction is None and "fraction" in (self.schedule.unit, self.schedule.length_unit):
            raise SwapError(
                f"{self._scheduled}: the fit has no end to take a fraction of: give max_epochs or max_steps"
            )
        self._scheduled.resume(position)
        size = size_of(trainer)
        if self._scheduled.sites and self.schedule.ends_late(*size):
            rank_zero_warn(f"{self.request}: {self.schedule.timeline(*size)}")

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Begin if it is time, before the first batch of a step."""
        if batch_idx == 0:
            for site in self._scheduled.sites:
                site.blend.freeze_idle()  # a finetuning callback may have given them a gradient
        if not self._scheduled.is_over and batch_idx % trainer.accumulate_grad_batches == 0:
            if self.is_due(trainer):
                self._scheduled.begin("is_due says so")
            self._advance(trainer, pl_module, batch_idx, may_begin=True)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Go on after the last batch of a step, so that validation and checkpoints meet what the next step will."""
        if self._scheduled.has_begun and not self._scheduled.is_over:
            done = batch_idx + 1
            if done % trainer.accumulate_grad_batches == 0 or done == trainer.num_training_batches:
                self._advance(trainer, pl_module, done, may_begin=False)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what the model keeps if the fit ends before the swap does."""
        if not self._scheduled.is_over:
            rank_zero_info(
                f"ActivationSwap {self._scheduled}: the fit ended with {self._scheduled.amount:.0%} taken over. The model keeps both "
                "activations at its sites, and another fit with this callback goes on"
            )

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the metric that the swap waits for."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self._read(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the metric that the swap waits for, if no validation does; log how far the swap is."""
        if not trainer.enable_validation:
            self._read(trainer)
        if not self.schedule.is_at_start:
            several = trainer.world_size > 1
            pl_module.log_dict(self._state_of(pl_module), on_step=False, on_epoch=True, sync_dist=several)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop if nothing could be swapped."""
        self._begin(pl_module)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop if nothing could be swapped."""
        self._begin(pl_module)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop if nothing could be swapped."""
        self._begin(pl_module)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave nothing behind but the swap and its place in checkpoints, or not even these."""
        _remove_hooks(pl_module)
        self._scheduled.settle()
        if self._running:
            self.give_back(pl_module)
        self._running, self._postponed, self._plain = False, None, None

    def swap_as_copy(self, model: LightningModule) -> None:
        """Make the swap that was made in the copy of the model that a process has trained."""
        self._swap(model, tells=False)

    def give_back(self, model: LightningModule) -> None:
        """Give the model its own activations back, if ``restore`` asks for it."""
        made = [swap.number for swap in history.swaps_of(model) if swap.request == self.request]
        if self._restore and made:
            history.undo_since(model, min(made) - 1)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """As :meth:`teardown`."""
        self.teardown(trainer, pl_module, "")

    def _swap_or_postpone(self, model: LightningModule) -> None:
        """Make the swap; if there is nothing to swap yet, after the model's own hook has seen the checkpoint."""
        checkpoints.hook(model, replay)
        builds = overrides(model, "on_load_checkpoint")
        try:
            self._swap(model)
        except SwapError as error:
            if not builds:
                raise
            self._postponed = error
        if builds:
            once_after(model, "on_load_checkpoint", self._swap)

    def _begin(self, model: LightningModule) -> None:
        """Stop before any work if nothing could be swapped, with or without a checkpoint."""
        _remove_hooks(model)
        error, self._postponed = self._postponed, None
        if error is not None:
            raise error

    def _is_carried_by(self, model: LightningModule) -> bool:
        return any(made.request == self.request for made in history.swaps_of(model))

    def _swap(self, model: LightningModule, tells: bool = True) -> None:
        """Make the swap where the model does not carry it already."""
        rebuilt = history.forget_lost(model)
        if rebuilt or not self._is_carried_by(model):
            present = history.replacements_of(model, self.request)
            carried = {
                plain_path(name) for name, module in model.named_modules(remove_duplicate=False) if module in present
            }
            # Of a model that was partly built again, the new part.
            asked = self.request.limited_to(lambda site: carried.isdisjoint(site.paths)) if carried else self.request
            with uncompiled(model):
                try:
                    self.report = self._scheduled.install(model, model.example_input_array, asked)
                except ExampleError:
                    # A forward that logs, say, runs under a Trainer's hooks only: its first batch will show its functions.
                    self.report = self._scheduled.install(model, among=asked)
            self._watcher.reported = {left.site.path for left in self.report.left}
            _refuse_unsized(self.report, model)
            done = self.report.summary
            if not self.schedule.is_at_start:
                done = f"prepared for {self.schedule}: {done.removeprefix('swapped ')}"
            if tells:
                rank_zero_info(f"ActivationSwap {done}")
        self._scheduled.attach(model)
        self._postponed = None
        if not self.schedule.is_at_start:
            with uncompiled(model):
                self._found = {
                    plain_path(site.path): name_of(site.activation) for site in find(model) if site.role == "hidden"
                }

    def _advance(self, trainer: Trainer, model: LightningModule, batches: int, may_begin: bool) -> None:
        event = self._scheduled.advance(**vars(position_of(trainer, batches)), may_begin=may_begin)
        if event is None:
            return
        if any(site.blend.has_parameters for site in event.switched):
            wrap_again(trainer)
        if event.kind != "moves" or trainer.global_step % max(trainer.log_every_n_steps, 1) == 0:  # type: ignore[attr-defined]
            # Not through the model: that keeps one in so many steps, and an event is one of few.
            logged = self._state_of(model) if trainer.loggers else {}
            for logger in trainer.loggers:
                logger.log_metrics(logged, step=trainer.global_step)
        if event.kind != "moves":
            rank_zero_info(
                f"ActivationSwap at epoch {event.position.epoch:.4g}, step {event.position.step:,}: {self._words(event)}"
            )

    def _words(self, event: Event) -> str:
        """Return what an event did, at which sites, and why now."""
        sites = self._scheduled.sites
        shown = listed([plain_path(site.paths[0]) for site in sites], 3)
        where = f"{self.request} at {counted(len(sites), 'site')} ({shown})"
        if not event.why:
            return f"{where} has ended: the replacement runs alone"
        how = "takes over at once" if event.kind == "ends" else f"begins to take over, {self.schedule.duration}"
        return f"{where} {how}, because {event.why}"

    def _state_of(self, model: LightningModule) -> dict[str, float]:
        """Return what is logged: how far the replacements have taken over, and what runs at how many sites."""
        scheduled = scheduled_sites(model)
        places = {plain_path(path) for site in scheduled for path in site.places}
        # Each name from the first epoch on, so that tables have a column for it.
        counts = Counter(dict.fromkeys((name for site in scheduled for name in site.names), 0))
        counts.update(name for path, name in self._found.items() if path not in places)
        counts.update(site.runs for site in scheduled if not site.is_covered)
        return {self.metric: self._scheduled.amount} | {
            f"sites/{_metric_name(name)}": float(counts[name]) for name in sorted(counts)
        }

    def _read(self, trainer: Trainer) -> None:
        condition = self.schedule.condition
        if condition is None:
            return
        metrics = dict(trainer.callback_metrics)
        if condition.metric in metrics:
            # Ranks that did not reduce it have values of their own, and have to decide alike.
            value = torch.as_tensor(metrics[condition.metric], dtype=torch.float64, device=trainer.strategy.root_device)
            metrics[condition.metric] = trainer.strategy.reduce(value, reduce_op="mean")
        self._scheduled.read(metrics)


# A model's configure_callbacks makes the callback in the processes alone.
bring_swaps_back(ActivationSwap)


def _brought(model: LightningModule, requests: Sequence[SwapRequest]) -> list[Parameter]:
    """Return the parameters that came with the replacements of some requests."""
    replacements = (module for request in requests for module in history.replacements_of(model, request))
    return [p for module in replacements if not isinstance(module, Blend) for p in module.parameters()]


def _complete_states(checkpoint: dict[str, Any], trainer: Trainer, brought: list[Parameter]) -> None:
    """Let what a checkpoint has of optimizers and schedulers fit those of a model to which parameters were brought."""
    schedulers = [config.scheduler for config in trainer.lr_scheduler_configs]
    saved = checkpoint.get("optimizer_states", [])
    for index, (optimizer, state) in enumerate(zip(trainer.optimizers, saved, strict=False)):
        of = [number for number, each in enumerate(schedulers) if each.optimizer is optimizer]
        states = [checkpoint["lr_schedulers"][number] for number in of]
        saved[index], states = completed_states((state, states), optimizer, [schedulers[n] for n in of], brought)
        for number, completed in zip(of, states, strict=True):
            checkpoint["lr_schedulers"][number] = completed


def _metric_name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text.replace(" -> ", " to ")).strip("_")


def _refuse_equals(callback: ActivationSwap, trainer: Trainer) -> None:
    equal: list[Any] = [other for other in trainer.callbacks  # type: ignore[attr-defined]
                        if isinstance(other, ActivationSwap) and other.request == callback.request]  # fmt: skip
    if len(equal) > 1:
        raise SwapError(
            f"two ActivationSwap callbacks ask for the same: {' and '.join(str(one._scheduled) for one in equal)}"
        )


def once_after(model: LightningModule, name: str, then: Callable[[LightningModule], None]) -> None:
    """Have something done after the next call of a hook of the model; a partial counts as an overridden method there."""
    vars(model)[name] = functools.partial(_call_and_then, model, name, vars(model).get(name), then)


def _refuse_new_modules(before: set[nn.Module], remedy: str, model: LightningModule) -> None:
    if not before.issuperset(model.modules()):
        raise SwapError(
            "the model is copied before setup() and configure_model() have made it whole: build the layers in the "
            f"constructor, or {remedy}"
        )


def _call_and_then(
    model: LightningModule, name: str, previous: Any, then: Callable[[LightningModule], None], *arguments: Any
) -> None:
    _put_back(model, name, previous)
    getattr(model, name)(*arguments)
    then(model)


def _put_back(model: LightningModule, name: str, previous: Any) -> None:
    if previous is None:
        del vars(model)[name]
    else:
        vars(model)[name] = previous


def _remove_hooks(model: LightningModule) -> None:
    for name in ("configure_model", "on_load_checkpoint"):
        while isinstance(hook := vars(model).get(name), functools.partial) and hook.func is _call_and_then:
            _put_back(model, name, hook.args[2])


def _warn_of_untrained(request: SwapRequest, trainer: Trainer, model: LightningModule) -> None:
    groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
    trained = {id(parameter) for group in groups for parameter in group["params"]}
    if trained.isdisjoint(map(id, model.parameters())):
        return  # the strategy trains copies of them, or nothing is trained
    replacements = history.replacements_of(model, request)
    untrained = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        and id(parameter) not in trained
        and model.get_submodule(name.rpartition(".")[0]) in replacements
    ]
    if untrained:
        rank_zero_warn(
            f"{listed(untrained, 3)}: ActivationSwap brought these parameters, and no optimizer has them, so they "
            "keep their values. Make the optimizer in configure_optimizers, of the parameters that the model has then"
        )


def _refuse_earlier_copies(callback: ActivationSwap, trainer: Trainer) -> None:
    for earlier in trainer.callbacks[: trainer.callbacks.index(callback)]:  # type: ignore[attr-defined]
        if isinstance(earlier, (*stochastic_averages(), *averages())):
            name = type(earlier).__name__
            raise SwapError(
                f"{name} has copied the model before the swap: put ActivationSwap before {name} in callbacks="
            )


def _refuse_unsized(report: SwapReport, model: LightningModule) -> None:
    unsized = [name for name, parameter in model.named_parameters() if isinstance(parameter, UninitializedParameter)]
    if unsized and model.example_input_array is None:
        report.undo()
        raise SwapError(
            f"{listed(unsized, 3)}: per=channel takes the number of channels from a batch, and the optimizer is made "
            "before the first one: give the model an example_input_array, or the activation num_parameters="
        )
