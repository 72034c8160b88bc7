"""Which sites a request means, and what it wants in their place."""

from __future__ import annotations

import contextlib
import inspect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, Union

from torch import nn

from lightning_acts import factory, registry
from lightning_acts.factory import ActivationLike
from lightning_acts.hints import did_you_mean
from lightning_acts.spec import ActivationSpec, SpecError
from lightning_acts.surgery.example import plain_path
from lightning_acts.surgery.exchanging.patterns import PathPattern, any_matches, looks_like_path, patterns
from lightning_acts.surgery.finding.sites import CallSite, Found, Located
from lightning_acts.surgery.naming import describe, spec_or_none
from lightning_acts.surgery.plan import SHARES, Request
from lightning_acts.surgery.recognizing.calls import name_of
from lightning_acts.surgery.site import ROLES, UNKNOWN, LeftSite, Site, SwapError

#: What a swap exchanges. On the left: an activation (a name alone matches whatever its parameters), a path, a glob on
#: paths, ``re:`` and a regular expression, a class, or ``"unknown activation"``. On the right: the replacement, a
#: function of the site that gives it, or None to leave the site alone.
SwapMap: TypeAlias = Mapping[Any, Union[ActivationLike, Callable[[Site], Any], None]]


class Rules:
    """A mapping, checked, with the limits on where it applies.

    Args:
        mapping: The pairs.
        include: Patterns on paths; if given, one must match.
        exclude: Patterns on paths, none of which may match.
        role: The roles of the sites that are meant.
        where: A test of sites, beside the patterns.
        share: How many instances a replacement has.
        write_back: Whether what a call writes into its input is still written there, where somebody reads it.
        model: Whose paths may stand on the left as plain names, as ``"1"`` in a Sequential; None if it isn't known yet.

    Raises:
        SpecError: An activation on either side can't be understood.
        SwapError: A side can't take part in a swap, or an option is wrong.
    """

    def __init__(
        self,
        mapping: SwapMap,
        include: str | Sequence[str] | None,
        exclude: str | Sequence[str] | None,
        role: str | Sequence[str],
        where: Callable[[Site], bool] | None = None,
        share: str = "site",
        write_back: bool = True,
        model: nn.Module | None = None,
    ) -> None:
        if not isinstance(mapping, Mapping):
            raise SwapError(f"{mapping!r} is no mapping of activations, such as {{'relu': 'mish'}}, and no Plan")
        if not mapping:
            raise SwapError("the mapping is empty: give at least one pair, such as {'relu': 'mish'}")
        self.include, self.exclude = patterns(include, "include"), patterns(exclude, "exclude")
        given_roles = (role,) if isinstance(role, str) else tuple(role)
        for given in given_roles:
            if given not in ROLES:
                raise SwapError(f"there is no role {given!r}{did_you_mean(given, ROLES)} The roles: {', '.join(ROLES)}")
        self.roles = tuple(existing for existing in ROLES if existing in given_roles)
        if where is not None and not callable(where):
            raise SwapError(f"where={where!r} is no function of a site: globs on paths are for include= and exclude=")
        if share not in SHARES:
            raise SwapError(
                f"share={share!r}: one instance for each 'call', for each 'place' where a module hangs, for each 'site', "
                f"or one for 'all' of them{did_you_mean(str(share), SHARES)}"
            )
        if not isinstance(write_back, bool):
            raise SwapError(f"write_back={write_back!r}: True or False")
        self._where, self.share, self.write_back = where, share, write_back
        self._patterns = [_Pattern.of(left, model) for left in mapping]
        twice = [name for name, count in Counter(pattern.name for pattern in self._patterns).items() if count > 1]
        if twice:
            raise SwapError(f"the mapping names {', '.join(twice)} twice")
        self.replacements = list(mapping.values())
        for replacement in self.replacements:
            if not is_function_of_site(replacement):
                refuse_as_replacement(replacement)

    def request(self) -> Request | None:
        """The rules as plain strings; None where they hold a function, or a replacement that has no spec."""
        if self._where is not None or any(map(is_function_of_site, self.replacements)):
            return None
        names = [None if right is None else spec_or_none(right) for right in self.replacements]
        if any(name is None and right is not None for name, right in zip(names, self.replacements, strict=True)):
            return None
        return self._request(dict(zip((pattern.name for pattern in self._patterns), names, strict=True)))

    def request_for(self, chosen: Sequence[tuple[Located, Any]]) -> Request | None:
        """The rules as plain strings, if need be path by path; None where a replacement has no spec."""
        request = self.request()
        if request is not None:
            return request
        names = {located.site.path: spec_or_none(replacement) for located, replacement in chosen}
        return None if None in names.values() else self._request(names)

    def _request(self, names: Mapping[str, str | None]) -> Request:
        include, exclude = (tuple(p.text for p in group) for group in (self.include, self.exclude))
        return Request(names, include, exclude, self.roles, self.share, self.write_back)

    def choose(
        self, found: Found, earlier: Sequence[str] = ()
    ) -> tuple[list[tuple[Located, Any]], list[LeftSite], list[str]]:
        """The sites to swap, each with its replacement; the sites to leave, each with the reason; notes.

        ``earlier`` are the swaps that the model has behind it, in words.

        Raises:
            SwapError: There is nothing to swap, or a function of a site gave what is no activation.
        """
        chosen: list[tuple[Located, Any]] = []
        left: list[LeftSite] = []
        used: Counter[int] = Counter()
        for located in found.located:
            index = self._first_match(located.site)
            why = self._why_not(located.site, index) or located.why_not()
            if index is None and located.site.activation == UNKNOWN:  # it may be one of those that were meant
                why = located.why_not() or why
            used.update([] if index is None else [index])
            replacement = None if index is None or why else self._replacement(located.site, index)
            if replacement is None:
                left.append(LeftSite(located.site, why or "mapped to None"))
            else:
                chosen.append((located, replacement))
        left += found.others
        if not chosen:
            raise SwapError(self._nothing_to_swap(found, left, earlier))
        return chosen, left, self._notes(found, used)

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
        if self.include and not any_matches(site, self.include):
            return "not included"
        if any_matches(site, self.exclude):
            return "excluded"
        if site.role not in self.roles:
            return f"its role is {site.role}: {site.reason}"
        if self._where is not None and not self._where(site):
            return "where= says no"
        return None

    def _replacement(self, site: Site, index: int) -> Any:
        replacement: Any = self.replacements[index]
        if is_function_of_site(replacement):
            given = replacement(site)
            try:
                refuse_as_replacement(given)
            except (SpecError, SwapError) as error:
                raise type(error)(f"the function of the site {site.path} gave {given!r}: {error}") from error
            replacement = given
        return None if replacement is None else _with_dim_of(site, replacement)

    def _notes(self, found: Found, used: Counter[int]) -> list[str]:
        notes = []
        for index, pattern in enumerate(self._patterns):
            if used[index]:
                continue
            if any(pattern.matches(site) for site in found.sites):
                notes.append(f"{pattern.name}: every site that it matches is matched by a pair before it")
            elif pattern.path is None:
                notes.append(f"the model has no {pattern.name}")
            else:
                notes.append(f"{pattern.name!r} matches no site{_hint(pattern.path, found)}")
        return [*notes, *self._idle_limits(found), *self._notes_on_places(found)]

    def _notes_on_places(self, found: Found) -> list[str]:
        """What a pattern that names some places of a module does to its others."""
        notes = []
        for site in (one.site for one in found.located if not isinstance(one, CallSite)):
            if len(site.paths) == 1 or not self.matches(site):
                continue
            groups = (
                ("the mapping", [p.path for p in self._patterns if p.path is not None], "swapped"),
                ("include=", self.include, "swapped"),
                ("exclude=", self.exclude, "left"),
            )
            for what, group, done in groups:
                named = [path for path in site.paths if any_matches(replace(site, paths=(path,)), group)]
                if group and 0 < len(named) < len(site.paths):
                    notes.append(
                        f"{named[0]}: one module that hangs in {len(site.paths)} places, of which {what} names "
                        f"{len(named)}; all are {done}. share='place' gives each place a module of its own"
                    )
        return notes

    def _nothing_to_swap(self, found: Found, left: list[LeftSite], earlier: Sequence[str]) -> str:
        wanted = ", ".join(pattern.name for pattern in self._patterns)
        matching = [entry for entry in left if self._first_match(entry.site) is not None]
        others = sorted({entry.site.role for entry in matching if entry.site.role not in self.roles})
        fitting = [entry for entry in matching if entry.site.role in self.roles]
        if fitting:
            parts = self._idle_limits(found)
            whys = ", ".join(sorted({entry.why for entry in fitting}))
            parts.append(f"none of the sites that match {wanted} can be swapped ({len(fitting)}): {whys}")
        else:
            parts = [f"no site matches {wanted} with role {' or '.join(self.roles)}"]
        kinds = Counter((site.activation, site.role, site.kind) for site in found.sites)
        have = ", ".join(f"{name} ({count} {role}, {kind})" for (name, role, kind), count in kinds.items())
        parts.append(f"the model has: {have}" if have else "the model has no activation")
        parts += [note for note in self._notes(found, Counter()) if "matches no site; " in note and note not in parts]
        if earlier:
            parts.append(f"it was swapped before ({'; '.join(earlier)})")
        parts += self._notes_on_places(found)
        for role in others:
            count = sum(entry.site.role == role for entry in matching)
            parts.append(f"{count} of the role {role} would match: acts.swap(model, {self._shown()}, role={role!r})")
        if not found.was_run:
            parts.append("example_input= shows calls that the source alone does not")
        return "; ".join([*parts, *found.notes])

    def _idle_limits(self, found: Found) -> list[str]:
        """The patterns of ``include`` and ``exclude`` that match nothing, each in words."""
        return [
            f"{option}={p.text!r} matches no site{p.hint(found.sites).rstrip('.')}"
            for option, group in (("include", self.include), ("exclude", self.exclude))
            for p in group
            if not any(p.matches(site) for site in found.sites)
        ]

    def _shown(self) -> str:
        pairs = zip(self._patterns, self.replacements, strict=True)
        return repr({pattern.name: describe(replacement) for pattern, replacement in pairs})


