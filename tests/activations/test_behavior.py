"""Every registered activation in all of torch's uses, and what it declares that it can't do true."""

from collections.abc import Callable, Mapping

import pytest

import lightning_acts as acts
from lightning_acts.checks.behavior import CHECKS, Subject, check_behavior
from lightning_acts.checks.running import without_limits

NAMES = [name for name in acts.names() if acts.info(name).family != "user"]
#: The first of each family.
FIRST = {acts.info(name).family: name for name in reversed(NAMES)}.values()
#: They take five times as long as all others together.
GRAPHS = {name: CHECKS[name] for name in ("compile", "export")}
OTHERS = {name: check for name, check in CHECKS.items() if name not in GRAPHS}


def assert_behaves(name: str, checks: Mapping[str, Callable[[Subject], None]]) -> None:
    definition = acts.info(name)
    defects = check_behavior(definition, checks=checks)
    assert without_limits(definition, defects) == []
    declared = set(definition.limits) & set(checks)
    assert declared == {defect.check for defect in defects}, "a limit that is declared has to be one"


@pytest.mark.parametrize("name", NAMES)
def test_behavior(name: str) -> None:
    assert_behaves(name, OTHERS)


@pytest.mark.parametrize(
    "name",
    [
        name if name in FIRST else pytest.param(name, marks=pytest.mark.sweep if at % 4 else pytest.mark.slow)
        for at, name in enumerate(NAMES)
    ],
)
def test_graphs(name: str) -> None:
    assert_behaves(name, GRAPHS)
