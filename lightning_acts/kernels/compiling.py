"""Kernels that torch.compile makes: one for each pass of a formula, over a dense view of the tensors."""

from __future__ import annotations

import functools
import math
import types
import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from lightning_acts.errors import ActsError
from lightning_acts.kernels.decompositions import CPU_DECOMPOSITIONS
from lightning_acts.kernels.recomputing import EagerKernel, Formula


class CompileError(ActsError, RuntimeError):
    """An activation can't be compiled on this machine."""


class CompiledKernel(EagerKernel):
    """A kernel that compiles both passes of a formula, each at its first use for a type and a device.

    Tensors are seen as dense ones of at most three dimensions, so that neither their shapes nor their memory formats
    matter: one with a parameter for each channel, or whose channels are halved, as (before, channels, behind), any other
    one flat.

    Args:
        name: What the formula is called in profiles.
        formula: The formula.
        per_channel: Of each parameter, whether it has one value a channel.
        may_fall_back: Whether to go on without compiling where that fails, after one warning.
        dim: The dimension that the formula halves or doubles, if it does: an argument of its own, ``dim``.
    """

    #: Whether compiling has failed in this process, for want of a compiler: it is not tried again.
    unavailable: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        formula: Formula,
        per_channel: Sequence[bool] = (),
        may_fall_back: bool = False,
        dim: int | None = None,
    ) -> None:
        super().__init__(formula)
        self._name, self._per_channel, self._may_fall_back = name, tuple(per_channel), may_fall_back
        self._dim = dim
        self._made: dict[Any, Callable[..., Any]] = {}

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return the formula of the tensors, by compiled code.

        Raises:
            CompileError: There is no way to compile it here.
        """
        try:
            view = self._view(tensors)
            return view.restored(self._compiled("forward", view)(*view.tensors))
        except Exception as error:
            output = super().forward(*tensors)  # what the formula itself refuses is not for want of a compiler
            self._refuse_or_note(error)
            return output

    def backward(self, gradient: Tensor, *tensors: Tensor) -> Sequence[Tensor]:
        """Return the gradients for all tensors, by compiled code.

        Raises:
            CompileError: There is no way to compile it here.
        """
        view = self._view(tensors)
        try:
            given = view.of(gradient)
            first, *others = self._compiled("backward", view, given)(given, *view.tensors)
        except Exception as error:
            self._refuse_or_note(error)
            return super().backward(gradient, *tensors)
        reshaped = [other.view_as(parameter) for other, parameter in zip(others, tensors[1:], strict=True)]
        return [view.restored(first), *reshaped]

    def _view(self, tensors: Sequence[Tensor]) -> DenseView:
        return DenseView([tensor.detach() for tensor in tensors], self._per_channel, self._dim)

    def _refuse_or_note(self, error: Exception) -> None:
        reason = f"{self._name} can't be compiled here: {type(error).__name__}: {str(error).strip().splitlines()[0]}"
        if not self._may_fall_back:
            raise CompileError(f"{reason}; backend='auto' does without") from error
        if not CompiledKernel.unavailable:
            CompiledKernel.unavailable = True
            warnings.warn(f"{reason}; activations run without compiled kernels", stacklevel=2)

    def _compiled(self, what: Literal["forward", "backward"], view: DenseView, *given: Tensor) -> Callable[..., Any]:
        # Dynamo recompiles one code object 8 times at most, so each of these has its own.
        key = (what, view.key)
        if key not in self._made:
            formula = self.formula if self._dim is None else functools.partial(self.formula, dim=1)
            run = formula if what == "forward" else EagerKernel(formula).backward
            # Dynamo looks into the formula and misses the derivatives that its functions are given; autograd does not.
            table = CPU_DECOMPOSITIONS if view.tensors[0].device.type == "cpu" else {}
            graph = make_fx(run, table, tracing_mode="symbolic")(*given, *view.tensors)

            def one_pass(*tensors: Tensor) -> Any:
                return graph(*tensors)

            own = _with_own_code(one_pass, f"{self._name}_{what}_{len(self._made)}")
            # A number of threads written into the code would stand when torch's changes, and block a forked process.
            options: dict[str, Any] = {"cpp.dynamic_threads": True}
            self._made[key] = torch.compile(own, dynamic=True, fullgraph=True, options=options)
        return self._made[key]


class DenseView:
    """Tensors of a function in the order in which memory holds the first of them.

    Args:
        tensors: The input, and parameters that broadcast with it.
        per_channel: Of each parameter, whether it has one value a channel.
        dim: The dimension in which the output differs in size from the input, if it does.
    """

    def __init__(self, tensors: Sequence[Tensor], per_channel: Sequence[bool], dim: int | None = None) -> None:
        input, *parameters = tensors
        self._order = list(range(input.dim()))
        # To permute takes as long as a small tensor does. An expanded one has no order of its own.
        self._in_order = input.is_contiguous() or 0 in input.stride()
        if not self._in_order:
            self._order.sort(key=input.stride, reverse=True)
        self._shape = [input.shape[dim] for dim in self._order]
        channels = None if dim is None else range(input.dim())[dim]
        for parameter, is_per_channel in zip(parameters, per_channel, strict=True):
            if is_per_channel:
                channels = max(range(input.dim()), key=lambda dim: parameter.shape[dim])
        self._at = None if channels is None else self._order.index(channels)
        self.tensors = [self.of(input)]
        for parameter, is_per_channel in zip(parameters, per_channel, strict=True):
            self.tensors.append(parameter.reshape(-1, 1) if is_per_channel else parameter)
        # What makes torch.compile specialize.
        ones = tuple(size == 1 for size in self.tensors[0].shape)
        self.key = (input.device.type, ones, *(tensor.dtype for tensor in tensors))

    def of(self, tensor: Tensor) -> Tensor:
        """Return the input, or a gradient for the output, as seen here; a copy where its memory has another order."""
        at, tensor = self._at, tensor if self._in_order else tensor.permute(self._order)
        if at is None:
            return tensor.reshape(-1)
        return tensor.reshape(math.prod(self._shape[:at]), tensor.shape[at], math.prod(self._shape[at + 1 :]))

    def restored(self, tensor: Tensor) -> Tensor:
        """Return a tensor that is as seen here in the shape of the input or output, and in the input's memory format."""
        shape = list(self._shape)
        if self._at is not None:
            shape[self._at] = tensor.shape[1]
        tensor = tensor.view(shape)
        if self._in_order:
            return tensor
        return tensor.permute(sorted(range(len(shape)), key=self._order.__getitem__))


def _with_own_code(function: Any, name: str) -> Any:
    """Return the function with a code object of its own, under a name that tells profiles what runs."""
    return types.FunctionType(
        function.__code__.replace(co_name=name), function.__globals__, name, None, function.__closure__
    )