def _hint(path: PathPattern, found: Found) -> str:
    """What may have been meant by a path that matches none: ``nn.ReLU`` in quotes is none, and ``relu`` no path."""
    prefix, _, name = path.text.rpartition(".")
    if prefix.removeprefix("torch.") in ("torch", "nn", "F", "nn.functional"):
        with contextlib.suppress(SpecError):
            return f"; a text with dots is a path: the activation is {factory.resolve_pattern(name).name!r}"
    return path.hint(found.sites).rstrip(".")


def is_function_of_site(replacement: Any) -> bool:
    """Whether a right side is a function that receives the site, and not an activation.

    It is where its one parameter without a default is annotated with ``Site``, or is named ``site``.
    """
    if isinstance(replacement, (str, Mapping, ActivationSpec, type, nn.Module)) or not callable(replacement):
        return False
    try:
        parameters = inspect.signature(replacement).parameters.values()
    except (ValueError, TypeError):  # torch's builtins have no signature
        return False
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if len(needed) != 1:
        return False
    annotation = needed[0].annotation
    return needed[0].name == "site" or annotation is Site or str(annotation).split(".")[-1] == "Site"


def refuse_as_replacement(replacement: Any) -> None:
    """Check that a replacement can be made, and that it keeps shapes.

    Raises:
        SpecError: It names no activation.
        SwapError: It changes shapes, is a layer, or is nothing that makes an activation.
    """
    if replacement is None:
        return
    try:
        registry.refuse_nameless(replacement)
    except TypeError as error:
        raise SwapError(f"{error}; None leaves a site as it is") from None
    spec = spec_or_none(replacement)
    if spec is None:
        return
    definition = factory.definition_of(spec)
    if definition.kind == "gated":
        raise SwapError(
            f"{spec} changes the shape of its input ({definition.formula}): it can't stand in for another activation"
        )
    if definition.kind == "transfer":
        raise SwapError(f"{spec} is a layer with weights, no activation: it can't stand in for one")


