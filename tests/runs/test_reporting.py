import base64
import csv
import json
import re
from pathlib import Path

import pytest
from scipy import stats

from lightning_acts.runs.config import to_yaml
from lightning_acts.runs.folder import RunError, RunFolder
from lightning_acts.runs.reporting import Report, Reported


def make_run(name: str, seed: int, activation: str = "mish", config: str = "digits", lr: float = 0.1, **metrics: float) -> RunFolder:  # fmt: skip
    folder = RunFolder(Path("runs", config, name).absolute())
    folder.checkpoints.mkdir(parents=True)
    folder.plots.mkdir()
    data = {"model": {"_target_": "a.b", "lr": lr, "activation": activation}, "seed": seed}
    folder.config.write_text(to_yaml(data))
    folder.write("env.json", {"config": config})
    summary = {"config": config, "seed": seed, "activation": activation, "epochs": 2, "seconds": 1.5, "best": "x"}
    folder.write("summary.json", {**summary, "metrics": metrics})
    folder.write_rows([{"epoch": 0, "step": 5, "val/acc": 0.25}, {"epoch": 1, "step": 10, "val/acc": 0.5}])
    folder.set_status("finished", epochs=2)
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def report(*folders: RunFolder) -> Report:
    return Report([Reported.of(folder) for folder in folders])


def test_runs_that_differ_by_their_seed_are_one_group() -> None:
    values = {0: 0.5, 1: 0.75, 2: 0.7}
    runs = [make_run(f"m{seed}", seed, **{"test/acc": acc, "train/loss": 1.0}) for seed, acc in values.items()]
    other = make_run("s0", 0, "silu", **{"test/acc": 0.125, "val/acc": 1.0})
    found = report(*runs, other)
    assert {name: len(group) for name, group in found.groups.items()} == {"mish": 3, "silu": 1}
    assert found.metrics == ["test/acc"]  # what was tested counts
    low, high = stats.t.interval(0.95, 2, 0.65, stats.sem(list(values.values())))
    mish = found.to_dict()["mish"]["metrics"]["test/acc"]
    assert mish["mean"] == pytest.approx(0.65)
    assert mish["ci95"] == pytest.approx((high - low) / 2)
    head, first, second = found.table()
    assert head == ["run", "seeds", "epochs", "seconds", "test/acc"]
    assert first == ["mish", "0, 1, 2", "2", "2", "0.65 ± 0.33"]
    assert second == ["silu", "0", "2", "2", "0.125"]


def test_names_tell_configs_apart() -> None:
    runs = [make_run("a", 0, **{"test/acc": 1.0}), make_run("b", 0, lr=0.2, **{"test/acc": 1.0})]
    assert all(re.fullmatch(r"mish \([0-9a-f]{6}\)", name) for name in report(*runs).groups)
    runs.append(make_run("c", 0, config="wine", **{"test/acc": 1.0}))
    assert list(report(*runs[1:]).groups) == ["digits: mish", "wine: mish"]


def test_what_is_written(tmp_path: Path) -> None:
    runs = [make_run("a", 1, **{"test/acc": 0.1, "test/f1": 0.3}), make_run("b", 0, "<silu>", **{"test/acc": 0.2})]
    (runs[0].plots / "own.png").write_bytes(b"a picture")
    (runs[0].plots / "sample.txt").write_text("if a < b:\n    é", encoding="utf-8")
    page = report(*runs).write(Path("out")).read_text()
    assert {path.name for path in Path("out").iterdir()} == {"index.html", "runs.csv", "scores.png", "metrics.png"}
    with Path("out/runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["run"], row["seed"], row["test/acc"], row["test/f1"]) for row in rows] == [
        (str(runs[0]), "1", "0.1", "0.3"), (str(runs[1]), "0", "0.2", ""),
    ]  # fmt: skip
    assert "2 runs of 2 kinds" in page
    assert "&lt;silu&gt;" in page
    assert "<silu>" not in page
    assert base64.b64encode(b"a picture").decode() in page
    assert "<pre>if a &lt; b:\n    é</pre>" in page
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    report(runs[0]).write(Path("out"))  # one of ours is replaced


def test_what_is_not_overwritten() -> None:
    run = make_run("a", 0, **{"test/acc": 0.1})
    Path("mine").mkdir()
    Path("mine/index.html").write_text("mine")
    with pytest.raises(RunError, match="holds something that is not a report, and is not overwritten"):
        report(run).write(Path("mine"))
    with pytest.raises(RunError, match="is a file: the report needs a folder"):
        report(run).write(Path("mine/index.html"))
    assert Path("mine/index.html").read_text() == "mine"


def test_a_run_that_is_not_finished_is_refused() -> None:
    run = make_run("a", 0, **{"test/acc": 0.1})
    run.set_status("interrupted", epochs=1)
    with pytest.raises(RunError, match="a is interrupted, not finished"):
        Reported.of(run)


def test_by_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    from lightning_acts.cli.runs import report as verb

    run = make_run("a", 3, **{"test/acc": 0.1})
    verb([str(run.path), str(run.path)], Path("out"), as_json=True)
    printed = capsys.readouterr()
    assert json.loads(printed.out)["mish"]["metrics"]["test/acc"]["values"] == [0.1]
    assert printed.err == "page: out/index.html\n"
