"""The checks of behavior find the faults that activations in the wild have."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import lightning_acts as acts
from lightning_acts.checks.behavior import check_behavior
from lightning_acts.definition import define


def defects(function: Callable[..., Tensor]) -> set[str]:
    return {defect.check for defect in check_behavior(define(function, name="subject"))}


def test_in_place() -> None:
    assert "input unchanged" in defects(lambda x: x.relu_())


def test_a_graph_break() -> None:
    assert "compile" in defects(lambda x: x if x.sum() > 0 else -x)


def test_shapes() -> None:
    assert "shapes" in defects(lambda x: x.flatten())
    assert "shapes" in defects(lambda x: x - x[0])


def test_types() -> None:
    assert "types" in defects(lambda x: x.float() * torch.ones(1, dtype=torch.float32))


def test_memory_format() -> None:
    assert "memory formats" in defects(lambda x: torch.relu(x).contiguous())


def test_vmap() -> None:
    assert "vmap" in defects(lambda x: x * (1.0 if x.sum() > 0 else 2.0))


def test_a_recompilation() -> None:
    assert "compile" in defects(lambda x: x * (2.0 if x.shape[:1] == (2,) else 1.0))


def test_an_input_that_is_not_real() -> None:
    class Squared(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * x

    assert {defect.check for defect in check_behavior(define(Squared))} == {"complex"}


def test_gradients_of_parameters() -> None:
    def detached_parameter(x: Tensor, a: float = acts.learnable(1.0)) -> Tensor:
        return a * x + torch.as_tensor(a).detach() * x

    def forgotten_parameter(x: Tensor, a: float = acts.learnable(1.0)) -> Tensor:
        return 2 * x

    assert "parameter gradients" in defects(detached_parameter)
    assert "parameter gradients" in defects(forgotten_parameter)


def test_channels() -> None:
    def mixed_up(x: Tensor, a: float = acts.learnable(1.0, per="channel")) -> Tensor:
        return torch.as_tensor(a).flip(1) * x

    assert defects(mixed_up) == {"channels"}


def test_derivatives_in_forward_mode() -> None:
    def half_stopped(x: Tensor) -> Tensor:
        with torch.no_grad():
            gate = torch.sigmoid(x)
        return x * gate

    assert "jvp and jacrev" in defects(half_stopped)


def test_autocast() -> None:
    assert "autocast" in defects(lambda x: x + 0.1 * float(torch.is_autocast_enabled("cpu")))


def test_in_place_where_it_is_wrong() -> None:
    class Forgets(torch.nn.Module):
        def __init__(self, inplace: bool = False) -> None:
            super().__init__()
            self.inplace = inplace

        def forward(self, x: Tensor) -> Tensor:
            if self.inplace:
                x.data.mul_(torch.sigmoid(x.data))
                return x
            return x * torch.sigmoid(x)

    assert "inplace" in {defect.check for defect in check_behavior(define(Forgets))}


def test_nothing_to_find() -> None:
    assert defects(lambda x: x * torch.sigmoid(x)) == set()


def test_parameters_are_given() -> None:
    assert check_behavior(acts.info("maxout"), {"k": 4}) == []
    with pytest.raises(acts.SpecError, match="k must be at least 1"):
        check_behavior(acts.info("maxout"), {"k": 0})
