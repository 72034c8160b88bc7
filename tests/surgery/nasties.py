"""Small models, each with one odd way to apply an activation, and for each one a twin edited by hand.

A twin takes what makes the activation: with the original's it computes what the model does, with another's what the
model must compute after a swap. Parameters have the same names in both.
"""

# The odd forms are the point.
# ruff: noqa: B009, E731, I001, PIE804, SIM108

from __future__ import annotations

import functools
import math
import operator
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import nasty_helpers
import torch
import torch as pt
import torch.nn.functional
import torch.nn.functional as F
import torch.nn.functional as functional_by_another_name
from nasty_helpers import (
    CLASSES,
    READY,
    Activator,
    CallableActivator,
    Counted,
    FarBase,
    FarMixin,
    Net,
    activated,
    activated_if,
    logged,
    quiet,
    scaled_by,
    scaling_relu,
)
from torch import Tensor, nn, relu as plain_relu
from torch.nn.functional import relu, relu as renamed
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.checkpoint import checkpoint

Make = Callable[[], nn.Module]


def _rows() -> tuple[Tensor, ...]:
    return (torch.randn(3, 4),)


def _sequences() -> tuple[Tensor, ...]:
    return (torch.randn(2, 3, 4),)


@dataclass(frozen=True)
class Case:
    """A model, its twin, and what a swap must do to it.

    Attributes:
        name: What is odd.
        make: Makes the model.
        twin: Makes the twin, with what makes the activation.
        sites: How many sites a swap of ``swapped`` swaps.
        kinds: Their kinds; empty where more than one answer would be right.
        swapped: The specs to swap.
        original: Makes the activation as a module.
        left: A pattern that the reason for each site that stays, or a note, matches; empty where none stays.
        otherwise: The twin where the odd site, the last, may stay too; then ``left`` must match.
        role: As for ``acts.swap``.
        include: As for ``acts.swap``.
        inputs: Makes the example input.
        same_operations: False where the model relies on a change in place: writing back takes operations of its own.
    """

    name: str
    make: Make
    twin: Callable[[Make], nn.Module]
    sites: int = 1
    kinds: str = "function"
    swapped: str = "relu"
    original: Make = nn.ReLU
    left: str = ""
    otherwise: Callable[[Make], nn.Module] | None = None
    role: tuple[str, ...] = ("hidden",)
    include: str | None = None
    inputs: Callable[[], tuple[Tensor, ...]] = _rows
    same_operations: bool = True


CASES: dict[str, Case] = {}


def results(model: nn.Module, inputs: tuple[Tensor, ...], training: bool) -> dict[str, Tensor | None]:
    """Output and gradients of inputs and parameters, by name."""
    model.train(training)
    model.zero_grad()
    given = [value.clone().requires_grad_() for value in inputs]
    output = model(*given)
    output.square().sum().backward()
    return {
        "output": output.detach(),
        **{f"input {index}": value.grad for index, value in enumerate(given)},
        **{name: parameter.grad for name, parameter in model.named_parameters()},
    }


def case(name: str, twin: Callable[[Make], nn.Module], sites: int = 1, **more: Any) -> Callable[[Any], Any]:
    """Registers what makes a model: its class or a function."""

    def register(make: Any) -> Any:
        if name in CASES:
            raise ValueError(f"two cases {name!r}")
        CASES[name] = Case(name, make, twin, sites, **more)
        return make

    return register


class Twin(Net):
    """Edited by hand: a module stands where the original had a call."""

    def __init__(self, act: Make) -> None:
        super().__init__()
        self.act = act()


class Once(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x)))


class ReadsWhatWasWritten(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.a(x))
        return self.b(h) + h


class Twice(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.b(self.act(self.a(x))))


class Beside(Net):
    """Has a module that can be swapped, and then something else."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()

    def last(self, h: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.b(self.act(self.a(x))))


class Half(Twin):
    """Only the module is replaced."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.b(self.act(self.a(x))))


# --------------------------------------------------------------------------------------------- how it is called


@case("F.relu", Once)
class CallsF(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))


@case("torch.relu", Once)
class CallsTorch(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.relu(self.a(x)))


@case("torch.nn.functional.relu in full", Once)
class CallsInFull(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.nn.functional.relu(self.a(x)))


