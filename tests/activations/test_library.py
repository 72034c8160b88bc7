"""Every registered activation: accurate to its formula, well behaved, and its declared limits true."""

import functools

import pytest

import lightning_acts as acts
from lightning_acts.checks.behaviour import CHECKS, check_behaviour
from lightning_acts.checks.numerics import Defect
from lightning_acts.checks.running import numeric_defects, without_limits

SHIPPED = [name for name in acts.names() if acts.info(name).family != "user"]
ELEMENTWISE = [name for name in SHIPPED if acts.info(name).kind == "elementwise"]


@functools.cache
def numeric(name: str) -> tuple[Defect, ...]:
    return tuple(numeric_defects(acts.info(name)))


@functools.cache
def behavioural(name: str) -> tuple[Defect, ...]:
    return tuple(check_behaviour(acts.info(name)))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_accuracy(name: str) -> None:
    definition = acts.info(name)
    assert without_limits(definition, list(numeric(name))) == []
    declared = set(definition.limits) - set(CHECKS)
    assert declared == {defect.check for defect in numeric(name)}, "a limit that is declared has to be one"


@pytest.mark.parametrize("name", SHIPPED)
def test_behaviour(name: str) -> None:
    definition = acts.info(name)
    assert without_limits(definition, list(behavioural(name))) == []
    declared = set(definition.limits) & set(CHECKS)
    assert declared == {defect.check for defect in behavioural(name)}, "a limit that is declared has to be one"
