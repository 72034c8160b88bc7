"""Data flow read off the source: :class:`Flow` is told what forwards say, where no run tells it.

Each forward is followed once, both branches of a condition, with stand-ins for tensors; modules with parameters are
layers, others are followed into. What can't be followed is open: it settles nothing.
"""

from __future__ import annotations

import ast
import functools
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lightning_acts.surgery.operations import FACTS, operation
from lightning_acts.surgery.recognizing.calls import is_everyday
from lightning_acts.surgery.recognizing.expressions import Written, written
from lightning_acts.surgery.rewriting.classes import base_of
from lightning_acts.surgery.rewriting.reading import is_own_method, method_scopes, reached, sealed, step_to
from lightning_acts.surgery.roles.dataflow import Flow
from lightning_acts.surgery.roles.structure import has_parameters
from lightning_acts.surgery.route import Step
from lightning_acts.surgery.site import Role
from lightning_acts.surgery.source.functions import UNKNOWN, Scope, SourceError

# A call leads no further than this into other functions; a forward of more statements is not followed to its end.
_DEEPEST, _MOST = 5, 4000
_SEQUENCES = (zip, enumerate, list, tuple, reversed, iter, map, sorted)
_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.MatMult: "matmul", ast.Pow: "pow",
    ast.Mod: "fmod", ast.FloorDiv: "floor", ast.BitAnd: "eq", ast.BitOr: "eq", ast.BitXor: "eq",
}  # fmt: skip

#: A site in the code of a module: the module itself, the step to a call, or the name of an attribute.
Key = nn.Module | Step | tuple[nn.Module, str]


class Usage:
    """What the source of a model says about the use of activations, where that settles their role.

    Args:
        model: The model.
        activations: Its activation modules, with their specs.
        functions: The spec of a function that is kept in an attribute; None for any other value.

    Example:
        >>> class Gate(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.act = nn.ReLU6()
        ...     def forward(self, x):
        ...         return x * self.act(x + 3) / 6
        >>> model = Gate()
        >>> usage = Usage(model, {model.act: "relu6"}, lambda value: None)  # of a class that stands in a file
        >>> usage.role_of(model, model.act)  # doctest: +SKIP
        ('gate', 'multiplied with its own input, as part of another activation')
    """

    def __init__(
        self, model: nn.Module, activations: Mapping[nn.Module, str], functions: Callable[[Any], str | None]
    ) -> None:
        self._model, self._activations, self._functions = model, activations, functions
        # Modules of one structure are followed once: the flow, and the module that was.
        self._followed: dict[Any, tuple[Flow, nn.Module] | None] = {}
        self._structures: dict[nn.Module, Any] = {}
        self._parents: dict[nn.Module, nn.Module] = {
            child: parent for parent in model.modules() for child in parent.children()
        }

    def role_of(self, owner: nn.Module, key: Key) -> tuple[Role, str] | None:
        """Return the role of a site and why; None where the source leaves it open.

        Args:
            owner: The module in whose code it stands, or whose child it is.
            key: What it is.
        """
        for flow, own in self._flows(owner, key):
            role, reason = flow.role_of(own)
            if role in ("gate", "attention") and flow.is_settled(own):
                return role, reason
        return None

    def is_between_layers(self, owner: nn.Module, key: Key) -> bool:
        """Return whether the result of a site goes into layers, and its input comes from one.

        Args:
            owner: The module in whose code it stands.
            key: What it is.
        """
        flows = [(flow, own) for flow, own in self._flows(owner, key) if flow.follows(own)]
        return any(flow.is_between_layers(own) and flow.role_of(own)[0] == "hidden" for flow, own in flows)

    def _flows(self, owner: nn.Module, key: Key) -> Iterator[tuple[Flow, Key]]:
        """Yield the flows of a module, and of those around it, to the first that has parameters.

        Each with its own key.
        """
        module: nn.Module | None = owner
        while module is not None:
            found = self._flow(module)
            if found is not None:
                flow, followed = found
                yield flow, _moved(key, module, followed)
                if has_parameters(module):
                    return
            module = self._parents.get(module)

    def _flow(self, module: nn.Module) -> tuple[Flow, nn.Module] | None:
        if base_of(type(module)).__module__.startswith("torch.") or isinstance(module, torch.jit.ScriptModule):
            return None
        structure = (module is self._model, self._structure(module))
        if structure not in self._followed:
            flow = self._follow(module)
            self._followed[structure] = None if flow is None else (flow, module)
        return self._followed[structure]

    def _structure(self, module: nn.Module) -> Any:
        """Return what of a module its flow depends on."""
        if module not in self._structures:
            children = [(name, self._part(child)) for name, child in module._modules.items()]
            functions = [(name, self._function(value)) for name, value in vars(module).items() if callable(value)]
            self._structures[module] = (type(module), tuple(children), tuple(functions))
        return self._structures[module]

    def _function(self, value: Any) -> Any:
        return self._functions(value) or (value if isinstance(value, types.FunctionType) else None)

    def _part(self, module: nn.Module | None) -> Any:
        if module is None or module in self._activations:
            return None if module is None else self._activations[module]
        is_held = isinstance(module, (nn.Sequential, nn.ModuleList, nn.ModuleDict))
        is_layer = not is_held and has_parameters(module)
        return type(module) if is_layer else self._structure(module)

    def _follow(self, module: nn.Module) -> Flow | None:
        scopes = method_scopes(type(module), "forward")
        if not scopes:
            return None
        flow = Flow(nn.Module())
        follower = _Follower(flow, self._activations, self._functions)
        try:
            inputs = [follower.made(learned=module is not self._model) for _ in range(_count(scopes[-1]))]
            returned = follower.run(scopes[-1], module, inputs, {})
        except (SourceError, RecursionError):
            return None
        flow.escaped(returned)
        return flow