@case("from torch.nn.functional import relu", Once)
class CallsImported(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(relu(self.a(x)))


@case("import relu as renamed", Once)
class CallsRenamed(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(renamed(self.a(x)))


@case("import functional, torch under other names", Twice, 2)
class CallsAliases(Net):
    def forward(self, x: Tensor) -> Tensor:
        return pt.relu(self.b(functional_by_another_name.relu(self.a(x))))


@case("from torch import relu", Once)
class CallsPlain(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(plain_relu(self.a(x)))


@case("imported within the forward", Once)
class ImportsWithin(Net):
    def forward(self, x: Tensor) -> Tensor:
        from torch.nn.functional import relu as local_relu

        return self.b(local_relu(self.a(x)))


@case("a module imported within the forward", Once)
class ImportsModuleWithin(Net):
    def forward(self, x: Tensor) -> Tensor:
        import torch.nn.functional as G

        return self.b(G.relu(self.a(x)))


_partial = functools.partial(F.relu, inplace=False)


@case("a partial in a global", Once)
class CallsPartial(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(_partial(self.a(x)))


@case("getattr(F, name)", Once)
class CallsGetattr(Net):
    name = "relu"

    def forward(self, x: Tensor) -> Tensor:
        return self.b(getattr(F, self.name)(self.a(x)))


@case('getattr(F, "relu")', Once)
class GetsConstant(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(getattr(F, "relu")(self.a(x)))


@case("an in-place helper that returns, its result thrown away", Once, same_operations=False)
class DiscardsHelper(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x) + 0
        nasty_helpers.relu_and_return(h)
        return self.b(h)


@case("an in-place helper whose input is read again", ReadsWhatWasWritten, same_operations=False)
class ReadsAfterHelper(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x) + 0
        y = nasty_helpers.relu_and_return(h)
        return self.b(y) + h


@case("an in-place helper, its result used alone", Once)
class UsesHelper(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        h = nasty_helpers.relu_and_return(h)
        return self.b(h)


@case("an in-place method, its result thrown away", Once, kinds="method", same_operations=False)
class DiscardsMethod(Net):
    def act(self, h: Tensor) -> Tensor:
        return h.relu_()

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x) + 0
        self.act(h)
        return self.b(h)


in_place = functools.partial(F.relu, inplace=True)


@case("a partial function that works in place, read again", ReadsWhatWasWritten, same_operations=False)
class PartialInPlace(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x) + 0
        y = in_place(h)
        return self.b(y) + h


@case("an in-place function by a variable, read again", ReadsWhatWasWritten, same_operations=False, kinds="")
class VariableInPlace(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x) + 0
        act = F.relu_
        y = act(h)
        return self.b(y) + h


@case("nn.ReLU(True)(x), read again", ReadsWhatWasWritten, same_operations=False)
class OnTheSpotReadAgain(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x) + 0
        y = nn.ReLU(True)(h)
        return self.b(y) + h


@case("an attribute called with inplace=True, read again", ReadsWhatWasWritten, same_operations=False, kinds="")
class AttributeInPlace(Net):
    def __init__(self) -> None:
        super().__init__()
        self.fn = F.relu

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x) + 0
        y = self.fn(h, inplace=True)
        return self.b(y) + h


class ThenDead(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        self.act(h)
        return self.b(h) + self.act(x)


@case("a result that nobody takes", ThenDead, 2, kinds="")
class DeadStatement(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        F.relu(h)
        return self.b(h) + F.relu(x)


@case("getattr of the tensor", Once, kinds="method")
class CallsGetattrOfTensor(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(getattr(self.a(x), "relu")())


@case("operator.methodcaller", Twice, 2, kinds="", left="relu", otherwise=Half)
class CallsMethodcaller(Beside):
    def last(self, h: Tensor) -> Tensor:
        return operator.methodcaller("relu")(h)


@case("x.relu()", Once, kinds="method")
class CallsMethod(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x).relu())


@case("torch.Tensor.relu(x)", Once, kinds="")
class CallsUnbound(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.Tensor.relu(self.a(x)))


@case("x.relu_() on a temporary", Once, kinds="method")
class CallsMethodInPlace(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x).relu_())


class ArgumentChanged(Twin):
    """A call in place changes its argument: whoever holds the tensor sees the result, and must after a swap."""

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.a(x))
        return self.b(h) + h


@case("x.relu_() thrown away", ArgumentChanged, kinds="method", same_operations=False)
class MethodInPlaceDiscarded(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        h.relu_()
        return self.b(h) + h


@case("F.relu(x, inplace=True), rebound", Once)
class InPlaceRebound(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        h = F.relu(h, inplace=True)
        return self.b(h)


@case("F.relu(x, True), on a temporary", Once)
class InPlaceTemporary(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x), True))


@case("F.relu(x, inplace=True), under another name", ArgumentChanged, same_operations=False)
class InPlaceOtherName(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        y = F.relu(h, inplace=True)
        return self.b(y) + h


@case("F.relu(x, inplace=True), under another name, not read again", Once)
class InPlaceLastRead(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        y = F.relu(h, inplace=True)
        return self.b(y)


@case("F.relu(x, inplace=True), thrown away", ArgumentChanged, same_operations=False)
class InPlaceDiscarded(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        F.relu(h, inplace=True)
        return self.b(h) + h


@case("F.relu_(x), thrown away", ArgumentChanged, same_operations=False)
class UnderscoreDiscarded(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        F.relu_(h)
        return self.b(h) + h


@case("torch.relu_(x), thrown away", ArgumentChanged, same_operations=False)
class TorchUnderscoreDiscarded(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        torch.relu_(h)
        return self.b(h) + h


class FirstHalf(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.b(torch.cat([self.act(h[:, :2]), h[:, 2:]], 1))


@case("in place, on a view", FirstHalf, same_operations=False)
class InPlaceOnView(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x) * 1.0
        F.relu_(h[:, :2])
        return self.b(h)


class WholeSeenByView(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.a(x))
        return self.b(h) + h[:, :1]


@case("in place, seen through a view", WholeSeenByView, same_operations=False)
class InPlaceSeenByView(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x) * 1.0
        first = h[:, :1]
        F.relu_(h)
        return self.b(h) + first


@case("in place in a helper of another file", ArgumentChanged, same_operations=False)
class InPlaceInHelper(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        nasty_helpers.activated_in_place(h)
        return self.b(h) + h


@case("input= by keyword", Once)
class KeywordInput(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(inplace=False, input=self.a(x)))


@case("*args", Once)
class StarCall(Net):
    def forward(self, x: Tensor) -> Tensor:
        arguments = (self.a(x),)
        return self.b(F.relu(*arguments))


@case("**kwargs", Once)
class DoubleStarCall(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(**{"input": self.a(x)}))


@case("a global bound anew after the definition", Once)
class ReboundLater(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(_bound_anew(self.a(x)))


_bound_anew = torch.tanh
_bound_anew = torch.relu


@case("a local name of the function", Once)
class LocalName(Net):
    def forward(self, x: Tensor) -> Tensor:
        act = F.relu
        return self.b(act(self.a(x)))


@case("a choice of functions", Once)
class ChosenFunction(Net):
    deep = True

    def forward(self, x: Tensor) -> Tensor:
        act = F.relu if self.deep else torch.tanh
        return self.b(act(self.a(x)))


class ThenTanh(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.b(self.act(self.a(x))))


@case("a loop over functions, one of them swapped", ThenTanh, kinds="", left="tanh")
class LoopOverFunctions(Net):
    def forward(self, x: Tensor) -> Tensor:
        for layer, act in ((self.a, F.relu), (self.b, torch.tanh)):
            x = act(layer(x))
        return x


class Thrice(Twin):
    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = self.act(self.a(x))
        return self.b(x)


@case("one site, many times", Thrice)
class Loops(Net):
    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = F.relu(self.a(x))
        return self.b(x)


class Pieces(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.cat([self.act(self.a(x) - shift) for shift in (0.0, 0.5)]))


@case("in a comprehension", Pieces)
class Comprehension(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.cat([F.relu(self.a(x) - shift) for shift in (0.0, 0.5)]))


@case("in a generator expression", Pieces)
class GeneratorExpression(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.cat(tuple(F.relu(self.a(x) - shift) for shift in (0.0, 0.5))))


@case("in a dict comprehension", Pieces)
class DictComprehension(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.cat(list({shift: F.relu(self.a(x) - shift) for shift in (0.0, 0.5)}.values())))


@case("in a generator method", Pieces)
class GeneratorMethod(Net):
    def pieces(self, x: Tensor) -> Iterator[Tensor]:
        for shift in (0.0, 0.5):
            yield F.relu(self.a(x) - shift)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.cat(list(self.pieces(x))))


@case("map over tensors", Pieces, kinds="")
class MapsFunction(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.cat(list(map(F.relu, (self.a(x) - shift for shift in (0.0, 0.5))))))


@case("functools.reduce with a lambda", Twice)
class Reduces(Net):
    def forward(self, x: Tensor) -> Tensor:
        return functools.reduce(lambda h, layer: F.relu(layer(h)), (self.a, self.b), x)


@case("two calls on one line", Twice, 2)
class OneLine(Net):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.b(F.relu(self.a(x))))


@case("two calls on one line, one function alike", Pieces, 2)
class OneLineSideBySide(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.cat([F.relu(self.a(x) - 0.0), F.relu(self.a(x) - 0.5)]))


class Chained(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.b(self.act(self.a(x)) * 2.0) - 0.1)


# fmt: off
@case("a chain of methods over many lines", Chained, 2, kinds="method")
class LongChain(Net):
    def forward(self, x: Tensor) -> Tensor:
        return (
            self.b(
                self.a(x)
                .relu()
                .mul(2.0)
            )
            .sub(0.1)
            .relu()
        )


@case("a call over many lines", Once)
class LongCall(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(
            F
            .relu(
                self.a(
                    x
                ),  # a comment
                inplace=False
            )
        )
# fmt: on


class AfterTanh(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(torch.tanh(self.a(x)).exp() - 1))


@case("letters of many bytes before the call", Once)
class ManyBytes(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b({"é→∞": F.relu(self.a(x))}["é→∞"])


@case("a call around another that stays", AfterTanh, left="mapping")
class CallInArgument(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(torch.tanh(self.a(x)).exp() - 1))


class Summed(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.a(x))
        return self.b(h) + h


@case("walrus", Summed)
class Walrus(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(h := F.relu(self.a(x))) + h


class OnceMore(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.a(x))
        self.act(h)
        return self.b(h)


@case("in an assert", OnceMore, 2)
class InAssert(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.a(x))
        assert F.relu(h).shape == h.shape, f"not {h.shape}"
        return self.b(h)


@case("under match, try and with", Once)
class UnderStatements(Net):
    mode = "deep"

    def forward(self, x: Tensor) -> Tensor:
        match self.mode:
            case "deep":
                try:
                    with quiet():
                        h = F.relu(self.a(x))
                finally:
                    done = True
            case _:
                h, done = x, False
        return self.b(h) if done else h


# ------------------------------------------------------------------------------------------------------ branches


@case("a branch in train mode, another in eval mode", Once, 2)
class TrainOrEval(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        h = F.relu(h) if self.training else torch.relu(h)
        return self.b(h)


class FlagTwin(Once):
    flag = False


@case("a branch that the example doesn't take", FlagTwin, 2)
class Untaken(Net):
    flag = False

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        if self.flag:
            h = F.relu(h)
        else:
            h = torch.relu(h)
        return self.b(h)


class FlagTwinMethodStays(FlagTwin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.b(h.relu() if self.flag else self.act(h))


@case("a method in a branch not taken", FlagTwin, 2, kinds="", left="relu", otherwise=FlagTwinMethodStays)
class UntakenMethod(Net):
    """What the receiver is can't be known before it runs; it may be left, but not unsaid."""

    flag = False

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        if self.flag:
            return self.b(h.relu())
        return self.b(F.relu(h))


class FlagTwinEither(Twin):
    flag = False

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.b(torch.tanh(h) if self.flag else self.act(h))


@case("a conditional expression", FlagTwinEither)
class ConditionalExpression(Net):
    flag = False

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.b(h.tanh() if self.flag else F.relu(h))


# --------------------------------------------------------------------------------------------- other activations


@case("torch.sigmoid between layers", Once, swapped="sigmoid", original=nn.Sigmoid, role=("hidden", "gate"))
class CallsSigmoid(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.sigmoid(self.a(x)))


@case("x.tanh()", Once, swapped="tanh", original=nn.Tanh, kinds="method")
class CallsTanh(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x).tanh())


class BesideRelu(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x))) + F.relu(x)


@case("x.tanh() beside a relu that stays", BesideRelu, swapped="tanh", original=nn.Tanh, kinds="method", left="mapping")
class CallsTanhBesideRelu(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x).tanh()) + F.relu(x)


@case("x.clamp(min=0)", Once, kinds="method")
class CallsClampMin(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x).clamp(min=0))


@case("torch.clamp(x, 0)", Once)
class CallsClamp(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.clamp(self.a(x), 0))


@case("x.clamp_min(0.0)", Once, kinds="method")
class CallsClampMinZero(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x).clamp_min(0.0))


class ClampStays(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x))).clamp(min=-0.5).clamp(0.1, 0.3)


@case("clamps that are no relu stay", ClampStays)
class OtherClamps(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x))).clamp(min=-0.5).clamp(0.1, 0.3)


@case("torch.maximum(x, zeros)", Once)
class CallsMaximum(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.b(torch.maximum(h, torch.zeros_like(h)))


@case("F.hardtanh", Once, swapped="hardtanh", original=nn.Hardtanh)
class CallsHardtanh(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.hardtanh(self.a(x)))


@case("F.leaky_relu with a slope by position", Once, swapped="leaky_relu(negative_slope=0.1)", original=functools.partial(nn.LeakyReLU, 0.1))  # fmt: skip
class CallsLeaky(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.leaky_relu(self.a(x), 0.1))


@case("F.leaky_relu with a slope of the instance", Once, swapped="leaky_relu(negative_slope=0.3)", original=functools.partial(nn.LeakyReLU, 0.3))  # fmt: skip
class CallsLeakyOfSelf(Net):
    def __init__(self) -> None:
        super().__init__()
        self.slope = 0.3

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.leaky_relu(self.a(x), negative_slope=self.slope))


@case("F.gelu(approximate=)", Once, swapped="gelu(approximate=tanh)", original=functools.partial(nn.GELU, "tanh"))
class CallsGelu(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.gelu(self.a(x), approximate="tanh"))


class TimesSigmoid(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)


@case("x * torch.sigmoid(x)", Once, swapped="silu", original=TimesSigmoid)
class ComposedSilu(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.b(h * torch.sigmoid(h))


class Formula(nn.Module):
    """A formula as a module."""

    def __init__(self, compute: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.compute = compute

    def forward(self, x: Tensor) -> Tensor:
        return self.compute(x)


def formula(compute: Callable[[Tensor], Tensor]) -> Make:
    return functools.partial(Formula, compute)


@case("x.mul(x.sigmoid())", Once, swapped="silu", original=TimesSigmoid)
class ComposedByMethods(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.b(h.mul(h.sigmoid()))


@case("x.mul_(x.sigmoid()), read again", ReadsWhatWasWritten, swapped="silu", original=TimesSigmoid, same_operations=False)  # fmt: skip
class ComposedInPlace(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x) + 0
        y = h.mul_(h.sigmoid())
        return self.b(y) + h


@case("GELU by erf", Once, swapped="gelu", original=formula(lambda h: 0.5 * h * (1.0 + torch.erf(h / math.sqrt(2.0)))))
class GeluByErf(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.b(0.5 * h * (1.0 + torch.erf(h / math.sqrt(2.0))))


ROOT = (2 / math.pi) ** 0.5


@case(
    "GELU by tanh, over several lines",
    Once,
    swapped="gelu(approximate=tanh)",
    original=formula(lambda h: 0.5 * h * (1 + torch.tanh(ROOT * (h + 0.044715 * torch.pow(h, 3))))),
)
class GeluByTanh(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        h = (
            0.5
            * h
            * (
                1
                + torch.tanh(
                    ROOT * (h + 0.044715 * torch.pow(h, 3)),
                )
            )
        )
        return self.b(h)


@case("hardswish by relu6", Once, swapped="hardswish", original=formula(lambda h: h * F.relu6(h + 3) / 6))
class HardswishByRelu6(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.b(h * F.relu6(h + 3, inplace=True) / 6)


@case("softplus by exp", Once, swapped="softplus", original=formula(lambda h: torch.log1p(torch.exp(h))))
class SoftplusByExp(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.log1p(torch.exp(self.a(x))))


@case("relu(layer(x)) ** 2", Once, swapped="squared_relu", original=formula(lambda h: F.relu(h) ** 2))
class SquaredRelu(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)) ** 2)


@case("a formula in a helper of another file", Once, swapped="gelu", original=formula(nasty_helpers.gelu_by_erf))
class FormulaElsewhere(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(nasty_helpers.gelu_by_erf(self.a(x)))


@case("a formula in a looked up helper", Once, kinds="", swapped="gelu", original=formula(nasty_helpers.gelu_by_erf))
class FormulaLookedUp(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(nasty_helpers.FORMULAS["gelu"](self.a(x)))


class OnlyTheRelu(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(self.act(x))
        return self.b(h * torch.tanh(0.3 * h))


@case("a formula that is none that is known", OnlyTheRelu, swapped="relu tanh", left="multiplied with its own input")
class UnknownFormula(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(F.relu(x))
        return self.b(h * torch.tanh(0.3 * h))


class Gated(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.a(x)) * self.b(x)


@case("F.silu(g) * u", Gated, swapped="silu", original=nn.SiLU, role=("hidden", "gate"))
class GatedSilu(Net):
    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.a(x)) * self.b(x)


# --------------------------------------------------------------------------------------- modules made on the spot


@case("nn.ReLU()(x)", Once, kinds="")
class OnTheSpot(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(nn.ReLU()(self.a(x)))


@case("nn.ReLU(inplace=True)(x)", Once, kinds="")
class OnTheSpotInPlace(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        h = nn.ReLU(inplace=True)(h)
        return self.b(h)


@case("CLASSES[name]()(x)", Once, kinds="")
class LooksUpClass(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(CLASSES["relu"]()(self.a(x)))


@case("READY[name](x), a module in no tree", Once, kinds="")
class LooksUpModule(Net):
    def __init__(self) -> None:
        super().__init__()
        self.hidden_act = "relu"

    def forward(self, x: Tensor) -> Tensor:
        return self.b(READY[self.hidden_act](self.a(x)))


@case("nasty_helpers.lookup(name)(x)", Once, kinds="")
class LooksUpFunction(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(nasty_helpers.lookup("relu")(self.a(x)))


# -------------------------------------------------------------------------------------------- helpers, closures


@case("a helper in another file", Once)
class CallsHelper(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(activated(self.a(x)))


@case("a helper, by its module", Once)
class CallsHelperByModule(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(nasty_helpers.activated(self.a(x)))


@case("a helper of a helper", Once)
class CallsDeepHelper(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(nasty_helpers.activated_deeper(self.a(x)))


@case("a helper called at two lines", Twice, 2)
class CallsHelperTwice(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = activated(self.a(x))
        return activated(self.b(h))


@case("a helper with a default and a branch", Once)
class CallsHelperWithOptions(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(activated_if(self.a(x)))


class Countdown(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(self.act(self.a(x)))))


@case("a recursive helper", Countdown)
class CallsRecursion(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(nasty_helpers.countdown(x, self.a, 2))


@case("a recursive method", Countdown)
class RecursiveMethod(Net):
    def run(self, h: Tensor, depth: int) -> Tensor:
        return h if depth == 0 else self.run(F.relu(self.a(h)), depth - 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.run(x, 2))


class EvenOdd(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        for _ in range(2):
            h = (self.act(h) - 0.1) * 0.9
        return self.b(h)


@case("helpers that call each other", EvenOdd)
class CallsMutualRecursion(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(nasty_helpers.even(self.a(x), 4))


@case("a helper that takes the function", Once, kinds="")
class GivesFunction(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(nasty_helpers.apply_to(F.relu, self.a(x)))


@case("a helper that takes a lambda", Once)
class GivesLambda(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(nasty_helpers.apply_to(lambda h: F.relu(h), self.a(x)))


@case("a helper that takes a bound method", Once)
class GivesMethod(Net):
    def act(self, h: Tensor) -> Tensor:
        return F.relu(h)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(nasty_helpers.apply_to(self.act, self.a(x)))


class Doubled(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x)) * 2.0)


@case("a nested def", Doubled)
class NestedDef(Net):
    def forward(self, x: Tensor) -> Tensor:
        factor = 2.0

        def act(h: Tensor) -> Tensor:
            return F.relu(h) * factor

        return self.b(act(self.a(x)))


@case("a nested def within a nested def, nonlocal", Doubled)
class NestedDeeper(Net):
    def forward(self, x: Tensor) -> Tensor:
        runs = 0

        def outer(h: Tensor) -> Tensor:
            def inner(h: Tensor) -> Tensor:
                nonlocal runs
                runs += 2
                return F.relu(h)

            return inner(h) * runs

        return self.b(outer(self.a(x)))


@case("a lambda in the forward", Doubled)
class LambdaWithin(Net):
    def forward(self, x: Tensor) -> Tensor:
        act = lambda h: F.relu(h) * 2.0
        return self.b(act(self.a(x)))


_global_lambda = lambda h: F.relu(h) * 2.0


@case("a lambda in a global", Doubled)
class GlobalLambda(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(_global_lambda(self.a(x)))


_global_closure = scaling_relu(2.0)


@case("a closure in a global", Doubled)
class GlobalClosure(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(_global_closure(self.a(x)))


class PlainObject:
    """Gives what a model asks for by attribute."""

    act = staticmethod(F.relu)


@case("a static attribute of a class that is no module", Once)
class CallsNamespace(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(PlainObject.act(self.a(x)))


# --------------------------------------------------------------------------------------------- classes and methods


@case("another method", Once)
class OtherMethod(Net):
    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.a(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.features(x))


@case("staticmethod", Once)
class StaticMethod(Net):
    @staticmethod
    def act(h: Tensor) -> Tensor:
        return F.relu(h)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x)))


@case("staticmethod, by the class's name", Once)
class StaticByName(Net):
    @staticmethod
    def act(h: Tensor) -> Tensor:
        return F.relu(h)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(StaticByName.act(self.a(x)))


@case("classmethod", Doubled)
class ClassMethod(Net):
    factor = 2.0

    @classmethod
    def act(cls, h: Tensor) -> Tensor:
        return F.relu(h) * cls.factor

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x)))


@case("a mixin of another file", Once)
class MixedIn(FarMixin, Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.activate(self.a(x)))


@case("the forward of a base in another file", Once)
class Inherits(FarBase):
    pass


class OutputDoubled(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x))) * 2.0


@case("super().forward", OutputDoubled)
class CallsSuper(FarBase):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 2.0


class SuperChainTwin(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.act(self.b(self.act(self.a(x)))) - 0.1)


class _Middle(FarBase):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(super().forward(x))


@case("super().forward, three classes deep", SuperChainTwin, 3, kinds="")
class SuperChain(_Middle):
    def forward(self, x: Tensor) -> Tensor:
        return (super().forward(x) - 0.1).relu()


@case("super(Class, self), an old form", Twice, 2)
class OldSuper(FarBase):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(super(OldSuper, self).forward(x))  # noqa: UP008


@case("Base.forward(self, x)", Twice, 2)
class CallsBaseByName(FarBase):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(FarBase.forward(self, x))


class _Left(Net):
    def act(self, h: Tensor) -> Tensor:
        return F.relu(h)


class _Right(Net):
    def act(self, h: Tensor) -> Tensor:
        return h * 2.0


@case("a diamond", Once)
class Diamond(_Left, _Right):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(super().act(self.a(x)))


@case("private methods", Once)
class Private(Net):
    def __act(self, h: Tensor) -> Tensor:
        return F.relu(h)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.__act(self.a(x)))


class ScaledTwin(Twin):
    def __init__(self, act: Make) -> None:
        super().__init__(act)
        self.scale = nn.Parameter(torch.linspace(-1.0, 1.0, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x) * self.act(self.scale))


@case("property", ScaledTwin, role=("hidden", "gate"))
class Property(Net):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.linspace(-1.0, 1.0, 4))

    @property
    def positive(self) -> Tensor:
        return F.relu(self.scale)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x) * self.positive)


@case("a property that returns the function", Once, kinds="")
class PropertyOfFunction(Net):
    @property
    def act(self) -> Callable[[Tensor], Tensor]:
        return F.relu

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x)))


@case("__call__", Once)
class OwnCall(Net):
    def __call__(self, x: Tensor) -> Tensor:
        return self.b(F.relu(super().__call__(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.a(x)


@case("__class__", Once)
class NamesClass(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x))) if __class__ is NamesClass else x


@case("super() in a nested def", Once)
class NestedSuper(_Left):
    def forward(self, x: Tensor) -> Tensor:
        def run(h: Tensor) -> Tensor:
            return super(NestedSuper, self).act(h)

        return self.b(run(self.a(x)))


@case("forward is another method's name", Once)
class Alias(Net):
    def run(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))

    forward = run


def _forward_from_outside(self: Net, x: Tensor) -> Tensor:
    return self.b(F.relu(self.a(x)))


@case("a forward set on the class later", Once)
class SetLater(Net):
    pass


SetLater.forward = _forward_from_outside


def _last_from_outside(self: Beside, h: Tensor) -> Tensor:
    return F.relu(h)


@case("a method set on the instance", Twice, 2, kinds="", left="instance|last", otherwise=Half)
def method_on_instance() -> nn.Module:
    model = Beside()
    model.last = types.MethodType(_last_from_outside, model)
    return model


def _whole_from_outside(self: Beside, x: Tensor) -> Tensor:
    return F.relu(self.b(self.act(self.a(x))))


@case("a forward set on the instance", Twice, 2, kinds="", left="instance|forward", otherwise=Half)
def forward_on_instance() -> nn.Module:
    model = Beside()
    model.forward = types.MethodType(_whole_from_outside, model)
    return model


@case("a bound method in an attribute", Twice, 2, kinds="", left="instance|attribute|run", otherwise=Half)
class BoundInAttribute(Beside):
    """As models choose between two ways when they are made."""

    def __init__(self) -> None:
        super().__init__()
        self.run = self._fast

    def _fast(self, h: Tensor) -> Tensor:
        return F.relu(h)

    def last(self, h: Tensor) -> Tensor:
        return self.run(h)


@case("functools.partialmethod", Doubled, kinds="")
class PartialMethod(Net):
    def _act(self, factor: float, h: Tensor) -> Tensor:
        return F.relu(h) * factor

    act = functools.partialmethod(_act, 2.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x)))


@case("singledispatchmethod", Once, kinds="")
class SingleDispatch(Net):
    @functools.singledispatchmethod
    def act(self, h: Any) -> Any:
        raise TypeError(h)

    @act.register
    def _(self, h: torch.Tensor) -> torch.Tensor:
        return F.relu(h)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x)))


class NoGradientBelow(Twin):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            h = self.act(self.a(x))
        return self.b(h)


@case("under torch.no_grad as a decorator", NoGradientBelow)
class NoGrad(Net):
    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.a(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.features(x))


def _naming_self(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @functools.wraps(function)
    def wrapper(self: Net, *args: Tensor) -> Tensor:
        return function(self, *args)

    return wrapper


@case("under two decorators that name self", Once)
class DecoratedNamingSelf(Net):
    @_naming_self
    @_naming_self
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))


@case("under a decorator of another file", Once)
class Decorated(Net):
    @logged
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))


@case("under two decorators, one with an argument", Doubled)
class DecoratedTwice(Net):
    @logged
    @scaled_by(2.0)
    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.a(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.features(x))


@case("under a context manager as a decorator", Once)
class DecoratedByContext(Net):
    @quiet()
    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.a(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.features(x))


@case("under torch.compiler.disable", Once)
class NotCompiled(Net):
    @torch.compiler.disable
    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.a(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.features(x))


@case("under a decorator that is a class", Once, kinds="")
class DecoratedByClass(Net):
    @Counted
    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.a(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.features(x))


def class_in_function() -> nn.Module:
    factor = 2.0

    class Local(Net):
        def __init__(self) -> None:
            super().__init__()

        def forward(self, x: Tensor) -> Tensor:
            return self.b(F.relu(self.a(x)) * factor)

    return Local()


case("a class defined in a function", Doubled)(class_in_function)


class Outer:
    """Holds a class."""

    @case("a class within a class", Once)
    class Inner(Net):
        def forward(self, x: Tensor) -> Tensor:
            return self.b(F.relu(self.a(x)))


@case("a dataclass", Once)
@dataclass(eq=False)
class DataNet(nn.Module):
    width: int = 4

    def __post_init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, self.width)
        self.b = nn.Linear(self.width, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))


class Listed(type):
    """Lists its classes, as registries do."""

    classes: list[str] = []

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        mcs.classes.append(name)
        return super().__new__(mcs, name, bases, namespace)


@case("a metaclass", Once)
class OfMetaclass(Net, metaclass=Listed):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))


