"""What a reader asks of the activations: the facts about one, the names of all, the closest curves."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor, nn

from lightning_acts.definition import REQUIRED, Definition, Kind
from lightning_acts.factory import ActivationLike, create, definition_for, definition_of, resolve
from lightning_acts.hints import did_you_mean
from lightning_acts.measuring import Measured, Stability, measured, normal_quadrature
from lightning_acts.module import build
from lightning_acts.registry import definitions, version
from lightning_acts.spec import SpecError


@dataclass(frozen=True, kw_only=True, eq=False)
class Info(Definition):
    """A definition, and beside what it declares what is measured of its curve."""

    @property
    def measured(self) -> Measured | None:
        """What is measured at the defaults; None where it has no curve, or needs parameters."""
        return measured(self)

    @property
    def range(self) -> tuple[float, float] | None:
        """Infimum and supremum of its values at the defaults; None where it has no curve."""
        return self.measured.range if self.measured else None

    def rows(self) -> dict[str, str | None]:
        """Return the facts in words, by the label under which each is shown: declared, then measured ones."""
        return {**super().rows(), **(self.measured.rows() if self.measured else {})}


def info(activation: ActivationLike, /) -> Info:
    """Return the facts about an activation: formula, source, parameters, range and more; ``print`` shows them.

    Raises:
        SpecError: There is none of this name.

    Example:
        >>> import lightning_acts as acts
        >>> acts.info("mish").formula
        'x * tanh(softplus(x))'
    """
    return _info(
        definition_of(resolve(activation).name if isinstance(activation, nn.Module) else activation), version()
    )


@functools.lru_cache(maxsize=4096)
def _info(definition: Definition, version: int) -> Info:
    return Info(**vars(definition))


def names(
    *,
    family: str | None = None,
    kind: Kind | None = None,
    learnable: bool | None = None,
    stochastic: bool | None = None,
    monotone: bool | None = None,
    bounded: bool | None = None,
    smooth: bool | None = None,
    zero_centered: bool | None = None,
    needs_exp: bool | None = None,
    stability: Stability | None = None,
) -> list[str]:
    """Return the names of the registered activations, sorted; each filter that is given must hold.

    The last six are measured on the curve at the defaults: activations without one have none of these facts.

    Args:
        family: Their family, such as ``"rectified"``.
        kind: ``"elementwise"``, ``"normalizing"``, ``"gated"``, ``"mixing"`` or ``"transfer"``.
        learnable: Whether they have trained parameters.
        stochastic: Whether they are random in training.
        monotone: Whether they never decrease.
        bounded: Whether their values are, on both sides.
        smooth: Whether they are continuously differentiable.
        zero_centered: Whether their mean is 0 for a standard normal input.
        needs_exp: Whether they are made of exponentials.
        stability: What a deep network makes of a deviation of the variance: ``"stable"``, ``"marginal"`` or
            ``"unstable"``, for which no gain keeps the variance. See :func:`lightning_acts.gain`.

    Raises:
        SpecError: No activation is of this family or kind, or the stability is none of the three.

    Example:
        >>> import lightning_acts as acts
        >>> acts.names(kind="transfer")
        ['bilinear_layer', 'linear_layer']
        >>> "relu6" in acts.names(bounded=True, needs_exp=False)
        True
        >>> "gelu" in acts.names(stability="unstable")
        True
    """
    if stability is not None and stability not in get_args(Stability):
        raise SpecError(f"names(stability={stability!r}): one of {', '.join(get_args(Stability))}")
    ordered = sorted(definitions(), key=lambda definition: definition.name)
    for what, value in (("family", family), ("kind", kind)):
        existing = sorted({getattr(definition, what) for definition in ordered})
        if value is not None and value not in existing:
            raise SpecError(
                f"no activation is of {what} {value!r}{did_you_mean(value, existing)} There are: {', '.join(existing)}"
            )
    declared = {"family": family, "kind": kind, "learnable": learnable, "stochastic": stochastic}
    on_the_curve = {
        "monotone": monotone,
        "bounded": bounded,
        "smooth": smooth,
        "zero_centered": zero_centered,
        "needs_exp": needs_exp,
        "stability": stability,
    }
    return [
        definition.name
        for definition in ordered
        if _has(definition, declared) and (_has(measured(definition), on_the_curve) if _any(on_the_curve) else True)
    ]


def _any(wanted: Mapping[str, Any]) -> bool:
    return any(value is not None for value in wanted.values())


def _has(facts: object, wanted: Mapping[str, Any]) -> bool:
    return all(value is None or getattr(facts, key, None) == value for key, value in wanted.items())


def nearest(activation: ActivationLike, /, count: int = 5) -> list[tuple[str, float]]:
    """Return the registered activations whose curves, at their defaults, are closest to that of an activation.

    The distance of f and g is the root of E[(f(z) - g(z))^2], z standard normal.

    Args:
        activation: Anything that :func:`create` takes, if it is elementwise.
        count: How many.

    Returns:
        Names and distances, the closest first; the activation itself is left out.

    Raises:
        SpecError: It is not elementwise, or its name or a parameter is wrong.

    Example:
        >>> import lightning_acts as acts
        >>> acts.nearest("gelu", count=1)
        [('clipped_gelu', 0.0)]
    """
    z, weights = normal_quadrature()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        module = copy.deepcopy(create(activation))
        own = definition_for(module)
        wanted = None if own is not None and own.kind != "elementwise" else _values(module, z)
        if wanted is None:
            raise SpecError(f"{activation!r} is not elementwise: it has no curve to be close to")
        found = []
        for definition in definitions():
            if definition == own or definition.kind != "elementwise":
                continue
            if any(entry.default is REQUIRED for entry in definition.parameters):
                continue
            values = _values(build(definition, {}), z)
            if values is not None and values.isfinite().all():
                distance = ((values - wanted) ** 2 * weights).sum().sqrt().item()
                found.append((definition.name, round(distance, 9)))
    return sorted(found, key=lambda entry: (entry[1], entry[0]))[:count]


def _values(module: nn.Module, z: Tensor) -> Tensor | None:
    try:
        values: Tensor = module.double().eval()(z.clone().view(-1, 1, 1)).flatten()
    except Exception:  # it takes other inputs
        return None
    return values if values.shape == z.shape else None
