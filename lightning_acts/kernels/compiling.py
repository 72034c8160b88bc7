"""Kernels that torch.compile makes: one for each pass of a formula, over a dense view of the tensors."""

from __future__ import annotations

import math
import types
import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from lightning_acts.errors import ActsError
from lightning_acts.kernels.recomputing import EagerKernel, Formula


class CompileError(ActsError, RuntimeError):
    """An activation can't be compiled on this machine."""


class CompiledKernel(EagerKernel):
    """A kernel that compiles both passes of a formula, each at its first use for a type and a device.

    Tensors are seen as dense ones of at most three dimensions, so that neither their shapes nor their memory formats
    matter: one with a parameter for each channel as (before, channels, behind), any other one flat.

    Args:
        name: What the formula is called in profiles.
        formula: The formula.
        per_channel: Of each parameter, whether it has one value a channel.
    """

    #: Whether compiling has failed in this process, for want of a compiler: it is not tried again.
    unavailable: ClassVar[bool] = False

    def __init__(
        self, name: str, formula: Formula, per_channel: Sequence[bool] = (), may_fall_back: bool = False
    ) -> None:
        super().__init__(formula)
        self._name, self._per_channel, self._may_fall_back = name, tuple(per_channel), may_fall_back
        self._made: dict[Any, Callable[..., Any]] = {}

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return the formula of the tensors, by compiled code.

        Raises:
            CompileError: There is no way to compile it here.
        """
        view = DenseView([tensor.detach() for tensor in tensors], self._per_channel)
        try:
            return view.restored(self._compiled("forward", view)(*view.tensors))
        except Exception as error:
            self._refuse_or_note(error)
            return super().forward(*tensors)

    def backward(self, gradient: Tensor, *tensors: Tensor) -> Sequence[Tensor]:
        """Return the gradients for all tensors, by compiled code.

        Raises:
            CompileError: There is no way to compile it here.
        """
        view = DenseView([tensor.detach() for tensor in tensors], self._per_channel)
        try:
            first, *others = self._compiled("backward", view)(view.of(gradient), *view.tensors)
        except Exception as error:
            self._refuse_or_note(error)
            return super().backward(gradient, *tensors)
        reshaped = [other.view_as(parameter) for other, parameter in zip(others, tensors[1:], strict=True)]
        return [view.restored(first), *reshaped]

    def _refuse_or_note(self, error: Exception) -> None:
        reason = f"{self._name} can't be compiled here: {type(error).__name__}: {str(error).strip().splitlines()[0]}"
        if not self._may_fall_back:
            raise CompileError(f"{reason}; backend='auto' does without") from error
        if not CompiledKernel.unavailable:
            CompiledKernel.unavailable = True
            warnings.warn(f"{reason}; activations run without compiled kernels", stacklevel=2)

    def _compiled(self, what: str, view: DenseView) -> Callable[..., Any]:
        # Dynamo recompiles one code object 8 times at most, so each of these has its own.
        key = (what, view.key)
        if key not in self._made:
            formula = self.formula

            def forward(*tensors: Tensor) -> Tensor:
                return formula(*tensors)

            def backward(gradient: Tensor, *tensors: Tensor) -> Sequence[Tensor]:
                gradients: Sequence[Tensor] = torch.func.vjp(formula, *tensors)[1](gradient)
                return gradients

            passes = {"forward": forward, "backward": backward}
            own = _with_own_code(passes[what], f"{self._name}_{what}_{len(self._made)}")
            self._made[key] = torch.compile(own, dynamic=True, fullgraph=True)
        return self._made[key]


class DenseView:
    """Tensors of an elementwise function in the order in which memory holds the first of them.

    Args:
        tensors: The input, and parameters that broadcast with it.
        per_channel: Of each parameter, whether it has one value a channel.
    """

    def __init__(self, tensors: Sequence[Tensor], per_channel: Sequence[bool]) -> None:
        input, *parameters = tensors
        self._order = list(range(input.dim()))
        if 0 not in input.stride():  # an expanded tensor has no order of its own
            self._order.sort(key=input.stride, reverse=True)
        self._shape = [input.shape[dim] for dim in self._order]
        self._dense: tuple[int, ...] = (input.numel(),)
        for parameter, is_per_channel in zip(parameters, per_channel, strict=True):
            if is_per_channel:
                channels = max(range(input.dim()), key=lambda dim: parameter.shape[dim])
                at = self._order.index(channels)
                self._dense = (math.prod(self._shape[:at]), self._shape[at], math.prod(self._shape[at + 1 :]))
        self.tensors = [self.of(input)]
        for parameter, is_per_channel in zip(parameters, per_channel, strict=True):
            self.tensors.append(parameter.reshape(-1, 1) if is_per_channel else parameter)
        # What makes torch.compile specialize.
        self.key = (input.device.type, tuple(size == 1 for size in self._dense), *(tensor.dtype for tensor in tensors))

    def of(self, tensor: Tensor) -> Tensor:
        """Return a tensor of the input's shape as seen here; a copy where its memory has another order."""
        return tensor.permute(self._order).reshape(self._dense)

    def restored(self, tensor: Tensor) -> Tensor:
        """Return a tensor that is as seen here in the shape of the input, and in its memory format."""
        inverse = sorted(range(len(self._order)), key=self._order.__getitem__)
        return tensor.view(self._shape).permute(inverse)


def _with_own_code(function: Any, name: str) -> Any:
    """Return the function with a code object of its own, under a name that tells profiles what runs."""
    return types.FunctionType(
        function.__code__.replace(co_name=name), function.__globals__, name, None, function.__closure__
    )
