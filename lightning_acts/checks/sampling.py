"""Values for the parameters of an activation, other than the defaults, that it allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from lightning_acts.definition import Definition, Parameter
from lightning_acts.spec import SpecError

#: By what numbers are multiplied; those that are 0 become these.
_FACTORS = (0.5, 1.5, 2.0, -1.0, 0.9)


def other_parameters(definition: Definition) -> list[dict[str, Any]]:
    """Return settings that differ from the defaults: all numbers changed together, then one parameter at a time.

    Args:
        definition: The activation; parameters without a default are left to the caller.

    Example:
        >>> import lightning_acts as acts
        >>> other_parameters(acts.info("celu"))[:2]
        [{'alpha': 0.5}, {'alpha': 1.5}]
    """
    own = [entry for entry in definition.parameters if entry.name not in ("per", "num_parameters", "dim", "inplace")]
    numbers = [entry for entry in own if _is_number(entry.default)]
    # Each by a factor of its own, for equal ones often cancel.
    together = [
        {entry.name: _scaled(entry, factor * (1 + 0.13 * index)) for index, entry in enumerate(numbers)}
        for factor in _FACTORS
    ]
    alone = [{entry.name: value} for entry in own for value in _values(entry)]
    found: list[dict[str, Any]] = []
    for given in (*together, *alone):
        if given and given not in found and _allowed(definition, given):
            found.append(given)
    return found


def _is_number(default: Any) -> bool:
    values = default if isinstance(default, tuple) else (default,)
    return bool(values) and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def _values(entry: Parameter) -> Iterator[Any]:
    if isinstance(entry.default, bool):
        yield not entry.default
    elif _is_number(entry.default):
        yield from (_scaled(entry, factor) for factor in _FACTORS)
    else:
        yield from (value for value in get_args(entry.annotation) if isinstance(value, str) and value != entry.default)


def _scaled(entry: Parameter, factor: float) -> Any:
    if isinstance(entry.default, tuple):
        return tuple(factor * value if value else 0.1 * factor for value in entry.default)
    value = factor * entry.default if entry.default else factor
    return round(value) if isinstance(entry.default, int) and entry.annotation is int else value


def _allowed(definition: Definition, given: dict[str, Any]) -> bool:
    defaults = {entry.name: entry.default for entry in definition.parameters}
    if all(defaults[name] == value for name, value in given.items()):
        return False
    try:
        definition.check(given)
    except SpecError:
        return False
    return True
