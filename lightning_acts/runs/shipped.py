"""What the head comment of a shipped config says: what it shows, what comes out, how to try it on a laptop."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_EXPECTED = re.compile(
    r"Expected: (?P<metric>\S+) (?P<mean>-?[\d.]+(?:e-?\d+)?) ± (?P<spread>[\d.]+(?:e-?\d+)?) over seeds 0, 1, 2; (?P<time>.+)"
)
_LAPTOP = re.compile(r"(?:On a laptop|To try it): lightning-acts train (?P<name>\S+) --dry-run(?P<overrides>.*)")


@dataclass(frozen=True)
class Expected:
    """The result of a config: a metric of the test, its mean and standard deviation over three seeds, and the time."""

    metric: str
    mean: float
    spread: float
    time: str

    @property
    def band(self) -> tuple[float, float]:
        """The values within which another seed, machine or version should be.

        Four standard deviations, and at least 2 % of the mean, for three seeds tell little about the spread.
        """
        half = max(4 * self.spread, 0.02 * abs(self.mean))
        return self.mean - half, self.mean + half


@dataclass(frozen=True)
class Head:
    """The head comment of a shipped config."""

    about: str
    expected: Expected | None
    #: Overrides for a dry run of a config for a large machine on a small one, or of one for data that are elsewhere.
    laptop: tuple[str, ...]


def read_head(path: Path) -> Head:
    r"""Read the head comment of a config.

    Raises:
        ValueError: It says nothing, or neither what comes out nor how to try it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.yaml")
        ...     _ = path.write_text("# Digits\n# Expected: test/acc 0.97 ± 0.01 over seeds 0, 1, 2; 9 s\nseed: 0\n")
        ...     read_head(path).expected
        Expected(metric='test/acc', mean=0.97, spread=0.01, time='9 s')
    """
    lines = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                break
            lines.append(line.lstrip("# ").rstrip())
    if not lines or not lines[0]:
        raise ValueError(f"{path} does not begin with a comment that says what it shows")
    expected = next(filter(None, map(_EXPECTED.fullmatch, lines)), None)
    laptop = next(filter(None, map(_LAPTOP.fullmatch, lines)), None)
    if expected is None and laptop is None:
        raise ValueError(
            f"{path}: its head comment has neither a line 'Expected: METRIC MEAN ± SPREAD over seeds 0, 1, 2; TIME' nor 'On a laptop: ...' or "
            "'To try it: ...'"
        )
    if laptop is not None and laptop["name"] != path.stem:
        raise ValueError(f"{path}: its head comment names {laptop['name']}, not {path.stem}")
    return Head(
        lines[0],
        Expected(expected["metric"], float(expected["mean"]), float(expected["spread"]), expected["time"])
        if expected
        else None,
        tuple(laptop["overrides"].split()) if laptop else (),
    )
