import base64
import io
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
import yaml

from lightning_acts.reports.pages import GENERATOR
from lightning_acts.studies import pictures
from lightning_acts.studies.page import page

Found = Callable[..., Any]
VOID = ("meta", "img")


class Seen(HTMLParser):
    """What a reader sees of a page: headings, paragraphs, tables and figures by their captions, code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.paragraphs: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.alts: dict[str, str] = {}
        self.code = ""
        self._open: list[str] = []
        self._text, self._alt = "", ""
        self._rows: list[list[str]] = []
        self._caption = ""
        self.feed(text)
        assert not self._open  # every tag is closed

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "img":
            self._alt = given["alt"] or ""
            kind, content = (given["src"] or "").split(",")
            assert kind == "data:image/png;base64"
            assert matplotlib.image.imread(io.BytesIO(base64.b64decode(content))).std() > 0.01
        if tag not in VOID:
            self._open.append(tag)
            self._text = self._text if tag == "code" else ""
        if tag == "table":
            self._rows = []
        if tag == "tr":
            self._rows.append([])

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        text = self._text.replace("\N{NO-BREAK SPACE}", " ")
        if tag in ("h1", "h2", "h3"):
            self.headings.append(text)
        elif tag == "p":
            self.paragraphs.append(text)
        elif tag in ("td", "th"):
            self._rows[-1].append(text)
        elif tag == "caption":
            self._caption = text
        elif tag == "table":
            self.tables[self._caption] = self._rows
        elif tag == "figcaption":
            self.alts[text] = self._alt
        elif tag == "pre":
            self.code = text

    def alt(self, caption: str) -> str:
        """The words in the place of the picture whose caption begins so."""
        (alt,) = [alt for text, alt in self.alts.items() if text.startswith(caption)]
        return alt


def test_the_page_needs_nothing_but_itself(found: Found) -> None:
    text = page(*found())
    assert GENERATOR in text
    assert not re.search(r"https?://|<script|<link", text)
    assert "default-src 'none'" in text


def test_a_reader_finds_verdict_cost_and_finalists(found: Found) -> None:
    board, plan, trials = found()
    seen = Seen(page(board, plan, trials))
    assert seen.headings == [
        board.name, "Finalists", "Search", "Importance of the choices", "Config of the best: best.yaml",
    ]  # fmt: skip
    assert seen.paragraphs[0] == board.verdict
    assert "35 runs, 95 epochs, 190 s" in seen.paragraphs[1]
    assert seen.tables["3 finalists over 5 seeds"] == board.table()
    assert seen.tables["Values that the search found for the finalists"] == [
        ["activation", "model.lr"],
        *([name, "0.001235"] for name in ("mish", "relu", "leaky_relu")),
    ]
    searched = seen.tables["Trials of each activation"]
    assert searched[0] == ["activation", "best val/acc", "trials", "pruned", "failed"]
    best = {
        name: max(trial.value for trial in trials[:18] if trial.params["activation"] == name)
        for name in plan.candidates
    }
    assert [row[0] for row in searched[1:]] == sorted(best, key=best.__getitem__, reverse=True)
    assert {row[0]: row[1] for row in searched[1:]} == {name: f"{value:.4g}" for name, value in best.items()}
    # Of 20 trials the second to last was pruned, the last one failed; the value of the pruned one is no best.
    assert {row[0]: row[2:] for row in searched[1:]} == {
        "relu": ["7", "1", "0"], "mish": ["7", "0", "1"], "leaky_relu": ["6", "0", "0"],
    }  # fmt: skip


def test_pictures_are_told_in_words(found: Found) -> None:
    board, plan, trials = found()
    seen = Seen(page(board, plan, trials))
    means = ", ".join(f"{row.candidate.activation} {row.mean.mean:.4g}" for row in board.rows)
    assert seen.alt("Ranking.") == f"val/acc, means, the best first: {means}"
    assert seen.alt("Score against cost") == "best for seconds of a run: mish, relu"
    assert seen.alt("PED-ANOVA").startswith("Shares of the importance: model.lr ")
    for caption in ("Scores by seed", "Learning curves", "The trials in their order"):
        assert seen.alt(caption)
    assert len(seen.alts) == 6


def test_the_config_of_the_best_is_there_to_be_trained(found: Found) -> None:
    board, plan, trials = found()
    seen = Seen(page(replace(board, config={**board.config, "note": "<&>"}), plan, trials))
    assert yaml.safe_load(seen.code) == {**board.config, "note": "<&>"}
    assert seen.paragraphs[-1] == (
        "mish model.lr=0.001235. The same file lies beside this page: lightning-acts train best.yaml"
    )
    board.write()
    assert yaml.safe_load((board.folder / "best.yaml").read_text()) == yaml.safe_load(
        Seen(page(board, plan, trials)).code
    )


def test_which_activation_stood_at_which_depth(found: Found) -> None:
    swaps = "swap=[{map: {relu: relu}, include: ['*layer1*']}, {map: {relu: relu}, include: ['*layer2*', '*layer3*']}]"
    space = {"swap.1.map.relu": ["relu", "gelu"], "model.lr": {"low": 1e-4, "high": 1e-2, "log": True}}
    board, plan, trials = found("digits", overrides=[swaps], at="swap.0.map.relu", space=space)
    seen = Seen(page(board, plan, trials))
    assert "Activation by layer" in seen.headings
    best = max(trials[:18], key=lambda trial: trial.value).params
    first, second = best["activation"], best["swap.1.map.relu"].strip('"')
    assert seen.alt("Which activation") == f"In the best trial *layer1*: {first}, *layer2*, *layer3*: {second}"
    listed = seen.alt("PED-ANOVA")
    assert "*layer1* " in listed
    assert "*layer2*, *layer3* " in listed
    assert "swap.1" not in listed
    # Where no trial came to its end there is nothing to show of it.
    assert "Activation by layer" not in Seen(page(board, plan, trials[18:])).headings


def test_layers_of_one_name_are_told_apart_by_their_keys(found: Found) -> None:
    swaps = "swap=[{map: {relu: relu}, include: ['*layer1*']}, {map: {relu: relu}, include: ['*layer1*']}]"
    found_ = found("digits", overrides=[swaps], at="swap.0.map.relu", space={"swap.1.map.relu": ["relu", "gelu"]})
    assert "In the best trial swap.0.map.relu: " in Seen(page(*found_)).alt("Which activation")


def test_further_objectives_stand_beside_the_first(found: Found) -> None:
    board, plan, trials = found(objective=["val/acc", "val/loss"])
    seen = Seen(page(board, plan, trials))
    assert seen.tables["Further objectives"] == board.beside_table()
    assert seen.alt("Score against cost").startswith("best for val/loss: ")


def test_what_nothing_was_sought_for_is_left_out(found: Found) -> None:
    seen = Seen(page(*found(space=None, count=9)))
    assert list(seen.tables) == ["3 finalists over 5 seeds", "Trials of each activation"]
    assert any(text.startswith("Not computed: at least 10 different trials") for text in seen.paragraphs)
    assert len(seen.alts) == 5


def test_without_matplotlib_there_are_no_pictures(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> Path:
        raise ModuleNotFoundError("matplotlib")

    monkeypatch.setattr(pictures.drawing, "new_figure", missing)
    board, plan, trials = found()
    seen = Seen(page(board, plan, trials))
    assert not seen.alts
    assert seen.tables["3 finalists over 5 seeds"] == board.table()
    assert any(text.startswith("PED-ANOVA") for text in seen.paragraphs)
