"""Backends: the ways in which one activation can be run, and the modules that are run in one of them."""

from __future__ import annotations

import copyreg
import functools
import inspect
import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.utils._python_dispatch import TorchDispatchMode

from lightning_acts.definition import Definition
from lightning_acts.hints import did_you_mean
from lightning_acts.kernels.compiling import CompiledKernel
from lightning_acts.kernels.recomputing import EagerKernel, Recomputed, transforms_active
from lightning_acts.module import FunctionActivation, in_opmath
from lightning_acts.registry import by_target
from lightning_acts.spec import SpecError

#: How an activation is run; see :func:`with_backend`.
Backend: TypeAlias = Literal["torch", "eager", "lean", "compiled", "auto"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)

# Elements times operations of torch's for each, from which on compiled code is faster, its calls and all; one operation
# alone is as fast as it is. Measured on a CPU by scripts/bench_kernels.py, as are those below.
_WORTH_COMPILING = 1 << 18
# Fewer elements than any activation needs for that.
_SMALL = 1 << 12
# Torch's own that compiled code beats, and the elements from which on.
_BEATEN: dict[type[nn.Module], int] = {nn.Mish: 1 << 17, nn.Softsign: 1 << 20}
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
    _operations: ClassVar[dict[torch.dtype, int]]

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
            return Recomputed.apply(kernel, *tensors)  # type: ignore[no-any-return]
        with torch.no_grad():  # one of the things that compiled code depends on
            return kernel.forward(*tensors)

    def _backend_for(self, input: Any) -> Backend:
        # Whoever traces sees the plain formula, to fuse it with its neighbors.
        if type(input) not in _TENSORS or torch.compiler.is_compiling() or torch._C._is_tracing():
            return "torch"
        # Before the other checks, which take as long as a fifth of a small tensor.
        if self.backend == "auto" and input.numel() < _SMALL:
            return "torch"
        if not _is_plain(input) or getattr(self, "inplace", False):
            return "torch"
        # What is random would be something else, computed again.
        if "_moves" in vars(self) or (self.training and self._definition.stochastic):
            return "torch"
        if self.backend != "auto":
            return self.backend
        if not self._worth_compiling(input):
            return "torch"
        if not CompiledKernel.unavailable:
            return "compiled"
        # An operator of torch's own keeps little as it is.
        return "lean" if isinstance(self, FunctionActivation) else "torch"

    def _worth_compiling(self, input: Tensor) -> bool:
        if not isinstance(self, FunctionActivation):
            return input.numel() >= _BEATEN.get(self.plain_class, math.inf)
        if input.dtype not in self._operations:
            with torch.no_grad(), _Operations() as operations:
                self.plain_class.forward(self, input)
            self._operations[input.dtype] = operations.count
        count = self._operations[input.dtype]
        return count > 1 and count * input.numel() >= _WORTH_COMPILING

    def fix(self, name: str, value: Any) -> None:
        """Give a fixed parameter another value, and run as the class computes from now on.

        A blend does so at each step, and each value would be compiled.
        """
        super().fix(name, value)  # type: ignore[misc]
        vars(self)["_moves"] = True

    def _fixed_items(self) -> tuple[tuple[str, Any], ...]:
        if isinstance(self, FunctionActivation):
            return tuple(self.fixed_arguments().items())
        return tuple((name, getattr(self, name)) for name in self._kernel_parameters)

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
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not function.is_view
        return function(*args, **(kwargs or {}))


def _restore(make: Callable[..., nn.Module], arguments: tuple[Any, ...]) -> nn.Module:
    module = make(*arguments)
    definition = module.definition if isinstance(module, FunctionActivation) else by_target(type(module))
    plain: Any = type(module)
    module.__class__ = _accelerated_class(plain, definition)
    return module


def with_backend(module: nn.Module, definition: Definition, backend: str) -> nn.Module:
    """Have an activation run by a backend from now on; its parameters, hooks and identity stay.

    An operator of torch's own stays what it is where it already takes one kernel a pass and keeps one tensor.

    Args:
        module: The activation.
        definition: What it computes.
        backend: ``"torch"``: as its class computes; ``"eager"``: by the formula with the fewest operations; ``"lean"``: so too,
            but the backward keeps the input alone; ``"compiled"``: in one kernel a pass, which keeps the input alone too;
            ``"auto"``: compiled where that is faster, by the size of each tensor.

    Returns:
        The module itself.

    Raises:
        SpecError: There is no such backend.
    """
    check_backend(backend)
    plain = plain_class(type(module))
    if backend == "torch" or not gains(definition):
        module.__class__ = plain
        vars(module).pop("backend", None)
        vars(module).pop("_moves", None)
    else:
        module.__class__ = _accelerated_class(plain, definition)
        vars(module)["backend"] = backend
    return module


def check_backend(backend: str) -> None:
    """Refuse what is no backend.

    Raises:
        SpecError: It is none.
    """
    if backend not in BACKENDS:
        raise SpecError(f"backend={backend!r}: one of {', '.join(BACKENDS)}{did_you_mean(str(backend), BACKENDS)}")


def gains(definition: Definition) -> bool:
    """Return whether there is anything to gain: not where torch's own operator takes one kernel a pass already."""
    # A gated one of the user's own may do anything in its other dimensions.
    if definition.kind != "elementwise" and (definition.family != "gated" or definition.learnable):
        return False
    return definition.module_class is None or definition.kernel is not None


def plain_class(cls: Any) -> Any:
    """Return the class that a module has without a backend."""
    return cls.plain_class if issubclass(cls, Accelerated) else cls


@functools.cache
def _accelerated_class(plain: Any, definition: Definition) -> Any:
    members: dict[str, Any] = {
        "plain_class": plain,
        "_definition": definition,
        "_operations": {},
        # Read once: a signature takes longer than a small tensor.
        "_kernel_parameters": tuple(inspect.signature(definition.kernel or definition.target).parameters)[1:],
        "__doc__": plain.__doc__,
        # It is taken for the plain class wherever a name tells what a module is.
        "__module__": plain.__module__,
        "__qualname__": plain.__qualname__,
    }
    if issubclass(plain, LazyModuleMixin):
        members["cls_to_become"] = _accelerated_class(plain.cls_to_become, definition)
    return type(plain.__name__, (Accelerated, plain), members)


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
    function = in_opmath(definition.kernel or definition.target, definition.name)
    constants = dict(fixed)

    def formula(input: Tensor, *leaves: Tensor, **given: Any) -> Tensor:
        rest = list(leaves)
        learned: dict[str, Any] = {}
        for name, count in structure:
            learned[name] = rest.pop(0) if count is None else tuple(rest.pop(0) for _ in range(count))
        return function(input, **{**constants, **given}, **learned)

    if backend == "compiled":
        dim = None if definition.kind == "elementwise" else constants["dim"]
        return CompiledKernel(definition.name, formula, per_channel, may_fall_back, dim)
    return EagerKernel(formula)


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