class Tagged(Net):
    tags: dict[str, type] = {}

    def __init_subclass__(cls, *, tag: str, **more: Any) -> None:
        super().__init_subclass__(**more)
        if tag in cls.tags:
            raise TypeError(f"two classes tagged {tag}")
        cls.tags[tag] = cls


@case("__init_subclass__ with a keyword that must be given", Once)
class OneTagged(Tagged, tag="one"):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))


@case("__slots__", Once)
class Slotted(Net):
    __slots__ = ("extra",)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))


T = TypeVar("T")


@case("Generic[T]", Once)
class Typed(Net, Generic[T]):
    def forward(self, x: T) -> T:
        return self.b(F.relu(self.a(x)))


CASES["Generic[int]()"] = Case("Generic[int]()", lambda: Typed[int](), Once)


@case("__getattr__", Once)
class Delegates(Net):
    def __getattr__(self, name: str) -> Any:
        if name == "first":
            return self.a
        return super().__getattr__(name)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.first(x)))


@case("__getstate__ and __setstate__", Once)
class OwnState(Net):
    def __getstate__(self) -> dict[str, Any]:
        return {"everything": dict(vars(self))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state["everything"])

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))


@case("__setattr__ that refuses", Once)
class Refuses(Net):
    def __init__(self) -> None:
        super().__init__()
        self.ready = True

    def __setattr__(self, name: str, value: Any) -> None:
        if "ready" in vars(self) and name != "training":
            raise AttributeError(f"{name} can't be set any more")
        super().__setattr__(name, value)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))


