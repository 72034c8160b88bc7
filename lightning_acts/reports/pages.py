"""HTML pages that this package writes, told from those of others."""

from __future__ import annotations

from pathlib import Path

#: Stands in the head of each page.
GENERATOR = '<meta name="generator" content="lightning-acts">'


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
