"""YAML files as plain data that knows, for every value, where it stands.

Scalars are read by the core schema of YAML 1.2, so that ``on`` is text, ``010`` is ten, ``1:30`` is text and ``1e3`` a
number; quoted ones are text. Tags of Python objects are refused. Nothing here imports torch.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from lightning_acts.errors import ActsError
from lightning_acts.hints import shortened

#: A place in a config: keys of mappings and indices of lists, from the root down.
KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Origin:
    """Where a value was given: a file and a line, or the command line."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a config."""

    origin: Origin | None
    message: str
    #: Where a value is missing or meaningless by it, so that nothing else is said of that value.
    path: KeyPath | None = None

    def __str__(self) -> str:
        message = shortened(self.message)
        return f"{shortened(str(self.origin), 300)}: {message}" if self.origin else message


class ConfigError(ActsError, ValueError):
    """A config is wrong; it holds every problem that was found, each with its file and line."""

    exit_status = 2

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class Document:
    """A config as plain data, the origin of each value in it, and what is wrong with some of them."""

    data: dict[str, Any]
    origins: dict[KeyPath, Origin]
    problems: Sequence[Problem] = ()


def read_file(path: Path) -> Document:
    """Read a YAML file whose root is a mapping.

    Raises:
        ConfigError: It can't be read, or is not YAML, or not a mapping.
    """
    shown = shown_path(path)
    try:
        if (size := path.stat().st_size) > _LARGEST:
            raise ConfigError(
                Problem(Origin(shown), f"is too large for a config: {size:,} bytes, of {_LARGEST:,} at most")
            )
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(Problem(Origin(shown), f"is not text in UTF-8 ({error.reason})")) from None
    except OSError as error:
        raise ConfigError(Problem(Origin(shown), f"can't be read: {error.strerror}")) from None
    node = _compose(text, shown)
    if node is None:
        return Document({}, {(): Origin(shown, 1)})
    reader = _Reader(shown)
    data = reader.value(node, ())
    if not isinstance(data, dict):
        raise ConfigError(
            Problem(Origin(shown, 1), "a config is a mapping of keys, such as 'model:'"), *reader.problems
        )
    return Document(data, reader.origins, reader.problems)


def read_value(text: str, origin: Origin) -> Any:
    """Return the value that ``text`` has in YAML, as on the right side of an override.

    Raises:
        ConfigError: It is not YAML.
    """
    node = _compose(text, origin.source, origin)
    reader = _Reader(origin.source, origin)
    value = None if node is None else reader.value(node, ())
    if reader.problems:
        raise ConfigError(*reader.problems)
    return value


def shown_path(path: Path) -> str:
    """Return a path as short as it can be from here."""
    absolute = Path(os.path.abspath(path))
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)


def walk(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every value within a config, itself included, with its path."""
    yield path, value
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from walk(child, (*path, key))


def dotted(path: KeyPath) -> str:
    """``trainer.max_epochs`` for its path."""
    return ".".join(map(str, path))


def scalar(text: str) -> Any:
    """Return a plain scalar by YAML 1.2's core schema.

    Example:
        >>> [scalar(text) for text in ("on", "010", "1:30", "1e3", "0x1F", "~", "True", ".inf")]
        ['on', 10, '1:30', 1000.0, 31, None, True, inf]
    """
    for pattern, convert in _CORE_SCHEMA:
        if pattern.fullmatch(text):
            return convert(text)
    return text


# More than any config has: aliases of aliases can stand for billions.
_MOST_VALUES = 20_000
_DEEPEST = 50
_LARGEST = 500_000

_CORE_SCHEMA: list[tuple[re.Pattern[str], Any]] = [
    (re.compile(r"|~|null|Null|NULL"), lambda text: None),
    (re.compile(r"true|True|TRUE"), lambda text: True),
    (re.compile(r"false|False|FALSE"), lambda text: False),
    (re.compile(r"[-+]?[0-9]{1,300}"), int),
    (re.compile(r"0o[0-7]+"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text[2:], 16)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(inf|Inf|INF)"), lambda text: -math.inf if text.startswith("-") else math.inf),
    (re.compile(r"\.(nan|NaN|NAN)"), lambda text: math.nan),
]


def _compose(text: str, source: str, origin: Origin | None = None) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError:
        raise ConfigError(Problem(origin or Origin(source), f"is nested deeper than {_DEEPEST} levels")) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = origin or Origin(source, mark.line + 1 if mark else None)
        hint = ": write spaces, YAML knows no tabs" if "\\t" in (error.problem or "") else ""
        raise ConfigError(Problem(where, f"is not YAML: {error.problem or error.context}{hint}")) from None
    except yaml.YAMLError as error:
        raise ConfigError(Problem(origin or Origin(source), f"is not YAML: {str(error).splitlines()[0]}")) from None


class _Reader:
    """Turns nodes into plain data, noting origins and problems."""

    def __init__(self, source: str, origin: Origin | None = None) -> None:
        self.source, self.fixed = source, origin
        self.origins: dict[KeyPath, Origin] = {}
        self.problems: list[Problem] = []
        self._open: set[int] = set()
        self._values = 0

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        origin = self._origin(node)
        self._values += 1
        if len(self._open) >= _DEEPEST:
            self.problems.append(Problem(origin, f"{dotted(path[:3])}: nested deeper than {_DEEPEST} levels", path[:3]))
            return None
        if id(node) in self._open or self._values > _MOST_VALUES:
            self.problems.append(Problem(origin, f"{dotted(path[:3])}: an alias repeats without end", path[:3]))
            return None
        self._open.add(id(node))
        try:
            return self._value(node, path, origin)
        finally:
            self._open.remove(id(node))

    def _value(self, node: yaml.Node, path: KeyPath, origin: Origin) -> Any:
        self.origins[path] = origin
        if node.tag.startswith(("tag:yaml.org,2002:python/", "!")):
            self.problems.append(
                Problem(origin, f"the tag {node.tag!r} is refused: a config holds plain data only", path)
            )
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, index)) for index, child in enumerate(node.value)]
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        return scalar(node.value) if plain else node.value

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            origin = self._origin(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(origin, "a key is text, not a list or a mapping"))
                continue
            key = key_node.value
            if key == "<<" and key_node.style is None:
                sources = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                for source in sources:
                    inner = self.value(source, path)
                    if isinstance(inner, dict):
                        merged = {**inner, **merged}
                continue
            if key in found:
                first = self.origins[(*path, key)]
                self.problems.append(
                    Problem(origin, f"{dotted((*path, key))} stands twice, first in line {first.line}")
                )
                continue
            found[key] = self.value(value_node, (*path, key))
            # The line of the key is where people look.
            self.origins[(*path, key)] = origin
        return {**merged, **found}

    def _origin(self, node: yaml.Node) -> Origin:
        return self.fixed or Origin(self.source, node.start_mark.line + 1)
