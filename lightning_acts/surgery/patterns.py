"""Paths of sites as a user writes them: exact, as a glob, or after ``re:`` as a regular expression."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lightning_acts.errors import SwapError
from lightning_acts.hints import did_you_mean
from lightning_acts.surgery.site import Site
from lightning_acts.surgery.wrappers import plain_path

_REGEX = "re:"


@dataclass(frozen=True)
class PathPattern:
    """One of the three; compared with the paths that a site has without the prefixes of wrappers.

    A ``*`` crosses dots. A regular expression must match the whole path.
    """

    text: str

    def __post_init__(self) -> None:
        try:
            re.compile(self.text.removeprefix(_REGEX) if self.text.startswith(_REGEX) else "")
        except re.error as error:
            raise SwapError(f"{self.text!r} is no regular expression: {error}") from None

    def matches(self, site: Site) -> bool:
        """Check whether one of the paths of a site is meant."""
        if self.text.startswith(_REGEX):
            regex = re.compile(self.text.removeprefix(_REGEX))
            return any(regex.fullmatch(path) for path in site.paths)
        plain = plain_path(self.text)
        return any(path == plain or fnmatch.fnmatchcase(path, plain) for path in site.paths)

    def hint(self, sites: Sequence[Site]) -> str:
        """Return the half-sentence for a pattern that matches none of the sites."""
        paths = [path for site in sites for path in site.paths]
        if self.text.startswith(_REGEX) or any(sign in self.text for sign in "*?["):
            return "."
        below = sum(path.startswith((f"{self.text}.", f"{self.text}/")) for path in paths)
        if below:
            within = "1 site" if below == 1 else f"{below} sites"
            return f"; {within} within it: {self.text + '*'!r}"
        return did_you_mean(self.text, paths)


def looks_like_path(text: str) -> bool:
    """Check whether a text has a sign that paths and patterns have, and specs of activations have not."""
    return text.startswith(_REGEX) or ("(" not in text and any(sign in text for sign in "./*?["))


def patterns(value: str | Sequence[str] | None, name: str) -> tuple[PathPattern, ...]:
    """Return the patterns of an option such as ``include=``.

    Raises:
        SwapError: One is no string, or its regular expression is wrong.
    """
    texts = () if value is None else (value,) if isinstance(value, str) else tuple(value)
    for text in texts:
        if not isinstance(text, str):
            raise SwapError(f"{name}={value!r}: paths and globs on paths are strings, such as 'head.*'")
    return tuple(map(PathPattern, texts))


def any_matches(site: Site, candidates: Iterable[PathPattern]) -> bool:
    """Check whether one of the patterns means the site."""
    return any(pattern.matches(site) for pattern in candidates)
