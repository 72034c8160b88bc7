"""The page of a study: one HTML file that needs nothing but itself."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_acts.factory import resolve
from lightning_acts.hints import counted
from lightning_acts.reports.pages import figure, table, written
from lightning_acts.runs.config import to_yaml
from lightning_acts.runs.folder import RunFolder
from lightning_acts.spec import SpecError
from lightning_acts.studies import pictures
from lightning_acts.studies.importance import importances
from lightning_acts.studies.leaderboard import Leaderboard
from lightning_acts.studies.pictures import Costs
from lightning_acts.studies.plan import Choices, Plan

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# More trials side by side are too narrow for names of activations.
_MOST_TRIALS = 6


def page(board: Leaderboard, plan: Plan, trials: Sequence[FrozenTrial]) -> str:
    """Return the page of a study; without pictures if matplotlib is not installed.

    Args:
        board: What the study found.
        plan: What it was to do.
        trials: The trials of its search.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = _Parts(board, plan, trials, Path(folder))
        return written(
            "study.html",
            name=escape(board.name),
            verdict=escape(board.verdict),
            cost=escape(board.cost_in_words()),
            level=f"{board.level:.2g}",
            finalists=table(
                _unbroken(board.table()), f"{counted(len(board.rows), 'finalist')} over {counted(board.seeds, 'seed')}"
            ),
            finals="\n".join(made.finals()),
            searched=table(made.searched(), "Trials of each activation"),
            search="\n".join(made.search()),
            best=escape(str(board.best)),
            config=escape(to_yaml(board.config)),
        )


