"""One pass over example inputs: which activations run, as calls of modules and as calls of functions."""

from __future__ import annotations

import ast
import os
import sys
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import CodeType, FrameType
from typing import Any

import executing
import torch
import torch.fx
from torch import nn
from torch.overrides import TorchFunctionMode

from lightning_acts.surgery.example import Example, after_each_call
from lightning_acts.surgery.recognizing.calls import KERNELS, Applied, applied, is_candidate, name_of
from lightning_acts.surgery.recognizing.expressions import Written, written
from lightning_acts.surgery.recognizing.formulas import ERFS
from lightning_acts.surgery.recognizing.modules import recognize
from lightning_acts.surgery.rewriting import graphs
from lightning_acts.surgery.rewriting.classes import base_of, reading_of
from lightning_acts.surgery.rewriting.reading import (
    Call,
    call_at,
    call_name,
    function_name,
    function_named,
    is_own_method,
    layers_of,
    method_scopes,
    reached,
    step_to,
)
from lightning_acts.surgery.roles.dataflow import Flow
from lightning_acts.surgery.route import Route, Step
from lightning_acts.surgery.site import SiteKind
from lightning_acts.surgery.source.functions import UNKNOWN, Scope, SourceError, layers, original

_TORCH = os.path.dirname(torch.__file__) + os.sep


@dataclass
class SeenCall:
    """A call of an activation that ran.

    Attributes:
        owner: The module in whose method it stands, or to which it leads.
        call: What the code says of it.
        obstacle: Why it can't be rewritten; where the way there could not be told, its route is empty.
        counts: How often it ran, in each pass.
    """

    owner: nn.Module
    call: Call
    obstacle: str | None = None
    counts: list[int] = field(default_factory=lambda: [0])

    @property
    def count(self) -> int:
        """How often it ran in the first pass in which it did."""
        return next((count for count in self.counts if count), 0)


