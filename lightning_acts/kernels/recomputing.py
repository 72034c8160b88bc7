"""Functions whose backward keeps the inputs alone, or the output alone, and computes the rest again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

#: An elementwise function of an input and of tensors that broadcast with it.
Formula = Callable[..., Tensor]


class EagerKernel:
    """A formula whose two passes are run operation by operation; both see tensors without a graph."""

    def __init__(self, formula: Formula) -> None:
        self.formula = formula

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return the formula of the tensors."""
        return self.formula(*tensors)

    def differentiable(self, *tensors: Tensor) -> Tensor:
        """Return the formula of the tensors, with what its backward needs."""
        return Recomputed.apply(self, *tensors)  # type: ignore[no-any-return]

    def backward(self, gradient: Tensor, *tensors: Tensor) -> Sequence[Tensor]:
        """Return the gradients for all tensors, given that for the output."""
        with torch.enable_grad():
            leaves = [tensor.detach().requires_grad_() for tensor in tensors]
            output = self.formula(*leaves)
            if not output.requires_grad:  # constant: sign, step
                return [torch.zeros_like(tensor) for tensor in tensors]
            return torch.autograd.grad(output, leaves, gradient, materialize_grads=True)


class Recomputed(torch.autograd.Function):
    """A kernel as a differentiable function: ``Recomputed.apply(kernel, input, *parameters)``.

    Saves its tensors and nothing else. Gradients of gradients go through the formula.
    """

    @staticmethod
    def forward(kernel: EagerKernel, *tensors: Tensor) -> Tensor:
        """Run the forward pass."""
        return kernel.forward(*tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Save the tensors."""
        ctx.kernel, tensors = inputs[0], inputs[1:]
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        """Run the backward pass: as the kernel does, or by the formula where a graph of it is asked for."""
        tensors = ctx.saved_tensors
        is_batched = torch._C._functorch.is_legacy_batchedtensor(gradient)  # by is_grads_batched
        if not (torch.is_grad_enabled() or is_batched or transforms_active()):
            return None, *ctx.kernel.backward(gradient, *tensors)
        pull_back = torch.func.vjp(ctx.kernel.formula, *tensors)[1]
        return None, *pull_back(gradient)


class OutputKernel(EagerKernel):
    """A formula of one tensor whose backward keeps the output alone, as the layer behind it does anyway.

    Args:
        formula: The formula.
        pull: The product of a gradient and the derivative, as a function of the gradient and the output.
    """

    def __init__(self, formula: Formula, pull: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__(formula)
        self.pull = pull

    def differentiable(self, *tensors: Tensor) -> Tensor:
        """Return the formula of the tensor, with what its backward needs."""
        return FromOutput.apply(self, *tensors)  # type: ignore[no-any-return]


class FromOutput(torch.autograd.Function):
    """A kernel as a differentiable function that saves its output: ``FromOutput.apply(kernel, input)``."""

    @staticmethod
    def forward(ctx: Any, kernel: OutputKernel, input: Tensor) -> Tensor:
        """Run the forward pass, and save the output."""
        output = kernel.forward(input)
        ctx.pull = kernel.pull
        ctx.save_for_backward(output)
        return output

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        """Run the backward pass; a gradient of it goes through the output, which has this function for its own."""
        return None, ctx.pull(gradient, *ctx.saved_tensors)


def transforms_active() -> bool:
    """Return whether ``torch.func`` or forward mode transforms what runs, whose tensors no compiled code can read."""
    return torch._C._are_functorch_transforms_active() or torch.autograd.forward_ad._current_level >= 0
