"""The module that is derived from an activation which was defined by a function."""

from __future__ import annotations

import functools
import inspect
import math
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import UninitializedParameter

from lightning_acts.definition import Definition, Learnable, Per, takes_training
from lightning_acts.registry import by_callable, by_name, is_registered
from lightning_acts.spec import ActivationSpec

_HALF_TYPES = (torch.float16, torch.bfloat16)


def in_opmath(function: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    """Wrap ``function`` to compute as torch's own activations do: half types in float32, integers as floats.

    Raises (when called):
        TypeError: The input is complex, or not a tensor.
    """
    first = _first_name(function)

    @functools.wraps(function)
    def computed(*given: Any, **parameters: Any) -> Tensor:
        if not given and first not in parameters:
            return function(**parameters)  # raises, in Python's own words
        input, *more = given or (parameters.pop(first),)
        if not isinstance(input, Tensor):
            raise TypeError(f"{name} takes a tensor, not {type(input).__name__}")
        if not input.is_floating_point():
            if input.is_complex():
                raise TypeError(f"{name} takes real numbers, not {input.dtype}")
            return function(input.to(torch.get_default_dtype()), *more, **parameters)
        if input.dtype not in _HALF_TYPES:
            return function(input, *more, **parameters)
        widened = {key: _widened(value) for key, value in parameters.items()}
        return function(input.float(), *map(_widened, more), **widened).to(input.dtype)

    return computed


def _first_name(function: Callable[..., Any]) -> str:
    """Return the name of the first argument; nothing for a builtin without a signature."""
    try:
        return next(iter(inspect.signature(function).parameters), "")
    except ValueError:
        return ""


def _widened(value: Any) -> Any:
    """Return a parameter in at least float32; one value or several."""
    if isinstance(value, tuple):
        return tuple(map(_widened, value))
    return value.float() if isinstance(value, Tensor) and value.dtype in _HALF_TYPES else value


class FunctionActivation(nn.Module):
    """Base of the modules derived from functions: one subclass a definition, made by :func:`module_class`.

    Fixed parameters and the effective values of learnable ones are attributes under their own names. A learnable
    parameter without a constraint is stored under its name, one with a constraint as ``raw_<name>``.

    Shape:
        Input and output as the function has them; for elementwise activations both are ``(*)``.
    """

    definition: ClassVar[Definition]
    _function: ClassVar[Callable[..., Tensor]]

    def __init__(self, **given: Any) -> None:
        super().__init__()
        self.given = given
        size = given.get("num_parameters")
        # Plain data, so that a compiled forward has little to look at.
        self._fixed: dict[str, Any] = {}
        self._learned: dict[str, int] = {}
        self._several = {
            entry.name
            for entry in self.definition.parameters
            if entry.learnable and isinstance(entry.learnable.init, tuple)
        }
        self._takes_training = takes_training(self.definition.target)
        for parameter in self.definition.parameters:
            value = given.get(parameter.name, parameter.default)
            if parameter.learnable:
                channels = None if self._per(parameter.learnable) == "layer" else size or 0
                stored = nn.Parameter(_initial(parameter.learnable, value, channels))
                self.register_parameter(_stored_name(parameter.name, parameter.learnable), stored)
                self._learned[parameter.name] = parameter.learnable.dim
            elif parameter.name not in ("per", "num_parameters") or not self.definition.learnable:
                self._fixed[parameter.name] = value

    def forward(self, input: Tensor) -> Tensor:
        """Return the activation of ``input``."""
        given: Any = input
        if isinstance(given, torch.fx.Proxy):  # a leaf for every tracer of torch.fx, as torch's own activations are
            tracer: Any = given.tracer
            return tracer.create_proxy("call_module", tracer.path_of_module(self), (given,), {})  # type: ignore[no-any-return]
        return self._function(input, **self.fixed_arguments(), **self.learned_arguments(input))

    def fixed_arguments(self) -> dict[str, Any]:
        """Return what the function is given beside the input and the learnable parameters."""
        return {**self._fixed, "training": self.training} if self._takes_training else self._fixed

    def learned_arguments(self, input: Tensor) -> dict[str, Any]:
        """Return the values of learnable parameters, one or several of each, in shapes that broadcast with the input."""
        return {name: self._broadcast(name, dim, input) for name, dim in self._learned.items()}

    def has_several(self, name: str) -> bool:
        """Return whether a learnable parameter is several values that the function subscripts."""
        return name in self._several

    def fix(self, name: str, value: Any) -> None:
        """Give a fixed parameter another value."""
        self._fixed = {**self._fixed, name: value}
        self.given = {**self.given, name: value}

    def reset_parameters(self) -> None:
        """Give learnable parameters their initial values, as a module that leaves the meta device needs it."""
        for parameter in self.definition.parameters:
            if parameter.learnable is None:
                continue
            stored = getattr(self, _stored_name(parameter.name, parameter.learnable))
            if not isinstance(stored, UninitializedParameter):
                channels = None if self._per(parameter.learnable) == "layer" else stored.shape[-1]
                value = self.given.get(parameter.name, parameter.default)
                with torch.no_grad():
                    stored.copy_(_initial(parameter.learnable, value, channels))

    def _per(self, marker: Learnable) -> Per:
        return self.given.get("per") or marker.per

    def _broadcast(self, name: str, channel_dim: int, input: Tensor) -> Any:
        value: Tensor = getattr(self, name)
        if name in self._several:
            if value.dim() == 1:
                return value
            return tuple(self._per_channel(name, row, channel_dim, input) for row in value)
        return self._per_channel(name, value, channel_dim, input)

    def _per_channel(self, name: str, value: Tensor, channel_dim: int, input: Tensor) -> Tensor:
        if value.dim() == 0:
            return value
        if not -input.dim() <= channel_dim < input.dim():
            raise ValueError(
                f"{self} has one {name} a channel, in dimension {channel_dim}; its input has the shape {tuple(input.shape)}"
            )
        if input.shape[channel_dim] != value.numel():
            raise ValueError(
                f"{self} has {value.numel()} values of {name}, one a channel; its input has "
                f"{input.shape[channel_dim]} channels in dimension {channel_dim}"
            )
        at = channel_dim % input.dim()
        return value.view([-1 if dim == at else 1 for dim in range(input.dim())])

    def __repr__(self) -> str:
        return str(ActivationSpec(self.definition.name, self.given))

    def __reduce__(self) -> tuple[Any, ...]:
        # The class is derived, not importable: it is found again through the registry, or through its function.
        origin = self.definition.name if is_registered(self.definition) else self.definition.target
        return _restore, (origin, isinstance(self, LazyModuleMixin)), self.__dict__


def _restore(origin: str | Callable[..., Any], lazy: bool) -> FunctionActivation:
    cls = module_class(by_name(origin) if isinstance(origin, str) else by_callable(origin), lazy)
    return cls.__new__(cls)


@functools.cache
def module_class(definition: Definition, lazy: bool) -> type[FunctionActivation]:
    """Return the module class of a definition whose target is a function; always the same one for the same definition.

    The lazy class takes the number of channels from its first input, then becomes the other one.
    """
    if lazy:
        cls = module_class(definition, False)
        return type(f"Lazy{cls.__name__}", (_Lazy, cls), {"cls_to_become": cls})
    members: dict[str, Any] = {
        "definition": definition,
        "_function": staticmethod(in_opmath(definition.target, definition.name)),
        "__doc__": f"{definition.name}(x) = {definition.formula or '...'}\n\nSource: {definition.source or 'unknown'}",
    }
    for parameter in definition.parameters:
        if parameter.learnable is None:
            members[parameter.name] = property(functools.partial(_fixed_value, parameter.name))
        elif parameter.learnable.constraint is not None:
            members[parameter.name] = property(
                functools.partial(_constrained_value, parameter.name, parameter.learnable)
            )
    name = "".join(part.capitalize() for part in definition.name.split("_"))
    return type(name, (FunctionActivation,), members)


class _Lazy(LazyModuleMixin, FunctionActivation):
    """What the lazy classes have in common."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        for parameter in self.definition.parameters:
            if parameter.learnable and self._per(parameter.learnable) == "channel":
                unsized: Any = UninitializedParameter()
                self.register_parameter(_stored_name(parameter.name, parameter.learnable), unsized)

    def initialize_parameters(self, input: Tensor) -> None:
        """Size the parameters by the channels of ``input``."""
        for parameter in self.definition.parameters:
            marker = parameter.learnable
            if marker is None or self._per(marker) != "channel":
                continue
            if not -input.dim() <= marker.dim < input.dim():
                raise ValueError(
                    f"{self} takes its number of channels from dimension {marker.dim}; "
                    f"its first input has the shape {tuple(input.shape)}"
                )
            channels = input.shape[marker.dim]
            stored = getattr(self, _stored_name(parameter.name, marker))
            if isinstance(stored, UninitializedParameter):  # else it was loaded from a state_dict
                initial = _initial(marker, self.given.get(parameter.name, parameter.default), channels)
                with torch.no_grad():
                    stored.materialize(initial.shape)
                    stored.copy_(initial)
            self.given = {**self.given, "num_parameters": stored.shape[-1]}


def build(definition: Definition, parameters: dict[str, Any]) -> nn.Module:
    """Return the module of ``definition`` with ``parameters``, which :meth:`Definition.check` has let pass."""
    unsized = "num_parameters" not in parameters and definition.learnable and _any_per_channel(definition, parameters)
    if definition.module_class is None:
        return _without_lazy_warning(module_class(definition, unsized), parameters)
    arguments = {name: value for name, value in parameters.items() if name != "per" or definition.per_channel is None}
    if unsized and definition.per_channel is not None:
        return _without_lazy_warning(definition.per_channel, arguments)
    return definition.module_class(**arguments)


def _any_per_channel(definition: Definition, parameters: dict[str, Any]) -> bool:
    per = parameters.get("per")
    if per is not None:
        return bool(per == "channel")
    return any(parameter.learnable and parameter.learnable.per == "channel" for parameter in definition.parameters)


def _without_lazy_warning(cls: type[nn.Module], arguments: dict[str, Any]) -> nn.Module:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Lazy modules are a new feature")
        return cls(**arguments)


def _stored_name(name: str, marker: Learnable) -> str:
    return name if marker.constraint is None else f"raw_{name}"


def _initial(marker: Learnable, value: Any, channels: int | None) -> Tensor:
    """Return the stored form of an initial value: ``()`` or ``(C,)``; with several values ``(n,)`` or ``(n, C)``."""
    if isinstance(value, tuple):
        raw = torch.tensor([_to_raw(marker, float(element)) for element in value])
        return raw if channels is None else raw.unsqueeze(1).repeat(1, channels)
    raw = torch.tensor(_to_raw(marker, float(value)))
    return raw if channels is None else raw.repeat(channels)


def _to_raw(marker: Learnable, value: float) -> float:
    if marker.constraint is None:
        return value
    if marker.constraint == "positive":
        return value + math.log(-math.expm1(-value))  # the inverse of softplus
    low, high = marker.constraint
    return math.log((value - low) / (high - value))


def _fixed_value(name: str, module: FunctionActivation) -> Any:
    return module._fixed[name] if name in module._fixed else module.given.get(name)


def _constrained_value(name: str, marker: Learnable, module: FunctionActivation) -> Tensor:
    raw: Tensor = _widened(getattr(module, f"raw_{name}"))
    if marker.constraint == "positive":
        return nn.functional.softplus(raw)
    assert isinstance(marker.constraint, tuple)
    low, high = marker.constraint
    return low + (high - low) * torch.sigmoid(raw)
