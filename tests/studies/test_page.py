import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from lightning_acts.reports.pages import GENERATOR
from lightning_acts.runs.folder import RunFolder
from lightning_acts.studies.leaderboard import Candidate, Cost, Leaderboard, Row, Searched
from lightning_acts.studies.page import page
from lightning_acts.studies.statistics import Interval


@pytest.fixture
def board(tmp_path: Path) -> Leaderboard:
    rows = []
    for rank, name in enumerate(("mish", "relu"), start=1):
        run = tmp_path / f"finals/{rank}/study/run"
        run.mkdir(parents=True)
        RunFolder(run).write_rows([{"epoch": epoch, "step": epoch, "val/acc": 0.5 + epoch / 10} for epoch in range(3)])
        interval = Interval(0.9, 0.8, 0.95)
        rows.append(
            Row(
                rank,
                Candidate(name, name, {"model.lr": 0.001}),
                (0.9, 0.91),
                interval,
                interval if rank == 1 else None,
                0.5 if rank == 1 else None,
                0.5 if rank == 1 else None,
                0.5,
                None,
                (f"finals/{rank}",),
            )
        )
    return Leaderboard(
        "a <study>",
        tmp_path,
        "val/acc",
        "max",
        "relu",
        0.05,
        2,
        None,
        "no difference that this budget can show, over 2 seeds",
        tuple(rows),
        (Searched("tanh", 2, 0, 2, None), Searched("relu", 3, 1, 0, 0.8), Searched("mish", 3, 1, 0, 0.9)),
        {"search": Cost(6, 18, 10.0), "finals": Cost(4, 12, 7.0)},
        {"runs": 12, "epochs": 36},
        {"model": {"activation": "mish", "note": "<&>"}},
    )


def test_the_page_has_everything_and_needs_nothing(board: Leaderboard) -> None:
    text = page(board)
    assert GENERATOR in text
    assert "a &lt;study&gt;" in text
    assert board.verdict in text
    assert "10 runs, 30 epochs, 17 s" in text
    assert "mish model.lr=0.001" in text
    assert len(re.findall(r'<img src="data:image/png;base64,', text)) == 2
    assert not re.search(r"https?://", text)
    assert yaml.safe_load(unescape(re.findall(r"<pre>(.*)</pre>", text, re.DOTALL)[0])) == board.config
    # The best of the search first, what never ended last.
    places = [text.index(f'<tr><th scope="row">{name}</th><td>') for name in ("mish", "relu", "tanh")]
    assert places == sorted(places)


def test_tags_are_closed(board: Leaderboard) -> None:
    opened: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta", "img"):
                opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    Reader().feed(page(board))
    assert not opened


def test_without_matplotlib_there_are_no_pictures(board: Leaderboard, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> Path:
        raise ModuleNotFoundError("matplotlib")

    monkeypatch.setattr("lightning_acts.reports.pictures.plot_scores", missing)
    text = page(replace(board, direction="min"))
    assert "<img" not in text
    assert "mish model.lr=0.001" in text
