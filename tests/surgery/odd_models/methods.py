"""Calls in methods of all kinds, inherited ones, and those set on a class or an instance later."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from odd_models.case import case
from odd_models.helpers import FarBase, FarMixin, Net
from odd_models.twins import Beside, Doubled, Half, Once, ScaledTwin, Twice, Twin


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
