"""Words for messages: suggestions for an unknown name, numbers of things, lists and long texts cut."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence


def did_you_mean(name: str, candidates: Iterable[str], prefix: str = "") -> str:
    """``"; did you mean 'x' or 'y'?"``, or a full stop where nothing is near.

    Args:
        name: What was given.
        candidates: The valid names; compared without regard to case, ``-`` and ``_``.
        prefix: Stands before each of them where they are shown.

    Example:
        >>> did_you_mean("mush", ["mish", "relu"])
        "; did you mean 'mish'?"
        >>> did_you_mean("max_epoch", ["max_epochs"], prefix="trainer.")
        "; did you mean 'trainer.max_epochs'?"
    """
    likeness: dict[str, float] = {}
    given = canonical(name)
    for candidate in candidates:
        other = canonical(candidate)
        ratio = difflib.SequenceMatcher(None, given, other).ratio()
        # Letters in another order are the commonest slip, which the ratio counts as two.
        swapped = given[:1] == other[:1] and sorted(given) == sorted(other)
        likeness[candidate] = max(ratio, 0.95) if swapped else ratio
    best = max(likeness.values(), default=0.0)
    near = [candidate for candidate, ratio in likeness.items() if ratio >= max(0.55, best - 0.12)]
    near.sort(key=lambda candidate: (-likeness[candidate], candidate))  # candidates may come from a set
    shown = [repr(prefix + candidate) for candidate in near[:3]]
    if not shown:
        return "."
    head, last = shown[:-1], shown[-1]
    return f"; did you mean {', '.join(head)} or {last}?" if head else f"; did you mean {last}?"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, singular or plural.

    Example:
        >>> counted(1, "call"), counted(2_000, "call")
        ('1 call', '2,000 calls')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return the first of some names, and how many more there are.

    Example:
        >>> listed(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def shortened(text: str, longest: int = 4000) -> str:
    """Return a message without the middle of what is too long to be read in it.

    Example:
        >>> len(shortened("no activation " + "x" * 100_000))
        137
    """
    words = re.sub(r"\S{301,}", lambda match: _cut(match[0], 60), text)
    return "\n".join(line if len(line) <= longest else _cut(line, longest // 3) for line in words.split("\n"))


def _cut(text: str, kept: int) -> str:
    return f"{text[:kept]}...{text[-kept:]}"


def canonical(name: str) -> str:
    """Return the form under which names are compared: lower case, without ``-``, ``_`` and spaces.

    Example:
        >>> canonical("Leaky-ReLU") == canonical("leaky_relu")
        True
    """
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")
