"""Which sites a request means, and what it wants in their place."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from lightning_acts import factory
from lightning_acts.errors import SwapError
from lightning_acts.spec import ActivationSpec, SpecError
from lightning_acts.surgery.finding.located import CallSite, Located
from lightning_acts.surgery.finding.sites import Found
from lightning_acts.surgery.naming import describe, spec_or_none
from lightning_acts.surgery.patterns import PathPattern, any_matches, patterns
from lightning_acts.surgery.request import SwapRequest
from lightning_acts.surgery.sides import (
    Left,
    defaults_of,
    is_function_of_site,
    refuse_as_replacement,
)
from lightning_acts.surgery.site import UNKNOWN_ACTIVATION, LeftSite, Site


class Rules:
    """Request with its activations looked up.

    Args:
        request: What is asked.
        model: Whose paths may stand on the left as plain names, as ``"1"`` in a Sequential; None if it isn't known yet.

    Raises:
        SpecError: An activation on either side can't be understood.
        SwapError: A side can't take part in a swap, or ``where`` can't be imported.
    """

    def __init__(self, request: SwapRequest, model: nn.Module | None = None) -> None:
        self.request, self._model = request, model
        self.include, self.exclude = patterns(request.include, "include"), patterns(request.exclude, "exclude")
        self._where = request.test()
        self._patterns = [Left.of(left, model) for left in request.map]
        twice = [name for name, count in Counter(pattern.name for pattern in self._patterns).items() if count > 1]
        if twice:
            raise SwapError(f"the mapping names {', '.join(twice)} twice")
        self.replacements = list(request.map.values())
        for replacement in self.replacements:
            if not is_function_of_site(replacement):
                refuse_as_replacement(replacement, request.backend)

    def request_for(self, chosen: Sequence[tuple[Located, Any]]) -> SwapRequest | None:
        """Return the request in plain text, if need be path by path; None where a replacement has no spec."""
        with contextlib.suppress(SwapError):
            return self.request.plain(self._model)
        names = {located.site.path: spec_or_none(replacement) for located, replacement in chosen}
        return None if None in names.values() else replace(self.request, map=names, where=None)

    def choose(
        self, found: Found, earlier: Sequence[str] = ()
    ) -> tuple[list[tuple[Located, Any]], list[LeftSite], list[str]]:
        """Return the sites to swap, each with its replacement; the sites to leave, each with the reason; notes.

        ``earlier`` are the swaps that the model has behind it, in words.

        Raises:
            SwapError: There is nothing to swap, or a function of a site gave what is no activation.
        """
        chosen: list[tuple[Located, Any]] = []
        left: list[LeftSite] = []
        used: Counter[int] = Counter()
        for located in found.located:
            index = self._first_match(located.site)
            reason = self._reason_against(located.site, index) or located.first_obstacle()
            if index is None and located.site.activation == UNKNOWN_ACTIVATION:  # it may have been meant
                reason = located.first_obstacle() or reason
            used.update([] if index is None else [index])
            replacement = None if index is None or reason else self._replacement(located.site, index)
            if replacement is None:
                left.append(LeftSite(located.site, reason or "mapped to None"))
            else:
                chosen.append((located, replacement))
        left += found.others
        if not chosen:
            raise SwapError(self._nothing_to_swap(found, left, earlier))
        return chosen, left, self._notes(found, used)

    def matches(self, site: Site) -> bool:
        """Check whether the left side of the mapping names the activation of this site, wherever it is."""
        index = self._first_match(site)
        return index is not None and self.replacements[index] is not None

    def means(self, site: Site) -> bool:
        """Check whether the request would swap this site."""
        index = self._first_match(site)
        return index is not None and self._reason_against(site, index) is None

    def _first_match(self, site: Site) -> int | None:
        return next((index for index, pattern in enumerate(self._patterns) if pattern.matches(site)), None)

    def _reason_against(self, site: Site, index: int | None) -> str | None:
        if index is None:
            return "not in the mapping"
        if self.replacements[index] is None:
            return "mapped to None"
        if self.include and not any_matches(site, self.include):
            return "not included"
        if any_matches(site, self.exclude):
            return "excluded"
        if site.role not in self.request.role:
            return f"its role is {site.role}: {site.reason}"
        if self._where is not None and not self._where(site):
            return "where= says no"
        return None

    def _replacement(self, site: Site, index: int) -> Any:
        replacement: Any = self.replacements[index]
        if is_function_of_site(replacement):
            given = replacement(site)
            try:
                refuse_as_replacement(given, self.request.backend)
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
        """Return what a pattern that names some places of a module does to its others."""
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
        others = sorted({entry.site.role for entry in matching if entry.site.role not in self.request.role})
        fitting = [entry for entry in matching if entry.site.role in self.request.role]
        if fitting:
            parts = self._idle_limits(found)
            reasons = ", ".join(sorted({entry.obstacle for entry in fitting}))
            parts.append(f"none of the sites that match {wanted} can be swapped ({len(fitting)}): {reasons}")
        else:
            parts = [f"no site matches {wanted} with role {' or '.join(self.request.role)}"]
        kinds = Counter((site.activation, site.role, site.kind) for site in found.sites)
        have = ", ".join(f"{name} ({count} {role}, {kind})" for (name, role, kind), count in kinds.items())
        parts.append(f"the model has: {have}" if have else "the model has no activation")
        parts += [f"{text}{hint}" for text, hint in self._idle_paths(found) if hint]
        parts += [text for text in self._idle_limits(found, hinted=True) if text not in parts]
        if earlier:
            parts.append(f"it was swapped before ({'; '.join(earlier)})")
        parts += self._notes_on_places(found)
        for role in others:
            count = sum(entry.site.role == role for entry in matching)
            parts.append(f"{count} of the role {role} would match: acts.swap(model, {self._shown()}, role={role!r})")
        if not found.was_run:
            parts.append("example_input= shows calls that the source alone does not")
        return "; ".join([*parts, *found.notes])

    def _idle_paths(self, found: Found) -> Iterator[tuple[str, str]]:
        """Yield the paths of the mapping that match nothing, each in words and with a hint, empty without one."""
        for pattern in self._patterns:
            if pattern.path is not None and not any(pattern.matches(site) for site in found.sites):
                yield f"{pattern.name!r} matches no site", _hint(pattern.path, found)

    def _idle_limits(self, found: Found, hinted: bool = False) -> list[str]:
        """Return the patterns of ``include`` and ``exclude`` that match nothing, each in words; perhaps with a hint alone."""
        idle = [
            (f"{option}={p.text!r} matches no site", p.hint(found.sites).rstrip("."))
            for option, group in (("include", self.include), ("exclude", self.exclude))
            for p in group
            if not any(p.matches(site) for site in found.sites)
        ]
        return [f"{text}{hint}" for text, hint in idle if hint or not hinted]

    def _shown(self) -> str:
        pairs = zip(self._patterns, self.replacements, strict=True)
        return repr({pattern.name: describe(replacement) for pattern, replacement in pairs})


def _hint(path: PathPattern, found: Found) -> str:
    """Say what may have been meant by a path that matches none: ``nn.ReLU`` in quotes is none, and ``relu`` no path."""
    prefix, _, name = path.text.rpartition(".")
    if prefix.removeprefix("torch.") in ("torch", "nn", "F", "nn.functional"):
        with contextlib.suppress(SpecError):
            return f"; a text with dots is a path: the activation is {factory.resolve_pattern(name).name!r}"
    return path.hint(found.sites).rstrip(".")


def _with_dim_of(site: Site, replacement: Any) -> Any:
    """Return the replacement of a normalizing activation, over the dimension over which that one normalizes.

    Raises:
        SwapError: torch guesses the dimension, and neither side names it.
    """
    spec = None if isinstance(replacement, nn.Module) else spec_or_none(replacement)
    if spec is None or site.activation == UNKNOWN_ACTIVATION:
        return replacement
    new, old = ActivationSpec.parse(spec), ActivationSpec.parse(site.activation)
    both = all(factory.definition_of(name).kind == "normalizing" for name in (new.name, old.name))
    if not both or "dim" in new.parameters or "dim" not in defaults_of(new.name):
        return replacement
    # softmax2d has no dim: it is over the channels of (N, C, H, W) or (C, H, W).
    dim = -3 if old.name == "softmax2d" else {**defaults_of(old.name), **old.parameters}.get("dim")
    if dim is None:
        raise SwapError(f"{site.path}: {site.activation} has no dim to take over: give it, as in '{new.name}(dim=-1)'")
    return ActivationSpec(new.name, {**new.parameters, "dim": dim})
