"""Every registered activation in all of torch's uses, and what it declares that it can't do true."""

import pytest

import lightning_acts as acts
from lightning_acts.checks.behaviour import CHECKS, check_behaviour
from lightning_acts.checks.running import without_limits


@pytest.mark.parametrize("name", [name for name in acts.names() if acts.info(name).family != "user"])
def test_behaviour(name: str) -> None:
    definition = acts.info(name)
    defects = check_behaviour(definition)
    assert without_limits(definition, defects) == []
    declared = set(definition.limits) & set(CHECKS)
    assert declared == {defect.check for defect in defects}, "a limit that is declared has to be one"
