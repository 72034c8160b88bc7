"""Where the result of an activation goes in one pass, and which role that gives it.

Tensors are known by identity and held weakly, so that a traced pass takes no more memory than any other.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from lightning_acts import factory, registry
from lightning_acts.definition import Definition
from lightning_acts.measuring import is_bounded, is_gate_like
from lightning_acts.spec import ActivationSpec
from lightning_acts.surgery.operations import (
    ADDED_MATRIX,
    EXPONENTIALS,
    EXTREMA,
    JOINS,
    LAYERS,
    LOSSES,
    MATRIX,
    OF_THREE,
    PRODUCTS,
    SAME,
    SUMS,
    UNARY,
    ZEROS,
    is_part,
    makes,
    operation,
)
from lightning_acts.surgery.site import UNKNOWN_ACTIVATION, Role

_Use = Literal["multiplied", "self", "combined", "matrix", "scores", "layer", "added", "output", "unknown"]


# Uses of what makes a deviation or a step of time positive.
_SCALING: frozenset[_Use] = frozenset({"output", "multiplied", "matrix"})
# What a bounded activation makes of its own input when the two are multiplied.
_COMPOSED = {"sigmoid": "silu", "hardsigmoid": "hardswish"}


@dataclass(eq=False)
class _Run:
    """One run of a site: what it was given, and what became of its result."""

    definition: Definition | None
    activation: str
    given: _Node
    exact: int
    behind: frozenset[_Run]  # those of whose results its input is made, element by element
    uses: dict[_Use, str] = field(default_factory=dict)
    partners: list[frozenset[_Run]] = field(default_factory=list)
    composed: str | None = None
    into: list[_Run] = field(default_factory=list)
    weights: list[_Run] = field(default_factory=list)  # the runs of normalizing activations into which it goes
    is_exponent: bool = False
    meets_data: bool = False  # in a product of matrices, with what layers have made
    is_everyday: bool = False  # of a function with many other uses, which changes the role of no other run


@dataclass(frozen=True)
class _Node:
    """What is known of a tensor.

    Attributes:
        stem: The same for tensors that are functions, element by element, of one tensor.
        exact: The same for tensors that hold the same values.
        runs: The runs of sites whose results it carries.
        added: Those whose results were added to others on the way.
        constant: Made of parameters, buffers, numbers and masks alone.
        mixers: Those by whose results parameters were multiplied: it may turn out to be the weight of a layer.
        learned: Whether a layer has a part in it.
        is_outer: Made of outer products, as the state of a recurrent linear attention is.
    """

    stem: int
    exact: int
    runs: frozenset[_Run] = frozenset()
    added: frozenset[_Run] = frozenset()
    constant: bool = False
    mixers: frozenset[_Run] = frozenset()
    learned: bool = False
    is_outer: bool = False


class Flow:
    """Follows the results of sites through one pass, and tells their roles from what became of them.

    It is told of every torch function call (:meth:`saw`), of each run of a site (:meth:`mark`, after the call was
    seen) and of what the model returned (:meth:`returned`); then :meth:`role_of` answers.

    Args:
        model: The model that runs: its parameters and buffers are no data, and multiplying by them gates nothing.

    Example:
        >>> import torch
        >>> flow = Flow(nn.Identity())
        >>> x, scores = torch.randn(3), torch.randn(3)
        >>> gate = torch.sigmoid(scores)
        >>> flow.saw(torch.sigmoid, (scores,), {}, gate)
        >>> flow.mark("gate", "sigmoid", scores, gate)
        >>> product = x * gate
        >>> flow.saw(torch.mul, (x, gate), {}, product)
        >>> flow.returned(product)
        >>> flow.role_of("gate")
        ('gate', 'bounded, multiplied with another tensor')
    """

    def __init__(self, model: nn.Module) -> None:
        self._numbers = count()
        self._nodes: Any = WeakTensorKeyDictionary()
        self._runs: dict[Hashable, list[_Run]] = {}
        self._unary = UNARY | {
            operation(function)
            for definition in registry.definitions()
            if definition.kind == "elementwise"
            for function in definition.functions
        }
        for tensor in (*model.parameters(), *model.buffers()):
            self._nodes[tensor] = self._new(constant=True)

    def saw(self, func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> None:
        """Note that a torch function was called, within ``__torch_function__`` of a mode.

        Args:
            func: The function, as the mode got it.
            args: Its positional arguments.
            kwargs: Its keyword arguments.
            result: What it returned.
        """
        name = operation(func)
        given = [*_tensors(args), *_tensors(kwargs.values())]
        results = [args[0]] if name == "setitem" else list(_tensors([result]))
        if not results:
            return
        nodes = [self._node(tensor) for tensor in given]
        if name in PRODUCTS and _are_spread(given):
            name = "outer"
        if name in ZEROS:
            node = self._new()  # what states start from: it stands for the data that follows
        elif (
            makes(name)
            or not nodes
            or (all(node.constant for node in nodes) and not LAYERS.fullmatch(name) and name not in MATRIX)
        ):
            node = self._new(constant=True)
        else:
            node = self._outcome(name, args, kwargs, nodes)
        if all(tensor.dtype is torch.bool for tensor in results) and not _certain(node.runs):
            node = replace(node, constant=True)
        is_weighed = name in MATRIX and any(other.constant for other in nodes)
        if (
            not node.learned
            and not node.constant
            and (LAYERS.fullmatch(name) or is_weighed or any(n.learned for n in nodes))
        ):
            node = replace(node, learned=True)
        for tensor in results:
            # Several results are several parts.
            in_place = bool(given) and tensor is given[0]
            self._put(tensor, node if len(results) == 1 else self._other(node), in_place)

    def mark(self, site: Hashable, activation: str, given: Any, result: Any, is_everyday: bool = False) -> None:
        """Note that a site ran: to be called after :meth:`saw` for a function, from a forward hook for a module.

        Args:
            site: What :meth:`role_of` is asked with.
            activation: The site's spec, or ``"unknown activation"``.
            given: Its input.
            result: What it returned.
            is_everyday: Whether it is an activation only between layers: what is known of the result stays.
        """
        with torch._C.DisableTorchFunction():
            if not isinstance(given, Tensor) or not isinstance(result, Tensor):
                return
            node = self._node(given)
            definition = (
                None
                if activation == UNKNOWN_ACTIVATION
                else factory.definition_of(ActivationSpec.parse(activation).name)
            )
            if is_everyday:
                run = _Run(definition, activation, node, next(self._numbers), frozenset(), is_everyday=True)
                self._runs.setdefault(site, []).append(run)
                made = self._node(result)
                self._put(result, replace(made, runs=made.runs | {run}), in_place=result is given)
                return
            normalizes = definition is not None and definition.kind == "normalizing"
            for earlier in node.runs | node.added:
                use: _Use = "scores" if normalizes else "unknown" if earlier.is_everyday else "layer"
                earlier.uses.setdefault(use, f"goes into {activation}")
            behind = node.runs.union(*(earlier.behind for earlier in node.runs))
            run = _Run(definition, activation, node, next(self._numbers), behind)
            for earlier in node.runs:
                earlier.into.append(run)
            for earlier in node.added | node.runs if normalizes else ():
                earlier.weights.append(run)
            self._runs.setdefault(site, []).append(run)
            of_elements = definition is None or definition.kind == "elementwise"
            stem = node.stem if of_elements else next(self._numbers)
            self._put(result, _Node(stem, run.exact, frozenset({run}), learned=node.learned), in_place=result is given)

    def data_among(self, args: Sequence[Any], otherwise: Any) -> Any:
        """Return the first of some arguments that carries data: no condition, no constant.

        The first tensor if none does.

        Args:
            args: The arguments of a call.
            otherwise: What is given where none of them is a tensor.
        """
        with torch._C.DisableTorchFunction():
            tensors = list(_tensors(args))
            real = (tensor for tensor in tensors if tensor.is_floating_point() and not self._node(tensor).constant)
            return next(real, tensors[0] if tensors else otherwise)

    def returned(self, outputs: Any) -> None:
        """Note what the model returned: tensors in tuples, mappings, data classes and other plain objects.

        Args:
            outputs: What it returned.
        """
        with torch._C.DisableTorchFunction():
            for tensor in _leaves(outputs, set()):
                node = self._node(tensor)
                for run in node.runs | node.added:
                    run.uses.setdefault("output", "returned by the model")

    def role_of(self, site: Hashable) -> tuple[Role | None, str]:
        """Return the role of a site and why; None for the role where the data flow leaves it open.

        Args:
            site: As it was given to :meth:`mark`.
        """
        answers = dict.fromkeys(_role_of_run(run) for run in self._runs.get(site, ()))
        if not answers:
            return None, "it did not run"
        roles = {role for role, _ in answers}
        if len(roles) > 1:
            return None, "its runs differ: " + ", ".join(
                sorted({f"{role or 'open'} ({reason})" for role, reason in answers})
            )
        return next(iter(answers))

    def follows(self, site: Hashable) -> bool:
        """Check whether results of a site were followed.

        Args:
            site: As it was given to :meth:`mark`.
        """
        return site in self._runs

    def feeds_layers(self, site: Hashable) -> bool:
        """Check whether the result of every run of a site goes into a layer.

        Args:
            site: As it was given to :meth:`mark`.
        """
        return bool(self._runs.get(site)) and all("layer" in run.uses for run in self._runs[site])

    def given(self, tensor: Tensor, constant: bool, learned: bool) -> None:
        """Note a tensor that is there from the start.

        Args:
            tensor: The tensor.
            constant: Whether it is a parameter, or made of some.
            learned: Whether a layer has made it.
        """
        self._nodes[tensor] = replace(
            self._node(tensor), constant=constant or tensor.dtype is torch.bool, learned=learned
        )

    def escaped(self, values: Any) -> None:
        """Values go where they are not followed.

        Args:
            values: Tensors, in lists.
        """
        for tensor in _leaves(values, set()):
            for run in self._node(tensor).runs | self._node(tensor).added:
                run.uses.setdefault("unknown", "returned to where it is not followed")

    def is_settled(self, site: Hashable) -> bool:
        """Check whether what becomes of the results of a site is known in all that its role depends on.

        Args:
            site: As it was given to :meth:`mark`.
        """
        return not any(
            run.definition
            and run.definition.family == "softplus"
            and "unknown" in run.uses
            and not _SCALING & set(run.uses)
            for run in self._runs.get(site, [])
        )

    def is_between_layers(self, site: Hashable) -> bool:
        """Check whether a layer has a part in the input of every run of a site, and the result goes into layers.

        That of a function with many other uses has to go there straight, or on a skip if it is bounded: the exponential
        of a variance is also added to a mean.

        Args:
            site: As it was given to :meth:`mark`.
        """
        return self.feeds_layers(site) and all(
            run.given.learned and (not run.is_everyday or _goes_straight(run)) for run in self._runs[site]
        )

    def composed(self, site: Hashable) -> str | None:
        """Return the activation that a site makes with the multiplication by its own input: sigmoid makes silu.

        Args:
            site: As it was given to :meth:`mark`.
        """
        names = {run.composed for run in self._runs.get(site, ())}
        return names.pop() if len(names) == 1 else None

    def _node(self, tensor: Tensor) -> _Node:
        node = self._nodes.get(tensor)
        if node is None:
            # A mask is no data: to multiply by it only leaves out.
            node = self._nodes[tensor] = self._new(constant=tensor.dtype is torch.bool)
        return node  # type: ignore[no-any-return]

    def _put(self, tensor: Tensor, node: _Node, in_place: bool) -> None:
        self._nodes[tensor] = node
        if in_place and tensor._base is not None:
            self._nodes[tensor._base] = self._joined([self._node(tensor._base), node])

    def _new(
        self, runs: Iterable[_Run] = (), added: Iterable[_Run] = (), stem: int | None = None, constant: bool = False
    ) -> _Node:
        number = next(self._numbers)
        return _Node(number if stem is None else stem, number, frozenset(runs), frozenset(added), constant)

    def _other(self, node: _Node) -> _Node:
        """Other values that carry the same."""
        return replace(node, stem=(number := next(self._numbers)), exact=number)

    def _joined(self, nodes: Sequence[_Node]) -> _Node:
        return self._new(
            frozenset().union(*(node.runs for node in nodes)), frozenset().union(*(node.added for node in nodes))
        )

    def _outcome(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], nodes: Sequence[_Node]) -> _Node:
        data = [node for node in nodes if not node.constant]
        first = nodes[0]
        if name in SAME:
            return first
        if name in JOINS:
            return self._joined(nodes)
        if name == "copy":
            return nodes[-1]
        if name in EXTREMA and len(data) == 2:
            return self._sum(*data)
        if is_part(name):
            # A table of parameters subscripted by data is data.
            return self._new() if first.constant and data else self._other(first)
        if name in PRODUCTS | SUMS and len(data) == 1:
            return replace(data[0], exact=next(self._numbers))
        if name in PRODUCTS:
            return self._product(*data[:2])
        if name in SUMS:
            return self._sum(*data[:2])
        if name in self._unary:
            for run in first.runs if name in EXPONENTIALS else ():
                run.is_exponent = True
            return replace(first, exact=next(self._numbers))
        if name == "where":  # of a condition alone it gives the places
            return self._choice(first, nodes[1:]) if len(args) + len(kwargs) > 1 else self._other(first)
        if name in OF_THREE and len(nodes) == 3:
            return self._of_three(name, *nodes)
        if name == "einsum":
            return self._einsum(args[0], nodes)
        if name in MATRIX:
            return self._matrix(name, nodes)
        return self._consumed(name, nodes)

    def _consumed(self, name: str, nodes: Sequence[_Node]) -> _Node:
        is_layer, is_loss = LAYERS.fullmatch(name), LOSSES.fullmatch(name)
        use: _Use = "layer" if is_layer else "output" if is_loss else "unknown"
        for position, node in enumerate(nodes):
            # What takes the place of a layer's weights: dynamic filters.
            as_weight = is_layer and position == 1 and (name == "linear" or name.startswith("conv"))
            for run in node.runs:
                if as_weight:
                    self._use_as_matrix(run, nodes[0], f"the weight of {name}()")
                else:
                    run.uses.setdefault(use, f"goes into {name}()")
            for run in node.mixers if as_weight else ():
                self._use_as_factor(run, f"weighs the weights of {name}()", nodes[0])
            for run in node.added - node.runs:
                run.uses.setdefault(use, f"goes into {name}() after an addition")
        return self._new()

    def _product(self, one: _Node, other: _Node) -> _Node:
        kept = {
            run
            for own, factor in ((one, other), (other, one))
            for run in own.runs
            if not self._is_used_as_factor(run, own, factor)
        }
        product = self._new(kept, stem=one.stem if one.stem == other.stem else None)
        return replace(product, is_outer=one.is_outer or other.is_outer)

    def _is_used_as_factor(self, run: _Run, own: _Node, factor: _Node) -> bool:
        """Note what the multiplication is for a run; False where its result only meets itself."""
        if run in factor.runs or any(run in later.behind for later in factor.runs):
            if (run.is_exponent or run.activation == "exponential") and own.stem != factor.stem:
                run.uses.setdefault("scores", "goes into a softmax that is written out")
            return False
        if factor.stem == run.given.stem:
            run.uses.setdefault("self", "multiplied with its own input")
            if factor.exact == run.given.exact and own.exact == run.exact:
                run.composed = _COMPOSED.get(run.activation)
        else:
            self._use_as_factor(run, "multiplied with another tensor", factor)
        return True

    def _use_as_factor(self, run: _Run, reason: str, factor: _Node) -> None:
        run.uses.setdefault("multiplied", reason)
        run.partners.append(factor.runs)
        if factor.is_outer:
            self._use_as_matrix(run, factor, "multiplied with outer products")

    def _sum(self, one: _Node, other: _Node) -> _Node:
        runs, added = one.runs | other.runs, one.added | other.added
        if one.stem == other.stem:
            # As relu(x) - a * relu(-x): of the very same input they would be two, side by side.
            pairs = itertools.product(_certain(one.runs - other.runs), _certain(other.runs - one.runs))
            for run in (run for pair in pairs if _are_halves(*pair) for run in pair):
                run.uses.setdefault("combined", "added to another activation of its own input")
            for run in one.runs ^ other.runs:
                if run.is_everyday:
                    run.uses.setdefault("combined", "added to what its own input is")
            return self._new(runs, added, stem=one.stem)
        for run in runs:
            run.uses.setdefault("added", "added to another tensor")
        total = self._new(runs if _certain(one.runs) and _certain(other.runs) else (), added | runs)
        return replace(total, is_outer=one.is_outer or other.is_outer)

    def _choice(self, condition: _Node, choices: Sequence[_Node]) -> _Node:
        for run in condition.runs:
            self._use_as_factor(run, "chooses between tensors", self._new())
        return self._joined(choices)

    def _of_three(self, name: str, first: _Node, second: _Node, third: _Node) -> _Node:
        if name == "lerp":
            if third.constant:
                return self._sum(first, second)
            products = [node if node.constant else self._product(third, node) for node in (first, second)]
            return self._sum(*products)
        if second.constant or third.constant:
            product = second if third.constant else third
        else:
            product = self._product(second, third)
        return product if first.constant else self._sum(first, product)

    def _matrix(self, name: str, nodes: Sequence[_Node]) -> _Node:
        if name in ADDED_MATRIX:
            added, *nodes = nodes
            for run in added.runs:
                run.uses.setdefault("added", "added to another tensor")
        one, other = nodes[0], nodes[-1]
        mixers: set[_Run] = set()
        for own, factor in ((one, other), (other, one)):
            for run in own.runs | own.added:
                if factor.constant:
                    mixers.add(run)
                    run.uses.setdefault("layer", f"{name}() with parameters")
                else:
                    self._use_as_matrix(run, factor, f"in {name}() with another tensor")
        return replace(self._new(), mixers=frozenset(mixers), is_outer=name == "outer")

    def _use_as_matrix(self, run: _Run, factor: _Node, reason: str) -> None:
        run.uses.setdefault("matrix", reason)
        run.partners.append(factor.runs)
        run.meets_data |= factor.learned

    def _einsum(self, equation: Any, nodes: Sequence[_Node]) -> _Node:
        terms, result = _terms(equation) if isinstance(equation, str) else ([], "")
        if len(terms) != len(nodes):
            return self._consumed("einsum", nodes)
        if len(nodes) == 1:
            return self._other(nodes[0])
        together = [
            (one, other)
            for (first, one), (second, other) in itertools.combinations(zip(terms, nodes, strict=True), 2)
            if set(first) & set(second) - set(result)
        ]
        if together:
            made = [self._matrix("einsum", pair) for pair in together]
            return replace(self._new(), mixers=frozenset().union(*(node.mixers for node in made)))
        data = [node for node in nodes if not node.constant]
        return functools.reduce(self._product, data) if len(data) > 1 else self._other(data[0])


def _terms(equation: str) -> tuple[list[str], str]:
    """Return the indices of the operands and of the result of ``torch.einsum``."""
    given, _, result = equation.replace(" ", "").partition("->")
    if "->" not in equation:
        result = "".join(index for index in given if given.count(index) == 1)
    return given.split(","), result


def _are_spread(tensors: Sequence[Tensor]) -> bool:
    """Return whether each of two tensors is broadcast along one axis of the other, as for an outer product of vectors.

    A global context of channels times a map of places is broadcast along more, and is no product of matrices.
    """
    if len(tensors) != 2:
        return False
    pairs = list(zip(reversed(tensors[0].shape), reversed(tensors[1].shape), strict=False))
    return sum(one == 1 < other for one, other in pairs) == sum(other == 1 < one for one, other in pairs) == 1


def _certain(runs: Iterable[_Run]) -> list[_Run]:
    """Return the runs without those of functions that have many other uses."""
    return [run for run in runs if not run.is_everyday]


def _are_halves(one: _Run, other: _Run) -> bool:
    """Check whether two activations have inputs that are functions of one tensor, and not the same ones."""
    return one.given.exact != other.given.exact and one not in other.behind and other not in one.behind


def _goes_straight(run: _Run) -> bool:
    others = set(run.uses) - {"layer"}
    return not others or (others == {"added"} and run.definition is not None and is_bounded(run.definition))


def _role_of_run(run: _Run) -> tuple[Role | None, str]:
    uses, definition = run.uses, run.definition
    if not uses:
        return None, "its result is not used"
    if definition is not None and definition.kind == "normalizing":
        return _role_of_normalizing(uses)
    if definition is not None and definition.kind != "elementwise":
        return None, f"{definition.name} is {definition.kind}"
    if run.given.constant:
        return "gate", "in doubt: computed of parameters, not of data"
    if "combined" in uses:
        return "gate", f"{uses['combined']}, as part of another one"
    if set(uses) == {"layer"} and any("self" in later.uses for later in run.into):
        return "gate", f"{uses['layer']}, as part of another activation"
    if definition is not None and definition.family == "softplus":
        if set(uses) == {"output"}:
            return "output", uses["output"]
        if "layer" not in uses or _SCALING & set(uses):
            return "gate", f"in doubt: it may make a deviation or a step of time positive; {_first(uses)}"
    is_unbounded = definition is None or not is_bounded(definition)
    if is_unbounded and "layer" not in uses and (reason := _weighing(run)) is not None:
        return "attention", f"in doubt: {reason}"
    if definition is not None and not is_bounded(definition):
        if "multiplied" in uses and not _is_content(run):
            return "hidden", "unbounded, multiplied with another tensor: the nonlinearity of a GLU"
        return "hidden", f"unbounded, {_first(uses)}"
    return _role_of_bounded(run)


def _weighing(run: _Run) -> str | None:
    """Return how the result of an unbounded activation serves an attention; None where it does not.

    As its scores, or as features of queries and keys, whose products are its weights.
    """
    if "scores" in run.uses and (
        run.is_exponent or any(_role_of_normalizing(w.uses)[0] == "attention" for w in run.weights)
    ):
        return run.uses["scores"]
    if "matrix" in run.uses and run.meets_data and not any(map(_weighs, run.partners)):
        return f"{run.uses['matrix']} that layers have made, as the features of linear attention are"
    return None


def _role_of_normalizing(uses: Mapping[_Use, str]) -> tuple[Role | None, str]:
    for use in ("matrix", "multiplied", "self"):
        if use in uses:
            return "attention", f"normalizes, {uses[use]}"
    if "output" in uses and "layer" not in uses:
        return "output", f"normalizes, {uses['output']}"
    return None, _first(uses)


def _role_of_bounded(run: _Run) -> tuple[Role | None, str]:
    uses, definition = run.uses, run.definition
    if "self" in uses:
        if run.composed:
            return "gate", f"{uses['self']}: together {run.composed}"
        return "gate", f"{uses['self']}, as part of another activation"
    scales = definition is not None and is_gate_like(definition)
    if "multiplied" in uses:
        if not scales and _is_content(run):
            return "hidden", "multiplied with a gate"
        return "gate", f"bounded, {uses['multiplied']}"
    if "matrix" in uses:
        if scales:
            return "attention", f"values in [0, 1], {uses['matrix']}"
        return ("hidden", f"{uses['matrix']} that weighs it") if _is_content(run) else (None, uses["matrix"])
    if "scores" in uses:
        return "attention", f"bounded, {uses['scores']}"
    if "layer" in uses and "output" in uses:
        return None, f"{uses['layer']}, and {uses['output']}"
    if "layer" in uses:
        return "hidden", uses["layer"]
    if "output" in uses:
        return "output", uses["output"]
    return ("hidden", uses["added"]) if "added" in uses else (None, uses["unknown"])


def _is_content(run: _Run) -> bool:
    """Check whether all that a result was multiplied with weighs it: values in [0, 1], or normalized ones."""
    return all(map(_weighs, run.partners))


def _weighs(partners: Iterable[_Run]) -> bool:
    """Check whether a tensor holds values in [0, 1], or normalized ones."""
    return any(
        partner.definition is not None
        and not partner.is_everyday
        and (partner.definition.kind == "normalizing" or is_gate_like(partner.definition))
        for partner in partners
    )


def _first(uses: Mapping[_Use, str]) -> str:
    return next(iter(uses.values()))


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from _tensors(value)


def _leaves(value: Any, seen: set[int]) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
        return
    if value is None or isinstance(value, (str, bytes, int, float, complex, type, nn.Module)) or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Mapping):
        children: Iterable[Any] = value.values()
    elif isinstance(value, (tuple, list, set, frozenset)):
        children = value
    elif dataclasses.is_dataclass(value):
        children = [getattr(value, entry.name, None) for entry in dataclasses.fields(value)]
    else:
        children = getattr(value, "__dict__", {}).values()
    for child in children:
        yield from _leaves(child, seen)