@case("an __init__ with arguments", Once)
def made_with_arguments() -> nn.Module:
    return WithArguments(4, wide=4)


class WithArguments(nn.Module):
    def __init__(self, width: int, *, wide: int) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, width), nn.Linear(wide, 4)

    def forward(self, x: Tensor, *, scale: float | None = None) -> Tensor:
        h = F.relu(self.a(x))
        return self.b(h if scale is None else h * scale)


@case("an attribute with the function's name", Once)
class SameNames(Net):
    def __init__(self) -> None:
        super().__init__()
        self.relu = "not a function"

    def forward(self, x: Tensor) -> Tensor:
        act, mish = "shadowed", "names"
        return self.b(F.relu(self.a(x))) if act and mish and self.relu else x


# --------------------------------------------------------------------------------------- functions kept somewhere


@case("a function in an attribute", Once, kinds="attribute")
class InAttribute(Net):
    def __init__(self, act: Callable[[Tensor], Tensor] = F.relu) -> None:
        super().__init__()
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x)))


@case("a helper in an attribute", Twice, 2, kinds="", left="fn", otherwise=Half)
class HelperInAttribute(Beside):
    def __init__(self) -> None:
        super().__init__()
        self.fn = activated

    def last(self, h: Tensor) -> Tensor:
        return self.fn(h)


