"""One place in a model that applies an activation."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from torch.overrides import resolve_name

Kind = Literal["module", "function", "method", "attribute"]
Role = Literal["hidden", "gate", "attention", "output"]
ROLES: tuple[Role, ...] = ("hidden", "gate", "attention", "output")

#: Stands in for the activation of a site whose curve is none of the registered ones.
UNKNOWN = "unknown activation"


class SwapError(ValueError):
    """A swap, its undoing or its replay can't be done as asked; the model is as it was."""


@dataclass(frozen=True)
class Disagreement:
    """A place where a swapped model executes something else than was promised."""

    path: str
    promised: str
    executed: str

    def __str__(self) -> str:
        return f"{self.path or 'the model itself'}: promised {self.promised}; executed {self.executed}"


class VerificationError(SwapError):
    """A swapped model does not execute what its swaps promised.

    Attributes:
        disagreements: Every place, with what was promised and what was executed.
    """

    def __init__(self, disagreements: Sequence[Disagreement]) -> None:
        self.disagreements = tuple(disagreements)
        super().__init__("the swap does not hold. " + ". ".join(map(str, self.disagreements)))


@dataclass(frozen=True)
class Site:
    """One place in a model that applies an activation; plain data.

    Attributes:
        path: Where it is: the module's name in the model, or ``owner/function/index`` for a call in a forward.
        paths: All its names; more than one for a module that hangs under several parents.
        kind: ``module``; ``function`` for a call such as ``F.relu(x)``, ``method`` for ``x.relu()``; ``attribute`` for
            a function kept in one.
        activation: Its spec as a string, or ``"unknown activation"``.
        role: ``hidden``; ``gate``, ``attention`` or ``output`` for those that a swap leaves alone unless told.
        reason: Why it has this role.
        type: The module's class or the function, as ``package.module.Name``.
        calls: How often it ran in one pass over the example input; None without one.
        location: ``file:line`` of a call in a forward; None for modules.
    """

    path: str
    paths: tuple[str, ...]
    kind: Kind
    activation: str
    role: Role
    reason: str
    type: str
    calls: int | None = None
    location: str | None = None

    @property
    def original(self) -> str:
        """What a plan calls it: the spec, or the type where the activation is unknown."""
        return self.type if self.activation == UNKNOWN else self.activation

    def __str__(self) -> str:
        also = f" (= {', '.join(self.paths[1:])})" if len(self.paths) > 1 else ""
        where = f" at {self.location}" if self.location else ""
        return f"{self.path}{also}: {self.activation}, {self.kind}, {self.role} ({self.reason}){where}"

    def to_dict(self) -> dict[str, Any]:
        """The site as plain data for JSON."""
        return {**vars(self), "paths": list(self.paths)}


def module_name(name: str) -> str:
    """Return the name by which a module is imported, also of the script that runs: as which its file is imported.

    A script's module is called ``__main__``, and ``__mp_main__`` in the processes that it spawns.
    """
    if name not in ("__main__", "__mp_main__"):
        return name
    module = sys.modules.get(name)
    spec, file = getattr(module, "__spec__", None), getattr(module, "__file__", None)
    return spec.name if spec is not None else Path(file).stem if file else "__main__"


def imported(name: str) -> ModuleType | None:
    """Return the module of a name, if it is imported or is the script that runs."""
    if name not in sys.modules and name == module_name("__main__"):
        return sys.modules["__main__"]
    return sys.modules.get(name)


def type_name(cls: Any) -> str:
    """``package.module.Name`` of a class or function; a function of torch under its public name."""
    public = None if isinstance(cls, type) or not isinstance(cls, Hashable) else resolve_name(cls)
    if public is not None:
        return str(public)
    module = getattr(cls, "__module__", None)
    name = getattr(cls, "__qualname__", None) or getattr(cls, "__name__", repr(cls))
    name = str(name).removeprefix("_VariableFunctionsClass.")
    return f"{module_name(module)}.{name}" if module else name
