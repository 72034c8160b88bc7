"""Backends: the ways in which one activation can be run, and the modules that are run in one of them."""

from __future__ import annotations

import contextlib
import copyreg
import functools
import inspect
import math
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.utils._python_dispatch import TorchDispatchMode

from lightning_acts.definition import Definition
from lightning_acts.hints import did_you_mean
from lightning_acts.kernels.compiling import CompiledKernel
from lightning_acts.kernels.quantizing import QuantizedKernel
from lightning_acts.kernels.recomputing import EagerKernel, Formula, OutputKernel, transforms_active
from lightning_acts.module import FunctionActivation, in_opmath
from lightning_acts.registry import by_target
from lightning_acts.spec import ActivationSpec, SpecError

#: How an activation is run: one of :data:`BACKENDS`, or ``"lean(bits=N)"``; see :func:`with_backend`.
Backend: TypeAlias = str
BACKENDS: tuple[Backend, ...] = ("torch", "eager", "lean", "compiled", "auto")
_BITS: dict[Backend, int] = {f"lean(bits={bits})": bits for bits in range(1, 5)}

# Elements times pairs of torch's operations, from which on compiled code is faster, its calls and all; one operation
# alone is as fast as it is. Measured on a CPU by scripts/bench_kernels.py, as are those below.
_WORTH_COMPILING = 1 << 19
# Fewer elements than any activation needs for that.
_SMALL = 1 << 12
# Operations that torch has from vector libraries: compiled, each takes as long as these many more, forward.
_FAST = {getattr(torch.ops.aten, name) for name in ("tanh", "erf", "atan", "sin", "cos")}
_COST_OF_FAST = 3
# Torch's own that compiled code beats, and the elements from which on.
_BEATEN: dict[type[nn.Module], int] = {nn.Mish: 1 << 17, nn.Softsign: 1 << 19, nn.GELU: 1 << 18}
# Subclasses may be anything.
_TENSORS = (Tensor, nn.Parameter)


class Accelerated(nn.Module):
    """What the modules with a backend have in common; the class of each is a subclass of its plain class.

    Attributes:
        backend: How it is run.
        plain_class: The class that it would have without one.
    """

    backend: Backend
    plain_class: ClassVar[type[nn.Module]]
    _definition: ClassVar[Definition]
    _kernel_parameters: ClassVar[tuple[str, ...]]
    _least: ClassVar[dict[tuple[torch.dtype, bool], float]]

    def forward(self, input: Tensor) -> Tensor:
        """Return the activation of ``input``."""
        backend = self._backend_for(input)
        if backend == "torch":
            return self.plain_class.forward(self, input)  # type: ignore[no-any-return]
        leaves, structure, per_channel = self._learned_tensors(input)
        kernel = _kernel(self._definition, self._fixed_items(), structure, per_channel, backend, self.backend == "auto")
        if backend == "eager":
            return kernel.formula(input, *leaves)
        tensors = (input, *leaves)
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            return kernel.differentiable(*tensors)
        with torch.no_grad():  # one of the things that compiled code depends on
            return kernel.forward(*tensors)

    def _backend_for(self, input: Any) -> Backend:
        # Whoever traces sees the plain formula, to fuse it with its neighbors.
        if type(input) not in _TENSORS or torch.compiler.is_compiling() or torch._C._is_tracing():
            return "torch"
        # Before the other checks, which take as long as a fifth of a small tensor.
        if self.backend == "auto":
            size = input.numel()
            if size < _SMALL or size < self._least.get((input.dtype, torch.is_grad_enabled()), 0):
                return "torch"
        if not _is_plain(input) or getattr(self, "inplace", False):
            return "torch"
        # What is random would be something else, computed again.
        if "_moves" in vars(self) or (self.training and self._definition.stochastic):
            return "torch"
        if self.backend != "auto":
            return self.backend
        setting = (input.dtype, torch.is_grad_enabled())
        if setting not in self._least:
            self._least[setting] = self._least_to_compile(input)
            return self._backend_for(input)
        # Exact GELU, a gate's too, is as fast by torch's own operator; its tanh form is not.
        if getattr(self, "approximate", None) == "none":
            return "torch"
        if not CompiledKernel.unavailable:
            return "compiled"
        # An operator of torch's own keeps little as it is.
        return "lean" if isinstance(self, FunctionActivation) else "torch"

    def _least_to_compile(self, input: Tensor) -> float:
        """Return the number of elements from which on compiled code is faster, for inputs of such a type."""
        if not isinstance(self, FunctionActivation):
            return _BEATEN.get(self.plain_class, math.inf)
        with torch.no_grad(), _Operations() as operations:
            self.plain_class.forward(self, input)
        count = operations.count - (0 if torch.is_grad_enabled() else _COST_OF_FAST * operations.fast)
        return max(_SMALL, _WORTH_COMPILING / math.comb(count, 2)) if count > 1 else math.inf

    def fix(self, name: str, value: Any) -> None:
        """Give a fixed parameter another value, and run as the class computes from now on.

        A blend does so at each step, and each value would be compiled.
        """
        super().fix(name, value)  # type: ignore[misc]
        vars(self)["_moves"] = True

    def _fixed_items(self) -> tuple[tuple[str, Any], ...]:
        if isinstance(self, FunctionActivation):
            return tuple(self.fixed_arguments().items())
        # Hardtanh keeps no attribute for the old names of its parameters.
        return tuple((name, getattr(self, name)) for name in self._kernel_parameters if hasattr(self, name))

    def _learned_tensors(
        self, input: Tensor
    ) -> tuple[list[Tensor], tuple[tuple[str, int | None], ...], tuple[bool, ...]]:
        """Return learnable parameters one after another, their names and numbers, and which have a value a channel."""
        leaves: list[Tensor] = []
        structure: list[tuple[str, int | None]] = []
        per_channel: list[bool] = []
        if isinstance(self, FunctionActivation):
            for name, value in self.learned_arguments(input).items():
                are_several = isinstance(value, tuple)
                members = value if are_several else (value,)
                leaves += members
                structure.append((name, len(members) if are_several else None))
                # One value a layer has no dimension, several stand in one that is no channel's.
                per_channel += [are_several or (value.dim() > 0 and not self.has_several(name))] * len(members)
        return leaves, tuple(structure), tuple(per_channel)

    def __reduce__(self) -> tuple[Any, ...]:
        # The class is derived, not importable: it is made again of the plain one.
        if isinstance(self, FunctionActivation):
            make, arguments, state = FunctionActivation.__reduce__(self)
        else:
            make, arguments, state = copyreg.__newobj__, (self.plain_class,), self.__dict__  # type: ignore[attr-defined]
        return _restore, (make, arguments), state


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations that run inside of it, but for views."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = self.fast = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not function.is_view
        self.fast += function.overloadpacket in _FAST
        return function(*args, **(kwargs or {}))


