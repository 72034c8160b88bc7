"""A config put together: files, then overrides; later wins. Nothing here imports torch."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_acts.hints import did_you_mean
from lightning_acts.runs.reading import (
    ConfigError,
    Document,
    KeyPath,
    Origin,
    Problem,
    dotted,
    read_file,
    read_value,
    shown_path,
    walk,
)

#: The keys of a config, each with what it is for.
GROUPS = {
    "base": "configs that are merged before this one: a name or a path from here, or a list of them",
    "model": "the LightningModule: _target_ and its arguments",
    "data": "the LightningDataModule: _target_ and its arguments",
    "optimizer": "an optimizer, for models that take one",
    "scheduler": "a scheduler of the learning rate, for models that take one",
    "trainer": "arguments of lightning's Trainer",
    "swap": "activations to swap: a list of the arguments of lightning_acts.ActivationSwap",
    "initialization": "true, or arguments of lightning_acts.init_: new weights for the activation that the model has",
    "callbacks": "further callbacks by name: _target_ and arguments",
    "logger": "further loggers by name: _target_ and arguments",
    "compile": "true, or arguments of torch.compile, for the forward",
    "seed": "seed of everything that is random",
    "search": "what 'search' varies, by which metric, and for how long; 'train' leaves it alone",
}


@dataclass(frozen=True)
class Config:
    """A config as plain data, with the origin of each value; ``name`` is that of its first file."""

    name: str
    data: dict[str, Any]
    origins: dict[KeyPath, Origin]

    def origin(self, path: KeyPath) -> Origin | None:
        """Return where the value at ``path``, or what it stands in, was given."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.origins:
                return self.origins[path[:length]]
        return None

    def problem(self, path: KeyPath, message: str) -> Problem:
        """Return a problem with the value at ``path``."""
        return Problem(self.origin(path), message, path)


