import importlib
import json
import math
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightning_acts.registry import by_name
from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import load
from lightning_acts.runs.folder import RunFolder
from lightning_acts.runs.reading import ConfigError
from lightning_acts.runs.training import Interrupted
from lightning_acts.studies.leaderboard import Leaderboard
from lightning_acts.studies.plan import plan
from lightning_acts.studies.search import Study, StudyError, _registered_in, kept_value
from lightning_acts.studies.statistics import Look

optuna = pytest.importorskip("optuna")

Write = Callable[..., str]
Simulate = Callable[..., Any]


def carried_out(config: str, *overrides: str, out: str = "studies", said: list[str] | None = None) -> Leaderboard:
    lines = [] if said is None else said
    return Study(plan([config], overrides), Path(out), say=lines.append).run()


def trials_of(board: Leaderboard, purpose: str = "search", storage: str | None = None) -> list[Any]:
    url = (storage or f"sqlite:///{board.folder}/study.db").replace("postgresql:", "postgresql+psycopg:")
    study = optuna.load_study(study_name=f"{board.name}-{purpose}", storage=url)
    return list(study.get_trials())


def test_the_best_is_found_and_compared_over_the_same_seeds(write: Write, simulate: Simulate) -> None:
    simulated = simulate(mish=0.05)
    board = carried_out(write())
    assert board.winner == board.best.activation == "mish"
    assert board.verdict.startswith("mish is the best of 3")
    assert board.seeds == 7  # after four nothing can be shown: 1/8 is more than the level
    assert {trial.params["activation"] for trial in trials_of(board)} == {"relu", "mish", "leaky_relu"}
    finals = [one for one in simulated.runs if one["seed"] > 0]
    by_seed = Counter(one["seed"] for one in finals)
    assert by_seed == dict.fromkeys(range(1, 8), 3)
    # Each has its own values, the same for all seeds.
    assert len({(one["model"]["activation"], one["model"]["lr"]) for one in finals}) == 3
    assert all("search" not in one for one in simulated.runs)
    first, *others = board.rows
    assert first.mean.mean == pytest.approx(sum(first.values) / 7)
    assert first.difference
    assert first.difference.low > 0
    assert first.p_holm is not None
    assert first.p_holm >= first.p == 2 / 2**7
    assert next(row for row in others if row.candidate.activation == "relu").p is None
    assert first.test
    assert first.test.mean == pytest.approx(first.mean.mean - 0.01)


def test_where_smaller_is_better_the_smallest_wins(write: Write, simulate: Simulate) -> None:
    simulate(mish=0.05, relu=-0.05)
    board = carried_out(write(objective="val/loss"))
    assert [row.candidate.activation for row in board.rows] == ["mish", "leaky_relu", "relu"]
    assert board.rows[0].mean.low <= board.rows[0].mean.mean <= board.rows[0].mean.high
    assert board.rows[0].difference
    assert board.rows[0].difference.high < 0


def test_with_several_objectives_the_first_decides_and_the_front_is_named(write: Write, simulate: Simulate) -> None:
    simulated = simulate(mish=0.1, tanh=0.05, silu=-0.1, elu=-0.1)
    simulated.latency = {"mish": 4.0, "tanh": 3.0, "silu": 2.0}
    names = ["relu", "mish", "tanh", "silu", "elu"]
    several = {"activations": names, "objective": ["val/acc", "cost/latency"], "finalists": 2, "baseline": "tanh"}
    board = carried_out(write(**several, parameters=None, budget={"trials": 10}))
    # silu is worse than relu in both, as elu is; relu is not the best, but the fastest.
    assert [row.candidate.activation for row in board.rows] == ["mish", "tanh", "relu"]
    assert board.winner == "mish"
    assert "on the Pareto front, by the means, with mish: tanh (val/acc" in board.verdict
    assert "cost/latency 1 instead of 4" in board.verdict
    assert [row.beside[0].values for row in board.rows] == [(4.0,) * 7, (3.0,) * 7, (1.0,) * 7]
    assert {trial.state.name for trial in trials_of(board)} == {"COMPLETE"}  # none was pruned
    assert {len(trial.values) for trial in trials_of(board)} == {2}
    assert next(one for one in board.searched if one.activation == "mish").best > 0.85  # type: ignore[operator]
    # The run is one that anybody can repeat: what measures is in its config.
    assert all(one["callbacks"]["costs"]["metrics"] == ["cost/latency"] for one in simulated.runs)
    best = check_config(load([str(board.folder / "best.yaml")])).config.data
    assert best["callbacks"]["costs"]["_target_"].endswith("CostMonitor")


