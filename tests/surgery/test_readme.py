"""The page at the head of surgery names files and functions that are there."""

import re
from pathlib import Path

import lightning_acts

FOLDER = Path(lightning_acts.__file__).parent / "surgery"
PAGE = (FOLDER / "README.md").read_text()
TESTS = Path(__file__).parents[1]


def test_the_files_are_there() -> None:
    named = set(re.findall(r"(?<![\w/])(?:[a-z_]+/)?[a-z_]+\.py", PAGE))
    in_tests = {name for name in named if name.startswith("test_") or "/test_" in name}
    assert len(named - in_tests) > 15
    assert not [name for name in named - in_tests if not list(FOLDER.rglob(name.rpartition("/")[2]))]
    assert not [name for name in re.findall(r"tests/[\w/.]+", PAGE) if not (TESTS.parent / name).exists()]


def test_the_functions_are_there() -> None:
    steps = re.findall(r"([\w/]+\.py): (\w+)", PAGE)
    assert len(steps) > 10
    missing = [
        step for step in steps if not re.search(rf"^(def|class) {step[1]}\b", (FOLDER / step[0]).read_text(), re.M)
    ]
    assert not missing