def load(files: Sequence[str], overrides: Iterable[str] = (), folders: Sequence[Path] = ()) -> Config:
    """Read config files, apply overrides, resolve interpolations.

    Args:
        files: Paths, or names of shipped configs and of configs in ``folders``; later ones win, each over its bases.
        overrides: ``a.b=value``, ``+a.b=value``, ``~a.b``.
        folders: Where named configs are looked for, before the shipped ones.

    Raises:
        ConfigError: Something can't be read or resolved; with every problem of the first step that fails.
    """
    config, problems = collect(files, overrides, folders)
    if problems:
        raise ConfigError(*problems)
    return config


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names and paths among the arguments of a command, and the overrides.

    Raises:
        ConfigError: There is no name or path.
    """
    is_override = [
        ("=" in argument or argument.startswith("~")) and not Path(argument).exists() for argument in arguments
    ]
    files = [argument for argument, override in zip(arguments, is_override, strict=True) if not override]
    overrides = [argument for argument, override in zip(arguments, is_override, strict=True) if override]
    if not files:
        raise ConfigError(
            Problem(Origin("command line"), "a config must come before its overrides: train digits seed=1")
        )
    return files, overrides


def collect(
    files: Sequence[str], overrides: Iterable[str] = (), folders: Sequence[Path] = ()
) -> tuple[Config, list[Problem]]:
    """Read as :func:`load` does, and return what can be checked further with the problems so far.

    Raises:
        ConfigError: A file can't be read, or has a base that can't.
    """
    paths = [find_config(name, folders) for name in files]
    stack = _Stack(folders)
    for path in paths:
        stack.add(path)
    if stack.problems:
        raise ConfigError(*stack.problems, *(problem for document in stack.documents for problem in document.problems))
    problems: list[Problem] = []
    data: dict[str, Any] = {}
    origins: dict[KeyPath, Origin] = {}
    for document in stack.documents:
        problems += document.problems
        data = _merged(data, document.data, (), origins, document.origins)
    for override in overrides:
        try:
            _apply(override, data, origins)
        except ConfigError as error:
            problems += error.problems
    in_order = {key: data[key] for key in (*GROUPS, *data) if key in data}  # a base may begin with any of them
    config = Config(paths[0].stem, in_order, origins)
    problems += [
        config.problem((key,), f"unknown key {key}{did_you_mean(key, GROUPS)} The keys: {', '.join(GROUPS)}")
        for key in data
        if key not in GROUPS
    ]
    resolved, unresolved = _resolve(config)
    return resolved, problems + unresolved


def shipped_folder() -> Path:
    """Return the folder of the configs that ship with this package."""
    # Found without importing it: an editable install keeps it beside the package, a wheel within it.
    within = Path(__file__).parents[1] / "configs"
    return within if within.is_dir() else Path(__file__).parents[2] / "configs"


def named(folders: Sequence[Path] = ()) -> dict[str, Path]:
    """Return every config that has a name, such as ``images/digits``: those in ``folders``, then those that ship."""
    return {name: path for name, path in _named(folders).items() if not name.startswith("base/")}


def _named(folders: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in (*folders, shipped_folder()):
        for path in sorted([*folder.glob("*.yaml"), *folder.glob("*/*.yaml")]):
            found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
    return found


def first_comment(path: Path) -> str:
    """Return the first line of a config, which says what it is."""
    with path.open(encoding="utf-8") as file:
        line = file.readline()
    return line.lstrip("# ").strip() if line.startswith("#") else ""


def find_config(name: str, folders: Sequence[Path] = (), beside: Path = Path()) -> Path:
    """Return the file of a config that was given by name or path.

    Args:
        name: Its name, such as ``images/digits`` or, without its folder, ``digits``; or its path.
        folders: Where named configs are looked for, before the shipped ones.
        beside: The folder that a path starts from.

    Raises:
        ConfigError: There is none.
    """
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(Problem(None, f"--config-dir {folder}: there is no such folder"))
    known = _named(folders)
    if name in known:
        return known[name]
    # The first of a name wins.
    short = {path.stem: path for path in reversed(named(folders).values())}
    if name in short:
        return short[name]
    path = beside / name
    if os.path.isfile(path):  # False for what no path can be, where that of pathlib raises
        return path
    if os.path.isdir(path):
        raise ConfigError(Problem(None, f"{name} is a folder, not a config"))
    if "=" in name:
        raise ConfigError(Problem(None, f"{name!r} is an override, and stands before any config: train CONFIG {name}"))
    looks_like_path = os.sep in name or path.suffix in (".yaml", ".yml")
    candidates = [*short, *known, *(str(Path(name).with_name(near.name)) for near in path.parent.glob("*.y*ml"))]
    what = "file" if looks_like_path else "config"
    raise ConfigError(
        Problem(None, f"there is no {what} {name!r}{did_you_mean(name, candidates)} 'ls configs' shows what ships")
    )


def with_comments(config: Config) -> str:
    """Return the config as YAML, each value with its origin in a comment."""
    lines = list(_lines(config, config.data, (), 0))
    width = min(max((len(line) for line, _ in lines), default=0), 60)
    return "\n".join(f"{line:<{width}}  # {origin}" if origin else line for line, origin in lines) + "\n"


def to_yaml(data: Any) -> str:
    """Plain data as YAML that reads back equal, by YAML 1.1 and by 1.2."""
    return "\n".join(line for line, _ in _lines(None, data, (), 0)) + "\n"


def _lines(config: Config | None, value: Any, path: KeyPath, depth: int) -> Iterator[tuple[str, Origin | None]]:
    indent = "  " * depth
    items: Any = value.items() if isinstance(value, dict) else ((None, child) for child in value)
    for index, (key, child) in enumerate(items):
        here = (*path, key if key is not None else index)
        head = f"{indent}{_text(key)}:" if key is not None else f"{indent}-"
        origin = config.origin(here) if config else None
        if isinstance(child, (dict, list)) and child:
            yield head, None
            yield from _lines(config, child, here, depth + 1)
        else:
            yield f"{head} {_text(child)}", origin


def _text(value: Any) -> str:
    if isinstance(value, str):
        plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", value) and value.lower() not in _WORDS
        return value if plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        text = repr(value)
        return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(text, text if "." in text else _with_point(text))
    if isinstance(value, (dict, list)):  # empty: the others are written over several lines
        return "{}" if isinstance(value, dict) else "[]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _with_point(text: str) -> str:
    # YAML 1.1 takes 1e-05 for text.
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}.0e{exponent}" if exponent else f"{text}.0"


_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}


def _merged(old: Any, new: Any, path: KeyPath, origins: dict[KeyPath, Origin], newer: dict[KeyPath, Origin]) -> Any:
    """Merge ``new`` over ``old``, mappings key by key; ``origins`` follows."""
    another_class = (
        isinstance(new, dict)
        and isinstance(old, dict)
        and new.get("_target_", old.get("_target_")) != old.get("_target_")
    )
    if not isinstance(old, dict) or not isinstance(new, dict) or another_class:
        # The arguments of one class are not those of another.
        for known in [known for known in origins if known[: len(path)] == path]:
            del origins[known]
        for inner, _ in walk(new, path):
            if inner in newer:
                origins[inner] = newer[inner]
        return copy.deepcopy(new)
    result = dict(old)
    if path in newer:
        origins.setdefault(path, newer[path])
    for key, value in new.items():
        result[key] = _merged(old.get(key), value, (*path, key), origins, newer)
    return result


class _Stack:
    """The documents of files in the order in which they are merged: each after its bases."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.documents: list[Document] = []
        self.problems: list[Problem] = []
        self._folders = folders
        self._done: set[Path] = set()

    def add(self, path: Path, above: Sequence[Path] = ()) -> None:
        """Add a file and its bases; ``above`` are the files that it is a base of, the outermost first."""
        try:
            document = read_file(path)
        except ConfigError as error:
            self.problems += error.problems
            return
        bases = document.data.pop("base", [])
        for index, base in enumerate(bases if isinstance(bases, list) else [bases]):
            origin = document.origins.get(("base", index), document.origins[("base",)])
            self._add_base(base, origin, [*above, path])
        self.documents.append(document)
        self._done.add(path.resolve())

    def _add_base(self, base: Any, origin: Origin, above: Sequence[Path]) -> None:
        if not isinstance(base, str):
            given = "null" if base is None else repr(base)
            said = f"base is the name or path of a config, or a list of them, not {given}"
            self.problems.append(Problem(origin, said))
            return
        try:
            path = find_config(base, self._folders, above[-1].parent)
        except ConfigError as error:
            self.problems += [Problem(origin, f"base: {problem.message}") for problem in error.problems]
            return
        open_files = [file.resolve() for file in above]
        if path.resolve() in open_files:
            circle = [*above[open_files.index(path.resolve()) :], path]
            said = f"base: {base!r} closes a circle: {' -> '.join(map(shown_path, circle))}"
            self.problems.append(Problem(origin, said))
        elif path.resolve() not in self._done:  # what two files share stays below both
            self.add(path, above)


