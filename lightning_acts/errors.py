"""The base of all errors of this package, and those that several of its modules raise."""

from __future__ import annotations

from typing import ClassVar


class ActsError(Exception):
    """Something can't be done as asked; the base of all errors that this package defines.

    Attributes:
        exit_status: With what the command line ends: 1 for a failure, 2 where what was given is wrong.
    """

    exit_status: ClassVar[int] = 1


class SwapError(ActsError, ValueError):
    """A swap, its undoing or its replay can't be done as asked; the model is as it was."""

    exit_status = 2
