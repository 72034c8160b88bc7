"""What a swap does, as plain strings: kept in reports, files and checkpoints, applied again to a fresh model."""

from __future__ import annotations

import json
import math
import os
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from lightning_acts.errors import SwapError
from lightning_acts.files import write_whole
from lightning_acts.hints import did_you_mean
from lightning_acts.surgery.blend import ParameterPath
from lightning_acts.surgery.request import SwapRequest
from lightning_acts.surgery.route import Route, Step

_VERSION = 1
#: Bytes of the largest file that is read: many times what a model of ten thousand sites needs.
_LARGEST = 32_000_000


@dataclass(frozen=True)
class BlendState:
    """How far a replacement has taken over from what stood there: from 0, not yet, to 1, wholly.

    Attributes:
        amount: The part of the replacement.
        path: The parameter of the replacement that moves meanwhile, if it is not the two outputs that are blended.
    """

    amount: float
    path: ParameterPath | None = None


@dataclass(frozen=True)
class PlannedSite:
    """One exchange: all paths of a site, the activation that stood there, the one that takes its place.

    ``route`` leads to a call in the code of a module; modules and attributes have none. ``blend`` tells how far the one
    has taken over from the other, where a scheduled swap has not come to its end.
    """

    paths: tuple[str, ...]
    original: str
    replacement: str
    route: Route | None = None
    blend: BlendState | None = None