class FunctionObserver(TorchFunctionMode):
    """While entered, notes the calls of activation functions that modules of ``model`` make in their forwards.

    Calls within an activation module belong to that module, and are left out. Only discovers, never replaces.

    Args:
        model: The model whose modules are the owners of the calls.
        activation_modules: Its activation modules.
        flow: What is told of every call, to follow the results.
    """

    def __init__(self, model: nn.Module, activation_modules: Iterable[nn.Module], flow: Flow | None = None) -> None:
        super().__init__()
        self._modules = {id(module) for module in model.modules()}
        self.activation_modules = set(activation_modules)
        self.flow = flow
        self.number = 0  # of the pass
        self._formulas = set().union(*(reading_of(type(module)).formulas for module in model.modules()))
        self._by_frames: dict[Hashable, SeenCall | None] = {}
        self._by_route: dict[Hashable, SeenCall] = {}

    @property
    def seen(self) -> list[SeenCall]:
        """The calls, in the order in which they first ran."""
        return list(self._by_route.values())

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if torch.compiler.is_compiling():
            return func(*args, **kwargs)
        seen = None
        if is_candidate(func) or self._may_end_formula(func, sys._getframe(1)):
            seen = self._note(func, args, kwargs)
        result = func(*args, **kwargs)
        if self.flow is not None:
            self.flow.saw(func, args, kwargs, result)
            if seen is not None and func not in KERNELS:  # what such a kernel returns is no activation's result
                given = self.flow.data_among(args, kwargs.get("input"))
                # Its arguments may be others than before.
                found = None if seen.call.is_formula else applied(func, args, kwargs)
                spec = found.spec if found else seen.call.spec
                self.flow.mark(id(seen), spec, given, result, seen.call.is_everyday)
        return result

    def _note(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> SeenCall | None:
        stack = self._call_stack(sys._getframe(2))
        if stack is None:
            return None
        # A callee that is only known when it runs may be another one the next time.
        key = (id(stack.owner), func, stack.maker, *((frame.f_code, frame.f_lasti) for frame in stack.frames))
        if key not in self._by_frames:
            seen = _seen(stack, func, args, kwargs, self._formulas)
            if seen is not None and seen.call.route.steps:
                seen = self._by_route.setdefault((id(stack.owner), seen.call.route), seen)
            elif seen is not None:
                self._by_route[key] = seen
            self._by_frames[key] = seen
        found = self._by_frames[key]
        if found is not None:
            found.counts += [0] * (self.number - len(found.counts) + 1)
            found.counts[self.number] += 1
        return found

    def _may_end_formula(self, func: Callable[..., Any], frame: FrameType | None) -> bool:
        """Return whether a function is called where formulas compute activations: the last in a formula is its run."""
        if func in ERFS:
            return True  # in a function that only a run leads to
        if not self._formulas:
            return False
        while frame is not None and frame.f_code.co_filename.startswith((_TORCH, __file__)):
            frame = frame.f_back
        return frame is not None and any(_contains(code, original(frame.f_code)) for code in self._formulas)

    def _call_stack(self, frame: FrameType | None) -> _CallStack | None:
        """Return the frames between a call and the method of the module that it belongs to.

        None within an activation.
        """
        frames: list[FrameType] = []
        owner: nn.Module | None = None
        maker: type[nn.Module] | None = None
        obstacle: str | None = None
        while frame is not None:
            code, first = frame.f_code, _first_argument(frame)
            is_torch = code.co_filename.startswith((_TORCH, __file__))
            # A function of the file, to which a module is given, is none of the module's.
            is_helper = not is_torch and _is_of_file(frame)
            if isinstance(first, nn.Module) and id(first) in self._modules and not is_helper:
                if first in self.activation_modules:
                    return None
                if owner is not None and first is not owner:
                    break
                owner = first
                if code is _CALL_IMPL:
                    break
                if is_torch and not frames:
                    return _CallStack(owner, [frame], None, f"within torch's own {type(owner).__name__}")
            elif isinstance(first, nn.Module) and owner is None and code is not _CALL_IMPL and not is_helper:
                if not frames and recognize(first) is not None:
                    # Made in the forward and called at once: the activation is what the module around it calls.
                    maker, frame = type(first), frame.f_back
                    continue
                if not is_torch:
                    obstacle = obstacle or f"within a {type(first).__name__} that is no submodule of the model"
            elif isinstance(first, torch.autograd.function.FunctionCtx) and not is_torch:
                obstacle = obstacle or "within a custom autograd.Function, whose backward would stay as it is"
            if not is_torch:
                frames.append(frame)
            frame = frame.f_back
        if owner is None or not frames:
            return None
        of_owner = [index for index, other in enumerate(frames) if _runs_method_of(other, owner)]
        if not of_owner:
            obstacle = obstacle or "called by a hook, or by a forward that was set on the instance"
        return _CallStack(owner, frames[: of_owner[-1] + 1] if of_owner else frames, maker, obstacle)


_CALL_IMPL = nn.Module._call_impl.__code__
_WRAPPED_CALL_IMPL = nn.Module._wrapped_call_impl.__code__


@dataclass(frozen=True)
class _CallStack:
    """The author's frames from a call, the innermost first, to a method of the module that it belongs to."""

    owner: nn.Module
    frames: list[FrameType]
    maker: type[nn.Module] | None
    obstacle: str | None
    function: Any = None


def _first_argument(frame: FrameType) -> Any:
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def _is_of_file(frame: FrameType) -> bool:
    """Check whether a frame runs a function that stands in its file by its own name, outside of classes."""
    function = frame.f_globals.get(frame.f_code.co_name)
    return any(layer.__code__ is original(frame.f_code) for layer in layers(function))


def _runs_method_of(frame: FrameType, owner: nn.Module) -> bool:
    return _first_argument(frame) is owner and _method_with(type(owner), frame.f_code) is not None


def _method_with(cls: type[nn.Module], code: CodeType) -> Scope | None:
    """Return the method that runs this code, under its own name or as the forward; None if there is none."""
    code = original(code)
    scopes = (scope for name in (code.co_name, "forward", "__call__") for scope in method_scopes(base_of(cls), name))
    return next((scope for scope in scopes if scope.function.__code__ is code), None)


def _seen(
    stack: _CallStack, func: Callable[..., Any], args: Any, kwargs: Mapping[str, Any], formulas: set[CodeType]
) -> SeenCall | None:
    """Return the call of an activation; where it is a part of a formula, its last part stands for all.

    ``formulas`` is the code of functions that hold some: it grows.
    """
    if func in KERNELS and isinstance(stack.owner, nn.MultiheadAttention):
        return None  # known without a run
    found = applied(func, args, kwargs) if is_candidate(func) else None
    tensors = [arg for arg in args if isinstance(arg, torch.Tensor)]
    given = next((tensor for tensor in tensors if tensor.is_floating_point()), (*tensors, kwargs.get("input"))[0])
    is_real = isinstance(given, torch.Tensor) and given.is_floating_point()
    unfit = None if is_real else f"its input is of type {getattr(given, 'dtype', type(given).__name__)}, for which few activations are made"  # fmt: skip
    try:
        if stack.obstacle is not None:
            raise SourceError(stack.obstacle)
        if isinstance(stack.owner, torch.fx.GraphModule):
            in_graph = graphs.call_in(stack.owner, stack.frames, func)
            return None if in_graph is None else SeenCall(stack.owner, in_graph, unfit)
        scope, prefix, node = _trace(replace(stack, function=func))
        site = _written_around(node, scope) or _handed_on(node, func, scope)
        if site is not None and site.composite is not None:
            formulas.add(scope.function.__code__)
            if site.node is not node:
                return None
        if site is not None:
            call = call_at(site, scope, prefix)
            # The arguments are known now; those of a formula's last part are its own.
            spec = found.spec if found is not None and site.applied.definition is found.definition else call.spec
            return SeenCall(stack.owner, replace(call, spec=spec), unfit)
        if found is None:
            return None
        for call in reading_of(type(stack.owner)).calls:
            # Handed on by another function that the forward reaches, such as a property.
            if call.hands_on and call.route.callee == name_of(stack.maker or func):
                return SeenCall(stack.owner, call, unfit)
        return SeenCall(stack.owner, replace(_unplaced(stack, func, found), route=Route((*prefix, step_to(node, scope)), name_of(stack.maker or func))), unfit or found.obstacle)  # fmt: skip
    except SourceError as error:
        return None if found is None else SeenCall(stack.owner, _unplaced(stack, func, found), str(error))


def _unplaced(stack: _CallStack, func: Callable[..., Any], found: Applied) -> Call:
    name = call_name(stack.maker or func)
    kind: SiteKind = "method" if stack.maker is None and name_of(func).startswith("torch.Tensor.") else "function"
    frame = stack.frames[0]
    location = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    route = Route((), name_of(stack.maker or func))
    return Call(route, name, kind, found.spec, found.doubt, location, is_everyday=found.is_everyday)


def _handed_on(node: ast.expr, function: Any, scope: Scope) -> Written | None:
    """Return where the function that a node calls stands: handed on within the node, or elsewhere in the same code."""
    return _handed_on_in(node, function, scope) or next(
        (site for part in scope.source.expressions if (site := _handed_on_in(part, function, scope))), None
    )


def _handed_on_in(node: ast.expr, function: Any, scope: Scope) -> Written | None:
    for part in ast.walk(node):
        site = written(part, scope) if isinstance(part, (ast.Name, ast.Attribute)) else None
        if site is not None and site.function is function:
            return site
    return None


def _written_around(node: ast.expr, scope: Scope) -> Written | None:
    """Return what an expression applies, or the formula of which it is a part."""
    site = written(node, scope)
    around = scope.source.parents.get(node)
    while isinstance(around, ast.expr):
        whole = written(around, scope)
        if whole is not None and whole.composite is not None and node in whole.composite.parts():
            site = whole
        around = scope.source.parents.get(around)
    return site


def _trace(stack: _CallStack) -> tuple[Scope, tuple[Step, ...], ast.expr]:
    """Return the function that holds the call, the steps to it from a method of the owner, and the call's node.

    Raises:
        SourceError: The way can't be told.
    """
    frame = stack.frames[-1]
    scope = _method_with(type(stack.owner), frame.f_code)
    if scope is None:
        raise SourceError(f"{frame.f_code.co_name} is no method of its class")
    path: list[tuple[Scope, tuple[Step, ...]]] = [(scope, ())]
    inner = stack.frames[-2::-1]
    while True:
        scope = path[-1][0]
        within = [
            index for index, other in enumerate(inner) if _contains(scope.function.__code__, original(other.f_code))
        ]
        if within:  # a function or a lambda that is defined there, however it came to be called
            frame, inner = inner[within[-1]], inner[within[-1] + 1 :]
        try:
            node = _node_that_runs(frame, scope, None if inner else stack.function)
        except SourceError:
            # Where a method of the owner runs further in, that one is enough; the trial tells whether it is the way.
            methods = [index for index, other in enumerate(inner) if _runs_method_of(other, stack.owner)]
            method = _method_with(type(stack.owner), inner[methods[-1]].f_code) if methods else None
            if method is None:
                raise
            path, frame, inner = [(method, ())], inner[methods[-1]], inner[methods[-1] + 1 :]
            continue
        if not inner or _handed_on_in(node, stack.function, scope) is not None:
            return scope, path[-1][1], node
        inner_call = _inner_call(node, scope, frame, inner, stack.owner)
        steps = () if inner_call.reference is None else (*path[-1][1], step_to(inner_call.reference, scope))
        again = [index for index, (earlier, _) in enumerate(path) if earlier.function is inner_call.scope.function]
        if again:  # it has called itself
            del path[again[0] + 1 :]
        elif inner_call.reference is None:
            path = [(inner_call.scope, steps)]
        else:
            path.append((inner_call.scope, steps))
        frame, inner = inner[inner_call.length - 1], inner[inner_call.length :]


@dataclass(frozen=True)
class _InnerCall:
    """From an expression to the function that one of the inner frames runs; a method of the owner needs no reference."""

    scope: Scope
    reference: ast.expr | None
    length: int


def _inner_call(
    node: ast.expr, scope: Scope, frame: FrameType, inner: Sequence[FrameType], owner: nn.Module
) -> _InnerCall:
    """Return the way to the function of one of the inner frames, the innermost that the expression names.

    Raises:
        SourceError: It can't be told.
    """
    references = [part for part in ast.walk(node) if isinstance(part, (ast.Name, ast.Attribute))]
    beneath = layers_of(scope)
    for length in range(len(inner), 0, -1):
        code = original(inner[length - 1].f_code)
        decorated = [method for method in beneath if _contains(method.function.__code__, code)]
        if decorated:  # what a decorator's own function calls is the next of them
            return _InnerCall(decorated[0], None, length)
        for reference in references:
            value = scope.resolve(reference)
            if is_own_method(reference, value, scope):
                assert isinstance(reference, ast.Attribute)
                methods = method_scopes(scope.owner, scope.mangled(reference.attr))
                found = [method for method in methods if _contains(method.function.__code__, code)]
                if found:
                    return _InnerCall(found[0], None, length)
                continue
            helper = None if value is UNKNOWN else reached(reference, value, scope)
            if helper is not None and _contains(helper.function.__code__, code):
                return _InnerCall(helper, reference, length)
    if _runs_method_of(inner[0], owner) and (method := _method_with(type(owner), inner[0].f_code)) is not None:
        return _InnerCall(method, None, 1)
    # Only known when it runs: a variable, an element of a list, a method of an object.
    called = node.func if isinstance(node, ast.Call) else node
    function = _function_of(inner[0]) or _value_in(frame, called)
    layer = next((layer for layer in layers(function) if layer.__code__ is original(inner[0].f_code)), None)
    if layer is None or function_named(function_name(layer)) is not layer:
        raise SourceError(f"reached through {ast.unparse(called)}, which only a run tells")
    return _InnerCall(Scope(layer, scope.owner, False), called, 1)


def _function_of(frame: FrameType) -> Any:
    """Return the function that a frame runs, if it is a method of its first argument."""
    name = frame.f_code.co_name
    return next((vars(cls)[name] for cls in type(_first_argument(frame)).__mro__ if name in vars(cls)), None)


def _value_in(frame: FrameType, node: ast.expr) -> Any:
    """Return what an expression without calls stands for in a frame."""
    if any(isinstance(part, (ast.Call, ast.NamedExpr, ast.Await)) for part in ast.walk(node)):
        return None
    try:
        value = eval(compile(ast.Expression(node), "<expression>", "eval"), frame.f_globals, dict(frame.f_locals))
        return getattr(value, "__func__", value)
    except Exception:  # a property that fails, a variable that is gone
        return None


def _contains(code: CodeType, inner: CodeType) -> bool:
    return code is inner or any(
        _contains(constant, inner) for constant in code.co_consts if isinstance(constant, CodeType)
    )


def _node_that_runs(frame: FrameType, scope: Scope, function: Any = None) -> ast.expr:
    """Return the expression that a frame is evaluating, in our tree of its function.

    ``function`` is what it calls, if known.
    """
    running: Any = executing.Source.executing(frame).node
    if running is None and function is not None:  # before Python 3.11 it may be told by the callee alone
        called = [
            node for node in scope.source.expressions if (site := written(node, scope)) and site.function is function
        ]
        found = [node for node in called if node.lineno <= frame.f_lineno <= (node.end_lineno or node.lineno)]
    else:
        place = _place(running)
        found = [node for node in scope.source.expressions if type(node) is type(running) and _place(node) == place]
    if len(found) != 1:
        raise SourceError(f"which of the calls in {frame.f_code.co_filename}:{frame.f_lineno} runs can't be told")
    return found[0]


def _place(node: Any) -> tuple[Any, ...]:
    return tuple(getattr(node, part, None) for part in ("lineno", "col_offset", "end_lineno", "end_col_offset"))


@dataclass
class Observation:
    """What one pass in eval mode and one in train mode have shown.

    Attributes:
        functions: The calls of activation functions.
        calls: How often each activation module ran in the pass in eval mode, or in train mode if never in eval.
        flow: Where the results went: keys are activation modules, and the ids of calls.
    """

    functions: list[SeenCall] = field(default_factory=list)
    calls: dict[nn.Module, int] = field(default_factory=dict)
    flow: Flow | None = None


def observe(
    example: Example, activation_modules: Mapping[nn.Module, str], parts: Collection[nn.Module] = ()
) -> Observation:
    """Run an example in eval and in train mode, and return what its model did.

    ``parts`` are the modules of which activation modules are made: what they call belongs to those.

    Raises:
        ExampleError: The model does not run on the example in eval mode.
    """
    seen = example.watch(lambda: _Watcher(example.model, activation_modules, parts))
    evaluated, trained = seen.runs[False], seen.runs[True]
    calls = {module: evaluated[module] or trained[module] for module in activation_modules}
    return Observation(seen.functions.seen, calls, seen.flow)


class _Watcher:
    """Watcher of modules, functions and the flow of their results."""

    def __init__(
        self, model: nn.Module, activation_modules: Mapping[nn.Module, str], parts: Collection[nn.Module]
    ) -> None:
        self.flow = Flow(model)
        self.functions = FunctionObserver(model, (*activation_modules, *parts), self.flow)
        self.runs: dict[bool, Counter[nn.Module]] = {False: Counter(), True: Counter()}
        self._modules = activation_modules

    def look(self, forward: Callable[[], Any], training: bool) -> Any:
        def note(module: nn.Module, args: tuple[Any, ...], result: Any) -> None:
            self.runs[training][module] += 1
            self.flow.mark(module, self._modules[module], args[0] if args else None, result)

        self.functions.number = int(training)
        with after_each_call(self._modules, note), self.functions:
            returned = forward()
            self.flow.returned(returned)
        return returned
