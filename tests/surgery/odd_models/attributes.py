"""Functions that are kept in an attribute, a default or a container."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from odd_models.case import case
from odd_models.helpers import Net, activated, scaling_relu
from odd_models.twins import Beside, Doubled, Half, Once, Twice


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