def _restore(make: Callable[..., nn.Module], arguments: tuple[Any, ...]) -> nn.Module:
    module = make(*arguments)
    definition = module.definition if isinstance(module, FunctionActivation) else by_target(type(module))
    plain: Any = type(module)
    module.__class__ = _accelerated_class(plain, definition)
    return module


def with_backend(module: nn.Module, definition: Definition, backend: str) -> nn.Module:
    """Have an activation run by a backend from now on; its parameters, hooks and identity stay.

    An activation stays what it is where a backend has nothing to gain, see :func:`obstacle`.

    Args:
        module: The activation.
        definition: What it computes.
        backend: ``"torch"``: as its class computes; ``"eager"``: by the formula with the fewest operations; ``"lean"``: so too,
            but the backward keeps the input alone, or the output alone where that tells the derivative;
            ``"lean(bits=N)"``: so too, but it keeps the derivative alone, rounded to ``2 ** N`` levels, N from 1 to 4;
            ``"compiled"``: in one kernel a pass, which keeps the input alone too; ``"auto"``: compiled where that is
            faster, by the size of each tensor.

    Returns:
        The module itself.

    Raises:
        SpecError: There is no such backend, or the activation can't be run by it.
    """
    backend = checked_backend(backend)
    refuse_backend(definition, backend)
    plain = plain_class(type(module))
    if backend == "torch" or obstacle(definition, backend):
        module.__class__ = plain
        vars(module).pop("backend", None)
        vars(module).pop("_moves", None)
    else:
        module.__class__ = _accelerated_class(plain, definition)
        vars(module)["backend"] = backend
    return module


def checked_backend(backend: Any) -> Backend:
    """Return a backend as it is always written.

    Raises:
        SpecError: It is none.
    """
    near = did_you_mean(str(backend), (*BACKENDS, *_BITS))
    with contextlib.suppress(SpecError, TypeError):
        spec = ActivationSpec.parse(backend)
        if str(spec) in (*BACKENDS, *_BITS):
            return str(spec)
        if isinstance(bits := spec.parameters.get("bits"), int):
            near = f"; did you mean 'lean(bits={min(max(int(bits), 1), 4)})'?"
    raise SpecError(f"backend={backend!r}: one of {', '.join(BACKENDS)}, or lean(bits=N) with N from 1 to 4{near}")


