"""What a case is, and the table of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Make = Callable[[], nn.Module]


def rows() -> tuple[Tensor, ...]:
    return (torch.randn(3, 4),)


def sequences() -> tuple[Tensor, ...]:
    return (torch.randn(2, 3, 4),)


@dataclass(frozen=True)
class Case:
    """A model, its twin, and what a swap must do to it.

    Attributes:
        name: What is odd.
        make: Makes the model.
        twin: Makes the twin, with what makes the activation.
        sites: How many sites a swap of ``swapped`` swaps.
        kinds: Their kinds; empty where more than one answer would be right.
        swapped: The specs to swap.
        original: Makes the activation as a module.
        left: A pattern that the reason for each site that stays, or a note, matches; empty where none stays.
        otherwise: The twin where the odd site, the last, may stay too; then ``left`` must match.
        role: As for ``acts.swap``.
        include: As for ``acts.swap``.
        inputs: Makes the example input.
        same_operations: False where the model relies on a change in place: writing back takes operations of its own.
    """

    name: str
    make: Make
    twin: Callable[[Make], nn.Module]
    sites: int = 1
    kinds: str = "function"
    swapped: str = "relu"
    original: Make = nn.ReLU
    left: str = ""
    otherwise: Callable[[Make], nn.Module] | None = None
    role: tuple[str, ...] = ("hidden",)
    include: str | None = None
    inputs: Callable[[], tuple[Tensor, ...]] = rows
    same_operations: bool = True


CASES: dict[str, Case] = {}


def results(model: nn.Module, inputs: tuple[Tensor, ...], training: bool) -> dict[str, Tensor | None]:
    """Output and gradients of inputs and parameters, by name."""
    model.train(training)
    model.zero_grad()
    given = [value.clone().requires_grad_() for value in inputs]
    output = model(*given)
    output.square().sum().backward()
    return {
        "output": output.detach(),
        **{f"input {index}": value.grad for index, value in enumerate(given)},
        **{name: parameter.grad for name, parameter in model.named_parameters()},
    }


def case(name: str, twin: Callable[[Make], nn.Module], sites: int = 1, **more: Any) -> Callable[[Any], Any]:
    """Registers what makes a model: its class or a function."""

    def register(make: Any) -> Any:
        if name in CASES:
            raise ValueError(f"two cases {name!r}")
        CASES[name] = Case(name, make, twin, sites, **more)
        return make

    return register
