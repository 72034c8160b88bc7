"""One pass over example inputs: which activations run, as calls of modules and as calls of functions."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from lightning_acts.definition import DEFINITIONS, Definition
from lightning_acts.spec import ActivationSpec
from lightning_acts.surgery.roles import role_of
from lightning_acts.surgery.site import Site, SwapError, type_name

_TORCH = os.path.dirname(torch.__file__) + os.sep


@dataclass
class _Call:
    owner: str
    definition: Definition
    spec: str
    function: Callable[..., Any]
    location: str
    count: int = 0


class FunctionObserver(TorchFunctionMode):
    """While entered, notes the calls of activation functions that modules of ``model`` make in their forwards.

    Calls within an activation module belong to that module, and are left out. Only discovers, never replaces.

    Args:
        model: The model whose modules are the owners of the calls.
        activation_modules: Its activation modules.
    """

    def __init__(self, model: nn.Module, activation_modules: set[nn.Module]) -> None:
        super().__init__()
        self._paths = {id(module): plain_path(name) for name, module in model.named_modules()}
        self._activation_ids = {id(module) for module in activation_modules}
        self._definitions = {
            function: definition
            for definition in DEFINITIONS.values()
            for function in definition.functions
            if definition.kind != "transfer" and definition.name != "identity"
        }
        self._calls: dict[tuple[int, Any, int], _Call] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        definition = None if torch.compiler.is_compiling() else self._definitions.get(func)
        if definition is not None:
            self._note(func, definition, args, kwargs or {})
        return func(*args, **(kwargs or {}))

    def _note(self, func: Callable[..., Any], definition: Definition, args: Any, kwargs: Mapping[str, Any]) -> None:
        caller: FrameType | None = None
        frame = sys._getframe(2)
        while frame is not None:
            if caller is None and not frame.f_code.co_filename.startswith((_TORCH, __file__)):
                caller = frame
            owner = frame.f_locals.get("self")
            if isinstance(owner, nn.Module) and id(owner) in self._paths:
                if id(owner) in self._activation_ids:
                    return
                caller = caller or frame
                key = (id(owner), caller.f_code, caller.f_lasti)
                call = self._calls.get(key)
                if call is None:
                    location = f"{caller.f_code.co_filename}:{caller.f_lineno}"
                    spec = _spec_of_call(func, definition, args, kwargs)
                    call = self._calls[key] = _Call(self._paths[id(owner)], definition, spec, func, location)
                call.count += 1
                return
            frame = frame.f_back  # type: ignore[assignment]

    def sites(self) -> list[Site]:
        """The calls as sites, in the order in which they first ran; a path is ``owner/function/index``."""
        indices: Counter[tuple[str, str]] = Counter()
        found = []
        for call in self._calls.values():
            name = call.function.__name__
            path = f"{call.owner}/{name}/{indices[call.owner, name]}".lstrip("/")
            indices[call.owner, name] += 1
            role, reason = role_of(call.spec, ())
            found.append(
                Site(
                    path,
                    (path,),
                    "function",
                    call.spec,
                    role,
                    reason,
                    type_name(call.function),
                    call.count,
                    call.location,
                )
            )
        return found


@dataclass
class Observation:
    """What one pass in eval mode and one in train mode have shown.

    Attributes:
        functions: The calls of activation functions, as sites.
        calls: How often each activation module ran in the pass in eval mode, or in train mode if never in eval.
        notes: What the reader should know about the pass.
    """

    functions: list[Site] = field(default_factory=list)
    calls: dict[nn.Module, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def observe(model: nn.Module, example_input: Any, activation_modules: set[nn.Module]) -> Observation:
    """Run ``example_input`` through the model in eval and in train mode, and leave the model as it was.

    Buffers, random generators and modes are put back; gradients are off. A tuple is spread over the positional
    arguments of the forward, a mapping over its keyword arguments.

    Raises:
        SwapError: The model does not run on the input in eval mode.
    """
    observer = FunctionObserver(model, activation_modules)
    passes: list[Counter[nn.Module]] = []
    notes: list[str] = []
    with _as_it_was(model):
        for training in (False, True):
            model.train(training)
            with _counting(activation_modules) as counts:
                try:
                    with torch.no_grad(), observer:
                        _call(model, example_input)
                except Exception as error:
                    problem = f"{type(error).__name__}: {error}"
                    if not training:
                        raise SwapError(f"the model does not run on example_input: {problem}") from error
                    notes.append(
                        f"in train mode the model does not run on example_input ({problem}): seen in eval mode only"
                    )
            passes.append(counts)
    evaluated, trained = passes
    calls = {module: evaluated[module] or trained[module] for module in activation_modules}
    return Observation(observer.sites(), calls, notes)


def plain_path(path: str) -> str:
    """A module's name without the prefixes of wrappers."""
    return ".".join(part for part in path.split(".") if part != "_orig_mod")


def _call(model: nn.Module, example_input: Any) -> None:
    # Copies: a model may work in place on its input.
    example_input = tree_map(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, example_input)
    if isinstance(example_input, Mapping):
        model(**example_input)
    elif isinstance(example_input, (tuple, list)):
        model(*example_input)
    else:
        model(example_input)


@contextlib.contextmanager
def _as_it_was(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    buffers = [
        (module, name, buffer, buffer.detach().clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None and not isinstance(buffer, nn.parameter.UninitializedBuffer)
    ]
    devices = {p.device.index for p in model.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(devices=[index for index in devices if index is not None]):
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training
            with torch.no_grad():
                for owner, name, buffer, value in buffers:
                    buffer.copy_(value)
                    owner._buffers[name] = buffer  # a forward may have put another one there


@contextlib.contextmanager
def _counting(modules: set[nn.Module]) -> Iterator[Counter[nn.Module]]:
    counts: Counter[nn.Module] = Counter()
    handles = [module.register_forward_hook(lambda m, *_: counts.update([m])) for module in modules]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()


def _spec_of_call(func: Callable[..., Any], definition: Definition, args: Any, kwargs: Mapping[str, Any]) -> str:
    try:
        given: Mapping[str, Any] = inspect.signature(func).bind(*args, **kwargs).arguments
    except (ValueError, TypeError):  # torch's builtins have no signature
        given = kwargs
    shown = {
        parameter.name: given[parameter.name]
        for parameter in definition.parameters
        if parameter.name in given and isinstance(given[parameter.name], (bool, int, float, str))
        if given[parameter.name] != parameter.default
    }
    return str(ActivationSpec(definition.name, shown))
