"""The block ``search`` of a config: what a study varies, by which metric, and for how long; checked before any run."""

from __future__ import annotations

import fnmatch
import inspect
import itertools
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import lightning as L

from lightning_acts.callbacks.cost_monitor import COSTS, CostMonitor
from lightning_acts.catalogue import info, names
from lightning_acts.definition import REQUIRED
from lightning_acts.factory import resolve
from lightning_acts.hints import counted, did_you_mean
from lightning_acts.runs.checking import Checked, activation_arguments, check_arguments, check_config
from lightning_acts.runs.config import Config, collect
from lightning_acts.runs.folder import digest
from lightning_acts.runs.reading import ConfigError, KeyPath, Problem, dotted
from lightning_acts.spec import ActivationSpec, SpecError
from lightning_acts.studies.statistics import levels, smallest_p
from lightning_acts.surgery.sides import defaults_of


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, whole ones if the bounds and the step are; evenly in the logarithm with ``log``."""

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError(f"low: {self.low} is not less than high: {self.high}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("a range with log begins above 0, and has no step")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"step: {self.step} is not above 0")
        if self.is_whole and self.step is None and self.high - self.low == 1:
            between = (
                f"write {float(self.low)} and {float(self.high)} for what lies between, or [{self.low}, {self.high}]"
            )
            raise ValueError(f"low: {self.low} and high: {self.high} are whole numbers with none between: {between}")

    @property
    def is_whole(self) -> bool:
        """Whether the numbers are whole."""
        return all(isinstance(bound, int) for bound in (self.low, self.high, self.step or 1))

    @property
    def examples(self) -> tuple[Any, ...]:
        """The bounds, and a number between them that is not whole if others are not."""
        if self.is_whole:
            return self.low, self.high
        if self.step is not None:
            return self.low, self.high, self.low + self.step
        between = math.sqrt(self.low * self.high) if self.log else self.low + 0.381 * (self.high - self.low)
        return self.low, self.high, between


@dataclass(frozen=True)
class Choices:
    """Some values, of which one is chosen."""

    choices: list[Any]

    def __post_init__(self) -> None:
        if len(self.choices) < 2:
            raise ValueError("choices are two or more")

    @property
    def examples(self) -> tuple[Any, ...]:
        """All values."""
        return tuple(self.choices)


@dataclass(frozen=True)
class Budget:
    """How long candidates are searched for: until the first of these is spent.

    Attributes:
        trials: Trials, pruned ones too.
        epochs: Epochs of all trials.
        hours: Hours of all trials, of all workers together.
    """

    trials: int
    epochs: int | None = None
    hours: float | None = None


@dataclass(frozen=True)
class SearchSettings:
    """The keys of ``search``.

    Attributes:
        activations: Specs, and filters as ``ls activations`` takes them: ``{family: rectified, match: "*elu"}``.
        budget: How long to search.
        objective: The metric, or ``{metric: val/x, direction: max}`` where its name does not tell the direction. Or a
            list of them: the first one decides, the others are shown beside it.
        at: The key that takes the activation; found where the config leaves no choice. Or a list of keys, one a layer, each
            of which takes one of its own.
        parameters: Ranges of parameters of activations, by name: ``{leaky_relu: {negative_slope: {low: 0.0, high: 0.5}}}``.
        space: Ranges of other keys of the config: ``{optimizer.lr: {low: 1.0e-4, high: 0.1, log: true}}``.
        baseline: The activation that others are compared to; default the first.
        finalists: How many activations run over all seeds, the baseline not counted.
        seeds: After how many seeds the finalists are compared: increasing; the last is the most.
        sampler: How values are chosen: ``tpe`` or ``random``.
        pruner: How poor trials end early: ``hyperband`` (default), ``halving`` or ``none``, as it is with several
            objectives.
    """

    activations: list[str | dict[str, Any]] | dict[str, Any]
    budget: dict[str, Any]
    objective: str | dict[str, Any] | list[str | dict[str, Any]]
    at: str | list[str] | None = None
    parameters: dict[str, Any] | None = None
    space: dict[str, Any] | None = None
    baseline: str | None = None
    finalists: int = 3
    seeds: list[int] | int = 10
    sampler: Literal["tpe", "random"] = "tpe"
    pruner: Literal["hyperband", "halving", "none"] | None = None


@dataclass(frozen=True)
class Objective:
    """What is optimized: a logged metric and its direction."""

    metric: str
    direction: Literal["max", "min"] | None = None

    @property
    def sign(self) -> int:
        """1 where larger is better, -1 where smaller is."""
        return 1 if self.direction == "max" else -1


@dataclass(frozen=True)
class Plan:
    """A study that has passed every check.

    Attributes:
        files: The config's files, by name or path.
        overrides: What the command line overrides.
        folders: Where named configs are looked for.
        checked: The config.
        candidates: Specs of the activations, the baseline among them.
        at: The keys that take one of them each: one key, or one a layer.
        parameters: The ranges of parameters, by the spec of their activation.
        space: The ranges of other keys, and of what the layers after the first take.
        objectives: What is optimized: the first decides, the others are shown beside it.
        seeds: After how many seeds the finalists are compared.
    """

    files: tuple[str, ...]
    overrides: tuple[str, ...]
    folders: tuple[Path, ...]
    checked: Checked
    candidates: tuple[str, ...]
    at: tuple[str, ...]
    parameters: Mapping[str, Mapping[str, Range | Choices]]
    space: Mapping[str, Range | Choices]
    objectives: tuple[Objective, ...]
    baseline: str
    budget: Budget
    finalists: int
    seeds: tuple[int, ...]
    sampler: str
    pruner: str

    @property
    def name(self) -> str:
        """The name of the study: that of its config, its seed, and six characters that tell it from others of this config."""
        return f"{self.checked.config.name}-s{self.checked.seed}-{digest(self.checked.config)}"

    @property
    def objective(self) -> Objective:
        """The objective that decides."""
        return self.objectives[0]

    @property
    def epochs(self) -> int:
        """The most epochs of a run."""
        return _epochs(self.checked)

    @property
    def prunes(self) -> bool:
        """Whether trials can end early: Hyperband and halving need three epochs."""
        return self.pruner != "none" and self.epochs >= 3

    @property
    def compared(self) -> int:
        """How many activations, or assignments of them to layers, run over all seeds."""
        return min(self.finalists + 1, self.assignments)

    @property
    def compared_in_words(self) -> str:
        """What is compared."""
        return "activations" if len(self.at) == 1 else "assignments of activations to layers"

    @property
    def assignments(self) -> int:
        """How many ways there are to assign activations to the layers."""
        return math.prod([len(self.candidates)] * len(self.at))

    @property
    def tries(self) -> int:
        """How often each activation is tried, in all layers, before the sampler chooses: in half of the trials, once at least.

        Once, where layers may differ: the trials are needed for that.
        """
        return max(1, self.budget.trials // (2 * len(self.candidates))) if len(self.at) == 1 else 1

    @property
    def grid_runs(self) -> int:
        """The runs of the full grid: every assignment with as many settings as it is given on average, every seed."""
        return self.assignments * math.ceil(self.budget.trials / self.assignments) * self.seeds[-1]

    def assigned(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the activations of a trial, one a layer; none of one that has not chosen yet.

        Args:
            values: The values of the trial, by the names that it has for them: ``activation`` is the first layer's.
        """
        if not all(key in values for key in ("activation", *self.at[1:])):
            return ()
        return (str(values["activation"]), *(json.loads(values[key]) for key in self.at[1:]))

    def config(self, specs: Sequence[str], settings: Mapping[str, Any], seed: int | None = None) -> Config:
        """Return the config of a run, without the search.

        Args:
            specs: Its activations, one a layer.
            settings: Values of other keys.
            seed: The seed, if it is not that of the config.

        Raises:
            ConfigError: The files are no longer those that were checked.
        """
        now, _ = collect(self.files, self.overrides, self.folders)
        if now.data != self.checked.config.data:
            raise ConfigError(Problem(None, f"{', '.join(self.files)}: the config was changed while the study ran"))
        more = {} if seed is None else {"seed": seed}
        return _varied(self, {**dict(zip(self.at, specs, strict=True)), **settings, **more})

    def in_words(self) -> str:
        """Return what the study would do, and the smallest p-value that its budget can reach."""
        baseline, most = self.baseline, self.seeds[-1]
        spent = levels(self.seeds)
        varied = {
            **{key: one for key, one in self.space.items() if key not in self.at},
            **{f"{spec}.{key}": one for spec, keys in self.parameters.items() for key, one in keys.items()},
        }
        limits = [
            f"{value:g} {name if value != 1 else name[:-1]}"
            for name, value in (("epochs", self.budget.epochs), ("hours", self.budget.hours))
            if value
        ]
        beside = ", ".join(f"{one.metric} ({one.direction})" for one in self.objectives[1:])
        lines = [
            f"{self.name}: {counted(len(self.candidates), 'activation')} at {', '.join(self.at)}, baseline {baseline}",
            f"activations: {', '.join(self.candidates)}",
            *(f"varied: {key}, {_in_words(one)}" for key, one in varied.items()),
            f"objective: {self.objective.metric}, {self.objective.direction}" + (beside and f"; beside it {beside}"),
            f"search: {counted(self.budget.trials, 'trial')} of {counted(self.epochs, 'epoch')} at most"
            + (f", {' and '.join(limits)} in all" if limits else "")
            + f"; each activation {counted(self.tries, 'time')} at least; sampler {self.sampler}, pruner {self.pruner}"
            + (
                ""
                if self.prunes or self.pruner == "none"
                else ", which runs of fewer than 3 epochs leave nothing to do"
            ),
            f"finals: {self.compared} {self.compared_in_words} over {' or '.join(map(str, self.seeds))} seeds,"
            f" {counted(self.compared * most, 'run')} at most; the full grid has {counted(self.grid_runs, 'run')}",
        ]
        for seeds, level in zip(self.seeds, spent, strict=True):
            least = smallest_p(seeds)
            needed = level / (self.compared - 1)
            if least <= needed:
                reached = "can be decided"
            elif least <= level:
                reached = "whether one is better than all others can be decided, a single comparison can't"
            else:
                reached = "nothing can be decided: more seeds are needed"
            lines.append(f"after {seeds} seeds: smallest p {least:.2g}, level {level:.2g}, of one comparison"
                         f" {needed:.2g}: {reached}")  # fmt: skip
        return "\n".join(lines)


