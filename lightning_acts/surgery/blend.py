"""Module that stands at a site while an activation is exchanged for another one during training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lightning_acts.module import FunctionActivation


@dataclass(frozen=True)
class ParameterPath:
    """Fixed parameter of an activation, such as a slope, that goes from one value to another."""

    parameter: str
    start: float
    end: float

    def set(self, module: nn.Module, amount: float) -> None:
        """Set the parameter of a module to its value at a point between start and end."""
        value = self.end if amount == 1.0 else self.start + (self.end - self.start) * amount
        if isinstance(module, FunctionActivation):
            module.fix(self.parameter, value)
        else:
            setattr(module, self.parameter, value)


class Blend(nn.Module):
    r"""Two activations at one site, of which the second one takes over from the first.

    .. math:: f(x) = (1 - a) \, \text{old}(x) + a \, \text{new}(x)

    At :math:`a = 0` the old one alone runs, at :math:`a = 1` the new one alone, so that neither costs anything while it
    is not needed.

    Args:
        old: The activation that the model had.
        new: The one that takes its place.
        path: If given, the new one alone runs as soon as a is more than 0, and a parameter of it goes along this path.
        calls_hooks: Whether hooks of ``old`` are called; not where the blend itself has taken them over.
        formula: If given, it runs in place of ``old``, which computes the same, but may round otherwise.

    Attributes:
        amount: a, as a number. ``a`` is the same as a tensor, so that compiled code does not depend on its value.

    Shape:
        Input and output as the two activations have them.

    Example:
        >>> import torch
        >>> blend = Blend(torch.nn.ReLU(), torch.nn.Tanh())
        >>> _ = blend.set(0.25)
        >>> blend(torch.tensor([-1.0, 2.0]))
        tensor([-0.1904,  1.7410])
    """

    def __init__(
        self,
        old: nn.Module,
        new: nn.Module,
        path: ParameterPath | None = None,
        calls_hooks: bool = True,
        formula: Callable[[Tensor], Any] | None = None,
    ) -> None:
        super().__init__()
        self.old, self.new, self.path, self.formula = old, new, path, formula
        self.training = new.training
        self.amount = 0.0
        # Not a buffer: averages of weights would average it, and checkpoints have it in the plan of the swap.
        self.a = torch.zeros((), dtype=torch.float64)
        self._calls_hooks = calls_hooks
        # torch.compile guards on each number that a forward reads: one that reads the amount would be compiled for each.
        self._runs_old, self._runs_new = True, False
        # From which a gradient is kept for a time; given back when its time comes. What others freeze is not among them.
        self._idle: dict[str, list[nn.Parameter]] = {"old": [], "new": []}

    @property
    def present(self) -> nn.Module | None:
        """The activation that runs alone; None while both do."""
        if self._runs_old and self._runs_new:
            return None
        return self.old if self._runs_old else self.new

    @property
    def has_parameters(self) -> bool:
        """Whether either activation has parameters or buffers, which an optimizer or a checkpoint may hold."""
        return any(True for _ in self.parameters()) or any(True for _ in self.buffers())

    def set(self, amount: float) -> bool:
        """Set ``a``; return whether other activations run now than before.

        Raises:
            ValueError: It is not between 0 and 1.
        """
        if not 0.0 <= amount <= 1.0:
            raise ValueError(f"a blend of two activations has an amount between 0 and 1, not {amount}")
        ran = self._runs_old, self._runs_new
        self.amount = float(amount)
        if amount not in (0.0, 1.0):
            self.a.fill_(amount)
        self._runs_old, self._runs_new = amount < 1.0 if self.path is None else amount == 0.0, amount > 0.0
        if self.path is not None:
            self.path.set(self.new, self.amount)
        return ran != (self._runs_old, self._runs_new)

    def freeze_idle(self) -> None:
        """Let the parameters of the activation that does not run need no gradient, and give the others theirs back."""
        for name, runs in (("old", self._runs_old), ("new", self._runs_new)):
            if runs:
                self._give_back(name)
            else:
                for parameter in getattr(self, name).parameters():
                    if parameter.requires_grad:
                        self._idle[name].append(parameter.requires_grad_(False))

    def unfreeze(self) -> None:
        """Let all parameters need a gradient again from which this blend has kept it."""
        self._give_back("old")
        self._give_back("new")

    def _give_back(self, name: str) -> None:
        for parameter in self._idle[name]:
            parameter.requires_grad_(True)
        self._idle[name].clear()

    def forward(self, input: Tensor) -> Any:
        """Apply the one that runs, or both."""
        if not self._runs_new:
            return self._old(input)
        if not self._runs_old:
            return self.new(input)
        # One that works in place would change what the other one reads.
        kept = input.clone() if getattr(self.old, "inplace", False) or getattr(self.new, "inplace", False) else input
        return (1 - self.a) * self._old(kept) + self.a * self.new(input)

    def _old(self, input: Tensor) -> Any:
        if self.formula is not None:
            return self.formula(input)
        return self.old(input) if self._calls_hooks else self.old.forward(input)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Blend:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        device = fn(torch.zeros(())).device
        if device != self.a.device and device.type != "meta":
            number = torch.float32 if device.type == "mps" else torch.float64
            self.a = torch.tensor(self.amount, dtype=number, device=device)
        return self

    def extra_repr(self) -> str:
        """Show the amount."""
        return f"amount={self.amount:g}"