def _apply(override: str, data: dict[str, Any], origins: dict[KeyPath, Origin]) -> None:
    origin = Origin(f"command line: {override}")
    removing = override.startswith("~")
    left, separator, text = override.lstrip("+~").partition("=")
    if (not separator and not removing) or (separator and removing):
        raise ConfigError(Problem(origin, "an override is 'key=value', '+key=value' or '~key'"))
    keys = left.strip().split(".")
    if not all(keys) or len(keys) > 50:
        raise ConfigError(Problem(origin, f"{left!r} is no key path, such as trainer.max_epochs"))
    if keys[0] == "base":
        raise ConfigError(Problem(origin, "base is for files; here, write a base before its config: train BASE CONFIG"))
    path: KeyPath = ()
    parent: Any = data
    for key in keys[:-1]:
        step, path = _step(parent, key, path, origin, create=not removing)
        parent = parent[step]
    if not isinstance(parent, (dict, list)):
        raise ConfigError(Problem(origin, f"{dotted(path)} is {parent!r}, and has no keys"))
    if removing:
        step, path = _step(parent, keys[-1], path, origin, create=False)
        del parent[step]
        kept = {known: place for known, place in origins.items() if known[: len(path)] != path}
        origins.clear()
        if isinstance(parent, list):  # those behind it move up
            origins |= {_moved_up(known, path): place for known, place in kept.items()}
        else:  # where it is needed, that is why it is missing
            origins |= {**kept, path: origin}
        return
    value = read_value(text, origin)
    if isinstance(parent, list):
        step, path = _step(parent, keys[-1], path, origin, create=False)
    else:
        step, path = keys[-1], (*path, keys[-1])
    newer = {inner: origin for inner, _ in walk(value, path)}
    parent[step] = _merged(parent[step] if isinstance(parent, list) else parent.get(step), value, path, origins, newer)
    if step == "_target_" and isinstance(parent, dict):
        # Another class has other arguments: those of the former one go.
        for other in [
            other
            for other in parent
            if other != "_target_" and str(origins.get((*path[:-1], other), "")).partition(":")[0] != "command line"
        ]:
            del parent[other]
            origins[(*path[:-1], other)] = origin


def _moved_up(known: KeyPath, removed: KeyPath) -> KeyPath:
    """Return the path of what had the path ``known`` before a member was removed from a list."""
    *parent, index = removed
    at = len(parent)
    if known[:at] == tuple(parent) and len(known) > at and int(known[at]) > int(index):
        return (*parent, int(known[at]) - 1, *known[at + 1 :])
    return known


def _step(parent: Any, key: str, path: KeyPath, origin: Origin, create: bool) -> tuple[Any, KeyPath]:
    if isinstance(parent, list):
        if not key.isdigit() or int(key) >= len(parent):
            raise ConfigError(
                Problem(origin, f"{dotted(path)} is a list of {len(parent)}: {key!r} is none of its indices")
            )
        return int(key), (*path, int(key))
    if not isinstance(parent, dict):
        raise ConfigError(Problem(origin, f"{dotted(path)} is {parent!r}, and has no key {key!r}"))
    if key not in parent:
        if not create:
            raise ConfigError(
                Problem(origin, f"there is no {dotted((*path, key))} to remove{did_you_mean(key, parent)}")
            )
        parent[key] = {}
    return key, (*path, key)


