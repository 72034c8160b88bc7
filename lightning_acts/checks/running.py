"""All checks on one activation, less what it declares that it can't do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning_acts.checks import deployment
from lightning_acts.checks.behavior import check_behavior
from lightning_acts.checks.numerics import Defect, check_numerics, defaults_exist
from lightning_acts.definition import Definition
from lightning_acts.formula import FormulaError


def check_activation(
    definition: Definition, parameters: Mapping[str, Any] | None = None, *, deployed: bool = False
) -> list[Defect]:
    """Return what an activation falls short of; none for one without defects.

    Args:
        definition: The activation.
        parameters: Values for its parameters, in the checks of its behavior: those without a default need one.
        deployed: Check it as compiled by Inductor and as run by ONNX Runtime too, where these are installed.

    Raises:
        SpecError: A parameter is missing or wrong.

    Example:
        >>> import lightning_acts as acts
        >>> check_activation(acts.info("penalized_tanh"))
        []
    """
    defects = [*numeric_defects(definition), *check_behavior(definition, parameters)]
    if deployed:
        present = {name: run for name, run in deployment.CHECKS.items() if deployment.missing(name) is None}
        defects += check_behavior(definition, parameters, present)
    return without_limits(definition, defects)


def numeric_defects(definition: Definition) -> list[Defect]:
    """Return what the checks of accuracy find; a formula that can't be evaluated is a defect too."""
    if definition.kind != "elementwise" or not defaults_exist(definition):
        return []
    try:
        return check_numerics(definition)
    except FormulaError as error:
        return [Defect("formula", str(error))]


def without_limits(definition: Definition, defects: list[Defect]) -> list[Defect]:
    """Return the defects that the definition does not declare among its limits."""
    return [defect for defect in defects if defect.check not in definition.limits]