def refuse_backend(definition: Definition, backend: Backend) -> None:
    """Check that a backend does not take away what an activation is for.

    Raises:
        SpecError: The activation learns, and the backend keeps no input, which the gradient of parameters needs.
    """
    if backend in _BITS and definition.kind == "elementwise" and definition.learnable:
        raise SpecError(f"backend={backend!r}: {definition.name}: {_LEARNS}; backend='lean' keeps that")


_LEARNS = "the gradient of its parameters needs its input"


def obstacle(definition: Definition, backend: Backend) -> str | None:
    """Return why an activation is better not run by a backend; None where it is."""
    is_own = definition.module_class is not None and definition.kernel is None
    if backend not in _BITS:
        if is_own and not (backend == "lean" and definition.from_output):
            return "torch's own operator is as good"
        # A gated one of the user's own may do anything in its other dimensions.
        is_known = definition.kind == "elementwise" or (definition.family == "gated" and not definition.learnable)
        return None if is_known else f"it is {definition.kind}: no backend runs it otherwise"
    if definition.kind != "elementwise":
        return f"it is {definition.kind}: it has no derivative of its own at each element"
    if definition.learnable:
        return _LEARNS
    if definition.stochastic:
        return "it is random in training"
    if is_own and not definition.target.__module__.startswith("torch.nn."):
        return "it is a class, whose derivative may be another one at each call; a function's is known"
    return None


def plain_class(cls: Any) -> Any:
    """Return the class that a module has without a backend."""
    return cls.plain_class if issubclass(cls, Accelerated) else cls


@functools.cache
def _accelerated_class(plain: Any, definition: Definition) -> Any:
    members: dict[str, Any] = {
        "plain_class": plain,
        "_definition": definition,
        "_least": {},
        # Read once: a signature takes longer than a small tensor.
        "_kernel_parameters": _kernel_parameters(definition),
        "__doc__": plain.__doc__,
        # It is taken for the plain class wherever a name tells what a module is.
        "__module__": plain.__module__,
        "__qualname__": plain.__qualname__,
    }
    if issubclass(plain, LazyModuleMixin):
        members["cls_to_become"] = _accelerated_class(plain.cls_to_become, definition)
    return type(plain.__name__, (Accelerated, plain), members)


def _kernel_parameters(definition: Definition) -> tuple[str, ...]:
    if definition.module_class is not None and definition.kernel is None:
        return tuple(parameter.name for parameter in definition.parameters if parameter.name != "inplace")
    return tuple(inspect.signature(definition.kernel or definition.target).parameters)[1:]


@functools.cache
def _kernel(
    definition: Definition,
    fixed: tuple[tuple[str, Any], ...],
    structure: tuple[tuple[str, int | None], ...],
    per_channel: tuple[bool, ...],
    backend: Backend,
    may_fall_back: bool,
) -> EagerKernel:
    """Return the kernel of a definition with these fixed parameters, and learnable ones of this structure."""
    constants = dict(fixed)
    if definition.module_class is not None and definition.kernel is None:
        forward = definition.module_class(**constants).forward
        return QuantizedKernel(forward, _BITS[backend]) if backend in _BITS else _lean(definition, forward, constants)
    function = in_opmath(definition.kernel or definition.target, definition.name)

    def formula(input: Tensor, *leaves: Tensor, **given: Any) -> Tensor:
        rest = list(leaves)
        learned: dict[str, Any] = {}
        for name, count in structure:
            learned[name] = rest.pop(0) if count is None else tuple(rest.pop(0) for _ in range(count))
        return function(input, **{**constants, **given}, **learned)

    if backend == "compiled":
        dim = None if definition.kind == "elementwise" else constants["dim"]
        return CompiledKernel(definition.name, formula, per_channel, may_fall_back, dim)
    if backend == "lean":
        return _lean(definition, formula, constants)
    return QuantizedKernel(formula, _BITS[backend]) if backend in _BITS else EagerKernel(formula)


def _lean(definition: Definition, formula: Formula, constants: dict[str, Any]) -> EagerKernel:
    pull = definition.from_output(**constants) if definition.from_output else None
    return OutputKernel(formula, in_opmath(pull, definition.name)) if pull else EagerKernel(formula)


def _is_plain(input: Tensor) -> bool:
    """Return whether an input is a dense tensor of numbers that nothing watches or transforms."""
    return (
        input.layout is torch.strided
        and input.is_floating_point()
        and input.numel() > 0
        and not input.is_meta
        and not transforms_active()
        and not torch._C._len_torch_function_stack()
        and not torch._C._len_torch_dispatch_stack()
    )