@case("a function in a class attribute", Once, kinds="")
class InClassAttribute(Net):
    act = staticmethod(F.relu)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x)))


@case("a function in an attribute, compared with another", Doubled, kinds="")
class ComparedAttribute(Net):
    """As nn.TransformerEncoderLayer does; what the model decides by the function must not change."""

    def __init__(self) -> None:
        super().__init__()
        self.act = F.relu

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x)) * (2.0 if self.act is F.relu else 1.0))


@case("a function in a default argument", Once)
class InDefault(Net):
    def forward(self, x: Tensor, act: Callable[[Tensor], Tensor] = F.relu) -> Tensor:
        return self.b(act(self.a(x)))


@case("functions in a list", Twice, 2, kinds="", left="fn", otherwise=Half)
class InList(Beside):
    def __init__(self) -> None:
        super().__init__()
        self.fns = [F.relu, torch.tanh]

    def last(self, h: Tensor) -> Tensor:
        return self.fns[0](h)


@case("functions in a dict", Twice, 2, kinds="", left="fn", otherwise=Half)
class InDict(Beside):
    def __init__(self) -> None:
        super().__init__()
        self.fns = {"relu": F.relu, "tanh": torch.tanh}

    def last(self, h: Tensor) -> Tensor:
        return self.fns["relu"](h)


