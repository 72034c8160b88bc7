import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

STUDY = """\
base: cnn_digits
trainer: {max_epochs: 1}
search:
  activations: [relu, mish]
  space: {model.lr: [0.001, 0.003]}
  objective: val/acc
  budget: {trials: 2}
  seeds: 2
"""


@pytest.fixture(autouse=True)
def _study() -> None:
    Path("study.yaml").write_text(STUDY)


def test_a_dry_run_tells_the_plan_and_the_smallest_p(run: Run) -> None:
    shown = run("search", "study.yaml", "search.seeds=[10,12]", "--dry-run").stdout
    assert "2 activations at model.activation, baseline relu" in shown
    assert "after 10 seeds: smallest p 0.002" in shown
    assert not Path("studies").exists()


def test_what_is_wrong_ends_with_2(run: Run) -> None:
    done = run("search", "study.yaml", "search.objektive=x", expect=2)
    assert "unknown key search.objektive; did you mean 'search.objective'" in done.stderr
    assert "search.seeds: numbers of seeds" in run("validate", "study.yaml", "search.seeds=1", expect=2).stderr
    assert "all is well" in run("validate", "study.yaml").stdout


@pytest.mark.slow
def test_what_one_batch_tells_ends_with_2_before_the_first_trial(run_process: Run, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    misspelled = "search.objective={metric: val/acu, direction: max}"
    told = run_process("search", "study.yaml", misspelled, cwd=tmp_path, expect=2).stderr
    assert "study.yaml:3: search: with relu, one batch of each stage can't be run: search.objective: 'val/acu'" in told
    assert "did you mean 'val/acc'" in told
    mixed = ("search.activations=[relu,mish,glu]", "search.budget.trials=3")
    told = run_process("search", "study.yaml", *mixed, cwd=tmp_path, expect=2).stderr
    assert "with glu, one batch of each stage can't be run" in told
    assert "gated" in told
    assert not list(tmp_path.glob("studies/*/trials"))


@pytest.mark.slow
def test_a_study_of_digits_ends_in_a_leaderboard_and_a_config(run_process: Run, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    done = run_process("search", "study.yaml", "--json", cwd=tmp_path, timeout=600)
    board = json.loads(done.stdout)
    assert board["verdict"].startswith("no difference that this budget can show")
    assert board["seeds"] == 2
    assert all(row["test"]["mean"] > 0.2 for row in board["rows"])
    folder = tmp_path / board["folder"]
    finals = list(folder.glob("finals/*/study/*/summary.json"))
    assert len(finals) == 4
    # The test data were left alone until the end.
    assert not any(name.startswith("test") for path in finals for name in json.loads(path.read_text())["metrics"])
    assert "would train 1 epochs" in run_process("train", str(folder / "best.yaml"), "--dry-run", cwd=tmp_path).stdout
