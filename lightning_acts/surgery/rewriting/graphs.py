"""Activations in the graph of an ``fx.GraphModule``: read off its nodes, and replaced by editing them.

Such a module has no source: its forward is generated from the graph, anew in each copy. A node that calls a function
becomes one that calls a submodule, and keeps its name, its place and its users; so nothing else has to change, and the
way back gives the same code.
"""

from __future__ import annotations

import dataclasses
import linecache
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, GraphModule, Node
from torch.fx.node import map_arg

from lightning_acts.measuring import is_bounded
from lightning_acts.spec import ActivationSpec
from lightning_acts.surgery.operations import (
    COMPARISONS,
    LAYERS,
    PRODUCTS,
    SAME,
    SUMS,
    UNARY,
    ZEROS,
    operation,
    shares_memory,
)
from lightning_acts.surgery.recognizing.calls import (
    MAXIMA,
    applied,
    definition_of_function,
    is_candidate,
    name_of,
    works_in_place,
)
from lightning_acts.surgery.recognizing.modules import recognize_function
from lightning_acts.surgery.recognizing.uses import Destination
from lightning_acts.surgery.rewriting.reading import Call, call_name, sealed
from lightning_acts.surgery.route import Route, Step
from lightning_acts.surgery.site import SiteKind
from lightning_acts.surgery.source.functions import UNKNOWN, SourceError

_TORCH = os.path.dirname(torch.__file__) + os.sep
# As clone() does by itself: it tells ours from the author's, also in a pickle, which is made of the code.
_CLONED: dict[str, Any] = {"memory_format": torch.preserve_format}
# A class that a module has for the time of a swap keeps there the module's own, and the code that it had in that.
_OWN_CLASS = "_acts_own_class"
#: What a mask is made of, beside the tensor.
_OF_MASKS = COMPARISONS | PRODUCTS | SAME | {"zeros_like", "ones_like", "full_like", "logical_not", "neg"}


@dataclass(frozen=True)
class Original:
    """What a node was: its arguments are those beside its input, in whose place there is None among the named ones."""

    number: int
    op: str
    target: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    writes_back: bool


@dataclass(frozen=True)
class _Site:
    """A call, and the node that is it in each of the graphs, with its number there."""

    call: Call
    nodes: dict[str, tuple[int, Node]]


# The name of a graph, the number of a node in it, and the node.
_Place = tuple[str, int, Node]


def calls_of(module: GraphModule) -> list[Call]:
    """Return the calls of activations in the graph of a module."""
    return [site.call for site in _sites(module)]


def call_in(module: GraphModule, frames: Sequence[FrameType], function: Any) -> Call | None:
    """Return the call that a frame of the generated forward is making; None if it is none of an activation.

    Raises:
        SourceError: A function that the graph calls as a whole makes it, or it can't be told.
    """
    forward = frames[-1]
    if len(frames) > 1:
        raise SourceError(f"the graph calls {frames[-2].f_code.co_name} as a whole")
    # Each line gives the result of one node a name: the node's own, unless a global is called so.
    line = linecache.getline(forward.f_code.co_filename, forward.f_lineno)
    name = re.match(r"\s*(\w*)", line)
    nodes = {node.name: node for node in module.graph.nodes}
    node = nodes.get(name[1]) if name else None
    if node is None or _function(node) is not function:
        raise SourceError("which of the nodes of the graph runs can't be told")
    return next((site.call for site in _sites(module) if any(node is other for _, other in site.nodes.values())), None)


def obstacle_to(module: GraphModule, route: Route, write_back: bool = True) -> str | None:
    """Return why what is at a route can't be replaced; None where it can."""
    try:
        site = _site_at(module, route)
    except SourceError as error:
        return str(error)
    if module.graph.owning_module is not module:
        return "its graph is that of another module too"
    if not write_back and any(_writes_back(node) for _, node in site.nodes.values()):
        return "other nodes of the graph read what it writes into its input, which write_back=False forbids"
    return site.call.obstacle


def originals(module: GraphModule, route: Route) -> dict[str, Original]:
    """Return what is at a route, in each of the graphs, by the graph's name.

    Raises:
        SourceError: There is no such node.
    """
    return {name: _original(number, node) for name, (number, node) in _site_at(module, route).nodes.items()}


def replace(module: GraphModule, route: Route, submodule: str) -> None:
    """Let the graph call a submodule in the place of what is at a route; it has to be recompiled then.

    Raises:
        SourceError: There is no such node.
    """
    for _, node in _site_at(module, route).nodes.values():
        _replace(node, _input(node), submodule, _writes_back(node))


