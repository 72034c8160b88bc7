"""What a study found: a table, CSV, JSON, and the config of the best, ready to train."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from lightning_acts.files import json_ready, write_whole
from lightning_acts.hints import counted
from lightning_acts.runs.config import to_yaml
from lightning_acts.spec import ActivationSpec
from lightning_acts.studies.plan import Plan, by_layer
from lightning_acts.studies.statistics import Interval, Look, bootstrap_interval, pareto_front

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


# Characters that names of activations keep in a narrow terminal.
_NARROWEST = 12


@dataclass(frozen=True)
class Candidate:
    """An activation, or one for each layer, with the values that were found for parameters and other keys of the config.

    Attributes:
        activation: The name under which it is compared.
        specs: The activations with their parameters, one a layer.
        settings: Values of other keys.
    """

    activation: str
    specs: tuple[str, ...]
    settings: Mapping[str, Any]

    @property
    def spec(self) -> str:
        """The activation with its parameters; where layers differ, those of all."""
        return by_layer(self.specs)

    @property
    def shown(self) -> dict[str, str]:
        """The spec, and the values of other keys by their names, numbers with few digits."""
        others = {key: _short(value) for key, value in self.settings.items()}
        return {"activation": by_layer([_rounded(spec) for spec in self.specs]), **others}

    def __str__(self) -> str:
        spec, *others = self.shown.items()
        return " ".join([spec[1], *(f"{key}={value}" for key, value in others)])


@dataclass(frozen=True)
class Cost:
    """What runs have cost."""

    runs: int
    epochs: int
    seconds: float


@dataclass(frozen=True)
class Beside:
    """A further objective of a finalist.

    Attributes:
        metric: Its name.
        direction: ``max`` or ``min``.
        values: Its value of each seed.
        mean: Its mean and 95 % interval.
        difference: The paired difference to the baseline and its interval; None for the baseline.
    """

    metric: str
    direction: str
    values: tuple[float, ...]
    mean: Interval
    difference: Interval | None


@dataclass(frozen=True)
class Row:
    """A finalist.

    Attributes:
        rank: Its place by the mean, from 1 on.
        candidate: The activation and its values.
        values: The objective of each seed.
        mean: Its mean and 95 % interval.
        difference: The paired difference to the baseline and its interval; None for the baseline.
        p: The p-value of that difference.
        p_holm: The same after Holm's correction.
        probability: The probability of being the best.
        test: The test's metric; None if there is no test.
        runs: Where its runs are, in the folder of the study, one a seed.
        beside: Its further objectives.
        on_front: Whether no other finalist is better in one objective, by the means, and as good in all.
    """

    rank: int
    candidate: Candidate
    values: tuple[float, ...]
    mean: Interval
    difference: Interval | None
    p: float | None
    p_holm: float | None
    probability: float
    test: Interval | None
    runs: tuple[str, ...] = ()
    beside: tuple[Beside, ...] = ()
    on_front: bool = False


@dataclass(frozen=True)
class Searched:
    """What the search made of an activation, or of one for each layer; ``best`` is None if no trial of it came to its end."""

    activation: str
    trials: int
    pruned: int
    failed: int
    best: float | None


@dataclass(frozen=True)
class Leaderboard:
    """The result of a study.

    Attributes:
        name: The name of the study.
        folder: Its folder.
        metric: The objective.
        direction: ``max`` or ``min``.
        baseline: The activation that others are compared to.
        level: The level of the tests at the last look.
        seeds: Over how many seeds the finalists were compared.
        winner: The activation that is better than each other finalist; None if that can't be shown.
        verdict: What can be said, in words.
        rows: The finalists, the best first.
        searched: All activations, as the search saw them.
        costs: Of the search and of the finals.
        grid: What the full grid would have cost at most: runs and epochs.
        config: The config of the first finalist, as ``best.yaml`` has it.
        left_out: Finalists that are not compared, since a run of theirs failed.
    """

    name: str
    folder: Path
    metric: str
    direction: str
    baseline: str
    level: float
    seeds: int
    winner: str | None
    verdict: str
    rows: tuple[Row, ...]
    searched: tuple[Searched, ...]
    costs: Mapping[str, Cost]
    grid: Mapping[str, int]
    config: Mapping[str, Any]
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        plan: Plan,
        look: Look,
        candidates: Sequence[Candidate],
        tests: Mapping[str, Sequence[float]],
        trials: Sequence[FrozenTrial],
        costs: Mapping[str, Cost],
        runs: Mapping[str, Sequence[str]],
        folder: Path,
        beside: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
        left_out: Sequence[str] = (),
    ) -> Leaderboard:
        """Put together what the last look at a study's finalists says.

        Args:
            plan: The study.
            look: The last look, in which larger is better.
            candidates: The finalists, in its order.
            tests: The test's metric of each, a value a seed.
            trials: The trials of the search.
            costs: What its parts have cost.
            runs: Where the runs of each are, in the folder.
            folder: Its folder.
            beside: The further objectives of each, by metric, a value a seed.
            left_out: Finalists that failed.
        """
        sign = plan.objective.sign
        rows: list[Row] = []
        for index in sorted(range(len(candidates)), key=lambda index: -look.scores[index].mean()):
            one = candidates[index]
            compared = look.comparisons.get(one.activation)
            tested = tests.get(one.activation)
            rows.append(
                Row(
                    len(rows) + 1,
                    one,
                    tuple(float(sign * score) for score in look.scores[index]),
                    _signed(look.intervals[one.activation], sign),
                    _signed(compared.difference, sign) if compared else None,
                    compared.p if compared else None,
                    compared.p_holm if compared else None,
                    look.probabilities[one.activation],
                    bootstrap_interval(tested) if tested else None,
                    tuple(runs.get(one.activation, ())),
                    tuple(_beside(plan, one.activation, beside or {})),
                )
            )
        rows = _with_front(plan, rows)
        best = rows[0].candidate
        return cls(
            plan.name,
            folder,
            plan.objective.metric,
            str(plan.objective.direction),
            plan.baseline,
            look.level,
            look.scores.shape[1],
            look.winner,
            look.verdict
            + _front_in_words(plan, rows)
            + (f"; left out, since a run failed: {', '.join(left_out)}" if left_out else ""),
            tuple(rows),
            tuple(_searched(plan, trials)),
            costs,
            {"runs": plan.grid_runs, "epochs": plan.grid_runs * plan.epochs},
            plan.config(best.specs, best.settings).data,
            tuple(left_out),
        )

    @property
    def failed(self) -> bool:
        """Whether a run has failed."""
        return bool(self.left_out) or any(one.failed for one in self.searched)

    @property
    def best(self) -> Candidate:
        """The first of the finalists."""
        return self.rows[0].candidate

    @property
    def cost(self) -> Cost:
        """What the study has cost in all."""
        parts = self.costs.values()
        return Cost(
            sum(part.runs for part in parts),
            sum(part.epochs for part in parts),
            sum(part.seconds for part in parts),
        )

    def table(self) -> list[list[str]]:
        """Return the cells of the table, the first row its head."""
        head = ["rank", "activation", f"{self.metric} (95 %)", f"vs {self.baseline} (95 %)", "p", "p (Holm)", "P(best)"]
        tested = any(row.test for row in self.rows)
        cells = [[*head, "test (95 %)"] if tested else head]
        for row in self.rows:
            cells.append(
                [
                    str(row.rank),
                    row.candidate.activation,
                    _cell(row.mean),
                    _cell(row.difference, "+") if row.difference else "baseline",
                    "" if row.p is None else f"{row.p:.2g}",
                    "" if row.p_holm is None else f"{row.p_holm:.2g}",
                    f"{row.probability:.2f}",
                    *([_cell(row.test) if row.test else ""] if tested else []),
                ]
            )
        return cells

    def beside_table(self) -> list[list[str]]:
        """Return the cells of the table of further objectives, the first row its head; nothing where there are none."""
        if not self.rows[0].beside:
            return []
        names = [one.metric for one in self.rows[0].beside]
        head = ["activation", *(f"{name}{more}" for name in names for more in (" (95 %)", f" vs {self.baseline}"))]
        cells = [[*head, "Pareto front"]]
        for row in self.rows:
            values = [
                cell
                for one in row.beside
                for cell in (_cell(one.mean), _cell(one.difference, "+") if one.difference else "baseline")
            ]
            cells.append([row.candidate.activation, *values, "yes" if row.on_front else "no"])
        return cells

    def values(self) -> list[list[str]]:
        """Return the cells of the table of what the search found for the finalists; nothing where it sought no values."""
        found = [row.candidate.shown for row in self.rows]
        head = list(dict.fromkeys(key for one in found for key in one))
        if all(one == {"activation": row.candidate.activation} for one, row in zip(found, self.rows, strict=True)):
            return []
        return [head, *([one.get(key, "") for key in head] for one in found)]

    def cost_in_words(self) -> str:
        """Return what the study has cost, and what the full grid would have."""
        spent, share = self.cost, self.cost.epochs / self.grid["epochs"]
        return (
            f"{counted(spent.runs, 'run')}, {counted(spent.epochs, 'epoch')}, {spent.seconds:.0f} s; "
            f"the full grid: {counted(self.grid['runs'], 'run')}, {counted(self.grid['epochs'], 'epoch')} at most "
            f"({share:.0%} of it spent)"
        )

    def show(self) -> None:
        """Print the tables, the verdict and the cost."""
        console = Console()
        for cells in filter(None, (self.table(), self.beside_table(), self.values())):
            for table in _fitting(cells, console.width):
                console.print(table)
        for line in (self.verdict, f"{counted(self.seeds, 'seed')}; {self.cost_in_words()}"):
            console.print(line, highlight=False, soft_wrap=True)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        data = {**asdict(self), "folder": str(self.folder), "cost": asdict(self.cost)}
        plain: dict[str, Any] = json_ready(data)
        return plain

    def write(self) -> None:
        """Write ``leaderboard.csv``, ``leaderboard.json`` and ``best.yaml`` into the folder of the study."""
        write_whole(self.folder / "leaderboard.json", json.dumps(self.to_dict(), indent=2) + "\n")
        write_whole(self.folder / "leaderboard.csv", self._csv())
        write_whole(self.folder / "best.yaml", f"# {self.best}: {self.verdict}\n{to_yaml(self.config)}")

    def _csv(self) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        further = [f"{one.metric}{what}" for one in self.rows[0].beside for what in ("", "_difference")]
        bounds = [f"{name}{end}" for name in ("mean", "difference", "test", *further) for end in ("", "_low", "_high")]
        front = ["on_front"] if further else []
        tail = ["p", "p_holm", "probability_best", *front]
        writer.writerow(["rank", "activation", "spec", "settings", "seeds", *bounds, *tail])
        for row in self.rows:
            one = row.candidate
            intervals = [
                "" if interval is None else value
                for interval in (row.mean, row.difference, row.test, *_intervals(row.beside))
                for value in ((interval.mean, interval.low, interval.high) if interval else ("", "", ""))
            ]
            p_values = ["" if value is None else value for value in (row.p, row.p_holm)]
            settings = json.dumps(dict(one.settings))
            last = [*p_values, row.probability, *([row.on_front] if further else [])]
            writer.writerow([row.rank, one.activation, one.spec, settings, self.seeds, *intervals, *last])
        return text.getvalue()


def _beside(plan: Plan, activation: str, values: Mapping[str, Mapping[str, Sequence[float]]]) -> Iterator[Beside]:
    for objective in plan.objectives[1:]:
        own, base = (values[name][objective.metric] for name in (activation, plan.baseline))
        paired = [mine - its for mine, its in zip(own, base, strict=True)]
        difference = None if activation == plan.baseline else bootstrap_interval(paired)
        direction = str(objective.direction)
        yield Beside(objective.metric, direction, tuple(own), bootstrap_interval(own), difference)


def _with_front(plan: Plan, rows: Sequence[Row]) -> list[Row]:
    signs = [objective.sign for objective in plan.objectives]
    scores = [[sign * mean for sign, mean in zip(signs, _means(row), strict=True)] for row in rows]
    front = set(pareto_front(scores))
    return [replace(row, on_front=index in front) for index, row in enumerate(rows)]


def _front_in_words(plan: Plan, rows: Sequence[Row]) -> str:
    """Return what a verdict adds where there are several objectives."""
    best, *others = rows
    metrics, name = [objective.metric for objective in plan.objectives], best.candidate.activation
    if len(metrics) == 1:
        return ""
    found = []
    for row in others:
        if row.on_front:
            compared = zip(metrics, _means(row), _means(best), strict=True)
            values = ", ".join(f"{metric} {_short(own)} instead of {_short(its)}" for metric, own, its in compared)
            found.append(f"{row.candidate.activation} ({values})")
    if not found:
        return f"; by the means, no other is better in {' or '.join(metrics[1:])} than {name}"
    return f"; on the Pareto front, by the means, with {name}: {'; '.join(found)}"


def _means(row: Row) -> list[float]:
    return [row.mean.mean, *(one.mean.mean for one in row.beside)]


def _intervals(beside: Sequence[Beside]) -> Iterator[Interval | None]:
    for one in beside:
        yield from (one.mean, one.difference)


def _searched(plan: Plan, trials: Sequence[FrozenTrial]) -> Iterator[Searched]:
    own: dict[str, list[FrozenTrial]] = {name: [] for name in plan.candidates}
    for trial in trials:
        if specs := plan.assigned(trial.params):
            own.setdefault(by_layer(specs), []).append(trial)
    for name, tried in own.items():
        states = [trial.state.name for trial in tried]
        # Optuna gives pruned ones a value too: their last.
        values = [trial.values[0] for trial in tried if trial.state.name == "COMPLETE"]
        best = max(values, key=lambda value: plan.objective.sign * value) if values else None
        yield Searched(name, len(tried), states.count("PRUNED"), states.count("FAIL"), best)


def _signed(interval: Interval, sign: int) -> Interval:
    """Return an interval of scores as one of the objective, which may be better the smaller it is."""
    return interval if sign > 0 else Interval(-interval.mean, -interval.high, -interval.low)


def _cell(interval: Interval, sign: str = "") -> str:
    """Return a mean and its interval, with as many digits as the interval tells."""
    width = interval.high - interval.low
    decimals = 1 - math.floor(math.log10(width)) if width > 0 else -1
    values = (interval.mean, interval.low, interval.high)
    if 0 <= decimals <= 6:
        # 0 is added, since rounding leaves -0 of small negative numbers.
        mean, low, high = (f"{round(value, decimals) + 0:{sign}.{decimals}f}" for value in values)
    else:
        mean, low, high = (f"{value:{sign}.4g}" for value in values)
    return f"{mean} [{low}, {high}]"


def _fitting(cells: Sequence[Sequence[str]], width: int) -> list[Table]:
    """Return a table for a terminal, in which names are broken where they must be, and numbers never.

    It is two or more, each with the names, where the columns do not fit beside each other.
    """
    for breaks in (r"(?!)", r" (?=[\[(])", r" (?=[\[(])|(?<=,) (?=[^=]*\])"):
        head, *rows = ([re.sub(breaks, "\n", cell) for cell in row] for row in cells)
        table = Table(box=box.SIMPLE, collapse_padding=True)
        needed = 2
        for name, *column in zip(head, *rows, strict=True):
            is_name = name == "activation"
            table.add_column(name, overflow="fold", no_wrap=not is_name)
            longest = max(len(line) for cell in (name, *column) for line in cell.splitlines() or [""])
            needed += 2 + (min(longest, _NARROWEST) if is_name else longest)
        for row in rows:
            table.add_row(*row)
        if needed <= width:
            return [table]
    columns, names = range(len(cells[0])), cells[0].index("activation")
    half = (len(columns) + 1) // 2
    parts = [sorted({names, *part}) for part in (columns[:half], columns[half:])]
    if any(len(part) == len(columns) for part in parts):  # nothing is left to part
        return [table]
    return [table for part in parts for table in _fitting([[row[place] for place in part] for row in cells], width)]


def _rounded(spec: str) -> str:
    parsed = ActivationSpec.parse(spec)
    parameters = {
        key: float(_short(value)) if isinstance(value, float) else value for key, value in parsed.parameters.items()
    }
    return str(ActivationSpec(parsed.name, parameters))


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