@dataclass(frozen=True)
class Plan:
    """What a swap did, site by site; ``acts.swap(fresh_model, plan)`` does it again.

    Example:
        >>> import lightning_acts as acts
        >>> from torch import nn
        >>> report = acts.swap(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), {"relu": "mish"})
        >>> [(site.paths, site.original, site.replacement) for site in report.plan.sites]
        [(('1',), 'relu', 'mish')]
        >>> acts.Plan.from_dict(report.plan.to_dict()) == report.plan
        True
    """

    request: SwapRequest
    sites: tuple[PlannedSite, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain data: strings, lists and dictionaries."""
        return {
            "version": _VERSION,
            "request": self.request.to_dict(),
            "sites": [_site_to_dict(site) for site in self.sites],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str = "the plan") -> Plan:
        """Return the inverse of :meth:`to_dict`; ``source`` names the origin of the data in errors.

        Raises:
            SwapError: The data is no plan, or one of a newer version.
        """
        version = data.get("version") if isinstance(data, Mapping) else None
        if version is None:
            raise SwapError(f"{source} is not a plan of a swap: it has no version")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise SwapError(f"{source}: version: {_shown(version)} is not a version of plans; the first is 1")
        if version > _VERSION:
            raise SwapError(
                f"{source} has version {version}, and this lightning-acts reads versions up to {_VERSION}: "
                "it was written by a newer one; upgrade with 'pip install -U lightning-acts'"
            )
        _check(data, {"version": None, **_PLAN}, source, "")
        request = SwapRequest.from_dict(data["request"], f"{source}: request")
        plan = cls(request, tuple(map(_site_from_dict, data["sites"])))
        for problem in _repeated(plan.sites):
            raise SwapError(f"{source}: {problem}")
        return plan

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the plan as JSON, or as YAML if the suffix is ``.yaml`` or ``.yml``; an existing file is replaced whole.

        Raises:
            SwapError: The suffix is another one.
        """
        return write_data(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Plan:
        """Read a plan that :meth:`save` wrote, or that somebody wrote by hand.

        Raises:
            SwapError: The file holds no plan, or one of a newer version; the message names the file and the key.
            FileNotFoundError: There is no such file.
        """
        return cls.from_dict(read_data(path), source=os.fspath(path))


def write_data(path: str | os.PathLike[str], data: Mapping[str, Any]) -> Path:
    """Write plain data as JSON or YAML, by the suffix, whole or not at all.

    Raises:
        SwapError: The suffix is another one.
    """
    target = Path(path)
    text = yaml.safe_dump(data, sort_keys=False) if _is_yaml(target) else json.dumps(data, indent=2) + "\n"
    write_whole(target, text)
    return target


def read_data(path: str | os.PathLike[str]) -> Any:
    """Read what :func:`write_data` wrote.

    Raises:
        SwapError: It is neither JSON nor YAML, as the suffix has it, or far too large or nested too deep for what is
            written by :func:`write_data`.
        FileNotFoundError: There is no such file.
    """
    source, is_yaml = os.fspath(path), _is_yaml(Path(path))
    if Path(path).is_dir():
        raise SwapError(f"{source} is a folder, not a file")
    size = Path(path).stat().st_size
    if size > _LARGEST:
        raise SwapError(f"{source} has {size:,} bytes: it is not a plan of a swap; those have {_LARGEST:,} at most")
    try:
        text = Path(path).read_text(encoding="utf-8")
        return yaml.safe_load(text) if is_yaml else json.loads(text)
    except RecursionError:
        raise SwapError(f"{source} is nested too deep: it is not a plan of a swap") from None
    except (ValueError, yaml.YAMLError) as error:  # among them numbers of too many digits
        raise SwapError(f"{source} is not {'YAML' if is_yaml else 'JSON'}: {error}") from None


def _is_yaml(path: Path) -> bool:
    if path.suffix not in (".json", ".yaml", ".yml"):
        raise SwapError(f"{path}: the suffix of a plan says how it is written: .json, .yaml or .yml")
    return path.suffix != ".json"


def _site_to_dict(site: PlannedSite) -> dict[str, Any]:
    data: dict[str, Any] = {"paths": list(site.paths), "original": site.original, "replacement": site.replacement}
    if site.blend is not None:
        path = site.blend.path
        data["blend"] = {"amount": site.blend.amount, **({} if path is None else {"path": asdict(path)})}
    if site.route is None:
        return data
    return {**data, "steps": [asdict(step) for step in site.route.steps], "callee": site.route.callee}


def _site_from_dict(data: Mapping[str, Any]) -> PlannedSite:
    steps = tuple(Step(**step) for step in data.get("steps", ()))
    route = Route(steps, data.get("callee", "")) if steps else None
    state = data.get("blend")
    blend = None
    if state is not None:
        blend = BlendState(float(state["amount"]), ParameterPath(**state["path"]) if "path" in state else None)
    return PlannedSite(tuple(data["paths"]), data["original"], data["replacement"], route, blend)


def _repeated(sites: Sequence[PlannedSite]) -> Iterator[str]:
    """Yield what is wrong where one place is named twice."""
    seen: dict[Any, int] = {}
    for index, site in enumerate(sites):
        owner = site.paths[0].rpartition("/")[0].rpartition("/")[0]
        # A call is known by its way, wherever it stands among the others.
        places = site.paths if site.route is None else ((owner, site.route),)
        for place in places:
            earlier = seen.setdefault(place, index)
            if earlier != index or places.count(place) > 1:
                yield f"sites[{index}].paths: {site.paths[0]!r} is named twice, by sites[{earlier}] too"


def _check(data: Any, schema: Any, source: str, key: str) -> None:
    """Compare plain data with a schema: a mapping of keys, a list of one element, or the words for what is allowed."""
    where = f"{source}: {key}" if key else source
    if schema is None:
        return
    if isinstance(schema, Mapping):
        if not isinstance(data, Mapping):
            raise SwapError(f"{where} holds {', '.join(schema)}, not {_shown(data)}")
        for name in data:
            if name not in schema:
                raise SwapError(f"{source}: there is no key {_joined(key, name)!r}{did_you_mean(str(name), schema)}")
        for name, inner in schema.items():
            if name in data:
                _check(data[name], inner, source, _joined(key, name))
            elif name not in _OPTIONAL:
                raise SwapError(f"{where} has no {name!r}" if key else f"{source} is not a plan of a swap: no {name!r}")
    elif isinstance(schema, list):
        if not isinstance(data, list):
            raise SwapError(f"{where} is a list, not {_shown(data)}")
        if not data and key.endswith("].paths"):
            raise SwapError(f"{where} is empty: a site has one path at least")
        for index, element in enumerate(data):
            _check(element, schema[0], source, f"{key}[{index}]")
    elif reason := schema(data):
        raise SwapError(f"{where}: {_shown(data)} {reason}")


def _shown(data: Any) -> str:
    """Return the text of a value, cut where it is long."""
    return reprlib.repr(data)


def _joined(key: str, name: object) -> str:
    return f"{key}.{name}" if key else str(name)


def _text(value: Any) -> str | None:
    quote = "; put it in quotes" if isinstance(value, (int, float)) else ""
    return None if isinstance(value, str) else f"is not a text{quote}"


def _name(value: Any) -> str | None:
    return _text(value) or (None if value.strip() else "is empty")


def _number(value: Any) -> str | None:
    return None if isinstance(value, int) and not isinstance(value, bool) else "is not a whole number"


def _real(value: Any) -> str | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return None if is_number else "is not a number"


def _amount(value: Any) -> str | None:
    return _real(value) or (None if 0 <= value <= 1 else "is not between 0 and 1")


_PLAN: Mapping[str, Any] = {
    "request": None,  # which checks itself
    "sites": [
        {
            "paths": [_name],
            "original": _name,
            "replacement": _name,
            "steps": [{"function": _text, "line": _number, "column": _number, "code": _text}],
            "callee": _text,
            "blend": {"amount": _amount, "path": {"parameter": _name, "start": _real, "end": _real}},
        }
    ],
}
#: What a plan written by hand may leave out.
_OPTIONAL = {"steps", "callee", "blend", "path"}
