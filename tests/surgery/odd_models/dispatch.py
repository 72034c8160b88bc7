"""Functions, classes and modules that are looked up, chosen or made where they are called."""

# The odd forms are the point.
# ruff: noqa: B009

from __future__ import annotations

import functools
import operator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from odd_models import helpers
from odd_models.case import case
from odd_models.helpers import CLASSES, READY, Net
from odd_models.twins import Beside, Half, Once, Twice


@case("getattr(F, name)", Once)
class CallsGetattr(Net):
    name = "relu"

    def forward(self, x: Tensor) -> Tensor:
        return self.b(getattr(F, self.name)(self.a(x)))


@case('getattr(F, "relu")', Once)
class GetsConstant(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(getattr(F, "relu")(self.a(x)))


@case("getattr of the tensor", Once, kinds="method")
class CallsGetattrOfTensor(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(getattr(self.a(x), "relu")())


@case("operator.methodcaller", Twice, 2, kinds="", left="relu", otherwise=Half)
class CallsMethodcaller(Beside):
    def last(self, h: Tensor) -> Tensor:
        return operator.methodcaller("relu")(h)


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


@case("helpers.lookup(name)(x)", Once, kinds="")
class LooksUpFunction(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(helpers.lookup("relu")(self.a(x)))


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
