"""One place in a model that applies an activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

SiteKind = Literal["module", "function", "method", "attribute"]
Role = Literal["hidden", "gate", "attention", "output"]
ROLES: tuple[Role, ...] = ("hidden", "gate", "attention", "output")

#: Stands in for the activation of a site whose curve is none of the registered ones.
UNKNOWN_ACTIVATION = "unknown activation"


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
        blend: In words, two activations of which one is to take over during training, and how far it has; None elsewhere.
    """

    path: str
    paths: tuple[str, ...]
    kind: SiteKind
    activation: str
    role: Role
    reason: str
    type: str
    calls: int | None = None
    location: str | None = None
    blend: str | None = None

    @property
    def shown(self) -> str:
        """What stands there, for people."""
        return self.blend or self.activation

    @property
    def original(self) -> str:
        """What a plan calls it: the spec, or the type where the activation is unknown."""
        return self.type if self.activation == UNKNOWN_ACTIVATION else self.activation

    def __str__(self) -> str:
        also = f" (= {', '.join(self.paths[1:])})" if len(self.paths) > 1 else ""
        where = f" at {self.location}" if self.location else ""
        return f"{self.path}{also}: {self.shown}, {self.kind}, {self.role} ({self.reason}){where}"

    def to_dict(self) -> dict[str, Any]:
        """Return the site as plain data for JSON."""
        return {**vars(self), "paths": list(self.paths)}


@dataclass(frozen=True)
class LeftSite:
    """A site that was left as it was, and what kept it from being swapped."""

    site: Site
    obstacle: str