def _replace(node: Node, given: Node, submodule: str, writes_back: bool) -> None:
    graph, made = node.graph, []
    op, target, args, kwargs = node.op, node.target, node.args, node.kwargs
    try:
        if writes_back:  # whoever else reads the input sees what the original has written there
            with graph.inserting_before(node):
                made.append(graph.create_node("call_method", "clone", (given,), _CLONED))
                made.append(graph.create_node("call_module", submodule, (made[0],), {}))
        node.args, node.kwargs = (given, *made[1:]), {}
        node.op, node.target = ("call_method", "copy_") if writes_back else ("call_module", submodule)
    except BaseException:
        node.args, node.kwargs = args, kwargs
        node.op, node.target = op, target
        for inserted in reversed(made):
            graph.erase_node(inserted)
        raise


def undo_step(module: GraphModule, replacement: nn.Module | None, before: dict[str, Original]) -> Callable[[], None]:
    """Return a function that makes the node that calls a submodule what it was; the graph has to be recompiled then.

    The function may be called again where it was interrupted.
    """
    edits: list[tuple[Node, Original, tuple[Any, ...], dict[str, Any], list[Node]]] = []
    for caller, original in _callers(module, replacement, before):
        if original.writes_back is not _is_inserted(caller):
            continue  # it was edited since
        node = next(iter(caller.users)) if original.writes_back else caller
        given, inserted = _input(node), [caller, _input(caller)] if original.writes_back else []
        args = original.args if "input" in original.kwargs else (given, *original.args)
        kwargs = {key: given if key == "input" else value for key, value in original.kwargs.items()}
        edits.append((node, original, args, kwargs, inserted))

    def back() -> None:
        for node, original, args, kwargs, inserted in edits:
            node.args, node.kwargs = args, kwargs
            node.op, node.target = original.op, original.target
            for made in inserted:
                if not made._erased:
                    node.graph.erase_node(made)

    return back


def recompile(module: GraphModule) -> None:
    """Generate the code of a graph that was edited.

    The module gets a subclass of its class for it, as what torch.compile made of a model around it asks for the class
    alone; with the code that it had, its own class comes back.
    """
    cls: Any = type(module)
    own, code = vars(cls).get(_OWN_CLASS, (cls, module.code))
    members = {_OWN_CLASS: (own, code), "__qualname__": own.__qualname__, "__module__": own.__module__}
    if "_wrapped_call" in vars(own):  # a call past its own would come back to it
        members["_wrapped_call"] = vars(own)["_wrapped_call"]
    object.__setattr__(module, "__class__", type(own)(own.__name__, (own,), members))
    module.recompile()
    if module.code == code:
        object.__setattr__(module, "__class__", own)


def is_replaced(module: GraphModule, replacement: nn.Module | None, before: dict[str, Original]) -> bool:
    """Check whether a graph calls a submodule as :func:`replace` has left it."""
    callers = list(_callers(module, replacement, before))
    return bool(callers) and all(original.writes_back is _is_inserted(caller) for caller, original in callers)


def _callers(
    module: GraphModule, replacement: nn.Module | None, before: dict[str, Original]
) -> Iterator[tuple[Node, Original]]:
    """Yield the node that calls a submodule, in each of the graphs, with what it was."""
    for name, graph in _graphs(module).items() if before else ():
        original = before.get(name) or next(iter(before.values()))  # a pickle keeps one of several graphs
        callers = [
            (number, node)
            for number, node in _numbered(graph)
            if node.op == "call_module" and module._modules.get(str(node.target)) is replacement
        ]
        # Sites that share one have names of their own for it, but not so in a pickle.
        exact = [node for number, node in callers if number == original.number]
        yield from ((node, original) for node in exact or [node for _, node in callers if len(callers) == 1])


def _graphs(module: GraphModule) -> dict[str, Graph]:
    """Return the graph, or those that the module chooses from: a feature extractor of torchvision has one a mode."""
    named = {name: value for name, value in vars(module).items() if isinstance(value, Graph) and name != "_graph"}
    return named if any(graph is module.graph for graph in named.values()) else {"graph": module.graph}


def _sites(module: GraphModule) -> list[_Site]:
    return [site for places in _places(module) if (site := _site(places)) is not None]


def _site_at(module: GraphModule, route: Route) -> _Site:
    step, places = route.steps[0], _places(module)
    for candidates in ([place for place in places if place[0][:2] == (step.function, step.line)], places):
        found = [site for site in map(_site, candidates) if site is not None]
        same = [site for site in found if (site.call.route.callee, _code(site)) == (route.callee, step.code)]
        if len(same) == 1:
            return same[0]
    raise SourceError(f"the graph holds {step.code!r} {len(same)} times, not where it was")


def _code(site: _Site) -> str:
    return site.call.route.steps[0].code