def test_layers_may_take_different_ones(write: Write, simulate: Simulate) -> None:
    simulated = simulate(mish0=0.1, mish1=-0.1, tanh0=-0.1, tanh1=0.1)
    swaps = "swap=[{map: {relu: relu}, include: [backbone.2]}, {map: {relu: relu}, include: [backbone.6]}]"
    layers = ["swap.0.map.relu", "swap.1.map.relu"]
    block = {"activations": ["relu", "mish", "tanh"], "at": layers, "space": None, "parameters": {"mish": {}}}
    board = carried_out(write(**block, budget={"trials": 20}), swaps)
    assert [trial.params["activation"] for trial in trials_of(board)][:3] == ["relu", "mish", "tanh"]
    assert [json.loads(trial.params[layers[1]]) for trial in trials_of(board)][:3] == ["relu", "mish", "tanh"]
    assert board.winner == "mish / tanh"
    assert board.verdict.startswith("mish / tanh is the best of 4")
    assert "relu" in [row.candidate.activation for row in board.rows]  # the baseline, in all layers
    searched = {one.activation for one in board.searched}
    assert {"relu", "mish", "tanh", "mish / tanh"} <= searched
    best = check_config(load([str(board.folder / "best.yaml")])).config.data
    assert [swap["map"]["relu"] for swap in best["swap"]] == ["mish", "tanh"]
    # In the finals each has all seeds.
    finals = [one for one in simulated.runs if one["seed"] > 0]
    assert len(finals) == 4 * board.seeds
    page = (board.folder / "index.html").read_text()
    assert "mish / tanh" in page
    assert "Activation by layer" in page