class _Parts:
    """The parts of a page that are made of what a study left."""

    def __init__(self, board: Leaderboard, plan: Plan, trials: Sequence[FrozenTrial], folder: Path) -> None:
        self.board, self.plan, self.trials, self.folder = board, plan, trials, folder

    def finals(self) -> Iterator[str]:
        """Yield what there is to see of the finalists."""
        board = self.board
        if beside := board.beside_table():
            yield table(_unbroken(beside), "Further objectives")
        if values := board.values():
            yield table(values, "Values that the search found for the finalists")
        means = ", ".join(f"{row.candidate.activation} {row.mean.mean:.4g}" for row in board.rows)
        with contextlib.suppress(ModuleNotFoundError):
            yield figure(
                pictures.plot_ranking(board, self.folder / "ranking.png"),
                "Ranking. Diamonds and bars: means with 95 % bootstrap intervals; points: seeds. "
                f"Below: the same of the difference to {board.baseline}, seed by seed.",
                f"{board.metric}, means, the best first: {means}",
            )
            yield figure(
                pictures.plot_by_seed(board, self.folder / "seeds.png"),
                "Scores by seed. What rises and falls together comes from the seed, and paired differences are free of it.",
            )
            if curves := self.curves():
                yield figure(
                    pictures.plot_learning_curves(board, curves, self.folder / "curves.png"),
                    "Learning curves of the finalists. With markers: means over the seeds; thin: a line a seed.",
                )
            if costs := self.costs():
                fronts = [", ".join(board.rows[place].candidate.activation for place in one.front) for one in costs]
                yield figure(
                    pictures.plot_costs(board, costs, self.folder / "costs.png"),
                    "Score against cost: means with 95 % intervals. Ringed, the Pareto front: no other finalist has as "
                    "good a mean at as low a cost. Seconds are those of the machine that ran it, and of its load.",
                    "; ".join(f"best for {one.name}: {names}" for one, names in zip(costs, fronts, strict=True)),
                )

    def search(self) -> Iterator[str]:
        """Yield what there is to see of the search."""
        places = self.places()
        found, said = importances(self.trials, self.board.direction)
        found = [replace(one, name=places.get(one.name, one.name)) for one in found]
        with contextlib.suppress(ModuleNotFoundError):
            yield figure(
                pictures.plot_history(self.board, self.plan, self.trials, self.folder / "history.png"),
                "The trials in their order. Pruned ones stand at the last value that they reached; what is far worse, "
                "and what failed, at the edge.",
            )
            rows, columns = self.layers(places)
            if rows and columns:
                first = ", ".join(f"{place}: {row[0]}" for place, row in rows.items())
                yield "<h3>Activation by layer</h3>"
                yield figure(
                    pictures.plot_layers(rows, columns, self.folder / "layers.png"),
                    f"Which activation stood where in the best trials, with their {self.board.metric}, the best first.",
                    f"In the best trial {first}",
                )
        yield "<h3>Importance of the choices</h3>"
        with contextlib.suppress(ModuleNotFoundError):
            if found:
                listed = ", ".join(f"{one.name} {one.share:.0%} (by chance {one.chance:.0%})" for one in found)
                path = pictures.plot_importances(found, self.folder / "importance.png")
                yield figure(path, said, f"Shares of the importance: {listed}")
                return
        yield f"<p>{escape(said)}</p>"

    def searched(self) -> list[list[str]]:
        """Return the cells of the table of all activations, the best first."""
        sign = self.plan.objective.sign
        ordered = sorted(self.board.searched, key=lambda one: (one.best is None, -sign * (one.best or 0.0)))
        cells = [
            [
                one.activation,
                "" if one.best is None else f"{one.best:.4g}",
                *map(str, (one.trials, one.pruned, one.failed)),
            ]
            for one in ordered
        ]
        return [["activation", f"best {self.board.metric}", "trials", "pruned", "failed"], *cells]

    def curves(self) -> dict[str, list[list[tuple[int, float]]]]:
        """Return the objective over epochs: by finalist, a curve a seed."""
        found: dict[str, list[list[tuple[int, float]]]] = {}
        for row in self.board.rows:
            for run in row.runs:
                for path in self.files(run, "metrics.csv"):
                    rows, metric = RunFolder(path.parent).rows(), self.board.metric
                    curve = [(int(one["epoch"]) + 1, one[metric]) for one in rows if metric in one]
                    if curve:
                        found.setdefault(row.candidate.activation, []).append(curve)
        return found

    def costs(self) -> list[Costs]:
        """Return what finalists cost: further objectives, seconds of a run, and parameters if they differ."""
        summaries = [
            [
                RunFolder(path.parent).read("summary.json")
                for run in row.runs
                for path in self.files(run, "summary.json")
            ]
            for row in self.board.rows
        ]
        found = [
            Costs.of(self.board, one.metric, one.direction, [row.beside[number].values for row in self.board.rows])
            for number, one in enumerate(self.board.rows[0].beside)
        ]
        if all(summaries):
            seconds, parameters = (
                [[one[key] for one in row] for row in summaries] for key in ("seconds", "parameters")
            )
            found.append(Costs.of(self.board, "seconds of a run", "min", seconds))
            if len({one for row in parameters for one in row}) > 1:
                found.append(Costs.of(self.board, "parameters of the model", "min", parameters))
        return found

    def files(self, run: str, name: str) -> list[Path]:
        """Return the file of this name of a run of the finals, if it has one."""
        return sorted((self.board.folder / run).glob(f"*/*/{name}"))

    def places(self) -> dict[str, str]:
        """Return the places in the model for which an activation was searched for, by the trials' name of the choice.

        Nothing if it is one place. They are in the order of the config.
        """
        among = {self.plan.at[0]: "activation"}
        among |= {
            key: key for key, one in self.plan.space.items() if isinstance(one, Choices) and _are_activations(one)
        }
        found = {among[key]: _place(self.board.config, key) for key in sorted(among, key=_by_number)}
        alike = len(set(found.values())) < len(found)
        return {} if len(found) < 2 else {one: key for key, one in among.items()} if alike else found

    def layers(self, places: Mapping[str, str]) -> tuple[dict[str, list[str]], list[str]]:
        """Return which activation stood at these places in the best trials, and the names of the trials."""
        sign = self.plan.objective.sign
        different: dict[str, tuple[int, FrozenTrial]] = {}
        whole = [one for one in enumerate(self.trials, start=1) if one[1].state.name == "COMPLETE"]
        for number, trial in sorted(whole, key=lambda one: -sign * one[1].values[0]):
            different.setdefault(str(trial.params), (number, trial))
        best = list(different.values())[:_MOST_TRIALS]
        rows = {
            place: [trial.params[one] if one == "activation" else json.loads(trial.params[one]) for _, trial in best]
            for one, place in places.items()
        }
        return rows, [f"{trial.values[0]:.4g}\ntrial {number}" for number, trial in best]


def _unbroken(cells: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return cells of a table, in which no line ends within an interval or before a percent sign."""
    space = "\N{NO-BREAK SPACE}"
    return [
        [re.sub(r"(?<=\[)(\S+,) ", rf"\1{space}", cell).replace(" %", f"{space}%") for cell in row] for row in cells
    ]


def _are_activations(one: Choices) -> bool:
    """Return whether a key of the config takes an activation, as far as its values tell."""
    with contextlib.suppress(SpecError):
        return all(isinstance(choice, str) and resolve(choice) for choice in one.choices)
    return False


def _by_number(key: str) -> list[tuple[bool, int, str]]:
    """Return what keys are sorted by: entries of a list by their number."""
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in key.split(".")]


def _place(config: Mapping[str, Any], key: str) -> str:
    """Return the name of the place in the model that a key is about: what an entry of ``swap`` includes, else the key."""
    first, number, *_ = key.split(".")
    included = config["swap"][int(number)].get("include") if first == "swap" and number.isdigit() else None
    return ", ".join([included] if isinstance(included, str) else included) if included else key
