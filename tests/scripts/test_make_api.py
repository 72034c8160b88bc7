import ast
import dataclasses
import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import make_api
import pytest

import lightning_acts as acts
from lightning_acts.surgery.report import SwapReport
from lightning_acts.surgery.request import Share

PAGE = (Path(acts.__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
CLASSES = {name for name in acts._EXPORTS if inspect.isclass(getattr(acts, name))}
ERRORS = {name for name in CLASSES if issubclass(getattr(acts, name), Exception)}


def test_the_page_is_current() -> None:
    assert make_api.page() == PAGE, "docs/api.md is out of date: run scripts/make_api.py"


def test_every_public_name_is_there_once() -> None:
    named = re.findall(
        r"^(?:### `|- `(?=\w+\([\w, ]+\)`: ))(\w+)", PAGE.partition("## Activations as")[0], re.MULTILINE
    )
    named = [name for name in named if name in acts._EXPORTS]
    assert sorted(named) == sorted(acts._EXPORTS)
    headings = re.findall(r"^### `(\w+)`$", PAGE, re.MULTILINE)
    results = {"BackendReport", "Comparison", "Info", "Leaderboard", "SwapReport", "Verification"}
    assert set(headings) == {*acts._EXPORTS, *results} - ERRORS


@pytest.mark.parametrize("name", sorted(set(acts._EXPORTS) - ERRORS))
def test_a_signature_is_that_of_the_source(name: str) -> None:
    entry = PAGE.partition(f"### `{name}`\n")[2].partition("\n##")[0]
    value = getattr(acts, name)
    parameters = inspect.signature(value).parameters
    shown = re.search(r"^```python\n(.*?)\n```$", entry, re.MULTILINE | re.DOTALL)
    first = (value.__doc__ or "").strip().split("\n")[0].replace("``", "`")
    assert re.sub(r":\w+:", "", first) in entry
    if shown is None:
        assert name in CLASSES and any(parameter.startswith("_") for parameter in parameters)
        return
    (function,) = ast.parse(f"def {shown[1]}: ...".replace(":\n", "\n")).body
    assert isinstance(function, ast.FunctionDef)
    arguments = function.args
    groups: Mapping[Any, list[ast.arg]] = {
        inspect.Parameter.POSITIONAL_ONLY: arguments.posonlyargs,
        inspect.Parameter.POSITIONAL_OR_KEYWORD: arguments.args,
        inspect.Parameter.VAR_POSITIONAL: [arguments.vararg] if arguments.vararg else [],
        inspect.Parameter.KEYWORD_ONLY: arguments.kwonlyargs,
        inspect.Parameter.VAR_KEYWORD: [arguments.kwarg] if arguments.kwarg else [],
    }
    written = {argument.arg: (kind, argument.annotation) for kind, group in groups.items() for argument in group}
    assert list(written) == list(parameters)
    for parameter in parameters.values():
        kind, annotation = written[parameter.name]
        assert kind == parameter.kind
        assert annotation and ast.unparse(annotation) == ast.unparse(ast.parse(parameter.annotation))
    assert all(len(line) <= 120 for line in shown[1].splitlines())


def test_members_are_those_of_the_class_and_no_hooks() -> None:
    entry = PAGE.partition("### `SwapReport`\n")[2].partition("\n##")[0]
    assert re.findall(r"^- `(\w+)", entry, re.MULTILINE) == ["plan", "summary", "to_dict", "to_json", "undo"]
    fields = [field.name for field in dataclasses.fields(SwapReport) if not field.name.startswith("_")]
    assert f"- attributes: {', '.join(f'`{field}`' for field in fields)}\n" in entry
    assert "setup" not in PAGE
    assert "- `from_dict(data: Mapping[str, Any], source: str = 'the plan')`" in PAGE


def test_types_stand_with_their_definitions() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.+)` \| (.+) \|$", PAGE, re.MULTILINE)
    (shares,) = [definition for name, definition, where in rows if name == "Share" and "`swap`" in where]
    assert shares == str(Share).removeprefix("typing.")
    assert [(name, where) for name, _, where in rows if name.endswith("Kind")] == [
        ("Kind", "`names`"),
        ("SiteKind", "`Site`"),
    ]
    assert {name for name, *_ in rows} >= {"ActivationLike", "SwapMap", "Role", "Stability"}


def test_check_fails_where_the_page_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(make_api, "PAGE", tmp_path / "api.md")
    (tmp_path / "api.md").write_text(PAGE.replace("share: Share", "shared: Share"))
    monkeypatch.setattr("sys.argv", ["make_api.py", "--check"])
    assert make_api.main() == 1
    assert "run make_api.py" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["make_api.py"])
    assert make_api.main() == 0
    assert (tmp_path / "api.md").read_text() == PAGE
