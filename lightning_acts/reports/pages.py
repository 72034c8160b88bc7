"""HTML pages that this package writes, told from those of others."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template

#: Stands in the head of each page.
GENERATOR = '<meta name="generator" content="lightning-acts">'


def written(template: str, **values: object) -> str:
    """Return a page made from one of the templates beside this file.

    Args:
        template: The name of the template.
        values: What it has places for, besides the head and the style that all pages share.

    Example:
        >>> GENERATOR in written("runs.html", summary="", head="", rows="", pictures="", runs="")
        True
    """
    here = files("lightning_acts.reports")
    text, style = (here.joinpath(name).read_text(encoding="utf-8") for name in (template, "page.css"))
    return Template(text).substitute(generator=GENERATOR, style=style.rstrip(), **values)


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
