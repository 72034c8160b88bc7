"""Sides of a pair of a swap: the pattern on the left, the replacement on the right."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from lightning_acts import factory, registry
from lightning_acts.errors import SwapError
from lightning_acts.hints import did_you_mean
from lightning_acts.kernels.backends import Backend, refuse_backend
from lightning_acts.spec import ActivationSpec, SpecError
from lightning_acts.surgery.naming import spec_or_none, type_name
from lightning_acts.surgery.patterns import PathPattern, looks_like_path
from lightning_acts.surgery.site import UNKNOWN_ACTIVATION, Site
from lightning_acts.surgery.wrappers import plain_path


@dataclass(frozen=True)
class Left:
    """The left side of one pair: an activation with the parameters that it must have, paths, or a type.

    A text with dots may also be the full name of a class or function: so does a request write one.
    """

    name: str
    spec: ActivationSpec | None = None
    path: PathPattern | None = None

    @classmethod
    def of(cls, left: Any, model: nn.Module | None) -> Left:
        """Read a left side; with a model, its paths without a dot are understood too, as ``"1"`` in a Sequential.

        Raises:
            SpecError: It is no activation, nor a path.
            SwapError: It can't be swapped.
        """
        if left == UNKNOWN_ACTIVATION:
            return cls(UNKNOWN_ACTIVATION)
        if isinstance(left, str) and looks_like_path(left):
            return cls(left, path=PathPattern(left))
        if callable(left) and not isinstance(left, nn.Module):
            definition = registry.registered(left)
            if definition is None:
                return cls(type_name(left))
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
        """Check whether a site is meant."""
        if self.path is not None:
            return self.path.matches(site) or self.name == site.type
        if self.spec is None:
            return self.name in (site.activation, site.type)
        if site.activation == UNKNOWN_ACTIVATION:
            return False
        present = ActivationSpec.parse(site.activation)
        if present.name != self.spec.name or not self.spec.parameters:
            return present.name == self.spec.name
        effective = {**defaults_of(present.name), **present.parameters}
        return all(effective[key] == value for key, value in self.spec.parameters.items())


def defaults_of(name: str) -> dict[str, Any]:
    """Return the parameters of an activation with their defaults."""
    return {parameter.name: parameter.default for parameter in factory.definition_of(name).parameters}


def _names_at_root(model: nn.Module) -> list[str]:
    """Return the names that are paths without a dot."""
    while "_orig_mod" in model._modules:
        model = model.get_submodule("_orig_mod")
    return [name for name in (*model._modules, *vars(model)) if plain_path(name) and not name.startswith("_")]


def is_function_of_site(replacement: Any) -> bool:
    """Check whether a right side is a function that receives the site, and not an activation.

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


def refuse_as_replacement(replacement: Any, backend: Backend | None = None) -> None:
    """Check that a replacement can be made and be run by a backend, and that it keeps shapes.

    Raises:
        SpecError: It names no activation, or one that the backend can't run.
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
    if backend is not None:
        refuse_backend(definition, backend)
