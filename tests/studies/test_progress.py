import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from lightning_acts.runs.folder import RunFolder
from lightning_acts.studies.plan import plan
from lightning_acts.studies.progress import Progress


def trial(state: str, value: float | None = None) -> Any:
    attributes = {} if state == "RUNNING" else {"seconds": 30.0}
    return SimpleNamespace(state=SimpleNamespace(name=state), values=value and [value], user_attrs=attributes)


def shown(progress: Progress) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(progress.table())
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_table_has_the_ranking_and_what_is_left(write: Callable[..., str]) -> None:
    progress = Progress(plan([write(objective="val/loss")]), [].append)
    trials = [
        ("relu", trial("COMPLETE", 0.5)),
        ("relu", trial("COMPLETE", 0.3)),
        ("mish", trial("COMPLETE", 0.2)),
        ("mish", trial("PRUNED", 9.0)),
        ("tanh", trial("FAIL")),
        ("tanh", trial("RUNNING")),
    ]
    progress.update("search", 10, trials)
    text = shown(progress)
    ranks = [line.split() for line in text.splitlines() if line.split()[:1] in (["1"], ["2"], ["3"])]
    assert ranks == [["1", "mish", "0.2", "1"], ["2", "relu", "0.3", "2"]]
    assert "search: 5 of 10 runs, 1 pruned, 1 failed, 1 running" in text
    assert "about 2 min left in this part" in text  # five runs of half a minute
    progress.update("finals-4", 12, trials)
    assert ["2", "relu", "0.4", "2"] in [line.split() for line in shown(progress).splitlines()]


def test_in_a_terminal_the_table_follows_and_lines_stand_above_it(write: Callable[..., str], tmp_path: Path) -> None:
    screen = io.StringIO()
    run = RunFolder(tmp_path)
    run.write_rows([{"epoch": 0, "step": 1, "val/acc": 0.5}])
    with Progress(plan([write()]), console=Console(file=screen, force_terminal=True, width=100)) as progress:
        watch = progress.watched("trials 3", None)
        assert watch
        assert not watch(tmp_path)
        assert "running here: trials 3, 1 epoch of 3" in shown(progress)
        progress.say("trial 2: [relu]: val/acc 0.5")
    assert "trial 2: [relu]: val/acc 0.5" in screen.getvalue()
    assert "running here" in screen.getvalue()


def test_elsewhere_there_are_lines_alone(write: Callable[..., str]) -> None:
    screen = io.StringIO()
    with Progress(plan([write()]), console=Console(file=screen, width=20)) as progress:
        assert progress.watched("trials 3", None) is None
        progress.say("trial 2: relu model.lr=0.003: val/acc 0.5")
    assert screen.getvalue() == "trial 2: relu model.lr=0.003: val/acc 0.5\n"