@case("functions in a dict of the class", Once, kinds="")
class InClassDict(Net):
    acts = {"relu": F.relu, "tanh": torch.tanh}

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.acts["relu"](self.a(x)))


@case("a partial in an attribute", Once, kinds="", swapped="leaky_relu(negative_slope=0.1)", original=functools.partial(nn.LeakyReLU, 0.1))  # fmt: skip
class PartialInAttribute(Net):
    def __init__(self) -> None:
        super().__init__()
        self.act = functools.partial(F.leaky_relu, negative_slope=0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x)))


@case("a lambda in an attribute", Twice, 2, kinds="", left="fn", otherwise=Half)
class LambdaInAttribute(Beside):
    def __init__(self) -> None:
        super().__init__()
        self.fn = lambda h: F.relu(h)

    def last(self, h: Tensor) -> Tensor:
        return self.fn(h)


class TwiceDoubled(Twice):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 2.0


class HalfDoubled(Half):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 2.0


@case("a closure in an attribute", TwiceDoubled, 2, kinds="", left="fn", otherwise=HalfDoubled)
class ClosureInAttribute(Beside):
    def __init__(self) -> None:
        super().__init__()
        self.fn = scaling_relu(2.0)

    def last(self, h: Tensor) -> Tensor:
        return self.fn(h)


# -------------------------------------------------------------------------------------------------- trees of modules


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.layer(x))


class _BlockTwin(nn.Module):
    def __init__(self, act: Make) -> None:
        super().__init__()
        self.layer, self.act = nn.Linear(4, 4), act()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.layer(x))


@case("two instances of one class", lambda act: nn.Sequential(_BlockTwin(act), _BlockTwin(act)), 2)
def two_blocks() -> nn.Module:
    return nn.Sequential(_Block(), _Block())


@case("two instances, one of them swapped", lambda act: nn.Sequential(_BlockTwin(act), _Block()), include="0*", left="excluded|include")  # fmt: skip
def one_of_two_blocks() -> nn.Module:
    return nn.Sequential(_Block(), _Block())


class _FirstOnly(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.b(self.act(self.a(x))))


@case("two sites of one class, one of them swapped", _FirstOnly, include="relu/0", left="excluded|include")
class TwoSites(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.a(x))
        return F.relu(self.b(h))


class _HelperBlock(_Block):
    def forward(self, x: Tensor) -> Tensor:
        return activated(self.layer(x))


class _OtherHelperBlock(_HelperBlock):
    """Another class with the same forward."""


@case("two classes with one helper, one of them swapped", lambda act: nn.Sequential(_Block(), _BlockTwin(act)), include="1*", left="excluded|include")  # fmt: skip
def one_helper() -> nn.Module:
    return nn.Sequential(_HelperBlock(), _OtherHelperBlock())


class _Named(_Block):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        return getattr(F, self.name)(self.layer(x))


@case("one class, one line, two functions", lambda act: nn.Sequential(_BlockTwin(act), _Named("softplus")), left="mapping")  # fmt: skip
def two_named() -> nn.Module:
    return nn.Sequential(_Named("relu"), _Named("softplus"))


class CompiledBlockTwin(nn.Module):
    def __init__(self, act: Make) -> None:
        super().__init__()
        self.block = torch.compile(_BlockTwin(act), backend="eager")
        self.b = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.block(x))


@case("a compiled part", CompiledBlockTwin)
class CompiledBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = torch.compile(_Block(), backend="eager")
        self.b = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.block(x))