def _places(module: GraphModule) -> list[list[_Place]]:
    """Return the nodes that call something else than a module, those that are one call in several graphs together."""
    places: dict[tuple[Any, ...], list[_Place]] = {}
    for name, graph in _graphs(module).items():
        layer: tuple[Any, ...] = ()
        calls: Counter[Any] = Counter()
        for number, node in _numbered(graph):
            if node.op == "call_module":
                layer = (node.target, calls[node.target])
                calls[node.target] += 1
            elif node.op in ("call_function", "call_method"):
                # The same since the same layer: where modes differ, the names of nodes do too.
                key = (*layer, node.target, calls[layer, node.target])
                calls[layer, node.target] += 1
                places.setdefault(key, []).append((name, number, node))
    return list(places.values())


def _numbered(graph: Graph) -> Iterator[tuple[int, Node]]:
    """Yield the nodes, counted as if nothing had been replaced: so a plan finds its own after another one."""
    number = 0
    for node in graph.nodes:
        yield number, node
        number += not _is_inserted(node)


def _site(places: list[_Place]) -> _Site | None:
    found = [(place, call) for place in places if (call := _call(place[2], *place[:2])) is not None]
    if not found:
        return None
    hindering = next((call.obstacle for _, call in found if call.obstacle), None)
    call = dataclasses.replace(found[0][1], obstacle=hindering)
    return _Site(call, {name: (number, node) for (name, number, node), _ in found})


def _call(node: Node, graph: str, number: int) -> Call | None:
    function = _function(node)
    if function is None:
        return None
    step = Step(graph, number, 0, _text(node, function))
    route = Route((step,), name_of(function))
    location = _location(node)
    if (found := sealed(function)) is not None:
        return Call(
            Route((step,), str(function)),
            found.name,
            "function",
            found.spec,
            None,
            location,
            obstacle=found.reason,
            is_everyday=found.is_everyday and not _is_between_layers(node),
        )
    kind: SiteKind = "method" if node.op == "call_method" else "function"
    if (spec := _masked(node)) is not None:
        reason = "written out with a mask, in more than one node"
        return Call(route, spec.partition("(")[0], kind, spec, None, location, obstacle=reason)
    if not is_candidate(function):
        return None
    if (written_out := _written_out(node, function)) is not None:
        spec, formula = written_out
        reason = f"written out as {formula}, in more than one node"
        return Call(route, spec, kind, spec, None, location, obstacle=reason)
    there = applied(function, map_arg(node.args, lambda _: UNKNOWN), map_arg(node.kwargs, lambda _: UNKNOWN))
    if there is None:
        return None
    return Call(
        route,
        call_name(function),
        kind,
        there.spec,
        there.doubt,
        location,
        gates_itself=is_bounded(there.definition) and _gates_itself(node),
        destination=_destination(node),
        obstacle=there.obstacle or _obstacle(node),
        is_everyday=there.is_everyday and not _is_between_layers(node),
    )


def _is_between_layers(node: Node) -> bool:
    """Return whether a layer made the input of a node, element by element since, and its result goes into layers alone."""
    module = node.graph.owning_module

    def is_layer(other: Node) -> bool:
        if other.op != "call_module" or module is None:
            return LAYERS.fullmatch(_name(other)) is not None
        return next(module.get_submodule(str(other.target)).parameters(), None) is not None

    def users(other: Node) -> Iterator[Node]:
        for user in other.users:
            yield from users(user) if _name(user) in SAME and user.op != "call_module" else [user]

    given = _input(node)
    while isinstance(given, Node) and not is_layer(given) and (_name(given) in SAME or _is_elementwise(given)):
        given = next((part for part in given.all_input_nodes if part.op != "get_attr"), None)
    after = list(users(node))
    return isinstance(given, Node) and is_layer(given) and bool(after) and all(map(is_layer, after))


def _destination(node: Node) -> Destination | None:
    kinds = {user.op for user in node.users}
    if "output" in kinds:
        return "returned"
    return tuple(str(user.target) for user in node.users) if kinds == {"call_module"} else None


def _function(node: Node) -> Any:
    if node.op == "call_method":
        return getattr(Tensor, str(node.target), None)
    return node.target if node.op == "call_function" else None


def _text(node: Node, function: Any) -> str:
    # Without the names of nodes, which are others in a pickle.
    args = ["_" if isinstance(value, Node) else repr(value) for value in node.args]
    kwargs = [f"{key}={'_' if isinstance(value, Node) else repr(value)}" for key, value in node.kwargs.items()]
    return f"{name_of(function)}({', '.join([*args, *kwargs])})"


def _location(node: Node) -> str | None:
    """Return the last line of the author's, where the node keeps it."""
    places = re.findall(r'File "(.+)", line (\d+)', node.meta.get("stack_trace") or "")
    own = [f"{file}:{line}" for file, line in places if not file.startswith(_TORCH)]
    return own[-1] if own else None


