import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_search
import pytest
import yaml
from bench_search import COLUMNS, grid, judge, rows, run, values

from lightning_acts.studies.leaderboard import Candidate
from lightning_acts.studies.plan import Choices, Plan, Range, plan

STUDY: dict[str, Any] = {
    "base": "cnn_digits",
    "trainer": {"max_epochs": 1, "limit_train_batches": 1, "limit_val_batches": 1},
    "search": {
        "activations": ["relu", "leaky_relu"],
        "parameters": {"leaky_relu": {"negative_slope": {"low": 0.1, "high": 0.3}}},
        "space": {"model.lr": {"low": 1e-4, "high": 1e-2, "log": True}},
        "objective": {"metric": "val/loss", "direction": "min"},
        "budget": {"trials": 2},
        "seeds": 2,
    },
}


@pytest.fixture
def study(tmp_path: Path) -> Plan:
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    return plan(["study.yaml"])


def test_values_lie_evenly_between_the_ends() -> None:
    assert values(Range(1e-4, 1e-2, log=True), 3) == [1e-4, 1e-3, 1e-2]
    assert values(Range(0.0, 1.0), 3) == [0.0, 0.5, 1.0]
    assert values(Range(1, 2, step=1), 5) == [1, 2]
    assert values(Choices(["a", "b"]), 5) == ["a", "b"]


def test_the_grid_has_each_setting_with_each_seed(study: Plan) -> None:
    runs = list(grid(study, 3))
    assert len(runs) == 3 * 2 + 3 * 3 * 2
    assert {seed for _, seed in runs} == {1, 2}  # those of the finals, not that of the search
    assert (Candidate("leaky_relu", ("leaky_relu(negative_slope=0.2)",), {"model.lr": 1e-3}), 2) in runs


def test_the_grid_of_layers_has_each_assignment(tmp_path: Path) -> None:
    swaps = [{"map": {"relu": "relu"}, "include": [layer]} for layer in ("backbone.2", "backbone.6")]
    block = {**STUDY["search"], "space": None, "at": ["swap.0.map.relu", "swap.1.map.relu"]}
    (tmp_path / "layers.yaml").write_text(yaml.safe_dump({**STUDY, "swap": swaps, "search": block}))
    runs = list(grid(plan(["layers.yaml"]), 2))
    assert {one.activation for one, _ in runs} == {"relu", "leaky_relu", "relu / leaky_relu", "leaky_relu / relu"}
    assert len(runs) == 2 * (1 + 3 * 2)  # two slopes where there is a leaky one, two seeds
    assert (Candidate("relu / leaky_relu", ("relu", "leaky_relu(negative_slope=0.3)"), {}), 1) in runs


def test_a_part_is_run_once(study: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    run(study, 1, "0/4", Path("part.csv"))
    (row,) = rows([Path("part.csv")])
    assert (row["activation"], row["seed"], row["epochs"]) == ("relu", "1", "1")
    assert 1 < float(row["value"]) < 4  # of ten classes, after one batch
    monkeypatch.setattr(bench_search, "train", None)
    run(study, 1, "0/4", Path("part.csv"))


def test_each_activation_is_judged_by_its_best_settings(study: Plan, write_rows: Callable[..., Path]) -> None:
    worse, better = {"low": [0.5, 0.6], "high": [0.1, 0.2]}, {"low": [0.4, 0.3], "high": [0.9, 0.8]}
    said = judge(study, rows([write_rows(relu=worse, leaky_relu=better)])).splitlines()
    assert [line.split()[:2] for line in said[:2]] == [["relu", "0.15"], ["leaky_relu", "0.35"]]
    assert said[0].endswith("high") and said[1].endswith("low")
    assert said[2].startswith("no difference that this budget can show")
    assert said[3] == "8 runs, 8 epochs, 16 s"


def test_what_has_not_run_with_all_seeds_is_not_judged(study: Plan, write_rows: Callable[..., Path]) -> None:
    with pytest.raises(SystemExit, match="leaky_relu: no setting has run with all 2 seeds yet"):
        judge(study, rows([write_rows(relu={"low": [0.5, 0.6]}, leaky_relu={"low": [0.4]})]))


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., Path]:
    def write(**scores: dict[str, list[float]]) -> Path:
        with (tmp_path / "grid.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for activation, by_settings in scores.items():
                for settings, found in by_settings.items():
                    for seed, value in enumerate(found, 1):
                        writer.writerow([activation, settings, seed, value, 1, 2.0])
        return tmp_path / "grid.csv"

    return write
