"""The tutorial, followed to the letter: files are written, commands run in order, messages said."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import lightning_acts as acts
from lightning_acts.cli.app import app
from lightning_acts.runs.reading import ConfigError

GUIDE = (Path(acts.__file__).parents[1] / "docs" / "tutorial.md").read_text()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield
    sys.path[:] = path
    sys.modules.pop("flowers", None)


def call(line: str, expect: int = 0) -> str:
    arguments = [
        path
        for word in shlex.split(line)[1:]
        for path in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
    ]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == expect, (line, done.output)
    return done.output


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_every_step() -> None:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)
    flowers, message = Path("flowers.py"), ""
    configs = iter(["iris.yaml", "swapped.yaml"])
    commands: list[str] = []
    for language, text in blocks:
        if language == "python":
            flowers.write_text((flowers.read_text() + "\n\n" if flowers.exists() else "") + text)
        elif language == "yaml":
            Path(next(configs)).write_text(text)
        elif language == "sh":
            commands += text.splitlines()
        else:
            message = text.strip()
    said = {}
    for line in commands:
        said[line] = call(line)
        if "iris.yaml" in line and (" validate " in line or line.endswith("--dry-run")):
            right = Path("iris.yaml").read_text()
            Path("iris.yaml").write_text(right.replace("activation: relu", "activation: rellu"))
            with pytest.raises(ConfigError) as caught:
                call(line)
            assert str(caught.value).startswith(message)
            Path("iris.yaml").write_text(right)
    assert len(list(Path("runs/iris").iterdir())) == 9
    assert len(list(Path("runs/swapped").glob("*/plots/swaps.png"))) == 1
    accuracy = re.search(r"test/acc\s+(\S+)", said["lightning-acts train iris.yaml"])
    assert accuracy
    assert float(accuracy[1]) > 0.85
    assert Path("report/index.html").exists()
    assert len(Path("flowers.csv").read_text().splitlines()) == 1 + 45
