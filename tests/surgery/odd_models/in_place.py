"""Calls that change their input: whoever holds it must see the result."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from odd_models import helpers
from odd_models.case import case
from odd_models.helpers import Net
from odd_models.twins import Once, ReadsWhatWasWritten, Twin


@case("an in-place helper that returns, its result thrown away", Once, same_operations=False)
class DiscardsHelper(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x) + 0
        helpers.relu_and_return(h)
        return self.b(h)


@case("an in-place helper whose input is read again", ReadsWhatWasWritten, same_operations=False)
class ReadsAfterHelper(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x) + 0
        y = helpers.relu_and_return(h)
        return self.b(y) + h


@case("an in-place helper, its result used alone", Once)
class UsesHelper(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        h = helpers.relu_and_return(h)
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
        helpers.activated_in_place(h)
        return self.b(h) + h