def plan(files: Sequence[str], overrides: Iterable[str] = (), folders: Sequence[Path] = ()) -> Plan:
    """Read a config with a block ``search``, and check everything in it.

    Each candidate's config is checked, at both ends of each range.

    Raises:
        ConfigError: With every problem of the first step that fails, each with its place.
    """
    overrides = tuple(overrides)
    return plan_checked(check_config(*collect(files, overrides, folders)), files, overrides, folders)


def plan_checked(checked: Checked, files: Sequence[str], overrides: Iterable[str], folders: Sequence[Path]) -> Plan:
    """Check the block ``search`` of a config that is checked itself; as :func:`plan`."""
    return _Reader(checked).plan(tuple(files), tuple(overrides), tuple(folders))


class _Reader:
    """Turns the block into a plan, noting problems."""

    def __init__(self, checked: Checked) -> None:
        self.checked, self.config = checked, checked.config
        self.problems: list[Problem] = []

    def plan(self, files: tuple[str, ...], overrides: tuple[str, ...], folders: tuple[Path, ...]) -> Plan:
        given = self.config.data.get("search")
        if not isinstance(given, dict):
            needed = "it needs activations, objective and budget; see docs/evidence.md"
            if given is None:
                raise ConfigError(Problem(None, f"{', '.join(files)}: search is missing: {needed}"))
            raise ConfigError(
                self.config.problem(("search",), f"search holds keys such as activations, not {given!r}: {needed}")
            )
        block = SearchSettings(**check_arguments(self.config, ("search",), given, SearchSettings))
        candidates = self.candidates(block.activations)
        baseline = self.baseline(block.baseline, candidates)
        objectives, budget = self.objectives(block.objective), self.budget(block.budget, len(candidates))
        self.length()
        several = len(objectives) > 1
        if several and block.pruner not in (None, "none"):
            said = "with several objectives no trial ends early: leave it out, or give one objective"
            self.add(("search", "pruner"), f"{block.pruner}: {said}")
        at, seeds = self.at(block.at), self.seeds(block)
        space = self.dimensions(("search", "space"), block.space or {})
        given = self.checked.initialization
        if len(at) > 1 and ("initialization" in space or (given is not None and given.get("activation") is None)):
            said = "initialization is for the one activation that a model has, and layers may differ"
            self.add(("search", "at"), f"{said}: leave it out, or name initialization.activation")
        for key in space:
            if key == "seed" or key.partition(".")[0] == "search":
                said = "seeds tell luck from merit, and are not chosen" if key == "seed" else "it is not part of a run"
                self.add(("search", "space", key), said)
        for key in at:
            if key in space:
                said = "it takes the activations that are compared: list them in search.activations"
                self.add(("search", "space", key), said)
        parameters = self.parameters(block.parameters or {}, candidates)
        self.stop()
        assert budget
        space |= {key: Choices(list(candidates)) for key in at[1:]}
        plan = Plan(
            files, overrides, folders, self.checked, tuple(candidates), at, parameters, space, objectives, baseline, budget,
            block.finalists, seeds, block.sampler, block.pruner or ("none" if several else "hyperband"),
        )  # fmt: skip
        self.variants(plan, candidates)
        self.stop()
        return plan

    def stop(self) -> None:
        if self.problems:
            raise ConfigError(*self.problems)

    def add(self, path: KeyPath, message: str) -> None:
        self.problems.append(self.config.problem(path, f"{dotted(path)}: {message}"))

    def made(self, path: KeyPath, given: Any, kind: Callable[..., Any]) -> Any:
        """Return an object made of a mapping, or None after noting what is wrong with it."""
        if not isinstance(given, dict):
            self.add(path, f"holds {', '.join(inspect.signature(kind).parameters)}, not {given!r}")
            return None
        try:
            return kind(**check_arguments(self.config, path, given, kind))
        except ConfigError as error:
            self.problems += error.problems
        except ValueError as error:
            self.add(path, str(error))
        return None

    def candidates(self, given: Any) -> dict[str, KeyPath]:
        """Return specs, each with the place that it comes from."""
        path: KeyPath = ("search", "activations")
        found: dict[str, KeyPath] = {}
        first_of: dict[ActivationSpec, str] = {}
        entries = [(path, given)] if isinstance(given, dict) else [((*path, i), one) for i, one in enumerate(given)]
        for here, one in entries:
            try:
                specs = self.filtered(here, one) if isinstance(one, dict) else [str(resolve(one))]
            except SpecError as error:
                self.add(here, str(error))
                continue
            for spec in specs:
                first = first_of.setdefault(_without_defaults(spec), spec)
                if first not in found:
                    found[first] = here
                elif not isinstance(one, dict):
                    self.add(
                        here, f"{spec} stands twice" if spec == first else f"{spec} is {first}, which stands here too"
                    )
        if len(found) < 2 and not self.problems:
            self.add(path, f"two or more are compared, and this is {', '.join(found) or 'none'}")
        return found

    def filtered(self, path: KeyPath, given: dict[str, Any]) -> list[str]:
        pattern = str(given.get("match", "*"))
        given = {name: value for name, value in given.items() if name != "match"}
        filters = check_arguments(self.config, path, given, names)
        alike = [name for name in names(**filters) if fnmatch.fnmatchcase(name, pattern)]
        kind = filters.get("kind", "elementwise")
        # Some have parameters without a default: they need a spec.
        ready = [name for name in alike if all(one.default is not REQUIRED for one in info(name).parameters)]
        found = [name for name in ready if info(name).kind == kind]
        if not found and alike:
            kinds = sorted({info(name).kind for name in alike})
            self.add(
                path, f"no {kind} activation is like this; {', '.join(alike[:3])} is: give kind: {' or '.join(kinds)}"
            )
        elif not found:
            self.add(path, "no activation is like this; 'lightning-acts ls activations' takes the same filters")
        return found

    def baseline(self, given: str | None, candidates: Mapping[str, KeyPath]) -> str:
        if given is None:
            return next(iter(candidates), "")
        try:
            spec = str(resolve(given))
        except SpecError as error:
            self.add(("search", "baseline"), str(error))
            return ""
        if spec not in candidates:
            said = f"{spec} is not among the activations{did_you_mean(spec, candidates)}"
            self.add(("search", "baseline"), f"{said} They are: {', '.join(candidates)}")
        return spec

    def objectives(self, given: Any) -> tuple[Objective, ...]:
        path: KeyPath = ("search", "objective")
        entries = [((*path, i), one) for i, one in enumerate(given)] if isinstance(given, list) else [(path, given)]
        if not entries:
            self.add(path, "it is a metric, or a list of them, and empty")
        found: dict[str, Objective] = {}
        for here, one in entries:
            objective = self.objective(here, one)
            if objective is not None:
                if objective.metric in found:
                    self.add(here, f"{objective.metric} stands twice")
                found[objective.metric] = objective
        return tuple(found.values())

    def objective(self, path: KeyPath, given: Any) -> Objective | None:
        found: Objective | None = self.made(path, {"metric": given} if isinstance(given, str) else given, Objective)
        if found is None:
            return None
        if found.metric.startswith("test"):
            self.add(path, f"{found.metric} would choose by the test data, which are for the end: take one of val/")
        if found.metric.startswith("cost/"):
            self.cost(path, found.metric)
        if found.direction is None:
            found = replace(found, direction=self.direction(found.metric))
            if found.direction is None:
                self.add(
                    path, f"is a larger {found.metric} better? Write {{metric: {found.metric}, direction: max}}, or min"
                )
        return found

    def cost(self, path: KeyPath, metric: str) -> None:
        """Note why a cost can't be measured, as far as the config tells."""
        if metric not in COSTS:
            self.add(path, f"{metric} is none of the costs{did_you_mean(metric, COSTS)} They are: {', '.join(COSTS)}")
            return
        model: Any = self.checked.model.target
        if getattr(model, "forward", None) is L.LightningModule.forward:
            self.add(path, f"{metric} is that of the model's forward, and {model.__name__} has none")
        if metric == "cost/sparsity" and self.checked.compile is not None:
            self.add(path, f"{metric} can't be measured in a compiled model: leave compile out")
        monitors = [one for one in self.checked.callbacks.values() if one.target is CostMonitor]
        if monitors and not any(metric in (one.arguments.get("metrics") or COSTS) for one in monitors):
            self.add(path, f"{metric} is not among the metrics of the config's CostMonitor: add it there")

    def direction(self, metric: str) -> Literal["max", "min"] | None:
        if metric in COSTS:
            return COSTS[metric]
        for one in self.checked.callbacks.values():
            mode = one.arguments.get("mode")
            if one.arguments.get("monitor") == metric and mode in ("max", "min"):
                return "max" if mode == "max" else "min"
        words = set(re.split(r"[^a-z0-9]+", metric.lower()))
        return "max" if words & _LARGER else "min" if words & _SMALLER else None

    def budget(self, given: Any, activations: int) -> Budget | None:
        path: KeyPath = ("search", "budget")
        found = self.made(path, given, Budget)
        if not isinstance(found, Budget):
            return None
        for name, value in vars(found).items():
            if value is not None and value <= 0:
                self.add((*path, name), f"{value} is not above 0")
        epochs, each = _epochs(self.checked), f"each of {activations} activations is tried"
        if 0 < found.trials < activations:
            self.add((*path, "trials"), f"{found.trials} is too few: {each} once at least")
        if found.epochs is not None and 0 < found.epochs < activations * epochs:
            self.add((*path, "epochs"), f"{found.epochs} is too few: {each}, for {epochs} epochs at most")
        return found

    def length(self) -> None:
        """Note if it can't be told how many epochs a run has."""
        options = self.checked.trainer
        given = options.get("max_epochs")
        if given == -1 or (given is None and options.get("max_steps", -1) != -1):
            self.add(("trainer", "max_epochs"), "a search counts in epochs: give how many a run has at most")

    def seeds(self, block: SearchSettings) -> tuple[int, ...]:
        if block.finalists < 1:
            self.add(("search", "finalists"), f"{block.finalists} is less than 1")
        found = tuple(block.seeds) if isinstance(block.seeds, list) else (block.seeds,)
        if not found or found[0] < 2 or any(later <= earlier for earlier, later in itertools.pairwise(found)):
            self.add(
                ("search", "seeds"), f"numbers of seeds, 2 or more and increasing, such as [10, 15], not {block.seeds}"
            )
        return found

    def at(self, given: str | list[str] | None) -> tuple[str, ...]:
        if isinstance(given, list):
            if not given:
                self.add(("search", "at"), "it is a key, or a list of them, and empty")
            for index, key in enumerate(given):
                if key in given[:index]:
                    self.add(("search", "at", index), f"{key} stands twice")
            return tuple(given)
        if given is not None:
            return (given,)
        swaps = self.config.data.get("swap")
        entries = [swaps] if isinstance(swaps, dict) else swaps or []
        found = [
            f"swap.map.{left}" if isinstance(swaps, dict) else f"swap.{index}.map.{left}"
            for index, entry in enumerate(entries)
            for left in entry["map"]
        ] or [f"model.{name}" for name in activation_arguments(self.checked.model)]
        if len(found) == 1:
            return (found[0],)
        among = f", such as {' or '.join(found)}" if found else ", such as swap.0.map.relu, with a swap in the config"
        each = "; or a list of them, where each layer may take one of its own" if len(found) > 1 else ""
        self.problems.append(
            self.config.problem(("search",), f"search.at is needed: the key that takes the activation{among}{each}")
        )
        return ()

    def dimensions(self, path: KeyPath, given: Mapping[str, Any]) -> dict[str, Range | Choices]:
        made = {key: self.dimension((*path, key), one) for key, one in given.items()}
        return {key: one for key, one in made.items() if one is not None}

    def dimension(self, path: KeyPath, given: Any) -> Range | Choices | None:
        if isinstance(given, list):
            given = {"choices": given}
        found = self.made(path, given, Choices if isinstance(given, dict) and "choices" in given else Range)
        return found if isinstance(found, (Range, Choices)) else None

    def parameters(
        self, given: Mapping[str, Any], candidates: Mapping[str, KeyPath]
    ) -> dict[str, dict[str, Range | Choices]]:
        found = {}
        for name, ranges in given.items():
            path: KeyPath = ("search", "parameters", name)
            if name not in candidates:
                self.add(path, f"{name} is not among the activations{did_you_mean(name, candidates)}")
            elif not isinstance(ranges, dict):
                self.add(path, f"holds parameters of {name} with a range each, not {ranges!r}")
            else:
                found[name] = self.dimensions(path, ranges)
        return found

    def variants(self, plan: Plan, places: Mapping[str, KeyPath]) -> None:
        """Check the config of each candidate, and of each end of a range."""
        given = self.config.data["search"].get("at")
        found = False
        for index, key in enumerate(plan.at):
            place: KeyPath = places[plan.baseline] if given is None else ("search", "at")
            found |= self.variant(plan, (*place, index) if isinstance(given, list) else place, {key: plan.baseline})
        if found:
            return  # what is wrong there is wrong for all of them
        for spec in plan.candidates:
            self.variant(plan, places[spec], dict.fromkeys(plan.at, spec))
            if len(plan.at) > 1:
                self.variant(plan, places[spec], {**dict.fromkeys(plan.at, plan.baseline), plan.at[-1]: spec})
        for spec, ranges in plan.parameters.items():
            for key, one in ranges.items():
                for value in one.examples:
                    place = ("search", "parameters", spec, key)
                    if self.variant(plan, place, dict.fromkeys(plan.at, with_parameters(spec, {key: value}))):
                        break
        for key, one in plan.space.items():
            for value in one.examples:
                if self.variant(plan, ("search", "space", key), {**dict.fromkeys(plan.at, plan.baseline), key: value}):
                    break

    def variant(self, plan: Plan, place: KeyPath, values: Mapping[str, Any]) -> bool:
        """Check a config, and return whether something is wrong with it."""
        try:
            check_config(_varied(plan, values))
        except ConfigError as error:
            self.problems += [replace(problem, origin=self.config.origin(place)) for problem in error.problems]
            return True
        return False


