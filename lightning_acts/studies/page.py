"""The page of a study: one HTML file that needs nothing but itself."""

from __future__ import annotations

import contextlib
import tempfile
from html import escape
from pathlib import Path

from lightning_acts.hints import counted
from lightning_acts.reports import pictures
from lightning_acts.reports.pages import figure, table_row, written
from lightning_acts.runs.config import to_yaml
from lightning_acts.runs.folder import RunFolder
from lightning_acts.studies.leaderboard import Leaderboard


def page(board: Leaderboard) -> str:
    """Return the page of a study; without pictures if matplotlib is not installed."""
    head, *rows = board.table()
    searched = sorted(board.searched, key=lambda one: (one.best is None, _order(board, one.best)))
    return written(
        "study.html",
        name=escape(board.name),
        verdict=escape(board.verdict),
        cost=escape(board.cost_in_words()),
        seeds=counted(board.seeds, "seed"),
        level=f"{board.level:.2g}",
        metric=escape(board.metric),
        head="".join(f'<th scope="col">{escape(cell)}</th>' for cell in head),
        rows="\n".join(map(table_row, rows)),
        searched="\n".join(
            table_row(
                [
                    one.activation,
                    "" if one.best is None else f"{one.best:.4g}",
                    *map(str, (one.trials, one.pruned, one.failed)),
                ]
            )
            for one in searched
        ),
        candidates="\n".join(f"<li>{escape(str(row.candidate))}</li>" for row in board.rows),
        pictures="\n".join(_pictures(board)),
        config=escape(to_yaml(board.config)),
    )


def _order(board: Leaderboard, value: float | None) -> float:
    """Return a number that is smaller for a better value."""
    return (-value if board.direction == "max" else value) if value is not None else 0.0


def _pictures(board: Leaderboard) -> list[str]:
    made = []
    with contextlib.suppress(ModuleNotFoundError), tempfile.TemporaryDirectory() as folder:
        scores = {str(row.candidate): {board.metric: row.values} for row in board.rows}
        made.append(
            figure(pictures.plot_scores(scores, Path(folder, "scores.png")), "A point a seed, a bar at the mean")
        )
        curves = [
            (row.candidate.activation, RunFolder(path.parent).rows())
            for row in board.rows
            for run in row.runs
            for path in sorted((board.folder / run).glob("*/*/metrics.csv"))
        ]
        if curves:
            path = pictures.plot_learning_curves(curves, [board.metric], Path(folder, "curves.png"))
            made.append(figure(path, "Learning curves of the finalists, a line a seed"))
    return made
