"""Other parameters than the defaults: allowed, different, and all numbers of an activation among them."""

from typing import Any, Literal

import pytest
from torch import Tensor

import lightning_acts as acts
from lightning_acts.checks.sampling import other_parameters
from lightning_acts.definition import define

NAMES = [name for name in acts.names(kind="elementwise") if acts.info(name).family != "user"]


def test_all_are_allowed_and_none_is_the_default_or_said_twice() -> None:
    for name in NAMES:
        definition = acts.info(name)
        defaults = {entry.name: entry.default for entry in definition.parameters}
        found = other_parameters(definition)
        for index, given in enumerate(found):
            definition.check(given)
            assert {key: defaults[key] for key in given} != given, name
            assert given not in found[:index], name


@pytest.mark.parametrize("name", ["elu", "celu", "hardshrink", "softplus", "srelu", "finer"])
def test_every_number_is_changed_alone(name: str) -> None:
    numbers = {entry.name for entry in acts.info(name).parameters if type(entry.default) is float}
    assert {key for given in other_parameters(acts.info(name)) if len(given) == 1 for key in given} >= numbers > set()


def test_switches_choices_and_zeros() -> None:
    def shifted(
        x: Tensor, bias: float = 0.0, up: bool = True, mode: Literal["none", "tanh"] = "none", pair: Any = (0.0, 2.0)
    ) -> Tensor:
        return x + bias

    found = other_parameters(define(shifted, formula="x + bias"))
    for given in ({"bias": 0.5}, {"up": False}, {"mode": "tanh"}, {"pair": (0.05, 1.0)}):
        assert given in found