@case("a module in a plain list", Twice, 2, kinds="", left="hidden|tree|register", otherwise=Half)
class HidesModule(Beside):
    """It is in no tree, and in no state_dict."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = [HandWritten()]

    def last(self, h: Tensor) -> Tensor:
        return self.hidden[0](h)


class SharedBlockTwin(nn.Module):
    def __init__(self, act: Make) -> None:
        super().__init__()
        self.block = _BlockTwin(act)
        self.again = self.block

    def forward(self, x: Tensor) -> Tensor:
        return self.again(self.block(x))


@case("one block under two names", SharedBlockTwin)
class SharedBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = _Block()
        self.again = self.block

    def forward(self, x: Tensor) -> Tensor:
        return self.again(self.block(x))


@case("one activation module at two places", Twice, kinds="module")
class SharedCallPlaces(Net):
    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.b(self.act(self.a(x))))


@case("one activation module under two names", Twice, kinds="module")
class SharedNames(Net):
    def __init__(self) -> None:
        super().__init__()
        self.act1 = self.act2 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act2(self.b(self.act1(self.a(x))))


@case("a module and calls", Twice, 2, kinds="module function")
class ModuleAndCall(Net):
    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.b(self.act(self.a(x))))


class OwnReLU(nn.ReLU):
    """A subclass that changes nothing."""


class HandWritten(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


@case("a subclass of nn.ReLU and a class of one's own", Twice, 2, kinds="module")
class CustomModules(Net):
    def __init__(self) -> None:
        super().__init__()
        self.act1, self.act2 = OwnReLU(), HandWritten()

    def forward(self, x: Tensor) -> Tensor:
        return self.act2(self.b(self.act1(self.a(x))))


class SequentialTwin(nn.Sequential):
    def __init__(self, act: Make) -> None:
        super().__init__(nn.Linear(4, 4), nn.Linear(4, 4))
        object.__setattr__(self, "outside", act())  # no child, so that the loop doesn't reach it

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = self.outside(layer(x))
        return x


@case("a Sequential that calls between its children", SequentialTwin)
class CallsBetween(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(4, 4), nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = F.relu(layer(x))
        return x


@case("a Sequential that counts its children", SequentialTwin, 2)
class CountsChildren(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(4, 4), nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        assert len(self) == len(list(self.children())) == 2
        return F.relu(self[-1](F.relu(self[0](x))))


@case("a ModuleList with a forward", SequentialTwin)
class ListWithForward(nn.ModuleList):
    def __init__(self) -> None:
        super().__init__([nn.Linear(4, 4), nn.Linear(4, 4)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = F.relu(layer(x))
        return x


class DictTwin(SequentialTwin):
    def __init__(self, act: Make) -> None:
        nn.Module.__init__(self)
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        object.__setattr__(self, "outside", act())


@case("a ModuleDict with a forward", DictTwin)
class DictWithForward(nn.ModuleDict):
    def __init__(self) -> None:
        super().__init__({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)})

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.values():
            x = F.relu(layer(x))
        return x


@case("a forward over self.children()", DictTwin)
class OverChildren(Net):
    def forward(self, x: Tensor) -> Tensor:
        for layer in self.children():
            x = F.relu(layer(x))
        return x


@case("a forward over self._modules", DictTwin)
class OverModules(Net):
    def forward(self, x: Tensor) -> Tensor:
        for layer in self._modules.values():
            x = F.relu(layer(x))
        return x


@case("activation modules in a ModuleList and a ModuleDict", Twice, 2, kinds="module")
class InContainers(Net):
    def __init__(self) -> None:
        super().__init__()
        self.by_index = nn.ModuleList([nn.ReLU()])
        self.by_name = nn.ModuleDict({"relu": nn.ReLU()})

    def forward(self, x: Tensor) -> Tensor:
        return self.by_name["relu"](self.b(self.by_index[0](self.a(x))))


@case("a parametrized layer", lambda act: _normed(Once(act)))
def with_weight_norm() -> nn.Module:
    return _normed(CallsF())


def _normed(model: nn.Module) -> nn.Module:
    weight_norm(model.a)
    return model


class Exponential(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.exp()


def _positive(model: nn.Module) -> nn.Module:
    parametrize.register_parametrization(model, "scale", Exponential())
    return model


@case(
    "the module with the call is itself parametrized", lambda act: _positive(ScaledTwin(act)), role=("hidden", "gate")
)
def parametrized_itself() -> nn.Module:
    return _positive(Property())


def _times_two(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    return output * 2.0


def _hooked(model: nn.Module) -> nn.Module:
    model.a.register_forward_hook(_times_two)
    model.register_forward_hook(_times_two)
    return model


@case("hooks on the model and a layer", lambda act: _hooked(Once(act)))
def hooked() -> nn.Module:
    return _hooked(CallsF())


def _activating_hook(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    return F.relu(output)


def _activating(model: nn.Module) -> nn.Module:
    model.b.register_forward_hook(_activating_hook)
    return model


@case("a hook that calls", Twice, 2, kinds="", left="hook", otherwise=lambda act: _activating(Once(act)))
def hook_calls() -> nn.Module:
    return _activating(CallsF())


@case("tied weights", lambda act: _tied(Once(act)))
def tied() -> nn.Module:
    return _tied(CallsF())


def _tied(model: nn.Module) -> nn.Module:
    model.b.weight = model.a.weight
    return model


@case("the method of a plain object", Doubled, kinds="")
class HoldsObject(Net):
    def __init__(self) -> None:
        super().__init__()
        self.helper = Activator(2.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.helper.run(self.a(x)))


@case("a plain object that is called", Once, kinds="")
class HoldsCallable(Net):
    def __init__(self) -> None:
        super().__init__()
        self.helper = CallableActivator()

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.helper(self.a(x)))


@case("a plain object made in the forward", Doubled, kinds="")
class MakesObject(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(Activator(2.0).run(self.a(x)))


@case("a closure made anew in each pass by a helper", Doubled, kinds="")
class MakesClosure(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(scaling_relu(2.0)(self.a(x)))


# ------------------------------------------------------------------------------- checkpointing, transforms, autocast


class CheckpointsMethod(Net):
    def __init__(self, reentrant: bool = False) -> None:
        super().__init__()
        self.reentrant = reentrant

    def part(self, x: Tensor) -> Tensor:
        return F.relu(self.a(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(checkpoint(self.part, x, use_reentrant=self.reentrant))


class CheckpointsClosure(CheckpointsMethod):
    def forward(self, x: Tensor) -> Tensor:
        def run(h: Tensor) -> Tensor:
            return F.relu(self.a(h))

        return self.b(checkpoint(run, x, use_reentrant=self.reentrant))


class CheckpointsModule(nn.Module):
    def __init__(self, reentrant: bool = False) -> None:
        super().__init__()
        self.block, self.b, self.reentrant = _Block(), nn.Linear(4, 4), reentrant

    def forward(self, x: Tensor) -> Tensor:
        return self.b(checkpoint(self.block, x, use_reentrant=self.reentrant))


class BlockThenLayer(nn.Module):
    def __init__(self, act: Make) -> None:
        super().__init__()
        self.block, self.b = _BlockTwin(act), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.block(x))


for _reentrant in (False, True):
    _how = "reentrant" if _reentrant else "not reentrant"
    case(f"checkpoint of a method, {_how}", Once)(functools.partial(CheckpointsMethod, _reentrant))
    case(f"checkpoint of a closure, {_how}", Once)(functools.partial(CheckpointsClosure, _reentrant))
    case(f"checkpoint of a module, {_how}", BlockThenLayer)(functools.partial(CheckpointsModule, _reentrant))


@case("torch.vmap of a method", Once)
class VmapsMethod(Net):
    def row(self, h: Tensor) -> Tensor:
        return F.relu(h)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.vmap(self.row)(self.a(x)))


@case("torch.vmap of the function", Once, kinds="")
class VmapsFunction(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.vmap(F.relu)(self.a(x)))


class VjpTwin(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        value, _ = torch.func.vjp(lambda h: self.act(h) + h, h)
        return self.b(value)


@case("torch.func.vjp of a lambda", VjpTwin)
class Vjp(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        value, _ = torch.func.vjp(lambda h: F.relu(h) + h, h)
        return self.b(value)


class FunctionalTwin(nn.Module):
    def __init__(self, act: Make) -> None:
        super().__init__()
        self.block = _BlockTwin(act)

    def forward(self, x: Tensor) -> Tensor:
        halved = {name: value * 0.5 for name, value in self.block.named_parameters()}
        return torch.func.functional_call(self.block, halved, (x,))


@case("torch.func.functional_call", FunctionalTwin)
class FunctionalCall(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = _Block()

    def forward(self, x: Tensor) -> Tensor:
        halved = {name: value * 0.5 for name, value in self.block.named_parameters()}
        return torch.func.functional_call(self.block, halved, (x,))


class AutocastTwin(Twin):
    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.b(self.act(self.a(x))).float()


@case("under autocast", AutocastTwin)
class Autocasts(Net):
    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.b(F.relu(self.a(x))).float()


# -------------------------------------------------------------------------------------------------- torch's own layers


def _encoder_layer(**more: Any) -> nn.Module:
    return nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True, **more)


def _encoder_layer_twin(act: Make) -> nn.Module:
    layer = _encoder_layer(activation=act())
    layer.activation_relu_or_gelu = 0  # else the fused kernel goes on with relu
    return layer


case("TransformerEncoderLayer", _encoder_layer_twin, kinds="attribute", inputs=_sequences)(_encoder_layer)


@case("TransformerEncoderLayer with F.gelu", _encoder_layer_twin, kinds="attribute", inputs=_sequences, swapped="gelu", original=nn.GELU)  # fmt: skip
def encoder_layer_gelu() -> nn.Module:
    return _encoder_layer(activation="gelu")


def _encoder(layer: nn.Module) -> nn.Module:
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


@case("TransformerEncoder", lambda act: _encoder(_encoder_layer_twin(act)), 2, kinds="attribute", inputs=_sequences)
def encoder() -> nn.Module:
    return _encoder(_encoder_layer())


class DecoderTwin(nn.TransformerDecoderLayer):
    """Torch's own, as soon as it is unpickled, runs F.relu past the module that it was given."""

    def __init__(self, act: Make) -> None:
        super().__init__(4, 2, 8, 0.0, act(), batch_first=True)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        vars(self).pop("activation", None)


