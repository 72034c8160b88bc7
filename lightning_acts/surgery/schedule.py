"""When a swap takes place during a fit, and how: its beginning, its length, the shape of the transition, the order of sites."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from lightning_acts.errors import SwapError
from lightning_acts.hints import counted, did_you_mean
from lightning_acts.surgery.blend import ParameterPath

Order = Literal["together", "from_input", "from_output", "from_input_by_stage", "from_output_by_stage"]
ORDERS: tuple[Order, ...] = get_args(Order)


@dataclass(frozen=True)
class Position:
    """A moment of a fit, between two steps of the optimizer.

    Attributes:
        step: How many steps were made, as ``trainer.global_step`` counts them.
        epoch: How many epochs were made, with the part of the one that runs.
        fraction: The part of the fit that was made; None if the fit has no end.
    """

    step: float
    epoch: float
    fraction: float | None = None

    def since(self, begun: Position, unit: str) -> float:
        """Return how much of a unit lies between two moments."""
        return float(getattr(self, unit)) - float(getattr(begun, unit))


@dataclass(frozen=True)
class Condition:
    """What a logged metric has to do: to lie beyond a bound, or not to improve for some readings.

    Attributes:
        metric: The name under which it is logged.
        above: It is more than this.
        below: It is less than this.
        patience: It was not better than its best for so many readings in a row.
        mode: Whether less is better, or more.
    """

    metric: str
    above: float | None = None
    below: float | None = None
    patience: int | None = None
    mode: Literal["min", "max"] = "min"

    def is_better(self, value: float, best: float | None) -> bool:
        """Compare a reading with the best one before it."""
        if best is None:
            return not math.isnan(value)
        return value < best if self.mode == "min" else value > best

    def __str__(self) -> str:
        if self.patience is not None:
            better = "less" if self.mode == "min" else "more"
            return f"{self.metric} was not {better} than its best for {counted(self.patience, 'reading')}"
        bound = f"more than {self.above:g}" if self.above is not None else f"less than {self.below:g}"
        return f"{self.metric} is {bound}"


@dataclass(frozen=True)
class Schedule:
    """When a swap begins, and how the replacements take over.

    Attributes:
        unit: In what the beginning is counted: ``step``, ``epoch`` or ``fraction``; None if a metric tells it.
        at: The beginning in that unit.
        condition: What a metric has to do for it to begin.
        length_unit: In what the length is counted.
        length: How long it takes; 0 for at once.
        shape: The part of the replacement, from 0 to 1, at each part of the length, from 0 to 1.
        path: The parameter that moves, if it is not the outputs that are blended.
        order: Which sites first.
    """

    unit: str | None
    at: float
    condition: Condition | None
    length_unit: str
    length: float
    shape: Callable[[float], float]
    path: ParameterPath | None
    order: Order

    @classmethod
    def of(cls, at: Any, blend: Any, order: Any) -> Schedule:
        """Read the options of an :class:`~lightning_acts.ActivationSwap`.

        Raises:
            ScheduleError: One of them has a wrong value; the message names it.
        """
        unit, beginning, condition = _beginning(at)
        length_unit, length, shape, path = _length(blend)
        if order not in ORDERS:
            raise ScheduleError(f"order={order!r}: one of {', '.join(ORDERS)}{did_you_mean(str(order), ORDERS)}")
        if order != "together" and length == 0:
            raise ScheduleError(
                f"order={order!r} puts one site after the other, and blend= says over how long, such as "
                "{'epochs': 3}, or {'epochs': 3, 'shape': 'abrupt'} for each at once"
            )
        return cls(unit, beginning, condition, length_unit, length, shape, path, order)

    @property
    def is_at_start(self) -> bool:
        """Whether there is nothing to wait for: the swap is made before the fit."""
        return self.unit == "step" and self.at == 0 and self.length == 0

    def has_come(self, position: Position) -> bool:
        """Check whether the beginning, if no metric tells it, has come."""
        now = None if self.unit is None else getattr(position, self.unit)
        return now is not None and now >= self.at

    def progress(self, position: Position, begun: Position) -> float:
        """Return the part of the length that has passed, from 0 to 1."""
        if self.length == 0:
            return 1.0
        return min(max(position.since(begun, self.length_unit) / self.length, 0.0), 1.0)

    def amounts(self, progress: float, groups: int) -> list[float]:
        """Return how far the replacements of each group have taken over, the first group first."""
        return [self._amount(progress * groups - index) for index in range(groups)]

    def _amount(self, passed: float) -> float:
        """Return the amount of a group, from what has passed of its own share, which may not have begun."""
        if passed < 0.0:
            return 0.0
        if passed >= 1.0:
            return 1.0
        return min(max(float(self.shape(passed)), 0.0), 1.0)

    def groups(self, paths: Sequence[str]) -> list[list[int]]:
        """Divide sites, given by their paths from input to output, into groups that take over one after the other."""
        if self.order == "together":
            return [list(range(len(paths)))]
        names = (
            [_stage(path) for path in paths] if self.order.endswith("_by_stage") else list(map(str, range(len(paths))))
        )
        groups: dict[str, list[int]] = {}
        for index, name in enumerate(names):
            groups.setdefault(name, []).append(index)
        ordered = list(groups.values())
        return ordered[::-1] if self.order.startswith("from_output") else ordered

    def span(self, steps_per_epoch: float, epochs: float | None) -> tuple[float | None, float | None]:
        """Return the epochs at which it begins and is over; None where nobody knows.

        Args:
            steps_per_epoch: Steps of the optimizer in an epoch; infinite if nobody knows them.
            epochs: Epochs of the fit; None if it has no end.
        """
        in_epochs = {"epoch": 1.0, "step": 1 / steps_per_epoch or None, "fraction": epochs}
        unit, length = in_epochs.get(self.unit or ""), in_epochs[self.length_unit]
        begin = None if unit is None else self.at * unit
        takes = 0.0 if self.length == 0 else None if length is None else self.length * length
        return begin, None if begin is None or takes is None else begin + takes

    def ends_late(self, steps_per_epoch: float, epochs: float | None) -> bool:
        """Check whether a fit ends before it begins or is over."""
        begin, end = self.span(steps_per_epoch, epochs)
        return epochs is not None and ((begin is not None and begin >= epochs) or (end is not None and end > epochs))

    def timeline(self, steps_per_epoch: float, epochs: float | None) -> str:
        """Say at which epoch and step it begins and is over; arguments as for :meth:`span`."""
        begin, end = self.span(steps_per_epoch, epochs)
        if self.unit is None:
            text = f"begins when {self.condition}"
            text += " and changes at once" if self.length == 0 else f", and takes {self._takes()}"
        else:
            known = begin is not None or self.unit != "step"
            text = f"begins at {_moment(begin, steps_per_epoch) if known else f'step {self.at:,.0f}'}"
            over = f"after {self._takes()}" if end is None else f"at {_moment(end, steps_per_epoch)}"
            text += " and changes at once" if self.length == 0 else f", is over {over}"
        late = self.ends_late(steps_per_epoch, epochs)
        return f"{text}; the fit ends before that, at epoch {epochs:g}" if late else text

    def _takes(self) -> str:
        return f"{self.length:g} {_PLURALS[self.length_unit]}"

    @property
    def reason(self) -> str:
        """Why it begins when it does."""
        if self.condition is not None:
            return str(self.condition)
        return "the fit has begun" if self.at == 0 else f"{self._time} has come"

    @property
    def _time(self) -> str:
        return f"{self.at:.4g} of the fit" if self.unit == "fraction" else f"{self.unit} {self.at:g}"

    def __str__(self) -> str:
        when = "start" if self.unit == "step" and self.at == 0 else self._time
        if self.condition is not None:
            when = f"the time when {self.condition}"
        return when if self.length == 0 else f"{when}, {self.duration}"

    @property
    def duration(self) -> str:
        """How long it takes, in words."""
        return f"over {self._takes()}"


_PLURALS = {"epoch": "epochs", "step": "steps", "fraction": "of the fit"}


def _moment(epochs: float | None, steps_per_epoch: float) -> str:
    """Return a time in epochs and steps, in words."""
    if epochs is None:
        return "a time that depends on the length of an epoch"
    step = f" (step {round(epochs * steps_per_epoch):,})" if math.isfinite(steps_per_epoch) else ""
    return f"epoch {epochs:.4g}{step}"


def _stage(path: str) -> str:
    """Return the part of a model in which a site lies: the first two names of its path, or the first in a flat model."""
    owner = path.split("/")[0].split(".")
    return ".".join(owner[:2] if owner[0] in ("model", "net", "backbone", "encoder", "module") else owner[:1])


_UNITS = ("epoch", "step", "fraction")
_LENGTHS = {"epochs": "epoch", "steps": "step", "fraction": "fraction"}


def _linear(passed: float) -> float:
    return passed


def _cosine(passed: float) -> float:
    return (1 - math.cos(math.pi * passed)) / 2


def _exponential(passed: float) -> float:
    return math.expm1(-5 * passed) / math.expm1(-5)


def _abrupt(passed: float) -> float:
    return 1.0


_SHAPES: dict[str, Callable[[float], float]] = {
    "linear": _linear,
    "cosine": _cosine,
    "exponential": _exponential,
    "abrupt": _abrupt,
}


class ScheduleError(SwapError):
    """An option that says when or how has a wrong value.

    Attributes:
        key: The key in it that is wrong; None where it is not one alone.
    """

    def __init__(self, message: str, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


def _beginning(at: Any) -> tuple[str | None, float, Condition | None]:
    if at is None or at == "start":
        return "step", 0, None
    if not isinstance(at, Mapping):
        raise ScheduleError(
            f"at={at!r}: 'start', or a mapping such as {{'epoch': 5}}; it may hold {', '.join(_UNITS)} or metric"
        )
    given = dict(at)
    if "metric" in given and not given.keys().isdisjoint(_UNITS):
        raise ScheduleError(f"at={given!r}: a metric, or one of {', '.join(_UNITS)}, not both")
    if "metric" in given:
        return None, 0, _condition(given)
    _refuse_unknown("at", given, (*_UNITS, "metric"))
    if len(given) != 1:
        raise ScheduleError(f"at={given!r}: one of {', '.join(_UNITS)}, or metric")
    ((unit, value),) = given.items()
    is_part = unit == "fraction"
    return unit, checked_number("at", value, unit, whole=not is_part, most=1.0 if is_part else math.inf), None


def _condition(given: dict[str, Any]) -> Condition:
    _refuse_unknown("at", given, ("metric", "above", "below", "patience", "mode"))
    if not isinstance(given["metric"], str):
        raise ScheduleError(f"at: metric: {given['metric']!r} is not the name of a metric", "metric")
    asked = [key for key in ("above", "below", "patience") if given.get(key) is not None]
    if len(asked) != 1:
        raise ScheduleError(f"at={given!r}: a metric needs one of above, below or patience")
    mode = given.get("mode", "min")
    if mode not in ("min", "max"):
        raise ScheduleError(f"at: mode: {mode!r} is neither 'min' nor 'max'", "mode")
    if "mode" in given and asked != ["patience"]:
        raise ScheduleError(f"at={given!r}: mode belongs to patience: {asked[0]} says which values are meant", "mode")
    if asked == ["patience"]:
        checked_number("at", given["patience"], "patience", whole=True)
    else:
        _real("at", given[asked[0]], asked[0])
    return Condition(**given)


def _length(blend: Any) -> tuple[str, float, Callable[[float], float], ParameterPath | None]:
    if blend is None:
        return "step", 0.0, _SHAPES["linear"], None
    if not isinstance(blend, Mapping):
        raise ScheduleError(f"blend={blend!r}: a mapping such as {{'epochs': 3, 'shape': 'cosine'}}")
    given = dict(blend)
    _refuse_unknown("blend", given, (*_LENGTHS, "shape", "parameter", "start", "end"))
    units = [key for key in given if key in _LENGTHS]
    if len(units) != 1:
        raise ScheduleError(f"blend={given!r}: one of {', '.join(_LENGTHS)} says how long it takes")
    (unit,) = units
    length = checked_number("blend", given[unit], unit, most=1.0 if unit == "fraction" else math.inf)
    if length == 0:
        raise ScheduleError(f"blend: {unit}: 0 is no length: leave blend= out to swap at once", unit)
    shape = given.get("shape", "linear")
    if not callable(shape) and shape not in _SHAPES:
        raise ScheduleError(
            f"blend: shape: {shape!r} is none of {', '.join(_SHAPES)}, and no function from 0..1 to 0..1"
            f"{did_you_mean(str(shape), tuple(_SHAPES))}",
            "shape",
        )
    path = None
    if "parameter" in given:
        if "start" not in given or "end" not in given:
            raise ScheduleError(f"blend={given!r}: a parameter moves from start to end: give both", "parameter")
        start, end = (_real("blend", given[key], key) for key in ("start", "end"))
        path = ParameterPath(str(given["parameter"]), start, end)
    elif "start" in given or "end" in given:
        raise ScheduleError(f"blend={given!r}: start and end belong to parameter, the name of the one that moves")
    return _LENGTHS[unit], length, shape if callable(shape) else _SHAPES[shape], path


def _refuse_unknown(option: str, given: dict[str, Any], known: Sequence[str]) -> None:
    for key in given:
        if key not in known:
            near = did_you_mean(str(key), known)
            raise ScheduleError(
                f"{option}={given!r}: there is no key {key!r}{near} There are: {', '.join(known)}", str(key)
            )


def checked_number(
    option: str, value: Any, key: str | None = None, whole: bool = False, most: float = math.inf
) -> float:
    """Check a number of at least 0 that is the value of an option, or of a key in it.

    Raises:
        ScheduleError: It is none.
    """
    name = option if key is None else f"{option}: {key}"
    if whole and (isinstance(value, bool) or not isinstance(value, int)):
        raise ScheduleError(f"{name}: {value!r} is not a whole number", key)
    checked = _real(option, value, key)
    if checked < 0:
        raise ScheduleError(f"{name}: {value!r} is less than 0", key)
    if checked > most:
        raise ScheduleError(f"{name}: {value!r} is more than {most:g}", key)
    return checked


def _real(option: str, value: Any, key: str | None) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        name = option if key is None else f"{option}: {key}"
        raise ScheduleError(f"{name}: {value!r} is not a number", key)
    return float(value)
