"""What a swap does, as plain strings: kept in reports, files and checkpoints, applied again to a fresh model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lightning_acts.surgery.site import ROLES, Role, SwapError

_VERSION = 1


@dataclass(frozen=True)
class Request:
    """What was asked of a swap, every activation by its spec; ``None`` on the right side means: leave these alone."""

    map: Mapping[str, str | None]
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    role: tuple[Role, ...] = ("hidden",)

    def __str__(self) -> str:
        return ", ".join(f"{left} -> {right}" for left, right in self.map.items())


@dataclass(frozen=True)
class PlannedSite:
    """One exchange: all the paths of a module, the activation that stood there, the one that takes its place."""

    paths: tuple[str, ...]
    original: str
    replacement: str


@dataclass(frozen=True)
class Plan:
    """What a swap did, site by site; ``acts.swap(fresh_model, plan)`` does it again.

    Example:
        >>> import lightning_acts as acts
        >>> from torch import nn
        >>> report = acts.swap(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), {"relu": "mish"})
        >>> report.plan.sites
        (PlannedSite(paths=('1',), original='relu', replacement='mish'),)
        >>> acts.Plan.from_dict(report.plan.to_dict()) == report.plan
        True
    """

    request: Request
    sites: tuple[PlannedSite, ...]

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain data: strings, lists and dictionaries."""
        return {
            "version": _VERSION,
            "request": {**_listed(self.request), "map": dict(self.request.map)},
            "sites": [_listed(site) for site in self.sites],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str = "the plan") -> Plan:
        """The inverse of :meth:`to_dict`; ``source`` names the origin of the data in errors.

        Raises:
            SwapError: The data is no plan, or one of a newer version.
        """
        version = data.get("version") if isinstance(data, Mapping) else None
        if not isinstance(version, int):
            raise SwapError(f"{source} is no plan of a swap: it has no version")
        if version > _VERSION:
            raise SwapError(
                f"{source} has version {version}, and this lightning-acts reads versions up to {_VERSION}: "
                "it was written by a newer one; upgrade with 'pip install -U lightning-acts'"
            )
        try:
            request = data["request"]
            role = tuple(request["role"])
            if not set(role) <= set(ROLES):
                raise ValueError(f"unknown role in {role}")
            return cls(
                Request(
                    {str(left): None if right is None else str(right) for left, right in request["map"].items()},
                    tuple(map(str, request["include"])),
                    tuple(map(str, request["exclude"])),
                    role,
                ),
                tuple(
                    PlannedSite(tuple(map(str, site["paths"])), str(site["original"]), str(site["replacement"]))
                    for site in data["sites"]
                ),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise SwapError(f"{source} is no plan of a swap: {type(error).__name__}: {error}") from None

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the plan as JSON; an existing file is replaced whole."""
        target = Path(path)
        unfinished = target.with_name(f".{target.name}.{os.getpid()}")
        unfinished.write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")
        unfinished.replace(target)
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Plan:
        """Read a plan that :meth:`save` wrote.

        Raises:
            SwapError: The file holds no plan, or one of a newer version.
            FileNotFoundError: There is no such file.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise SwapError(f"{os.fspath(path)} is not JSON: {error}") from None
        return cls.from_dict(data, source=os.fspath(path))


def _listed(data: Any) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
            for key, value in asdict(data).items()}  # fmt: skip
