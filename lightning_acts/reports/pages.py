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
        >>> GENERATOR in written("runs.html", table="", pictures="", runs="")
        True
    """
    here = files("lightning_acts.reports")
    text, page, tables = (
        here.joinpath(name).read_text(encoding="utf-8").rstrip("\n") for name in (template, "page.css", "tables.css")
    )
    return Template(f"{text}\n").substitute(generator=GENERATOR, style=page, tables=tables, **values)


def table(cells: Sequence[Sequence[str]], caption: str) -> str:
    """Return a table of texts, its first row and its first column the heads, that is scrolled where it is too wide.

    Example:
        >>> "<td>&lt; 1</td>" in table([["activation", "loss"], ["relu", "< 1"]], "Finalists")
        True
    """
    head, *rows = ([escape(cell) for cell in row] for row in cells)
    columns = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    lines = (
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>'
        for name, *others in rows
    )
    return "\n".join(
        (
            f'<div class="table" role="region" aria-label="{escape(caption)}" tabindex="0"><table>',
            f"<caption>{escape(caption)}</caption>",
            f"<thead><tr>{columns}</tr></thead>",
            "<tbody>",
            *lines,
            "</tbody>",
            "</table></div>",
        )
    )


def figure(picture: Path, title: str, alt: str | None = None) -> str:
    """Return a PNG file as a part of a page, with a title, and with words in its place for who can't see it."""
    content = base64.b64encode(picture.read_bytes()).decode()
    return (
        f'<figure><img src="data:image/png;base64,{content}" alt="{escape(alt or title)}" loading="lazy">'
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