def _moved(key: Key, module: nn.Module, followed: nn.Module) -> Key:
    """Return the key of the same site in another module of the same structure."""
    if module is followed or isinstance(key, Step):
        return key
    of, *attribute = key if isinstance(key, tuple) else (key,)
    name = next((name for name, part in module.named_modules() if part is of), None)
    if name is None:
        return key
    there = followed.get_submodule(name)
    return (there, attribute[0]) if attribute else there


def _are_spread(left: ast.expr, right: ast.expr) -> bool:
    """Return whether two factors get their new axes in different places, as for an outer product."""
    match left, right:
        case ast.Call(ast.Attribute(attr="unsqueeze")), ast.Call(ast.Attribute(attr="unsqueeze")):
            return ast.dump(left.args[0]) != ast.dump(right.args[0]) if left.args and right.args else False
        case ast.Subscript(slice=ast.Tuple() as one), ast.Subscript(slice=ast.Tuple() as other):
            places = [
                [isinstance(part, ast.Constant) and part.value is None for part in index.elts] for index in (one, other)
            ]
            return places[0] != places[1] and len(places[0]) == len(places[1]) and all(sum(new) == 1 for new in places)
    return False


class _TooLong(SourceError):
    """A forward has more statements than are followed."""


def _count(scope: Scope) -> int:
    code = scope.function.__code__
    return code.co_argcount + code.co_kwonlyargcount - scope.is_method


@dataclass
class _Frame:
    """A function that is followed: what its names stand for, and what it returned."""

    scope: Scope
    module: nn.Module | None
    names: dict[str, Any]
    returned: list[Any] = field(default_factory=list)