@case("TransformerDecoderLayer", DecoderTwin, kinds="attribute", inputs=lambda: _sequences() + _sequences())
def decoder_layer() -> nn.Module:
    return nn.TransformerDecoderLayer(4, 2, 8, 0.0, batch_first=True)


# ------------------------------------------------------------------------------------------------ what may or must stay


@case("torch.ops.aten.relu", Half, kinds="module", left="aten|relu")
class CallsAten(Beside):
    def last(self, h: Tensor) -> Tensor:
        return torch.ops.aten.relu(h)


class HalfWithIntegers(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x))) * torch.relu(torch.arange(4) - 1)


@case("relu of integers", HalfWithIntegers, kinds="module", left="integer|floating|int64|parameters")
class OfIntegers(Beside):
    """Clips an index; most activations don't take integers."""

    def last(self, h: Tensor) -> Tensor:
        return h * F.relu(torch.arange(4) - 1)


class ReluFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor) -> Tensor:
        ctx.save_for_backward(h)
        return F.relu(h)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * (ctx.saved_tensors[0] > 0)


class HalfWithFunction(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return ReluFunction.apply(self.b(self.act(self.a(x))))


@case("autograd.Function", HalfWithFunction, kinds="module", left="autograd")
class CallsAutogradFunction(Beside):
    """Its backward is relu's: another forward would get wrong gradients."""

    def last(self, h: Tensor) -> Tensor:
        return ReluFunction.apply(h)


def _script(thing: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated, and still there
        return torch.jit.script(thing)


def _scripted_relu(h: Tensor) -> Tensor:
    return F.relu(h)


_script_function = _script(_scripted_relu)


@case("torch.jit.script of a function", Half, kinds="module", left="script")
class CallsScriptFunction(Beside):
    def last(self, h: Tensor) -> Tensor:
        return _script_function(h)


@case("a ScriptModule", Half, kinds="module", left="script")
class HoldsScriptModule(Beside):
    def __init__(self) -> None:
        super().__init__()
        self.scripted = _script(HandWritten())

    def last(self, h: Tensor) -> Tensor:
        return self.scripted(h)


class RecurrentTwin(Twin):
    cell: Callable[[], nn.Module]

    def __init__(self, act: Make) -> None:
        super().__init__(act)
        self.rnn = type(self).cell()

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(self.b(self.act(self.a(x))))[0]


class ReluRNN(RecurrentTwin):
    cell = functools.partial(nn.RNN, 4, 4, nonlinearity="relu", batch_first=True)


class LSTM(RecurrentTwin):
    cell = functools.partial(nn.LSTM, 4, 4, batch_first=True)


case("nn.RNN(nonlinearity='relu')", ReluRNN, kinds="module", left="rnn", inputs=_sequences)(
    functools.partial(ReluRNN, nn.ReLU)
)
case("nn.LSTM", LSTM, kinds="module", left="lstm", inputs=_sequences)(functools.partial(LSTM, nn.ReLU))


exec(compile("class NoSource(Beside):\n    def last(self, h):\n        return F.relu(h)\n", "<generated>", "exec"))
case("a class without source", Twice, 2, kinds="", left="source", otherwise=Half)(lambda: globals()["NoSource"]())


class TraceMe(Beside):
    def last(self, h: Tensor) -> Tensor:
        return F.relu(h)


@case("fx.GraphModule", Twice, 2, kinds="module function")
def graph_module() -> nn.Module:
    return torch.fx.symbolic_trace(TraceMe())


@case("type(self) is Class", Twice, 2, kinds="", left="type|class", otherwise=Half)
class ComparesType(Beside):
    """A subclass would take the other branch."""

    def last(self, h: Tensor) -> Tensor:
        return F.relu(h) if type(self) is ComparesType else h * 100.0


class Unique(type):
    """Makes each class once."""

    made: set[str] = set()

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        if name in mcs.made:
            raise TypeError(f"two classes called {name}")
        mcs.made.add(name)
        return super().__new__(mcs, name, bases, namespace)


@case("a metaclass that refuses a second class of a name", Twice, 2, kinds="", left="metaclass|class", otherwise=Half)
class OfStrictMetaclass(Beside, metaclass=Unique):
    def last(self, h: Tensor) -> Tensor:
        return F.relu(h)


# ------------------------------------------------------------------------------------- what stays because of its role


def _kept_by_role(name: str, swapped: str, left: str) -> Callable[[type[Twin]], type[Twin]]:
    """The model and its twin are one class: only the module is replaced."""

    def register(model: type[Twin]) -> type[Twin]:
        case(name, model, kinds="module", swapped=swapped, left=left)(functools.partial(model, nn.ReLU))
        return model

    return register


@_kept_by_role("torch.sigmoid as the last", "relu sigmoid", "output")
class SigmoidLast(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.b(self.act(self.a(x))))


@_kept_by_role("softmax of scores", "relu softmax", "attention|normalises")
class SoftmaxOfScores(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.a(x))
        return self.b(torch.softmax(h @ h.T, dim=-1) @ h)


@_kept_by_role("a sigmoid that gates", "relu sigmoid", "gate")
class SigmoidGates(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.a(x))
        return self.b(h * torch.sigmoid(self.b(h)))


@_kept_by_role("an LSTM cell written out", "relu sigmoid", "gate")
class CellWrittenOut(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.a(x))
        i, f, g, o = self.b(h).unbind(1)
        c = torch.sigmoid(f) * h[:, 0] + torch.sigmoid(i) * torch.tanh(g)
        return self.b((torch.sigmoid(o) * torch.tanh(c)).unsqueeze(1) * h)
