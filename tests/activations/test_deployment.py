"""Registered activations compiled by Inductor and run by ONNX Runtime: one a family is slow, all are a sweep."""

from typing import Any

import pytest

import lightning_acts as acts
from lightning_acts.checks.behavior import check_behavior
from lightning_acts.checks.deployment import CHECKS, missing

FAMILIES: dict[str, list[str]] = {}
for activation in acts.names():
    FAMILIES.setdefault(acts.info(activation).family, []).append(activation)
FAMILIES.pop("user", None)


def one_a_family_first() -> list[Any]:
    """All names, the first of a family marked as slow, those beyond it as a sweep."""
    return [
        pytest.param(name, marks=pytest.mark.sweep if place else pytest.mark.slow)
        for family in FAMILIES.values()
        for place, name in enumerate(family)
    ]


@pytest.mark.parametrize("name", one_a_family_first())
@pytest.mark.parametrize("check", CHECKS)
def test_deployment(check: str, name: str) -> None:
    if (needed := missing(check)) is not None:
        pytest.skip(f"needs {needed}")
    limits = acts.info(name).limits
    defects = check_behavior(acts.info(name), checks={check: CHECKS[check]})
    assert ([defect.check for defect in defects] == [check]) if check in limits else (defects == [])
