"""YAML read by the core schema of YAML 1.2, with the line of each value."""

import math
from pathlib import Path
from typing import Any

import pytest

from lightning_acts.runs.reading import ConfigError, Origin, dotted, read_file, read_value, scalar, shown_path, walk


def read(text: str) -> Any:
    Path("a.yaml").write_text(text, encoding="utf-8")
    return read_file(Path("a.yaml"))


@pytest.mark.parametrize(
    ("text", "value"),
    [  # the table of the schema in the YAML 1.2 specification, 10.3.2, and what YAML 1.1 reads in another way
        ("null", None), ("", None), ("false", False), ("0", 0), ("0o7", 7), ("0x3A", 58), ("-19", -19), ("0.", 0.0),
        ("-0.0", -0.0), (".5", 0.5), ("+12e03", 12000.0), ("-2E+05", -200000.0), ("-.Inf", -math.inf),
        ("on", "on"), ("no", "no"), ("0777", 777), ("12:30:45", "12:30:45"), ("2001-01-01", "2001-01-01"), ("1_000", "1_000"),
    ],
)  # fmt: skip
def test_scalars(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)
    assert read(f"k: {text}\nq: '{text}'").data == {"k": value, "q": text}


def test_each_value_knows_its_line() -> None:
    document = read("a:\n  b: 1\n  c:\n  - x\n  -\n    d: 2\n")
    assert document.data == {"a": {"b": 1, "c": ["x", {"d": 2}]}}
    lines = {dotted(path): origin.line for path, origin in document.origins.items()}
    assert lines == {"": 1, "a": 1, "a.b": 2, "a.c": 3, "a.c.0": 4, "a.c.1": 6, "a.c.1.d": 6}
    assert [dotted(path) for path, _ in walk(document.data)] == list(lines)
    assert {str(origin).partition(":")[0] for origin in document.origins.values()} == {"a.yaml"}


def test_merge_keys_yield_to_what_stands_beside_them() -> None:
    data = read("x: &x {p: 1, q: 1}\ny: &y {q: 2, r: 2}\nz:\n  r: 3\n  <<: [*x, *y]").data
    assert data["z"] == {"p": 1, "q": 1, "r": 3}


def test_problems_are_gathered_and_the_rest_is_read() -> None:
    document = read("a: !run ls\nb: 1\nb: 2\n? [k]\n: 3\nc: &c [*c]\nd: 4")
    assert document.data["b"] == 1 and document.data["d"] == 4 and document.data["a"] is None
    assert [str(problem).split(": ")[0] for problem in document.problems] == [f"a.yaml:{at}" for at in (1, 3, 4, 6)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [", "a.yaml:2: is not YAML"),
        ("a:\n\t- 1", "a.yaml:2: is not YAML.*no tabs"),
        ("- 1", "a.yaml:1: a config is a mapping"),
        ("a: " + "[" * 5000, "a.yaml: is nested deeper"),
        ("#" * 500_001, "too large for a config: 500,001 bytes"),
    ],
)
def test_a_file_that_is_no_config(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(text)


def test_aliases_of_aliases_end() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))
    assert "repeats without end" in str(read(bomb).problems[0])


def test_a_value_of_an_override() -> None:
    origin = Origin("command line: k=v")
    assert [read_value(text, origin) for text in ("", "1e-3", "[on, {a: ~}]")] == [None, 0.001, ["on", {"a": None}]]
    with pytest.raises(ConfigError, match="^command line: k=v: the tag '!x' is refused"):
        read_value("[1, !x y]", origin)


def test_paths_are_short_below_the_current_folder_alone(tmp_path: Path) -> None:
    assert shown_path(tmp_path / "b" / ".." / "a.yaml") == "a.yaml"
    assert shown_path(tmp_path.parent) == str(tmp_path.parent)
