"""Every snippet of the guide runs, in order and in one process, and prints what its comments say."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import lightning_acts as acts

GUIDE = (Path(acts.__file__).parents[1] / "docs" / "swapping.md").read_text()


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_python(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    names: dict[str, Any] = {"__name__": "swapping"}
    for number, snippet in enumerate(snippets("python")):
        file = tmp_path / f"snippet_{number}.py"  # calls are found in the source
        file.write_text(snippet)
        exec(compile(snippet, str(file), "exec"), names)
        said = capsys.readouterr().out.splitlines()
        promised = re.findall(r"^print\(.*\)  # (.*)$", snippet, flags=re.MULTILINE)
        assert len(said) == len(promised)
        for line, promise in zip(said, promised, strict=True):
            assert re.fullmatch(re.escape(promise).replace(r"\.\.\.", ".*"), line)


@pytest.mark.slow
def test_the_command_line(tmp_path: Path) -> None:
    (lines,) = snippets("sh")
    assert lines.count("lightning-acts") == 4
    for line in lines.splitlines():
        arguments = re.findall(r'"([^"]*)"|(\S+)', line.removeprefix("lightning-acts "))
        command = [sys.executable, "-m", "lightning_acts", *(quoted or plain for quoted, plain in arguments)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, (line, done.stderr)
    assert "leaky_relu(negative_slope=0.1)" in done.stdout