@dataclass(frozen=True)
class _Pattern:
    """The left side of one pair: an activation with the parameters that it must have, paths, or a type.

    A text with dots may also be the full name of a class or function: so does a request write one.
    """

    name: str
    spec: ActivationSpec | None = None
    path: PathPattern | None = None

    @classmethod
    def of(cls, left: Any, model: nn.Module | None) -> _Pattern:
        if left == UNKNOWN:
            return cls(UNKNOWN)
        if isinstance(left, str) and looks_like_path(left):
            return cls(left, path=PathPattern(left))
        if callable(left) and not isinstance(left, nn.Module):
            definition = registry.registered(left)
            if definition is None:
                return cls(name_of(left))
            left = definition.name
        try:
            spec = factory.resolve_pattern(left)
        except TypeError as error:
            raise SwapError(str(error)) from None
        except SpecError as error:
            if not isinstance(left, str) or model is None:
                raise
            names = _names_at_root(model)
            if left in names:
                return cls(left, path=PathPattern(left))
            if "(" in left:
                raise
            raise SpecError(f"{error} Nor is it a path of the model{did_you_mean(left, names)}") from None
        definition = factory.definition_of(spec.name)
        if definition.kind == "transfer" or definition.name == "identity":
            raise SwapError(f"{spec.name!r} is never swapped: {definition.notes[0]}")
        return cls(str(spec), spec)

    def matches(self, site: Site) -> bool:
        if self.path is not None:
            return self.path.matches(site) or self.name == site.type
        if self.spec is None:
            return self.name in (site.activation, site.type)
        if site.activation == UNKNOWN:
            return False
        present = ActivationSpec.parse(site.activation)
        if present.name != self.spec.name or not self.spec.parameters:
            return present.name == self.spec.name
        effective = {**_defaults(present.name), **present.parameters}
        return all(effective[key] == value for key, value in self.spec.parameters.items())


