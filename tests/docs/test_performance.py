"""The snippets of the guide to speed and memory do what the guide says."""

import re
from pathlib import Path
from typing import Any

import yaml
from torch import nn

import lightning_acts as acts

GUIDE = (Path(acts.__file__).parents[1] / "docs" / "performance.md").read_text()


def snippet(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)
    return str(found)


def test_python(tmp_path: Path) -> None:
    file = tmp_path / "snippet.py"
    before_restore, _, _ = snippet("python").partition("acts.restore")
    names: dict[str, Any] = {}
    exec(compile(before_restore, str(file), "exec"), names)
    assert [names["model"][at].backend for at in (1, 3)] == ["lean", "lean"]
    exec(compile(snippet("python"), str(file), "exec"), names)
    assert [type(names["model"][at]) for at in (1, 3)] == [nn.ReLU, nn.Mish]


def test_yaml() -> None:
    (option,) = yaml.safe_load(snippet("yaml"))["swap"]
    assert acts.SwapRequest.from_dict(option).backend == "auto"
