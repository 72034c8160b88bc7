#!/usr/bin/env python3
"""Writes docs/api.md: every public name of lightning_acts, with its signature and the first line of its docstring."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning_acts as acts
from lightning_acts import functional

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"
_HEAD = """\
# Public names

Made by `scripts/make_api.py`: every name of `lightning_acts`, with its signature and the first line of its docstring.
`help(acts.swap)` shows the rest. Names that are not here may change without notice.
"""
_WIDTH = 100


def page() -> str:
    """Return the page as it should be."""
    public = {name: getattr(acts, name) for name in sorted(acts._EXPORTS)}
    errors = [value for value in public.values() if inspect.isclass(value) and issubclass(value, Exception)]
    classes = [value for value in public.values() if inspect.isclass(value) and value not in errors]
    functions = [value for value in public.values() if not inspect.isclass(value)]
    results = list(filter(None, map(_result, functions)))
    used: dict[tuple[str, str], list[str]] = {}
    for value in filter(_is_made_by_users, (*functions, *classes)):
        for alias in _aliases(value):
            used.setdefault(alias, []).append(f"`{value.__name__}`")
    return "\n".join(
        [
            _HEAD,
            "## Functions\n",
            *(_entry(function) for function in functions),
            "## Classes\n",
            *(_entry(cls) for cls in classes),
            "## Results\n\nWhat functions return; nobody makes them.\n",
            *(_entry(cls) for cls in sorted(set(results) - set(classes), key=lambda cls: cls.__name__)),
            "## Errors\n",
            *(
                f"- `{error.__name__}({', '.join(base.__name__ for base in error.__bases__)})`: {summary(error)}"
                for error in errors
            ),
            f"\n## Activations as functions\n\n`functional`: {summary(functional)}\n",
            "## Types in signatures\n\n| name | stands for | in |\n|---|---|---|",
            *(
                "| `{}` | `{}` | {} |".format(name, definition.replace("|", "\\|"), ", ".join(where))
                for (name, definition), where in sorted(used.items())
            ),
            "",
        ]
    )


def summary(value: Any) -> str:
    """Return the first paragraph of a docstring in Markdown."""
    paragraph = (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")
    return re.sub(r":\w+:`([^`]+)`", r"`\1`", paragraph).replace("``", "`")


def signature(value: Any) -> str:
    """Return a signature as the source has it; an argument a line where one line does not hold them all."""
    found = inspect.signature(value)
    arguments = [
        parameter.replace(annotation=_Plain(parameter.annotation))
        for parameter in found.parameters.values()
        if parameter.name != "self"
    ]
    text = str(inspect.Signature(arguments)).replace("<factory>", "...")
    result = "" if inspect.isclass(value) else f" -> {found.return_annotation}"
    name: str = value.__name__
    if len(name + text + result) > _WIDTH:
        text = "(\n" + "".join(f"    {argument},\n" for argument in _arguments(text[1:-1])) + ")"
    return f"{name}{text}{result}"


class _Plain(str):
    """An annotation that is shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _arguments(text: str) -> Iterator[str]:
    """Split at the commas that stand in no brackets."""
    depth = start = 0
    for at, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and not depth:
            yield text[start:at]
            start = at + 2
    yield text[start:]


def _entry(value: Any) -> str:
    lines = [f"### `{value.__name__}`\n"]
    if _is_made_by_users(value):
        lines.append(f"```python\n{signature(value)}\n```\n")
    lines.append(f"{summary(value)}\n")
    if members := list(_members(value)) if inspect.isclass(value) else []:
        lines.append("\n".join(f"- {member}" for member in members) + "\n")
    return "\n".join(lines)


def _result(function: Any) -> type | None:
    """Return the class of this package that a function returns, if it does."""
    module = importlib.import_module(function.__module__)
    cls = getattr(module, str(inspect.signature(function).return_annotation), None)
    return cls if inspect.isclass(cls) and cls.__module__.startswith("lightning_acts") else None


def _is_made_by_users(value: Any) -> bool:
    return not any(name.startswith("_") for name in inspect.signature(value).parameters)


def _members(cls: type) -> Iterator[str]:
    """Describe what a class has of its own: hooks that it takes over from a base are no interface."""
    foreign = {name for base in cls.__mro__ if not base.__module__.startswith("lightning_acts") for name in vars(base)}
    if dataclasses.is_dataclass(cls) and not _is_made_by_users(cls):
        fields = [f"`{field.name}`" for field in dataclasses.fields(cls) if not field.name.startswith("_")]
        yield f"attributes: {', '.join(fields)}"
    for name in dir(cls):
        member = inspect.getattr_static(cls, name)
        if name.startswith("_") or name in foreign or not inspect.getdoc(member):
            continue
        if isinstance(member, property):
            yield f"`{name}`: {summary(member)}"
        elif callable(member) or isinstance(member, classmethod):
            call = signature(getattr(cls, name)).partition(" ->")[0]
            yield f"`{' '.join(call.split())}`: {summary(member)}"


def _aliases(value: Any) -> Iterator[tuple[str, str]]:
    """Find the types in a signature that this package defines, each with its definition in the source."""
    annotations = [parameter.annotation for parameter in inspect.signature(value).parameters.values()]
    if not inspect.isclass(value):
        annotations.append(inspect.signature(value).return_annotation)
    for name in set(re.findall(r"\b[A-Z]\w+", " ".join(map(str, annotations)))):
        if definition := _definition(name, value.__module__):
            yield name, definition


def _definition(name: str, module: str) -> str | None:
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and name in [alias.name for alias in node.names]:
            return _definition(name, node.module) if node.module.startswith("lightning_acts") else None
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, (ast.Subscript, ast.BinOp)):
            named = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(named, ast.Name) and named.id == name:
                return ast.unparse(node.value)
    return None


def main() -> int:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the page is out of date")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        print(f"{PAGE} is out of date: run {Path(__file__).name}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
