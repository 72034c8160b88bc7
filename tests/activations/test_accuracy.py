"""Every registered elementwise activation against its formula, and its declared limits of accuracy true."""

import pytest

import lightning_acts as acts
from lightning_acts.checks import behaviour, deployment
from lightning_acts.checks.numerics import defaults_exist
from lightning_acts.checks.running import numeric_defects, without_limits

ELEMENTWISE = [name for name in acts.names(kind="elementwise") if acts.info(name).family != "user"]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_accuracy(name: str) -> None:
    definition = acts.info(name)
    defects = numeric_defects(definition)
    assert without_limits(definition, defects) == []
    declared = set(definition.limits) - set(behaviour.CHECKS) - set(deployment.CHECKS)
    assert declared == {defect.check for defect in defects}, "a limit that is declared has to be one"


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_facts_are_measured(name: str) -> None:
    definition = acts.info(name)
    assert (definition.measured is not None) == defaults_exist(definition)
