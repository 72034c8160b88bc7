"""Which sites a request means, and what it wants in their place."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, Union

from torch import nn

from lightning_acts import registry
from lightning_acts.hints import did_you_mean
from lightning_acts.registry import ActivationLike
from lightning_acts.spec import ActivationSpec
from lightning_acts.surgery.finding import Found, ModuleSite
from lightning_acts.surgery.plan import Request
from lightning_acts.surgery.report import LeftSite
from lightning_acts.surgery.site import ROLES, UNKNOWN, Site, SwapError, type_name

#: What a swap exchanges: activation -> replacement, or None to leave it alone. The left side is a name or spec string
#: (a name alone matches whatever the parameters) or a module class (exactly).
SwapMap: TypeAlias = Mapping[Any, Union[ActivationLike, None]]


class Rules:
    """A mapping, checked, with the limits on where it applies.

    Raises:
        SpecError: An activation on either side can't be understood.
        SwapError: A side can't take part in a swap, or a role is unknown.
    """

    def __init__(
        self,
        mapping: SwapMap,
        include: str | Sequence[str] | None,
        exclude: str | Sequence[str] | None,
        role: str | Sequence[str],
    ) -> None:
        if not isinstance(mapping, Mapping):
            raise SwapError(f"{mapping!r} is no mapping of activations, such as {{'relu': 'mish'}}, and no Plan")
        if not mapping:
            raise SwapError("the mapping is empty: give at least one pair, such as {'relu': 'mish'}")
        self.include, self.exclude = _texts(include, "include"), _texts(exclude, "exclude")
        given_roles = (role,) if isinstance(role, str) else tuple(role)
        for given in given_roles:
            if given not in ROLES:
                raise SwapError(f"there is no role {given!r}{did_you_mean(given, ROLES)} The roles: {', '.join(ROLES)}")
        self.roles = tuple(existing for existing in ROLES if existing in given_roles)
        self._patterns = [_Pattern.of(left) for left in mapping]
        twice = [name for name, count in Counter(pattern.name for pattern in self._patterns).items() if count > 1]
        if twice:
            raise SwapError(f"the mapping names {', '.join(twice)} twice")
        self.replacements = list(mapping.values())
        for replacement in self.replacements:
            refuse_as_replacement(replacement)

    def request(self) -> Request | None:
        """The rules as plain strings; None where a replacement has no spec."""
        names = [None if right is None else spec_or_none(right) for right in self.replacements]
        if any(name is None and right is not None for name, right in zip(names, self.replacements, strict=True)):
            return None
        lefts = [pattern.name for pattern in self._patterns]
        return Request(dict(zip(lefts, names, strict=True)), self.include, self.exclude, self.roles)

    def choose(
        self, found: Found, earlier: Sequence[str] = ()
    ) -> tuple[list[tuple[ModuleSite, Any]], list[LeftSite], list[str]]:
        """The sites to swap, each with its replacement; the sites to leave, each with the reason; notes.

        ``earlier`` are the swaps that the model has behind it, in words.

        Raises:
            SwapError: There is nothing to swap.
        """
        chosen: list[tuple[ModuleSite, Any]] = []
        left: list[LeftSite] = []
        used: Counter[int] = Counter()
        for located in found.modules:
            index = self._first_match(located.site)
            why = self._why_not(located.site, index)
            used.update([] if index is None else [index])
            if why is None and index is not None:
                chosen.append((located, self.replacements[index]))
            else:
                left.append(LeftSite(located.site, why or ""))
        for site in found.others:
            in_an = "kept in an attribute" if site.kind == "attribute" else "called in a forward"
            left.append(LeftSite(site, f"not swapped: a function {in_an}, not a module"))
        if not chosen:
            raise SwapError(self._nothing_to_swap(found, left, earlier))
        notes = [f"the model has no {pattern.name}" for index, pattern in enumerate(self._patterns) if not used[index]]
        for option, patterns in (("include", self.include), ("exclude", self.exclude)):
            idle = [p for p in patterns if not any(_any_path(site, [p]) for site in found.sites)]
            notes += [f"{option}={pattern!r} matches no site" for pattern in idle]
        return chosen, left, notes

    def matches(self, site: Site) -> bool:
        """Whether the left side of the mapping names the activation of this site, wherever it is."""
        index = self._first_match(site)
        return index is not None and self.replacements[index] is not None

    def _first_match(self, site: Site) -> int | None:
        return next((index for index, pattern in enumerate(self._patterns) if pattern.matches(site)), None)

    def _why_not(self, site: Site, index: int | None) -> str | None:
        if index is None:
            return "not in the mapping"
        if self.replacements[index] is None:
            return "mapped to None"
        if self.include and not _any_path(site, self.include):
            return "not included"
        if _any_path(site, self.exclude):
            return "excluded"
        if site.role not in self.roles:
            return f"its role is {site.role}: {site.reason}"
        return None

    def _nothing_to_swap(self, found: Found, left: list[LeftSite], earlier: Sequence[str]) -> str:
        wanted = ", ".join(pattern.name for pattern in self._patterns)
        kinds = Counter((site.activation, site.role, site.kind) for site in found.sites)
        have = ", ".join(f"{name} ({count} {role}, {kind})" for (name, role, kind), count in kinds.items())
        parts = [f"no site matches {wanted} with role {' or '.join(self.roles)}"]
        parts.append(f"the model has: {have}" if have else "the model has no activation module")
        if earlier:
            parts.append(f"it was swapped before ({'; '.join(earlier)})")
        matching = [
            entry for entry in left if entry.site.kind == "module" and self._first_match(entry.site) is not None
        ]
        others = sorted({entry.site.role for entry in matching if entry.site.role not in self.roles})
        for role in others:
            count = sum(entry.site.role == role for entry in matching)
            parts.append(f"{count} of the role {role} would match: acts.swap(model, {self._shown()}, role={role!r})")
        if matching and not others:
            parts.append("include= and exclude= leave none of those that match")
        if not any(site.kind == "function" for site in found.others):
            parts.append("example_input= shows the calls of functions such as F.relu in forwards")
        return "; ".join(parts)

    def _shown(self) -> str:
        pairs = zip(self._patterns, self.replacements, strict=True)
        return repr({pattern.name: describe(replacement) for pattern, replacement in pairs})


def refuse_as_replacement(replacement: Any) -> None:
    """Check that a replacement can be made, and that it keeps shapes.

    Raises:
        SpecError: It names no activation.
        SwapError: It changes shapes, or is a layer.
    """
    spec = None if replacement is None else spec_or_none(replacement)
    if spec is None:
        return
    definition = registry.info(ActivationSpec.parse(spec).name)
    if definition.kind == "gated":
        raise SwapError(
            f"{spec} changes the shape of its input ({definition.formula}): it can't stand in for another activation"
        )
    if definition.kind == "transfer":
        raise SwapError(f"{spec} is a layer with weights, no activation: it can't stand in for one")


def spec_or_none(activation: Any) -> str | None:
    """The spec string of a replacement; None for one that is not registered.

    Raises:
        SpecError: It is named by a name, spec or mapping that can't be understood.
    """
    if isinstance(activation, nn.Module):
        spec = registry.spec_of(activation)
        return None if spec is None else str(spec)
    if isinstance(activation, (str, Mapping, ActivationSpec)):
        return str(registry.resolve(activation))
    definition = registry.registered(activation)
    return None if definition is None else str(registry.resolve(activation))


def describe(activation: Any) -> str | None:
    """The spec string, or the name of the class or function where there is none."""
    if activation is None:
        return None
    owner = type(activation) if isinstance(activation, nn.Module) else activation
    return spec_or_none(activation) or type_name(owner)


@dataclass(frozen=True)
class _Pattern:
    """The left side of one pair: an activation with the parameters that it must have, a class, or the unknown."""

    name: str
    spec: ActivationSpec | None

    @classmethod
    def of(cls, left: Any) -> _Pattern:
        definition = registry.registered(left) if isinstance(left, type) else None
        if left == UNKNOWN or (isinstance(left, type) and definition is None):
            return cls(left if isinstance(left, str) else type_name(left), None)
        spec = registry.resolve_pattern(left if definition is None else definition.name)
        definition = registry.info(spec.name)
        if definition.kind == "transfer" or definition.name == "identity":
            raise SwapError(f"{spec.name!r} is never swapped: {definition.notes[0]}")
        return cls(str(spec), spec)

    def matches(self, site: Site) -> bool:
        if self.spec is None:
            return self.name in (site.activation, site.type)
        if site.activation == UNKNOWN:
            return False
        present = ActivationSpec.parse(site.activation)
        defaults = {parameter.name: parameter.default for parameter in registry.info(present.name).parameters}
        effective = {**defaults, **present.parameters}
        return present.name == self.spec.name and all(
            effective[key] == value for key, value in self.spec.parameters.items()
        )


def _any_path(site: Site, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for path in site.paths for pattern in patterns)


def _texts(value: str | Sequence[str] | None, name: str) -> tuple[str, ...]:
    texts = () if value is None else (value,) if isinstance(value, str) else tuple(value)
    for text in texts:
        if not isinstance(text, str):
            raise SwapError(f"{name}={value!r}: globs on paths are strings, such as 'head.*'")
    return texts