def test_a_batch_is_tried_with_an_activation_of_each_kind_before_the_first_trial(
    write: Write, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate()
    tried = []

    def try_config(config: Any, metrics: Any, modules: Any, said: Path) -> bool:
        tried.append((config.data["model"]["activation"], metrics))
        return True

    monkeypatch.setattr("lightning_acts.studies.search.try_config", try_config)
    config = write(baseline="mish", objective=["val/acc", "val/loss"], budget={"trials": 3})
    carried_out(config)
    assert tried == [("mish", ["val/acc", "val/loss"])]
    carried_out(config)
    assert len(tried) == 1  # it has trials


def test_where_all_are_equal_nothing_is_shown(write: Write, simulate: Simulate) -> None:
    simulate()
    board = carried_out(write(space=None))
    assert board.winner is None
    assert "no difference that this budget can show" in board.verdict


def test_the_test_data_are_used_at_the_end_alone(
    write: Write, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated, order = simulate(mish=0.05), []
    simulated.before = lambda number: order.append("run")

    def evaluate(checked: Any, run: RunFolder) -> dict[str, float]:
        order.append("test")
        return dict(simulated.evaluate(checked, run))

    monkeypatch.setattr("lightning_acts.studies.search.evaluate", evaluate)
    board = carried_out(write())
    assert order.count("test") == len(board.rows) * board.seeds
    assert order.index("test") == order.count("run")


@pytest.mark.slow
def test_poor_trials_are_pruned(write: Write, simulate: Simulate) -> None:
    simulate(mish=0.3, leaky_relu=-0.3)
    board = carried_out(write(budget={"trials": 15}), "trainer.max_epochs=27")
    pruned = [trial for trial in trials_of(board) if trial.state.name == "PRUNED"]
    assert pruned
    assert board.costs["search"].epochs < 15 * 27
    assert sum(one.pruned for one in board.searched) == len(pruned)
    without = carried_out(write(budget={"trials": 15}, pruner="none"), "trainer.max_epochs=27")
    assert without.costs["search"].epochs == 15 * 27


def test_a_budget_of_epochs_ends_the_search(write: Write, simulate: Simulate) -> None:
    simulate()
    board = carried_out(write(budget={"trials": 15, "epochs": 20}, pruner="none"))
    assert board.costs["search"].epochs == 21  # seven runs of 3


@pytest.mark.slow
def test_interrupted_it_goes_on_and_ends_as_it_would_have(write: Write, simulate: Simulate) -> None:
    simulate(mish=0.05)
    config = write(space=None, parameters=None, budget={"trials": 3}, pruner="none")
    whole = carried_out(config)
    simulated = simulate(mish=0.05)

    def before(number: int) -> None:
        if number in (2, 5, 8):
            raise Interrupted("interrupted")

    simulated.before = before
    for _ in range(3):
        with pytest.raises(Interrupted):
            carried_out(config, out="again")
    again = carried_out(config, out="again")
    assert again.rows == whole.rows
    assert again.verdict == whole.verdict
    for purpose in ("search", "finals-4", "finals-7"):
        ended = [trial for trial in trials_of(again, purpose) if trial.state.name == "COMPLETE"]
        assert len(ended) == len(trials_of(whole, purpose))
    # An interrupted run was resumed, not begun again.
    assert all(len(list(path.iterdir())) == 1 for path in again.folder.glob("*/*/study"))
    runs = len(simulated.runs)
    assert carried_out(config, out="again").rows == whole.rows
    assert len(simulated.runs) == runs


def test_what_was_tried_already_is_not_run_again(write: Write, simulate: Simulate) -> None:
    simulated = simulate(mish=0.05)
    board = carried_out(write(space=None, parameters=None, budget={"trials": 12}, pruner="none"))
    assert board.costs["search"].runs == 3
    assert sum(one["seed"] == 0 for one in simulated.runs) == 3


def test_a_failed_trial_is_told_and_the_study_goes_on(write: Write, simulate: Simulate) -> None:
    simulate(leaky_relu=math.nan)
    said: list[str] = []
    board = carried_out(write(), said=said)
    assert {row.candidate.activation for row in board.rows} == {"relu", "mish"}
    assert any("failed: said by the run (all of it: studies/" in line for line in said)
    assert next(one for one in board.searched if one.activation == "leaky_relu").failed > 0
    simulate(relu=math.nan)
    with pytest.raises(StudyError, match="no trial of the baseline relu ended"):
        carried_out(write(), out="others")


def test_a_finalist_that_fails_with_a_seed_is_named_and_tried_again_by_the_next_call(
    write: Write, simulate: Simulate
) -> None:
    simulated = simulate(mish=0.05)
    simulated.breaks = lambda one, epoch: one["model"]["activation"] == "mish" and one["seed"] == 2 and epoch == 1
    config = write(space=None, parameters=None)
    board = carried_out(config)
    assert {row.candidate.activation for row in board.rows} == {"relu", "leaky_relu"}
    assert board.left_out == ("mish",)
    assert board.failed
    assert "; left out, since a run failed: mish" in board.verdict
    assert "left out, since a run failed: mish" in (board.folder / "index.html").read_text()
    # It has cost what it ran.
    assert board.costs["finals"].runs == 3 * board.seeds
    assert board.costs["finals"].epochs == 3 * board.seeds * 3 - 2
    simulated.breaks = lambda one, epoch: False
    runs = len(simulated.runs)
    board = carried_out(config)
    assert len(simulated.runs) == runs + 1
    assert board.winner == "mish"
    assert (board.left_out, board.failed) == ((), False)


def test_a_trial_that_broke_off_is_no_finalist(write: Write, simulate: Simulate) -> None:
    simulated = simulate(mish=0.3)
    simulated.breaks = lambda one, epoch: one["model"]["activation"] == "mish" and epoch == 1
    board = carried_out(write(space=None, parameters=None))
    assert {row.candidate.activation for row in board.rows} == {"relu", "leaky_relu"}
    assert board.left_out == ()
    simulated.breaks = lambda one, epoch: False
    runs = len(simulated.runs)
    assert carried_out(write(space=None, parameters=None)).rows == board.rows  # the finalists are what they were
    assert len(simulated.runs) == runs


def test_the_same_call_tries_again_what_has_ended_a_study(write: Write, simulate: Simulate) -> None:
    config = write(space=None, parameters=None)
    simulate(relu=math.nan)
    with pytest.raises(StudyError, match="the same command tries again what failed"):
        carried_out(config)
    simulate(mish=0.05)
    assert carried_out(config).winner == "mish"


def test_what_was_better_than_the_baseline_at_a_look_stays_so(
    write: Write, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate(mish=0.05, leaky_relu=0.05)
    asked = []

    def at(*arguments: Any) -> Look:
        look = made(*arguments)
        asked.append((arguments[4], look.better_than_baseline))
        return look

    made = Look.at
    monkeypatch.setattr(Look, "at", staticmethod(at))
    carried_out(write(space=None, parameters=None, seeds=[7, 8]))
    assert len(asked) == 2
    assert asked[0][0] == []
    assert asked[1][0] == asked[0][1] != []


def test_one_s_own_activations_are_registered_in_a_module(tmp_path: Path, own_modules: None) -> None:
    (tmp_path / "my_acts.py").write_text(
        "import lightning_acts as acts\n\n@acts.register(override=True)\ndef my_own_act(x):\n    return x * x\n"
    )
    importlib.import_module("my_acts")
    assert _registered_in(["relu", "my_own_act", "mish"]) == ["my_acts"]
    by_name("my_own_act").target.__module__ = "__main__"
    with pytest.raises(StudyError, match="my_own_act is registered in the program that runs"):
        _registered_in(["my_own_act"])


def test_a_trial_whose_score_is_no_number_has_failed(write: Write, simulate: Simulate) -> None:
    simulate(leaky_relu=math.inf)
    said: list[str] = []
    board = carried_out(write(), said=said)
    assert {row.candidate.activation for row in board.rows} == {"relu", "mish"}
    assert any("failed: val/acc is inf" in line for line in said)


def test_metrics_are_those_of_the_epoch_that_is_kept(write: Write, tmp_path: Path) -> None:
    study, folder = plan([write()]), RunFolder(tmp_path)  # its checkpoint is that of the best val/acc
    epochs = [(0.8, 0.5), (0.9, 0.7), (0.85, 0.4)]
    folder.write_rows([{"epoch": at, "step": at, "val/acc": acc, "val/loss": loss}
                       for at, (acc, loss) in enumerate(epochs)])  # fmt: skip
    assert (kept_value(study, folder, "val/acc"), kept_value(study, folder, "val/loss")) == (0.9, 0.7)


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("postgres", r"--storage postgres: Could not parse .* a database has a URL such as postgresql://user@host/studies"),
        ("postgresql://me:secret@127.0.0.1:1/studies", r"psycopg is not installed: pip install 'lightning-acts\[postgresql\]'"),
        ("sqlite:////nowhere/at/all.db", r"--storage sqlite:////nowhere/at/all.db can't be used: .*unable to open"),
    ],
)  # fmt: skip
def test_a_storage_that_can_not_be_used_is_told(
    write: Write, storage: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)  # type: ignore[arg-type]
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with pytest.raises(StudyError, match=message):
        Study(plan([write()]), Path("studies"), storage).run()


def test_a_metric_that_is_never_logged_is_told(write: Write, simulate: Simulate) -> None:
    simulate()
    with pytest.raises(ConfigError, match=r"study.yaml:\d+: search.objective: 'val/f1' is never logged; did you mean"):
        carried_out(write(objective="val/f1"))


def test_what_is_written_can_be_read_and_trained(write: Write, simulate: Simulate) -> None:
    simulate(mish=0.05)
    board = carried_out(write())
    data = json.loads((board.folder / "leaderboard.json").read_text())
    assert data["winner"] == "mish"
    assert data["rows"][0]["candidate"]["activation"] == "mish"
    lines = (board.folder / "leaderboard.csv").read_text().splitlines()
    assert len(lines) == 1 + len(board.rows)
    best = check_config(load([str(board.folder / "best.yaml")])).config.data
    assert best["model"]["activation"] == "mish"
    assert best["model"]["lr"] == board.best.settings["model.lr"]
    assert best["seed"] == 0
    page = (board.folder / "index.html").read_text()
    assert board.verdict in page
    assert page.count("<img") == 4
    for row in board.rows:
        assert len(row.runs) == board.seeds
        for run in row.runs:
            (made,) = (board.folder / run).glob("study/*/config.yaml")
            assert load([str(made)]).data["model"]["activation"] == row.candidate.spec


@pytest.mark.parametrize("begun", [0, 2])
def test_of_two_workers_that_begin_at_the_same_instant_one_gets_the_trial(
    write: Write, simulate: Simulate, monkeypatch: pytest.MonkeyPatch, begun: int
) -> None:
    simulated = simulate(mish=0.05)
    config = write(space=None, parameters=None, budget={"trials": 3}, pruner="none")
    whole = carried_out(config)
    runs, optimize = len(simulated.runs), optuna.Study.optimize

    def late(study: Any, *args: Any, **options: Any) -> None:
        """Begin a trial when another worker, which looked at the same instant, has done all the rest."""
        if len(study.get_trials()) == begun:
            monkeypatch.setattr(optuna.Study, "optimize", optimize)
            carried_out(config, out="shared")
        optimize(study, *args, **options)

    monkeypatch.setattr(optuna.Study, "optimize", late)
    board = carried_out(config, out="shared")
    assert board.rows == whole.rows
    assert len(simulated.runs) == 2 * runs
    assert [one.trials for one in board.searched] == [1, 1, 1]
    assert [trial.state.name for trial in trials_of(board)] == ["COMPLETE"] * 3 + ["FAIL"]  # it was not run


#: The URL of an empty database of PostgreSQL, ``postgresql://user@host/database``.
POSTGRESQL = os.environ.get("LIGHTNING_ACTS_POSTGRESQL")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the test's own connections
@pytest.mark.parametrize(
    "storage",
    [[], pytest.param([POSTGRESQL], marks=pytest.mark.skipif(not POSTGRESQL, reason="LIGHTNING_ACTS_POSTGRESQL"))],
    ids=["sqlite", "postgresql"],
)
def test_a_killed_worker_gives_its_trial_back(write: Write, simulate: Simulate, storage: list[str]) -> None:
    simulate(mish=0.05)
    config = write(space=None, parameters=None, budget={"trials": 3}, pruner="none")
    if storage:  # which may have the study of an earlier test
        Path(config).write_text(f"{Path(config).read_text()}seed: {time.time_ns() % 2**31}\n")
    whole = carried_out(config)
    command = [sys.executable, "simulated.py", config, "shared"]
    killed = subprocess.Popen([*command, "2", *storage], stderr=subprocess.DEVNULL)
    while not list(Path("shared").glob("*/trials/0000")):
        assert killed.poll() is None
        time.sleep(0.1)
    other = subprocess.run([*command, "0", *storage], capture_output=True, text=True, timeout=300)
    assert other.returncode == 0, other.stderr
    assert killed.wait() == -9
    shared = json.loads(next(Path("shared").glob("*/leaderboard.json")).read_text())
    board = Study(plan([config]), Path("shared"), *storage).run()  # nothing is left to run
    assert [list(row.values) for row in whole.rows] == [row["values"] for row in shared["rows"]]
    assert board.rows == whole.rows
    given_back = 0
    for purpose in ("search", "finals-4", "finals-7", "test"):
        trials = trials_of(board, purpose, *storage)
        ended = Counter(
            trial.system_attrs.get("failed_trial", trial.number)
            for trial in trials
            if trial.state.name in ("COMPLETE", "PRUNED")
        )
        assert set(ended.values()) == {1}
        given_back += len(
            {trial.system_attrs["failed_trial"] for trial in trials if "failed_trial" in trial.system_attrs}
        )
    assert given_back == 1
    runs = [RunFolder(path.parent) for path in board.folder.glob("*/*/*/*/config.yaml")]
    assert "running" not in {run.status() for run in runs}


@pytest.mark.slow
def test_of_twenty_studies_of_equals_two_at_most_have_a_winner(
    write: Write, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning_acts.studies.search.page", lambda *_: "")  # takes most of the time
    names = ["relu", "mish", "tanh", "silu"]
    study: dict[str, Any] = {"activations": names, "parameters": None, "space": None, "budget": {"trials": 4}}
    config = write(**study, seeds=[6, 8])
    simulate()
    monkeypatch.setattr("lightning_acts.studies.search.has_test", lambda checked: False)
    assert sum(carried_out(config, f"seed={1000 * number}").winner is not None for number in range(20)) <= 2
    config = write(**study, seeds=[8, 16])
    simulate(silu=0.01)  # twice the noise of a run
    monkeypatch.setattr("lightning_acts.studies.search.has_test", lambda checked: False)
    boards = [carried_out(config, f"seed={1000 * number}", out="planted") for number in range(20)]
    assert sum(board.winner == "silu" for board in boards) >= 18
    assert len({board.rows[0].values for board in boards}) == 20  # no study is another one