def _resolve(config: Config) -> tuple[Config, list[Problem]]:
    """OmegaConf's interpolations, ``${a.b}``, replaced by what they name."""
    using = [path for path, value in walk(config.data) if isinstance(value, str) and "${" in value]
    if not using:
        return config, []
    # Imported only where it is needed: it takes a tenth of a second.
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    problems = [
        config.problem(
            path,
            f"{dotted(path)}: ${{{name}:...}} is refused: a config refers to other values, to oc.env, or to oc.decode",
        )
        for path, text in ((path, _at(config.data, path)) for path in using)
        for name in _resolvers(text)
        if name not in ("oc.env", "oc.decode")
    ]
    if not problems:
        lengths = _Lengths(config.data)
        problems = [
            config.problem(path, f"{dotted(path)}: refers to values that refer to others, too many or too long in all")
            for path in using
            if lengths.of(path) > _MOST_SIGNS
        ]
    if problems:
        return config, problems
    try:
        tree = OmegaConf.create(config.data)
    except OmegaConfBaseException as error:
        path = next((path for path in using if dotted(path) == str(error.full_key)), using[0])
        return config, [config.problem(path, f"{dotted(path)}: {str(error).splitlines()[0]}")]
    data = copy.deepcopy(config.data)
    for path in using:
        try:
            node: Any = tree
            for key in path:
                node = node[key]
        except OmegaConfBaseException as error:
            reason = str(error).splitlines()[0]
            problems.append(config.problem(path, f"{dotted(path)}: {reason}{_known_key(reason, config.data)}"))
            continue
        value = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
        target: Any = data
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = value
    return Config(config.name, data, config.origins), problems


def _at(data: Any, path: KeyPath) -> Any:
    for key in path:
        data = data[key]
    return data


# In a value with all that it refers to; each reference may be to a value with two.
_MOST_SIGNS = 20_000
_REFERENCE = re.compile(r"\$\{([^${}]*)\}")
# What stands for a reference within a reference.
_ANY = "\0"


class _Lengths:
    """The lengths of values with all that they refer to, counted without making them."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self._paths = {dotted(path): path for path, _ in walk(data)}
        self._known: dict[KeyPath, int] = {}

    def of(self, path: KeyPath) -> int:
        if path not in self._known:
            self._known[path] = 0  # until it is counted: a reference to itself is told by OmegaConf
            try:
                self._known[path] = self._count(path, _at(self.data, path))
            except RecursionError:
                self._known[path] = _MOST_SIGNS + 1
        return self._known[path]

    def _count(self, path: KeyPath, value: Any) -> int:
        if isinstance(value, (dict, list)):
            keys: Any = value if isinstance(value, dict) else range(len(value))
            return 1 + sum(self.of((*path, key)) for key in keys)
        text, total = str(value), len(str(value))
        while match := _REFERENCE.search(text):
            total += sum(self.of(named) for named in self._named(match[1].strip(), path))
            text = f"{text[: match.start()]}{_ANY}{text[match.end() :]}"
        return total

    def _named(self, reference: str, path: KeyPath) -> list[KeyPath]:
        """Return the paths that a reference may name; of one that holds another, all that are like it."""
        keys = reference.replace("[", ".").replace("]", "")
        up = len(keys) - len(keys.lstrip("."))
        whole = dotted((*path[: len(path) - up], *filter(None, keys.lstrip(".").split(".")))) if up else keys
        if _ANY not in whole:
            return [self._paths[whole]] if whole in self._paths else []
        pattern = re.compile(".*".join(map(re.escape, whole.split(_ANY))))
        return [named for name, named in self._paths.items() if pattern.fullmatch(name)]


def _resolvers(text: str) -> Iterator[str]:
    """Yield the functions that interpolations in a text call, ``${name:arguments}``."""
    starts: list[int] = []
    for at, sign in enumerate(text):
        if sign == "{":
            starts.append(at + 1 if text[at - 1 : at] == "$" else -1)
        elif sign == "}" and starts:
            starts.pop()
        elif sign == ":" and starts and starts[-1] >= 0:
            yield text[starts[-1] : at].strip()
            starts[-1] = -1


def _known_key(reason: str, data: dict[str, Any]) -> str:
    match = re.search(r"Interpolation key '([^']+)' not found", reason)
    return did_you_mean(match.group(1), [dotted(path) for path, _ in walk(data) if path]) if match else ""
