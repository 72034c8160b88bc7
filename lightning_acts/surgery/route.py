"""The way from a method of a module to a call, as plain data.

A route is read off the source of the module's class, or built from the frames of a call that was seen to run; both give
the same. It names functions and expressions, not objects: it can be kept in a file, and found again in a class.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One expression on the way: the function that holds it, its place counted from there, and its text."""

    function: str
    line: int
    column: int
    code: str


@dataclass(frozen=True)
class Route:
    """The way to a call: the first step lies in a method of the module, the last one is the call itself.

    Attributes:
        steps: Each but the last is a reference to the function in which the next one lies.
        callee: The import path of the function that is called; ``self.NAME`` for a child of the module.
    """

    steps: tuple[Step, ...]
    callee: str

    @property
    def child(self) -> str | None:
        """The name of the child that is called; None for a function."""
        return self.callee.removeprefix("self.") if self.callee.startswith("self.") else None
