"""HTML pages that this package writes, told from those of others."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

#: Stands in the head of each page.
GENERATOR = '<meta name="generator" content="lightning-acts">'


def written(template: str, **values: object) -> str:
    """Return a page made from one of the templates beside this file.

    Args:
        template: The name of the template.
        values: What it has places for, besides the head and the styles that pages share.

    Example:
        >>> GENERATOR in written("runs.html", summary="", head="", rows="", pictures="", runs="")
        True
    """
    here = files("lightning_acts.reports")
    text, page, tables = (
        here.joinpath(name).read_text(encoding="utf-8").rstrip("\n") for name in (template, "page.css", "tables.css")
    )
    return Template(f"{text}\n").substitute(generator=GENERATOR, style=page, tables=tables, **values)


def table_row(cells: Sequence[str]) -> str:
    """Return a row of a table of texts, whose first cell is its head.

    Example:
        >>> table_row(["relu", "< 1"])
        '<tr><th scope="row">relu</th><td>&lt; 1</td></tr>'
    """
    name, *others = map(escape, cells)
    return f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>'


def figure(picture: Path, title: str) -> str:
    """Return a PNG file as a part of a page, with a title."""
    content = base64.b64encode(picture.read_bytes()).decode()
    return (
        f'<figure><img src="data:image/png;base64,{content}" alt="{escape(title)}" loading="lazy">'
        f"<figcaption>{escape(title)}</figcaption></figure>"
    )


def is_ours(path: Path) -> bool:
    """Return whether a file is a page that this package wrote.

    Example:
        >>> is_ours(Path("no such file"))
        False
    """
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return GENERATOR.encode() in file.read(2000)
