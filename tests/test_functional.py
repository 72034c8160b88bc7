"""Every activation as a function: its parameters by position, as its signature shows them."""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor

import lightning_acts as acts
from lightning_acts import functional
from lightning_acts.checks.behavior import Subject
from lightning_acts.checks.sampling import other_parameters

FUNCTIONS = [name for name in dir(functional) if acts.info(name).module_class is None]
# Torch's own, less those that have no signature in Python.
TORCHS = ["celu", "elu", "glu", "hardtanh", "leaky_relu", "rrelu", "softmax", "log_softmax", "softmin"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters_by_position(name: str) -> None:
    definition = acts.info(name)
    subject = Subject(definition, {})
    function = getattr(functional, name)
    order = [entry for entry in inspect.signature(function).parameters if entry != "training"][1:]
    defaults = {entry.name: subject.given.get(entry.name, entry.default) for entry in definition.parameters}
    others = (
        other_parameters(definition)[:2] if definition.kind == "elementwise" else []
    )  # others may not fit the sample
    for given in others or [{}]:
        named = {entry: {**defaults, **given}[entry] for entry in order}
        for dtype in (torch.float32, torch.bfloat16):
            if subject.x.is_sparse and dtype == torch.bfloat16:
                continue
            x = subject.x.to(dtype)
            torch.testing.assert_close(function(x, *named.values()), function(x, **named), equal_nan=True)
    first = next(iter(inspect.signature(function).parameters))
    torch.testing.assert_close(function(**{first: subject.x}, **_needed(name)), subject(subject.x), equal_nan=True)


def _needed(name: str) -> dict[str, Any]:
    return dict(Subject(acts.info(name), {}).given)


@pytest.mark.parametrize("name", TORCHS)
def test_torchs_own_take_them_too(name: str) -> None:
    given = next(iter(other_parameters(acts.info(name))), {"dim": 1})
    x = torch.randn(2, 4)
    function = getattr(functional, name)
    torch.testing.assert_close(function(x, *given.values()), function(x, **given))


@pytest.mark.parametrize(
    ("given", "parameters", "message"),
    [
        ((), {}, r"penalized_tanh\(\) missing 1 required positional argument: 'x'"),
        ((None,), {}, "penalized_tanh takes a tensor, not NoneType"),
        ((0.5,), {}, "penalized_tanh takes a tensor, not float"),
        ((torch.ones(2), 0.1, 0.2), {}, r"penalized_tanh\(\) takes from 1 to 2 positional arguments but 3"),
        ((torch.ones(2),), {"slope": 0.1}, r"penalized_tanh\(\) got an unexpected keyword argument 'slope'"),
        ((torch.ones(2, dtype=torch.complex64),), {}, "penalized_tanh takes real numbers"),
    ],
)
def test_mistakes_are_told_under_its_name(given: tuple[Any, ...], parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        functional.penalized_tanh(*given, **parameters)


def test_tensors_by_position_in_half_types() -> None:
    x, slope = torch.randn(4, dtype=torch.bfloat16), torch.tensor(0.3, dtype=torch.bfloat16)
    expected: Tensor = torch.where(x > 0, x.float().tanh(), slope.float() * x.float().tanh()).bfloat16()
    assert torch.equal(functional.penalized_tanh(x, slope), expected)