def _without_defaults(activation: str) -> ActivationSpec:
    """Return the spec of an activation without the parameters that have their defaults."""
    spec = resolve(activation)
    defaults = defaults_of(spec.name)
    return ActivationSpec(spec.name, {key: value for key, value in spec.parameters.items() if value != defaults[key]})


def _epochs(checked: Checked) -> int:
    """Return the most epochs of a run: 1000 are Lightning's own default."""
    return int(checked.trainer.get("max_epochs") or 1000)


def by_layer(specs: Sequence[str]) -> str:
    """Return the activations of layers in words: one name where all are the same.

    Example:
        >>> by_layer(["relu", "mish"]), by_layer(["relu", "relu"])
        ('relu / mish', 'relu')
    """
    return " / ".join(specs if len(set(specs)) > 1 else specs[:1])


def with_parameters(spec: str, parameters: Mapping[str, Any]) -> str:
    """Return a spec with other parameters.

    Example:
        >>> with_parameters("leaky_relu", {"negative_slope": 0.2})
        'leaky_relu(negative_slope=0.2)'
    """
    parsed = ActivationSpec.parse(spec)
    return str(ActivationSpec(parsed.name, {**parsed.parameters, **parameters}))


def _varied(plan: Plan, values: Mapping[str, Any]) -> Config:
    """Return the config of a plan with other values, and what measures costs, without the search."""
    costs = [one.metric for one in plan.objectives if one.metric in COSTS]
    if costs and not any(one.target is CostMonitor for one in plan.checked.callbacks.values()):
        monitor = {"_target_": f"{CostMonitor.__module__}.CostMonitor", "metrics": costs}
        values = {"callbacks.costs": monitor, **values}
    more = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    config, problems = collect(plan.files, [*plan.overrides, *more, "~search"], plan.folders)
    if problems:
        raise ConfigError(*problems)
    return config


def _in_words(one: Range | Choices) -> str:
    if isinstance(one, Choices):
        return f"one of {', '.join(map(str, one.choices))}"
    more = f", in steps of {one.step}" if one.step else ", whole numbers" if one.is_whole else ""
    more += ", evenly in the logarithm" if one.log else ""
    return f"{one.low:g} to {one.high:g}{more}"


# Words in the names of metrics.
_LARGER = {
    "acc", "accuracy", "ap", "auc", "auprc", "auroc", "dice", "f1", "iou", "jaccard", "map", "miou", "precision", "psnr",
    "r2", "recall", "specificity", "ssim",
}  # fmt: skip
_SMALLER = {
    "bpd", "cer", "ece", "err", "error", "fid", "frechet", "hamming", "kl", "loss", "mae", "mse", "nll", "perplexity",
    "ppl", "residual", "rmse", "wer",
}  # fmt: skip
