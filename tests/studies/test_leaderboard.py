import csv
import io
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lightning_acts.runs.config import load
from lightning_acts.studies.leaderboard import Beside, Candidate, Cost, Leaderboard
from lightning_acts.studies.plan import plan
from lightning_acts.studies.statistics import Interval, Look, bootstrap_interval

NAMES = ["relu", "mish", "leaky_relu"]


@pytest.fixture
def board(write: Callable[..., str], tmp_path: Path) -> Leaderboard:
    """Of a study in which a loss is minimized, Mish's being the smallest."""
    rng = np.random.default_rng(0)
    losses = 1 + rng.normal(size=8) * 0.1 + np.array([[0.5], [0.2], [0.5]]) + rng.normal(size=(3, 8)) * 0.01
    trials = [
        SimpleNamespace(params={"activation": name}, state=SimpleNamespace(name=state), values=value and [value])
        for name, state, value in [
            ("relu", "COMPLETE", 1.6),
            ("mish", "COMPLETE", 1.3),
            ("mish", "COMPLETE", 1.2),
            ("mish", "PRUNED", 1.1),
            ("leaky_relu", "FAIL", None),
        ]
    ]
    return Leaderboard.of(
        plan([write(objective=["val/loss", "cost/latency", "cost/sparsity"])]),
        Look.at(NAMES, -losses, "relu"),
        [Candidate(name, (name,), {"model.lr": 0.0012345}) for name in NAMES],
        {name: [0.25, 0.75] for name in NAMES},
        trials,  # type: ignore[arg-type]
        {"search": Cost(5, 12, 60.0), "finals": Cost(24, 72, 300.0)},
        {"mish": ["finals/0001", "finals/0004"]},
        tmp_path,
        {
            "relu": {"cost/latency": [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0], "cost/sparsity": [0.5] * 8},
            "mish": {"cost/latency": [4.0, 4.0, 5.0, 5.0, 4.0, 4.0, 5.0, 5.0], "cost/sparsity": [0.0] * 8},
            "leaky_relu": {"cost/latency": [5.0] * 8, "cost/sparsity": [0.0] * 8},
        },
    )


def test_rows_are_in_units_of_the_objective(board: Leaderboard) -> None:
    first, second, third = board.rows
    assert [row.rank for row in board.rows] == [1, 2, 3]
    assert first.candidate.activation == board.winner == "mish"
    expected = bootstrap_interval(first.values)
    assert (first.mean.mean, first.mean.low, first.mean.high) == pytest.approx(
        (expected.mean, expected.low, expected.high)
    )
    assert first.difference
    assert first.difference.low < first.difference.mean < first.difference.high < 0
    assert first.difference.mean == pytest.approx(-0.3, abs=0.02)
    assert {second.candidate.activation, third.candidate.activation} == {"relu", "leaky_relu"}
    assert first.runs == ("finals/0001", "finals/0004")
    assert first.test == bootstrap_interval([0.25, 0.75])


def test_further_objectives_stand_beside_the_first(board: Leaderboard) -> None:
    rows = {row.candidate.activation: row for row in board.rows}
    latency, sparsity = rows["mish"].beside
    assert (latency.metric, latency.direction, sparsity.direction) == ("cost/latency", "min", "max")
    assert latency.mean == bootstrap_interval(latency.values)
    assert latency.difference == bootstrap_interval([3.0] * 8)
    assert rows["relu"].beside[0].difference is None
    # leaky_relu has the loss of relu, but for noise, takes longer than the two others, and is sparser than none.
    assert [name for name, row in rows.items() if row.on_front] == ["mish", "relu"]
    assert board.verdict.startswith("mish is the best of 3")
    said = r"; on the Pareto front, by the means, with mish: relu \(val/loss 1\.\d+ instead of 1\.\d+, cost/latency 1\.5 instead of 4\.5, cost/sparsity 0\.5 instead of 0\)$"
    assert re.search(said, board.verdict)
    head, first, *_ = board.beside_table()
    assert head[:3] == ["activation", "cost/latency (95 %)", "cost/latency vs relu"]
    assert first[0] == "mish"
    assert first[-1] == "yes"


def test_the_search_is_summed_up(board: Leaderboard) -> None:
    relu, mish, leaky = board.searched
    assert (relu.trials, mish.trials, mish.pruned, leaky.failed) == (1, 3, 1, 1)
    assert (mish.best, leaky.best) == (1.2, None)  # not that of the pruned trial
    assert board.cost == Cost(29, 84, 360.0)
    assert board.grid == {"runs": 3 * 2 * 7, "epochs": 3 * 2 * 7 * 3}
    assert (
        "29 runs, 84 epochs, 360 s; the full grid: 42 runs, 126 epochs at most (67% of it spent)"
        in board.cost_in_words()
    )