def _defaults(name: str) -> dict[str, Any]:
    return {parameter.name: parameter.default for parameter in factory.definition_of(name).parameters}


def _names_at_root(model: nn.Module) -> list[str]:
    """The names that are paths without a dot."""
    while "_orig_mod" in model._modules:
        model = model.get_submodule("_orig_mod")
    return [name for name in (*model._modules, *vars(model)) if plain_path(name) and not name.startswith("_")]


def _with_dim_of(site: Site, replacement: Any) -> Any:
    """The replacement of a normalising activation, over the dimension over which that one normalises.

    Raises:
        SwapError: torch guesses the dimension, and neither side names it.
    """
    spec = None if isinstance(replacement, nn.Module) else spec_or_none(replacement)
    if spec is None or site.activation == UNKNOWN:
        return replacement
    new, old = ActivationSpec.parse(spec), ActivationSpec.parse(site.activation)
    both = all(factory.definition_of(name).kind == "normalising" for name in (new.name, old.name))
    if not both or "dim" in new.parameters or "dim" not in _defaults(new.name):
        return replacement
    # softmax2d has no dim: it is over the channels of (N, C, H, W) or (C, H, W).
    dim = -3 if old.name == "softmax2d" else {**_defaults(old.name), **old.parameters}.get("dim")
    if dim is None:
        raise SwapError(f"{site.path}: {site.activation} has no dim to take over: give it, as in '{new.name}(dim=-1)'")
    return ActivationSpec(new.name, {**new.parameters, "dim": dim})
