"""The half-sentence that an error about an unknown name ends with."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """``"; did you mean 'x' or 'y'?"``, or a full stop where nothing is near.

    Args:
        name: What was given.
        candidates: The valid names; compared without regard to case, ``-`` and ``_``.

    Example:
        >>> did_you_mean("mush", ["mish", "relu"])
        "; did you mean 'mish'?"
    """
    by_key = {canonical(candidate): candidate for candidate in candidates}
    matches = [repr(by_key[key]) for key in difflib.get_close_matches(canonical(name), by_key, n=3, cutoff=0.55)]
    if not matches:
        return "."
    head, last = matches[:-1], matches[-1]
    return f"; did you mean {', '.join(head)} or {last}?" if head else f"; did you mean {last}?"


def canonical(name: str) -> str:
    """The form under which names are compared: lower case, without ``-``, ``_`` and spaces.

    Example:
        >>> canonical("Leaky-ReLU") == canonical("leaky_relu")
        True
    """
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")