def test_values_that_were_found_are_listed(board: Leaderboard) -> None:
    assert board.values() == [
        ["activation", "model.lr"],
        *([row.candidate.activation, "0.001234"] for row in board.rows),
    ]
    bare = [replace(row, candidate=replace(row.candidate, settings={})) for row in board.rows]
    assert replace(board, rows=tuple(bare)).values() == []


def test_a_candidate_is_shown_with_few_digits() -> None:
    one = Candidate(
        "leaky_relu", ("leaky_relu(negative_slope=0.16801612306910008)",), {"model.lr": 0.00123456, "a": "b"}
    )
    assert str(one) == "leaky_relu(negative_slope=0.168) model.lr=0.001235 a=b"


def test_what_is_shown(board: Leaderboard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    board.show()
    shown = capsys.readouterr().out
    assert re.search(r"activation +model.lr *\n.*\n +mish +0.001234 *\n", shown)
    assert "baseline" in shown
    assert board.verdict in shown


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_no_number_is_broken_in_a_narrow_terminal(
    board: Leaderboard, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    long = replace(board.rows[0].candidate, activation="hardtanh(min_val=-1.2345678, max_val=2.3456789)")
    replace(board, rows=(replace(board.rows[0], candidate=long), *board.rows[1:])).show()
    table = capsys.readouterr().out.partition("activation")[2].partition("activation")[0]
    assert max(map(len, table.splitlines())) <= columns
    for cell in board.table()[1:]:
        for number in re.findall(r"[-+\d.]+", " ".join(cell[2:])):
            assert number in table


def test_what_does_not_fit_beside_each_other_is_parted(
    board: Leaderboard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    further = [Beside(f"cost/{name}", "min", (1.0,), Interval(1.25, 1.1, 1.4), None) for name in ("latency", "saved")]
    rows = tuple(replace(row, beside=tuple(further)) for row in board.rows)
    replace(board, rows=rows).show()
    lines = capsys.readouterr().out.splitlines()
    heads = [number for number, line in enumerate(lines) if "activation" in line]
    assert len(heads) > 3
    for head, after in itertools.pairwise(heads):
        assert all(any(row.candidate.activation in line for line in lines[head:after]) for row in rows)
    assert max(map(len, lines[: heads[-1]])) <= 60


def test_intervals_have_the_digits_that_they_tell(board: Leaderboard) -> None:
    wide, narrow, none, tiny = Interval(0.12345, 0.1, 0.15), Interval(-1e-9, -2e-4, 1e-4), Interval(0.5, 0.5, 0.5), (
        Interval(1.25e-9, 1e-9, 2e-9)
    )  # fmt: skip
    rows = [replace(board.rows[0], mean=one, difference=one) for one in (wide, narrow, none, tiny)]
    cells = [row[2:4] for row in replace(board, rows=tuple(rows)).table()[1:]]
    assert cells == [
        ["0.123 [0.100, 0.150]", "+0.123 [+0.100, +0.150]"],
        ["0.00000 [-0.00020, 0.00010]", "+0.00000 [-0.00020, +0.00010]"],
        ["0.5 [0.5, 0.5]", "+0.5 [+0.5, +0.5]"],
        ["1.25e-09 [1e-09, 2e-09]", "+1.25e-09 [+1e-09, +2e-09]"],
    ]


def test_what_is_written(board: Leaderboard) -> None:
    board.write()
    data = json.loads((board.folder / "leaderboard.json").read_text())
    assert data["winner"] == "mish"
    assert data["rows"][0]["mean"]["low"] == board.rows[0].mean.low
    assert data["rows"][1]["p"] in (None, board.rows[1].p)
    rows = list(csv.DictReader(io.StringIO((board.folder / "leaderboard.csv").read_text())))
    assert [row["activation"] for row in rows] == [row.candidate.activation for row in board.rows]
    assert [row["cost/latency"] for row in rows if row["activation"] == "mish"] == ["4.5"]
    assert {row["cost/latency_difference_low"] for row in rows} == {
        "3.0",
        "",
        str(board.rows[-1].beside[0].difference.low),
    }  # type: ignore[union-attr]
    assert data["rows"][0]["beside"][0]["difference"]["mean"] == 3.0
    assert float(rows[0]["difference_high"]) == board.rows[0].difference.high  # type: ignore[union-attr]
    best = load([str(board.folder / "best.yaml")])
    assert best.data["model"]["activation"] == "mish"
    assert best.data["model"]["lr"] == 0.0012345
    assert "search" not in best.data
