"""What a call of a function computes: which activation, with which parameters."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_acts import factory, registry
from lightning_acts.definition import Definition
from lightning_acts.spec import ActivationSpec
from lightning_acts.surgery.naming import imported, type_name
from lightning_acts.surgery.source.functions import UNKNOWN

#: Functions that are activations for some of their arguments only.
CLAMPS = (
    torch.clamp, torch.clamp_, torch.clip, torch.clip_, torch.clamp_min, torch.clamp_min_,
    Tensor.clamp, Tensor.clamp_, Tensor.clip, Tensor.clip_, Tensor.clamp_min, Tensor.clamp_min_,
)  # fmt: skip
MAXIMA = (torch.maximum, Tensor.maximum, torch.max, Tensor.max, torch.fmax, Tensor.fmax)
#: Why a clamp is not taken for certain.
DOUBT_OF_CLAMPS = "a clamp, which may limit something else"
#: Why a function with many other uses is not taken for certain.
DOUBT_OF_EVERYDAY = "a function with many other uses"
#: Functions whose kernels compute an activation, out of reach: its spec.
KERNELS = {
    F.scaled_dot_product_attention: "softmax(dim=-1)",
    F.multi_head_attention_forward: "softmax(dim=-1)",
    torch.sparse.softmax: "softmax",
    torch.sparse.log_softmax: "log_softmax",
    torch.masked.softmax: "softmax",
    torch.masked.log_softmax: "log_softmax",
    torch.masked.softmin: "softmin",
}
_RELU = (0, None)
_RELU6 = (0, 6)


@dataclass(frozen=True)
class Applied:
    """An activation that a call applies.

    Attributes:
        definition: The activation.
        spec: Its spec, as far as the arguments are known.
        doubt: Why it may be no activation at all; None where it is certain.
        obstacle: Why it is out of reach; None where it may be replaced.
        is_everyday: Whether it has many other uses, as ``torch.exp`` has: it is an activation only between layers.
    """

    definition: Definition
    spec: str
    doubt: str | None = None
    obstacle: str | None = None
    is_everyday: bool = False


class _Vocabulary(NamedTuple):
    """The functions that may be activations: by themselves and by import path, then names of torch's and of methods."""

    definitions: dict[Any, Definition]
    by_path: dict[str, Any]
    of_torch: frozenset[str]
    methods: frozenset[str]


@functools.lru_cache(maxsize=8)
def _vocabulary(version: int) -> _Vocabulary:
    functions = {
        function: definition
        for definition in registry.definitions()
        for function in definition.functions
        if definition.kind != "transfer" and definition.name != "identity"
    }
    named = {name_of(function): function for function in (*functions, *CLAMPS, *MAXIMA, *KERNELS)}
    of_torch = frozenset(name.rpartition(".")[2] for name in named if name.startswith("torch."))
    methods = frozenset(name.rpartition(".")[2] for name in named if name.startswith("torch.Tensor."))
    return _Vocabulary(functions, named, of_torch, methods)


def definition_of_function(function: Any) -> Definition | None:
    """Return the activation of which a function is a form; None if it is none, whatever its arguments."""
    try:
        return _vocabulary(registry.version()).definitions.get(function)
    except TypeError:  # not hashable
        return None


def is_candidate(function: Any) -> bool:
    """Check whether a function may be an activation, or is for some arguments."""
    try:
        of_some = (CLAMPS, MAXIMA, KERNELS)
        return function in _vocabulary(registry.version()).definitions or any(function in group for group in of_some)
    except TypeError:  # not hashable
        return False


def is_everyday(function: Any) -> bool:
    """Return whether a function of torch is an activation only where it stands between layers: sin, exp, abs."""
    definition = definition_of_function(function)
    return (
        definition is not None
        and definition.kind == "elementwise"
        and definition.module_class is None
        and name_of(function).startswith("torch.")
    )


def is_method(name: str) -> bool:
    """Check whether tensors have a method of this name that may be an activation."""
    return name in _vocabulary(registry.version()).methods


def is_name(name: str) -> bool:
    """Check whether a function of torch, or a method of tensors, that may be an activation has this name."""
    return name in _vocabulary(registry.version()).of_torch


def name_of(function: Any) -> str:
    """Return the import path of a function of torch, or of a class."""
    return type_name(function)


def named(name: str) -> Any:
    """Return the function or class of this name, as :func:`name_of` gives it.

    ``UNKNOWN`` if nothing imported is called so.
    """
    known = _vocabulary(registry.version()).by_path.get(name)
    if known is not None:
        return known
    module, _, attribute = name.rpartition(".")
    return getattr(imported(module), attribute, UNKNOWN)


def works_in_place(function: Any, arguments: Mapping[str, Any]) -> bool | None:
    """Check whether a call writes into its input; None where only a run tells."""
    if getattr(function, "__name__", "").endswith("_"):
        return True
    given = arguments.get("inplace", False)
    return None if given is UNKNOWN else given is True


def applied(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Applied | None:
    """Return the activation that ``function(*args, **kwargs)`` applies.

    None if it is none. Arguments may be ``UNKNOWN``.
    """
    if function in KERNELS:
        spec = KERNELS[function]
        return Applied(factory.definition_of(spec), spec, obstacle=f"computed inside the kernel of {name_of(function)}")
    if function in CLAMPS:
        return _clamp(function, args, kwargs)
    if function in MAXIMA:
        return None  # its second argument has to be seen in the source
    definition = definition_of_function(function)
    if definition is None:
        return None
    given = bound_arguments(function, args, kwargs)
    shown = {
        parameter.name: given[parameter.name]
        for parameter in definition.parameters
        if isinstance(given.get(parameter.name), (bool, int, float, str)) and given[parameter.name] != parameter.default
    }
    return Applied(definition, str(ActivationSpec(definition.name, shown)), is_everyday=is_everyday(function))


def bound_arguments(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Arguments by the names of the parameters."""
    try:
        return inspect.signature(function).bind(*args, **kwargs).arguments
    except (ValueError, TypeError):  # torch's builtins have no signature; some are the module's parameters in order
        definition = definition_of_function(function)
        names = [parameter.name for parameter in definition.parameters] if definition else []
        return {**dict(zip(names, args[1:], strict=False)), **kwargs}


def _clamp(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Applied | None:
    low = kwargs.get("min", args[1] if len(args) > 1 else None)
    high = kwargs.get("max", args[2] if len(args) > 2 else None)
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        return None
    name = {_RELU: "relu", _RELU6: "relu6"}.get((low, None if high == math.inf else high))
    return None if name is None else Applied(factory.definition_of(name), name, DOUBT_OF_CLAMPS)
