"""Every snippet of the guide to swaps during training runs, in order, and prints what its comments say."""

import re
from pathlib import Path
from typing import Any

import pytest

import lightning_acts as acts
from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import load

GUIDE = (Path(acts.__file__).parents[1] / "docs" / "scheduled-swaps.md").read_text()


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.filterwarnings("ignore:.*the fit ends before that")  # which the guide shows resumed
def test_python(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "scheduled_swaps"}
    for number, snippet in enumerate(snippets("python")):
        file = tmp_path / f"snippet_{number}.py"  # calls are found in the source
        file.write_text(snippet)
        exec(compile(snippet, str(file), "exec"), names)
        said = [line for line in capsys.readouterr().out.splitlines() if line]
        promised = re.findall(r"^print\(.*\)  # (.*)$", snippet, flags=re.MULTILINE)
        assert said == promised


def test_yaml(tmp_path: Path) -> None:
    (snippet,) = snippets("yaml")
    file = tmp_path / "config.yaml"
    file.write_text(snippet)
    (swap,) = check_config(load([str(file)])).swap
    assert acts.ActivationSwap(**swap).schedule.length == 3