@dataclass
class _Follower:
    """Follows statements, and tells a flow what they do. A stand-in is a tensor, a module, or a list; None is neither."""

    flow: Flow
    activations: Mapping[nn.Module, str]
    functions: Callable[[Any], str | None]
    path: list[Any] = field(default_factory=list)
    count: int = 0

    def made(self, constant: bool = False, learned: bool = False, is_bool: bool = False) -> Tensor:
        """Return a new stand-in for a tensor."""
        tensor = torch.empty(0, dtype=torch.bool if is_bool else torch.float32)
        self.flow.given(tensor, constant, learned)
        return tensor

    def did(self, name: str, *args: Any, **kwargs: Any) -> Tensor:
        """Return what an operation makes of some values."""
        result = torch.empty(0)
        with torch._C.DisableTorchFunction():
            self.flow.saw(_operation(name), args, kwargs, result)
        return result

    def run(self, scope: Scope, module: nn.Module | None, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return what a function returns."""
        code = scope.function.__code__
        names = list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
        given = [module, *args] if scope.is_method else list(args)
        bound: dict[str, Any] = dict.fromkeys(names)
        bound.update(zip(names[: code.co_argcount], given, strict=False))
        bound.update({name: value for name, value in kwargs.items() if name in bound})
        if code.co_flags & 0x04:  # *args
            bound[code.co_varnames[len(names)]] = given[code.co_argcount :]
        frame = _Frame(scope, module, bound)
        node = scope.source.node
        self.path.append(scope.function)
        try:
            if isinstance(node, ast.Lambda):
                return self.value(node.body, frame)
            self.block(node.body, frame)
        finally:
            self.path.pop()
        return self.merged(frame.returned)

    def merged(self, values: Sequence[Any]) -> Any:
        """Return what may be any of some values."""
        distinct = list({id(value): value for value in values if value is not None}.values())
        if len(distinct) < 2:
            return distinct[0] if distinct else None
        if all(isinstance(value, list) and len(value) == len(distinct[0]) for value in distinct):
            return [self.merged(parts) for parts in zip(*distinct, strict=True)]
        tensors = list(_tensors(distinct))
        return self.did("stack", tensors) if tensors else distinct[0]

    def block(self, statements: Sequence[ast.stmt], frame: _Frame) -> bool:
        """Follow statements; return whether they end the function."""
        for statement in statements:
            self.count += 1
            if self.count > _MOST:
                raise _TooLong
            if self.statement(statement, frame):
                return True
        return False

    def statement(self, node: ast.stmt, frame: _Frame) -> bool:
        match node:
            case ast.Return():
                frame.returned.append(self.value(node.value, frame))
                return True
            case ast.Raise() | ast.Continue() | ast.Break():
                return isinstance(node, ast.Raise)
            case ast.Expr():
                self.value(node.value, frame)
            case ast.Assign():
                value = self.value(node.value, frame)
                for target in node.targets:
                    self.bind(target, value, frame)
            case ast.AnnAssign() if node.value is not None:
                self.bind(node.target, self.value(node.value, frame), frame)
            case ast.AugAssign():
                before = self.value(_loaded(node.target), frame)
                name = _OPERATORS.get(type(node.op), "eq")
                self.bind(node.target, self.binary(name, before, self.value(node.value, frame)), frame)
            case ast.If():
                return self.branches(node, frame)
            case ast.For() | ast.AsyncFor():
                for element in self.elements(self.value(node.iter, frame)):
                    self.bind(node.target, element, frame)
                    self.block(node.body, frame)
                self.block(node.orelse, frame)
            case ast.While():
                self.block(node.body, frame)
            case ast.With() | ast.AsyncWith():
                return self.block(node.body, frame)
            case ast.Try():
                return self.block(node.body, frame) and not node.handlers
        return False

    def branches(self, node: ast.If, frame: _Frame) -> bool:
        self.value(node.test, frame)
        before, ends, after = dict(frame.names), [], []
        for body in (node.body, node.orelse):
            frame.names = dict(before)
            ends.append(self.block(body, frame))
            after.append(frame.names)
        going_on = [names for names, end in zip(after, ends, strict=True) if not end]
        if len(going_on) == 2:
            one, other = going_on
            frame.names = {
                name: one.get(name)
                if one.get(name) is other.get(name)
                else self.merged([one.get(name), other.get(name)])
                for name in {**one, **other}
            }
        elif going_on:
            frame.names = going_on[0]
        return not going_on

    def elements(self, value: Any) -> list[Any]:
        """Return what a loop goes over, the first few of it."""
        if isinstance(value, (nn.ModuleList, nn.Sequential)):
            return list(value.children())[:2] or [None]
        if isinstance(value, Tensor):
            return [self.did("unbind", value)]
        return value[:2] if isinstance(value, list) and value else [None]

    def bind(self, target: ast.expr, value: Any, frame: _Frame) -> None:
        match target:
            case ast.Name():
                frame.names[target.id] = value
            case ast.Tuple() | ast.List():
                is_list = isinstance(value, list) and len(value) == len(target.elts)
                for index, element in enumerate(target.elts):
                    if isinstance(value, Tensor):
                        part: Any = self.did("getitem", value)
                    else:
                        part = value[index] if is_list else self.merged(list(_tensors([value])))
                    self.bind(element, part, frame)
            case ast.Starred():
                self.bind(target.value, value, frame)
            case ast.Subscript():
                held = self.value(target.value, frame)
                if isinstance(held, Tensor):
                    self.did("setitem", held, None, value)
                elif isinstance(held, list):
                    held.append(value)
            case ast.Attribute() if isinstance(target.value, ast.Name) and target.value.id == frame.scope.first:
                frame.names[f"self.{target.attr}"] = value

    def value(self, node: ast.expr | None, frame: _Frame) -> Any:
        """Return what an expression gives, by its kind; None for kinds of which nothing is known."""
        if isinstance(node, (ast.Call, ast.BinOp)) and (site := written(node, frame.scope)) is not None:
            return self.site(node, site, frame)
        rule = _RULES.get(type(node))
        return None if rule is None else rule(self, node, frame)

    def site(self, node: ast.Call | ast.BinOp, site: Written, frame: _Frame) -> Any:
        given = self.value(site.input, frame) if site.input is not None else self.merged(self.arguments(node, frame))
        if isinstance(node, ast.Call) and site.composite is None:
            self.arguments(ast.Call(node.func, node.args[1:], node.keywords), frame)
        name = None if not site.applied.is_everyday else "neg" if site.composite else operation(site.function)
        return self.activated(step_to(node, frame.scope), site.applied.spec, given, name)

    def name(self, node: ast.Name, frame: _Frame) -> Any:
        return frame.names.get(node.id)

    def arithmetic(self, node: ast.BinOp, frame: _Frame) -> Any:
        left, right = self.value(node.left, frame), self.value(node.right, frame)
        is_outer = isinstance(node.op, ast.Mult) and _are_spread(node.left, node.right)
        return self.binary("outer" if is_outer else _OPERATORS.get(type(node.op), "eq"), left, right)

    def unary(self, node: ast.UnaryOp, frame: _Frame) -> Any:
        operand = self.value(node.operand, frame)
        return self.did("neg", operand) if isinstance(operand, Tensor) else None

    def comparison(self, node: ast.Compare, frame: _Frame) -> Any:
        operands = self.values([node.left, *node.comparators], frame)
        return self.made(is_bool=True) if any(isinstance(part, Tensor) for part in operands) else None

    def either(self, node: ast.BoolOp | ast.IfExp, frame: _Frame) -> Any:
        return self.merged(
            self.values(node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse], frame)
        )

    def display(self, node: ast.Tuple | ast.List | ast.Set | ast.Dict, frame: _Frame) -> Any:
        return self.values(node.values if isinstance(node, ast.Dict) else node.elts, frame)

    def inner(self, node: ast.Starred | ast.Await, frame: _Frame) -> Any:
        return self.value(node.value, frame)

    def named(self, node: ast.NamedExpr, frame: _Frame) -> Any:
        value = self.value(node.value, frame)
        self.bind(node.target, value, frame)
        return value

    def comprehension(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp, frame: _Frame) -> Any:
        for generator in node.generators:
            self.bind(generator.target, self.elements(self.value(generator.iter, frame))[0], frame)
        return [self.value(node.elt, frame)]

    def yielded(self, node: ast.Yield, frame: _Frame) -> None:
        frame.returned.append(self.value(node.value, frame))

    def values(self, nodes: Sequence[ast.expr], frame: _Frame) -> list[Any]:
        return [self.value(node, frame) for node in nodes]

    def binary(self, name: str, left: Any, right: Any) -> Any:
        if isinstance(left, list) and isinstance(right, list):
            return [*left, *right]
        tensors = [part for part in (left, right) if isinstance(part, Tensor)]
        return self.did(name, *tensors) if tensors else None

    def subscript(self, node: ast.Subscript, frame: _Frame) -> Any:
        held = self.value(node.value, frame)
        index = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if isinstance(held, Tensor):
            return self.did("getitem", held)
        if isinstance(held, (nn.ModuleList, nn.Sequential)):
            children = list(held.children())
            return children[index] if isinstance(index, int) and -len(children) <= index < len(children) else held
        if isinstance(held, list):
            return held[index] if isinstance(index, int) and -len(held) <= index < len(held) else self.merged(held)
        return None

    def attribute(self, node: ast.Attribute, frame: _Frame) -> Any:
        if isinstance(node.value, ast.Name) and node.value.id == frame.scope.first:
            known = frame.names.get(f"self.{node.attr}")
            if known is not None:
                return known
            value = frame.scope.resolve(node)
            if isinstance(value, property) and is_own_method(node, value, frame.scope):
                scopes = method_scopes(frame.scope.owner, frame.scope.mangled(node.attr))
                return self.into(scopes[-1], frame.module, [], {})
        held = self.value(node.value, frame)
        if isinstance(held, Tensor):
            return None if node.attr in FACTS else self.did("get", held)
        if isinstance(held, nn.Module):
            name = frame.scope.mangled(node.attr) if held is frame.module else node.attr
            for group in (held._modules, held._parameters, held._buffers, vars(held)):
                if name in group:
                    found = group[name]
                    return self.made(constant=True) if isinstance(found, Tensor) else self.held(found)
        return None

    def held(self, value: Any) -> Any:
        return value if isinstance(value, nn.Module) else None

    def arguments(self, node: ast.expr, frame: _Frame) -> list[Any]:
        if not isinstance(node, ast.Call):
            return []
        values: list[Any] = []
        for arg in node.args:
            value = self.value(arg, frame)
            values += value if isinstance(arg, ast.Starred) and isinstance(value, list) else [value]
        return values

    def call(self, node: ast.Call, frame: _Frame) -> Any:
        # Of an overload, as aten.sin.default, only the operator is known.
        operators = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        for part in (node.func, *operators):
            if (operator := sealed(frame.scope.resolve(part))) is not None:
                name = operator.name if operator.is_everyday else None
                given = self.merged(self.arguments(node, frame))
                return self.activated(step_to(part, frame.scope), operator.spec, given, name)
        return self.plain_call(node, frame)

    def plain_call(self, node: ast.Call, frame: _Frame) -> Any:
        args = self.arguments(node, frame)
        kwargs = {word.arg or "": self.value(word.value, frame) for word in node.keywords}
        called, scope = node.func, frame.scope
        function = scope.resolve(called)
        if function is torch.einsum and node.args and isinstance(node.args[0], ast.Constant):
            args[0] = node.args[0].value
        if isinstance(called, (ast.Name, ast.Attribute)):
            if is_own_method(called, function, scope):
                assert isinstance(called, ast.Attribute)
                return self.into(method_scopes(scope.owner, scope.mangled(called.attr))[-1], frame.module, args, kwargs)
            helper = None if function is UNKNOWN else reached(called, function, scope)
            if helper is not None:
                return self.into(helper, frame.module, args, kwargs)
        if function is not UNKNOWN:
            return self.of_python(function, args, kwargs)
        held = self.value(called, frame) if not isinstance(called, ast.Attribute) else None
        if isinstance(called, ast.Attribute):
            receiver = self.value(called.value, frame)
            if isinstance(receiver, Tensor):
                return None if called.attr in FACTS else self.did(operation(called.attr), receiver, *args, **kwargs)
            if isinstance(receiver, list):
                if called.attr in ("append", "extend", "insert"):
                    receiver.extend(args)
                return self.merged(receiver)
            held = self.attribute(called, frame)
            if isinstance(receiver, nn.Module) and held is None:
                function = vars(receiver).get(called.attr)
                spec = self.functions(function)
                if function is not None and spec is not None:
                    name = operation(function) if is_everyday(function) else None
                    return self.activated((receiver, called.attr), spec, args[0] if args else None, name)
                helper = reached(ast.Name(called.attr), function, scope)
                if helper is not None:
                    return self.into(helper, None, args, kwargs)
                if called.attr == "forward":
                    held = receiver
        if isinstance(held, nn.Module):
            return self.module(held, args, kwargs)
        return self.unknown(args, kwargs)

    def activated(self, key: Any, spec: str, given: Any, everyday: str | None = None) -> Any:
        """Return the result of a site; ``everyday`` is the operation that it is where it is no activation."""
        if not isinstance(given, Tensor):
            tensors = list(_tensors([given]))
            given = self.merged(tensors) if tensors else self.made()
        result = torch.empty(0) if everyday is None else self.did(everyday, given)
        self.flow.mark(key, spec, given, result, everyday is not None)
        return result

    def of_python(self, function: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if function in _SEQUENCES:
            if function is enumerate:
                return [[None, element] for element in self.elements(args[0] if args else None)]
            if function is zip:
                return [[self.elements(arg)[0] for arg in args]]
            return args[0] if args and isinstance(args[0], (list, nn.Module)) else list(_tensors(args))
        name = operation(function) if callable(function) else ""
        module = str(getattr(function, "__module__", None) or "torch")
        if not module.startswith("torch") or isinstance(function, type):
            return self.unknown(args, kwargs)
        if name in ("is_tensor", "is_grad_enabled") and not list(_tensors([*args, *kwargs.values()])):
            return None
        return self.did(name, *args, **kwargs)

    def unknown(self, args: list[Any], kwargs: dict[str, Any]) -> Any:
        tensors = list(_tensors([*args, *kwargs.values()]))
        return self.did("something", *tensors) if tensors else None

    def into(self, scope: Scope, module: nn.Module | None, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if scope.function in self.path or len(self.path) >= _DEEPEST:
            return self.unknown(args, kwargs)
        try:
            return self.run(scope, module, args, kwargs)
        except SourceError:
            return self.unknown(args, kwargs)

    def module(self, module: nn.Module, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if module in self.activations:
            return self.activated(module, self.activations[module], args[0] if args else None)
        if isinstance(module, nn.Sequential):
            value = args[0] if args else None
            for child in module.children():
                value = self.module(child, [value], {})
            return value
        if has_parameters(module):
            tensors = list(_tensors([*args, *kwargs.values()]))
            # Its first input alone is in the place of a layer's input for certain; a layer takes all the same way.
            return self.did("layer_norm", *tensors) if tensors else self.made(learned=True)
        if type(module).__module__.startswith("torch.nn."):
            name = _snake(type(module).__name__)
            return self.did("pad" if "pad" in name else operation(name), *args, **kwargs) if args else None
        scopes = method_scopes(type(module), "forward")
        return self.into(scopes[-1], module, args, kwargs) if scopes else self.unknown(args, kwargs)


#: How the value of an expression is found, by its kind.
_RULES: dict[type, Callable[[_Follower, Any, _Frame], Any]] = {
    ast.Name: _Follower.name,
    ast.Attribute: _Follower.attribute,
    ast.Subscript: _Follower.subscript,
    ast.Call: _Follower.call,
    ast.BinOp: _Follower.arithmetic,
    ast.UnaryOp: _Follower.unary,
    ast.Compare: _Follower.comparison,
    **dict.fromkeys((ast.BoolOp, ast.IfExp), _Follower.either),
    **dict.fromkeys((ast.Tuple, ast.List, ast.Set, ast.Dict), _Follower.display),
    **dict.fromkeys((ast.Starred, ast.Await), _Follower.inner),
    **dict.fromkeys((ast.ListComp, ast.GeneratorExp, ast.SetComp), _Follower.comprehension),
    ast.NamedExpr: _Follower.named,
    ast.Yield: _Follower.yielded,
}


@functools.lru_cache(maxsize=1024)
def _operation(name: str) -> Callable[..., Any]:
    def stand_in() -> None: ...

    stand_in.__name__ = name
    return stand_in


def _snake(name: str) -> str:
    return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name).lstrip("_")


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list):
            yield from _tensors(value)


def _loaded(target: ast.expr) -> ast.expr:
    """Return the expression of the value that a target has."""
    if isinstance(target, ast.Name):
        return ast.copy_location(ast.Name(target.id, ast.Load()), target)
    if isinstance(target, ast.Attribute):
        return ast.copy_location(ast.Attribute(target.value, target.attr, ast.Load()), target)
    return target
