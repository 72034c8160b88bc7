"""Swaps whose replacements take over in the course of a training loop, whoever runs the loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from torch import nn

from lightning_acts.errors import SwapError
from lightning_acts.hints import did_you_mean
from lightning_acts.surgery import history
from lightning_acts.surgery.blending import ScheduledSite, as_taken_over, hold_back, scheduled_sites
from lightning_acts.surgery.example import Example
from lightning_acts.surgery.exchanging.matching import Rules
from lightning_acts.surgery.finding.sites import find
from lightning_acts.surgery.plan import BlendState
from lightning_acts.surgery.report import SwapReport
from lightning_acts.surgery.request import SwapMap, SwapOptions, SwapRequest, takes_options
from lightning_acts.surgery.schedule import Order, Position, Schedule
from lightning_acts.surgery.swapping import swap

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True)
class Event:
    """What a scheduled swap did between two steps.

    Attributes:
        kind: ``begins``, ``moves`` or ``ends``.
        position: When.
        amount: The mean part of the replacements.
        switched: The sites at which other activations run now than before.
        why: Why the swap has begun; empty where it had begun before.
    """

    kind: str
    position: Position
    amount: float
    switched: tuple[ScheduledSite, ...]
    why: str = ""


class ScheduledSwap:
    """Swap whose replacements take over during training, for a loop of one's own; a Trainer has ``ActivationSwap``.

    Args:
        map: As for :func:`lightning_acts.swap`.
        at: As for :class:`lightning_acts.ActivationSwap`; likewise ``blend`` and ``order``.
        options: Those of :class:`lightning_acts.SwapRequest`.

    Attributes:
        request: What is asked, as plain text.
        schedule: When, and how.

    Raises:
        SpecError: An activation's name or a parameter is wrong.
        SwapError: An option has a wrong value.

    Example:
        >>> import torch, lightning_acts as acts
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
        >>> scheduled = acts.ScheduledSwap({"relu": "hardswish"}, at={"step": 2}, blend={"steps": 2})
        >>> report = scheduled.install(model)
        >>> for step in range(5):
        ...     _ = scheduled.advance(step=step)
        ...     print(scheduled.amount)
        0.0
        0.0
        0.0
        0.5
        1.0
        >>> model[1]
        Hardswish()
    """

    @takes_options
    def __init__(
        self,
        map: SwapMap | SwapRequest,
        *,
        at: str | dict[str, Any] | None = None,
        blend: dict[str, Any] | None = None,
        order: Order = "together",
        **options: Unpack[SwapOptions],
    ) -> None:
        self.rules = Rules(SwapRequest.of(map, options))
        self.request = self.rules.request.plain()
        self.schedule = Schedule.of(at, blend, order)
        self._groups: list[list[ScheduledSite]] = []
        self._ran: list[str] = []  # paths in the order in which an example came by
        self._begun: Position | None = None
        self._progress = 0.0
        self._best: float | None = None
        self._waited = 0
        self._due = ""
        self._moments: list[tuple[float, float]] = []

    def __str__(self) -> str:
        return f"{self.request} at {self.schedule}"

    @property
    def sites(self) -> list[ScheduledSite]:
        """The sites at which replacements take over, in the order in which they do."""
        return [site for group in self._groups for site in group]

    @property
    def amount(self) -> float:
        """The mean part of the replacements, from 0, not begun, to 1, at the end."""
        sites = self.sites
        return sum(site.blend.amount for site in sites) / len(sites) if sites else 1.0

    @property
    def moments(self) -> list[tuple[float, float]]:
        """Epoch and amount, before and after each change of the activations that run; few, whatever the blend's length."""
        return list(self._moments)

    @property
    def has_begun(self) -> bool:
        """Whether the replacements have begun to take over."""
        return self._begun is not None

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        return all(site.blend.amount == 1.0 for group in self._groups for site in group)

    def install(self, model: nn.Module, example_input: Any = None, among: SwapRequest | None = None) -> SwapReport:
        """Put the replacements into a model, held back; to be called before the optimizer is made.

        Args:
            model: The model.
            example_input: A batch, as for :func:`lightning_acts.swap`; it also tells in which order the sites run, which
                is otherwise the order of the modules.
            among: The request with further limits.

        Raises:
            SwapError: Nothing matches, or another scheduled swap means the same sites; the model is as it was.
        """
        self._refuse_conflicts(model)
        with as_taken_over(model):
            report = swap(model, among or self.request, example_input=example_input)
            made = history.swaps_of(model)[-1]
            # By which attach finds its sites, however limited.
            made.exchanges[0].change.transaction.request = self.request
            if not self.schedule.is_at_start:
                try:
                    hold_back(model, made.number, BlendState(0.0, self.schedule.path))
                except BaseException:
                    report.undo()
                    raise
        self._begun, self._progress, self._best, self._waited = None, 0.0, None, 0
        self._due, self._moments = "", []
        if self.schedule.order != "together" and example_input is not None:
            blends: dict[nn.Module, str] = {site.blend: site.paths[0] for site in scheduled_sites(model)}
            self._ran = [blends[blend] for blend in Example(model, example_input).count(blends)]
        self.attach(model)
        return report

    def attach(self, model: nn.Module) -> None:
        """Find the sites of this swap in a model that carries it, as after a checkpoint was loaded."""
        rank = {path: number for number, path in enumerate(self._ran)}
        sites = [site for site in scheduled_sites(model) if site.exchange.transaction.request == self.request]
        sites.sort(key=lambda site: rank.get(site.paths[0], len(rank)))
        groups = self.schedule.groups([site.paths[0] for site in sites])
        self._groups = [[sites[index] for index in group] for group in groups if group]

    def read(self, metrics: Mapping[str, Any]) -> None:
        """Compare the latest reading of a metric with what this swap waits for.

        Raises:
            SwapError: The metric is not among them.
        """
        condition = self.schedule.condition
        if condition is None or self._begun is not None or self._due:
            return
        if condition.metric not in metrics:
            raise SwapError(
                f"at: metric: {condition.metric!r} was not logged{did_you_mean(condition.metric, sorted(metrics))} "
                f"There are: {', '.join(sorted(metrics)) or 'none'}"
            )
        value = float(metrics[condition.metric])
        if condition.above is not None:
            met = value > condition.above
        elif condition.below is not None:
            met = value < condition.below
        else:
            better = condition.is_better(value, self._best)
            self._best, self._waited = (value, 0) if better else (self._best, self._waited + 1)
            assert condition.patience is not None
            met = self._waited >= condition.patience
        if met:
            best = "" if self._best is None else f", the best {self._best:.4g}"
            self._due = f"{condition} (now {value:.4g}{best})"

    def begin(self, why: str = "it was told to") -> None:
        """Let the swap begin at the next step, whatever ``at`` says."""
        self._due = why

    def advance(
        self, *, step: float = 0, epoch: float = 0.0, fraction: float | None = None, may_begin: bool = True
    ) -> Event | None:
        """Bring the replacements to where they belong; to be called between two steps of the optimizer.

        Args:
            step: Steps of the optimizer that were made.
            epoch: Epochs that were made, with the part of the one that runs.
            fraction: The part of the training that was made.
            may_begin: False lets a swap that has begun go on, and none begin.

        Returns:
            What was done; None if there was nothing to do.
        """
        return self._advance(Position(step, epoch, fraction), may_begin) if not self.is_over else None

    def _advance(self, position: Position, may_begin: bool) -> Event | None:
        kind, why = "moves", ""
        if self._begun is None:
            if not may_begin or not (self._due or self.schedule.has_come(position)):
                return None
            self._begun, kind, why = position, "begins", self._due or self.schedule.reason
        progress = self.schedule.progress(position, self._begun)
        if progress == self._progress and kind == "moves":
            return None
        self._progress = progress
        before = self.amount
        switched = []
        for amount, group in zip(self.schedule.amounts(progress, len(self._groups)), self._groups, strict=True):
            switched += [site for site in group if site.set(amount)]
        for site in switched:
            site.blend.freeze_idle()
        event = Event("ends" if self.is_over else kind, position, self.amount, tuple(switched), why)
        if switched or kind == "begins":
            self._moments += [(position.epoch, before), (position.epoch, event.amount)]
        return event

    def resume(self, position: Position) -> None:
        """Go on from here: in another loop, whose counts are less than those at which the swap began, or from weights alone.

        A model that was loaded within a blend says how far it is, and not when that began.
        """
        begun, unit = self._begun, self.schedule.length_unit
        if begun is None and 0.0 < self.amount < 1.0:
            self._progress = self._progress_at(self.amount)
        elif begun is None or position.since(begun, unit) >= 0:
            return
        self._begun = replace(position, **{unit: getattr(position, unit) - self._progress * self.schedule.length})

    def _progress_at(self, amount: float) -> float:
        """Return the part of the length at which the replacements have taken over this far, by bisection."""
        low, high = 0.0, 1.0
        for _ in range(50):
            middle = (low + high) / 2
            amounts = self.schedule.amounts(middle, len(self._groups))
            sizes = [len(group) for group in self._groups]
            mean = sum(a * size for a, size in zip(amounts, sizes, strict=True)) / sum(sizes)
            low, high = (middle, high) if mean < amount else (low, middle)
        return (low + high) / 2

    def settle(self) -> None:
        """Leave nothing of the blends that are at their end; to be called when the loop is over.

        Where either activation has parameters, a blend stays until then, as the optimizer and the strategy know both.
        """
        for site in self.sites:
            site.settle()

    def state_dict(self) -> dict[str, Any]:
        """Return where the swap stands, as plain data; the model's own checkpoints hold the structure."""
        return {
            "begun": None if self._begun is None else asdict(self._begun),
            "progress": self._progress,
            "best": self._best,
            "waited": self._waited,
            "due": self._due,
            "moments": [list(moment) for moment in self._moments],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` has returned."""
        self._begun = None if state["begun"] is None else Position(**state["begun"])
        self._progress, self._best, self._waited = state["progress"], state["best"], state["waited"]
        self._due = state["due"]
        self._moments = [(epoch, amount) for epoch, amount in state["moments"]]

    def _refuse_conflicts(self, model: nn.Module) -> None:
        others = [site for site in scheduled_sites(model) if site.exchange.transaction.request != self.request]
        waiting = {path: site for site in others if site.blend.amount < 1.0 for path in site.paths}
        if not waiting:
            return
        for site in find(model):
            other = next((waiting[path] for path in site.paths if path in waiting), None)
            if other is not None and self.rules.means(site):
                raise SwapError(
                    f"two swaps mean {site.path}: {other.exchange.transaction.request} has it already, and {self} "
                    f"would take it from the same {site.activation}"
                )
