#!/usr/bin/env python3
"""The full grid that a study spares: whether it has the same winner, and what both cost.

scripts/bench_search.py STUDY.yaml --settings 5 --output grid.csv

Trains every activation of a config with a block ``search`` (every assignment of them to layers), with the values of its
ranges that lie evenly between their ends, and with the seeds that the study's finals use. Each activation is then judged
by its best values, over the same seeds and by the same tests as a study. Rows that the file has already are not run
again. Several processes can share the work: --part 0/2 and --part 1/2, each with a file of its own; --input takes them
all together.
"""

import argparse
import csv
import itertools
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lightning_acts.runs.checking import check_config
from lightning_acts.runs.training import train
from lightning_acts.studies.leaderboard import Candidate
from lightning_acts.studies.plan import Choices, Plan, Range, by_layer, plan, with_parameters
from lightning_acts.studies.search import kept_value
from lightning_acts.studies.statistics import Look

COLUMNS = ("activation", "settings", "seed", "value", "epochs", "seconds")


def parsed() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--settings", type=int, default=3, help="values of each range")
    parser.add_argument("--part", default="0/1", help="which share of the runs: 0/2 and 1/2 are two halves")
    parser.add_argument("--output", type=Path, default=Path("grid.csv"))
    parser.add_argument("--input", type=Path, nargs="*", default=[], help="files to judge together, without a run")
    return parser.parse_args()


def values(one: Range | Choices, count: int) -> list[Any]:
    """Return values of a range, evenly between its ends; all choices."""
    if isinstance(one, Choices):
        return list(one.choices)
    spaced = (np.geomspace if one.log else np.linspace)(one.low, one.high, count)
    return sorted({round(float(value)) if one.is_whole else float(f"{value:.6g}") for value in spaced})


def grid(study: Plan, count: int) -> Iterator[tuple[Candidate, int]]:
    """Yield each run: the activation, or one for each layer, with its values, and the seed."""
    space = {key: one for key, one in study.space.items() if key not in study.at}
    for chosen in itertools.product(study.candidates, repeat=len(study.at)):
        own = {
            (name, key): one for name in dict.fromkeys(chosen) for key, one in study.parameters.get(name, {}).items()
        }
        for found in itertools.product(*(values(one, count) for one in [*own.values(), *space.values()])):
            parameters = dict(zip(own, found, strict=False))
            specs = [with_parameters(name, {key: value for (whose, key), value in parameters.items() if whose == name})
                     for name in chosen]  # fmt: skip
            settings = dict(zip(space, found[len(own) :], strict=True))
            for seed in range(study.seeds[-1]):
                yield Candidate(by_layer(chosen), tuple(specs), settings), study.checked.seed + 1 + seed


def run(study: Plan, count: int, part: str, output: Path) -> None:
    """Train what the file has no row of yet."""
    done = {(row["activation"], row["settings"], int(row["seed"])) for row in rows([output])} if output.exists() else ()
    index, parts = map(int, part.split("/"))
    with output.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if not output.stat().st_size:
            writer.writeheader()
        for one, seed in itertools.islice(grid(study, count), index, None, parts):
            told = json.dumps({"spec": one.spec, **one.settings})
            if (one.activation, told, seed) in done:
                continue
            start = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                checked = check_config(study.config(one.specs, one.settings, seed))
                ended = train(checked, Path(folder), lambda folder: None, tested=False)
                value = kept_value(study, ended.folder, study.objective.metric)
            seconds = time.perf_counter() - start
            writer.writerow(dict(zip(COLUMNS, (one.activation, told, seed, value, ended.epochs, seconds), strict=True)))
            file.flush()


def rows(files: list[Path]) -> list[dict[str, str]]:
    """Return the rows of the files."""
    found = []
    for path in files:
        with path.open(newline="", encoding="utf-8") as file:
            found += list(csv.DictReader(file))
    return found


def judge(study: Plan, found: list[dict[str, str]]) -> str:
    """Return the ranking of activations, each with its best values, and the verdict."""
    scores: dict[str, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in found:
        scores[row["activation"]][row["settings"]][int(row["seed"])] = study.objective.sign * float(row["value"])
    best = {}
    for activation, by_settings in scores.items():
        whole = {key: list(dict(sorted(one.items())).values()) for key, one in by_settings.items()
                 if len(one) == study.seeds[-1]}  # fmt: skip
        if not whole:
            raise SystemExit(f"{activation}: no setting has run with all {study.seeds[-1]} seeds yet")
        best[activation] = max(whole.items(), key=lambda one: float(np.mean(one[1])))
    look = Look.at(list(best), [one[1] for one in best.values()], study.baseline)
    lines = []
    for name in sorted(best, key=lambda name: -look.intervals[name].mean):
        low, high = sorted(study.objective.sign * end for end in (look.intervals[name].low, look.intervals[name].high))
        mean = study.objective.sign * look.intervals[name].mean
        lines.append(f"{name:20} {mean:.4g} [{low:.4g}, {high:.4g}]  {best[name][0]}")
    seconds, epochs = sum(float(row["seconds"]) for row in found), sum(int(row["epochs"]) for row in found)
    lines += [look.verdict, f"{len(found)} runs, {epochs} epochs, {seconds:.0f} s"]
    return "\n".join(lines)


if __name__ == "__main__":
    arguments = parsed()
    study = plan([arguments.config])
    if not arguments.input:
        run(study, arguments.settings, arguments.part, arguments.output)
    sys.stdout.write(judge(study, rows(arguments.input or [arguments.output])) + "\n")
