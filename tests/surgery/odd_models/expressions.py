"""Calls within loops, comprehensions and other statements, on one line or many, in branches taken or not."""

# The odd forms are the point.
# ruff: noqa: SIM108

from __future__ import annotations

import functools
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from odd_models.case import case
from odd_models.helpers import Net, quiet
from odd_models.twins import Once, Twice, Twin


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
