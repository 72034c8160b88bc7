"""Classes that are made, compared, copied or called in another way than usual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch.nn.functional as F
from torch import Tensor, nn

from odd_models.case import CASES, Case, case
from odd_models.helpers import Net
from odd_models.twins import Beside, Doubled, Half, Once, Twice


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