def _input(node: Node) -> Any:
    return node.args[0] if node.args else node.kwargs.get("input")


def _obstacle(node: Node) -> str | None:
    taken: list[Node] = []
    map_arg((node.args, node.kwargs), taken.append)
    if not isinstance(_input(node), Node):
        return "its input is no node of the graph"
    return "its parameters are computed in the graph" if len(taken) > 1 else None


def _written_out(node: Node, function: Any) -> tuple[str, str] | None:
    """Return the activation that a node makes together with another, and the formula."""
    name = call_name(function)
    if function in MAXIMA:
        zeros = [arg for arg in node.all_input_nodes if call_name(_function(arg)) in ZEROS]
        return ("relu", "maximum(x, 0)") if len(zeros) == 1 else None
    user = next(iter(node.users)) if len(node.users) == 1 else None
    if name == "sigmoid" and user is not None and _name(user) == "mul" and _input(node) in user.args:
        return "silu", "x * sigmoid(x)"
    return None


def _masked(node: Node) -> str | None:
    """Return the activation that a node makes of a tensor and a comparison with it, as in ``x * (x > 0)``; None for others."""
    if _name(node) not in ("mul", "where", "masked_fill"):
        return None
    made = [node]
    for part in made:  # grows by what it is made of
        made += [given for given in part.all_input_nodes if _name(given) in _OF_MASKS and given not in made]
    stems = {_input(part) for part in made if _name(part) in COMPARISONS}
    stem = stems.pop() if len(stems) == 1 else None
    if not isinstance(stem, Node):
        return None

    def value(of: Node, x: Tensor) -> Any:
        if of is stem:
            return x
        if of not in made:
            raise LookupError(of)
        args, kwargs = map_arg((of.args, of.kwargs), lambda given: value(given, x))
        return _function(of)(*args, **kwargs)

    return recognize_function(lambda x: value(node, x), 1e-6, 1e-12)


def _gates_itself(node: Node) -> bool:
    """Return whether what a formula makes of the result is multiplied with the input: part of another activation."""
    stems: dict[Node, Node] = {}  # the one tensor of which each is computed element by element, or itself
    for other in node.graph.nodes:
        given = {stems[part] for part in other.all_input_nodes}
        stems[other] = given.pop() if len(given) == 1 and _is_elementwise(other) else other
    made = [node]
    for result in made:  # grows by what is computed of it, and of the input
        for user in result.users:
            if stems[user] is not stems[node] or user in made:
                continue
            if _name(user) in PRODUCTS and not set(made).issuperset(user.all_input_nodes):
                return True
            made.append(user)
    return False


def _is_elementwise(node: Node) -> bool:
    definition = definition_of_function(_function(node))
    return _name(node) in UNARY | PRODUCTS | SUMS or (definition is not None and definition.kind == "elementwise")


def _name(node: Node) -> str:
    return operation(str(getattr(node.target, "__name__", node.target)))


def _original(number: int, node: Node) -> Original:
    kwargs = {key: None if key == "input" else value for key, value in node.kwargs.items()}
    return Original(number, node.op, node.target, tuple(node.args[1:]), kwargs, _writes_back(node))


def _writes_back(node: Node) -> bool:
    """Check whether a call works in place, and what it writes into its input is read other than as its result."""
    call = _call(node, "", 0)
    assert call is not None
    if not works_in_place(_function(node), ActivationSpec.parse(call.spec).parameters):
        return False
    order = {other: number for number, other in enumerate(node.graph.nodes)}
    shared = [_input(node)]
    while _is_view(shared[-1]):
        shared.append(_input(shared[-1]))
    if not node.users or shared[-1].op == "get_attr":
        return True
    shared = shared[-1:]
    for tensor in shared:  # grows by the views of those that are in it
        shared += [user for user in tensor.users if user is not node and _is_view(user) and _input(user) is tensor]
    return any(order[user] > order[node] for tensor in shared for user in tensor.users)


def _is_view(node: Node) -> bool:
    name = str(getattr(node.target, "__name__", node.target))
    shares = shares_memory(name) or node.kwargs.get("inplace") is True
    return node.op in ("call_function", "call_method") and shares and isinstance(_input(node), Node)


def _is_inserted(node: Node) -> bool:
    """Check whether it is the clone or the module in ``x.copy_(module(x.clone()))``, which stands for one call."""
    if len(node.users) != 1:
        return False
    user = next(iter(node.users))
    if node.op == "call_module":
        clone = _input(node)
        is_ours = isinstance(clone, Node) and clone.target == "clone" and clone.kwargs == _CLONED
        return is_ours and (user.target, user.args) == ("copy_", (_input(clone), node))
    return node.target == "clone" and user.op == "call_module" and _is_inserted(user)
