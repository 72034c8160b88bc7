"""Modules that ask for their own class, or set again what a swap has put there, against twins edited by hand."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts

X = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
either = pytest.mark.parametrize("example", [None, X], ids=["without an example", "with one"])


class Base(nn.Module):
    count = 0
    seen: dict[type, int] = {}

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))  # type: ignore[no-any-return]


class BaseTwin(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.softplus(self.a(x)))  # type: ignore[no-any-return]


class SuperOfType(Base):
    def forward(self, x: Tensor) -> Tensor:
        return super(type(self), self).forward(x)


class SuperOfClass(Base):
    def forward(self, x: Tensor) -> Tensor:
        return super(self.__class__, self).forward(self.b(F.relu(x)))


class SuperOfClassTwin(BaseTwin):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.b(F.softplus(x)))


class Counts(Base):
    def forward(self, x: Tensor) -> Tensor:
        type(self).count += 1
        self.__class__.seen[type(self)] = self.count
        return self.b(F.relu(self.a(x))) * self.seen[self.__class__]  # type: ignore[no-any-return]


class CountsTwin(Base):
    def forward(self, x: Tensor) -> Tensor:
        type(self).count += 1
        self.__class__.seen[type(self)] = self.count
        return self.b(F.softplus(self.a(x))) * self.seen[self.__class__]  # type: ignore[no-any-return]


class Mixin:
    count = 0

    def tick(self) -> int:
        cls = type(self)
        cls.count += 1
        setattr(type(self), "last", cls.count)  # noqa: B010
        return cls.count


class CountsInAMixin(Mixin, Base):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.tick()


class CountsInAMixinTwin(Mixin, BaseTwin):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.tick()


class CountsBySuper(Counts):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.relu(x))


class CountsBySuperTwin(CountsTwin):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.softplus(x))


class ClassMethod(Base):
    @classmethod
    def tick(cls) -> int:
        cls.count += 1
        return cls.count

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x))) * self.tick()  # type: ignore[no-any-return]


class ClassMethodTwin(ClassMethod):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.softplus(self.a(x))) * self.tick()  # type: ignore[no-any-return]


class Compares(Base):
    def like(self, other: Any) -> bool:
        return type(other) is type(self) and other.__class__ == self.__class__ and isinstance(other, type(self))

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.a(x))
        return self.b(h) if type(self) is Compares and self.like(self) else h * 100


@either
@pytest.mark.parametrize(
    ("make", "twin"),
    [
        (SuperOfType, BaseTwin),
        (SuperOfClass, SuperOfClassTwin),
        (Counts, CountsTwin),
        (CountsInAMixin, CountsInAMixinTwin),
        (CountsBySuper, CountsBySuperTwin),
        (ClassMethod, ClassMethodTwin),
        (Compares, BaseTwin),
    ],
    ids=lambda cls: cls.__name__,
)
def test_the_class_of_the_module_is_the_authors(make: type[Base], twin: type[Base], example: Tensor | None) -> None:
    model, by_hand = nn.Sequential(make(), make(), nn.Linear(4, 4)), nn.Sequential(twin(), twin(), nn.Linear(4, 4))
    by_hand.load_state_dict(model.state_dict())
    report = acts.swap(model, {"relu": "softplus"}, example_input=example)
    assert not report.left
    for cls in (make, twin):
        cls.count = 0
    assert torch.equal(model(X), by_hand(X))
    assert make.count == twin.count == getattr(type(model[0]), "count")  # noqa: B009
    assert not {"count", "last"} & set(vars(type(model[0])))
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        make.count = twin.count = 0
        assert torch.equal(copied(X), by_hand(X))
    acts.restore(model)
    assert type(model[0]) is make


def test_modules_of_one_class_with_other_swaps_are_alike() -> None:
    one, other = Compares(), Compares()
    acts.swap(nn.Sequential(one, nn.Linear(4, 4)), {"relu": "softplus"})
    acts.swap(nn.Sequential(other, nn.Linear(4, 4)), {"relu": "mish"})
    assert one.like(other) and not one.like(Base())


def test_compilers_take_it() -> None:
    model = nn.Sequential(SuperOfClass(), Compares(), nn.Linear(4, 4))
    acts.swap(model, {"relu": "softplus"})
    assert torch.equal(torch.compile(model, backend="eager", fullgraph=True)(X), model(X))
    assert torch.equal(torch.export.export(model, (X,)).module()(X), model(X))


class MakesAnother(Base):
    def again(self) -> Base:
        return type(self)()


class MakesAnotherLater(Base):
    def again(self) -> Base:
        cls = self.__class__
        return cls()


class MakesAnotherByAClassMethod(Base):
    @classmethod
    def made(cls) -> Base:
        return cls()

    def forward(self, x: Tensor) -> Tensor:
        return self.made().b(F.relu(self.a(x)))  # type: ignore[no-any-return]


class SetsItsClass(Base):
    def forward(self, x: Tensor) -> Tensor:
        h = self.b(F.relu(self.a(x)))
        self.__class__ = Base  # type: ignore[assignment]
        return h  # type: ignore[no-any-return]


class CallsPastItself(Base):
    def act_(self, x: Tensor) -> Tensor:
        return F.relu(x)

    def forward(self, x: Tensor) -> Tensor:
        cls = type(self)
        return self.b(cls.act_(self, self.act_(self.a(x))))  # type: ignore[no-any-return]


def tick(module: Base) -> None:
    type(module).count += 1


class IsCounted(Base):
    def forward(self, x: Tensor) -> Tensor:
        tick(self)
        return self.b(F.relu(self.a(x)))  # type: ignore[no-any-return]


@either
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (MakesAnother, "makes another one of its own class"),
        (MakesAnotherLater, "makes another one of its own class"),
        (MakesAnotherByAClassMethod, "makes another one of its own class"),
        (CallsPastItself, "calls a method past the module"),
        (IsCounted, "tick asks for its class"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_no_subclass_can_stand_for_is_refused(make: type[Base], why: str, example: Tensor | None) -> None:
    model = nn.Sequential(make(), nn.ReLU(), nn.Linear(4, 4))
    report = acts.swap(model, {"relu": "softplus"}, example_input=example)
    assert [entry.site.path for entry in report.swapped] == ["1"]
    assert report.left and all(why in entry.obstacle for entry in report.left)
    assert type(model[0]) is make


def ask(module: Base, depth: int = 2) -> type:
    return ask_again(module, depth - 1) if depth else module.__class__


def ask_again(module: Base, depth: int) -> type:
    return ask(module, depth - 1) if depth else module.__class__


class AsksInCircles(Base):
    def forward(self, x: Tensor) -> Tensor:
        ask(self)
        return self.b(F.relu(self.a(x)))  # type: ignore[no-any-return]


class OnceSoftened(Base):
    def __init__(self) -> None:
        super().__init__()
        if self.__class__ is OnceSoftened:
            ask(self)
            self.made_as = self.__class__.forward


class TakesAnother(Base):
    def other(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        cls = type(self)
        return self.b(F.relu(cls.other(self, self.a(x))))  # type: ignore[no-any-return]


class Mixin:
    def described(self) -> str:
        return f"{self.__class__.__name__} of a mixin, {type(self) is MixedIn}"


class MixedIn(Base, Mixin):
    pass


class GoesOverNothing(Base):
    def __init__(self) -> None:
        super().__init__()
        self.blocks, self.others = nn.ModuleList(), nn.ModuleList()

    def forward(self, x: Tensor) -> Tensor:
        for block, other in zip(self.blocks, self.others, strict=True):
            x = block(torch.sin(other(x)))
        return self.b(F.relu(self.a(x)))  # type: ignore[no-any-return]


@either
def test_functions_that_ask_in_a_circle_are_read_once(example: Tensor | None) -> None:
    with pytest.raises(acts.SwapError, match="ask asks for its class"):
        acts.swap(AsksInCircles(), {"relu": "softplus"}, example_input=example)


@either
@pytest.mark.parametrize("make", [OnceSoftened, TakesAnother, MixedIn, GoesOverNothing])
def test_what_does_not_touch_the_swapped_code_stops_no_swap(make: type[Base], example: Tensor | None) -> None:
    model = make()
    twin = BaseTwin()
    twin.load_state_dict(model.state_dict())
    acts.swap(model, {"relu": "softplus"}, example_input=example)
    assert torch.equal(model(X), twin(X))
    if isinstance(model, MixedIn):
        assert model.described() == "MixedIn of a mixin, True"


def test_a_module_that_sets_its_class_is_refused() -> None:
    with pytest.raises(acts.SwapError, match="sets its own class"):
        acts.swap(nn.Sequential(SetsItsClass(), nn.Linear(4, 4)), {"relu": "softplus"})


class Keeps(nn.Module):
    """Holds its activation, which subclasses set again."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.act: Any = self.made()

    def made(self) -> Any:
        return nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x)))  # type: ignore[no-any-return]


class SetsAModule(Keeps):
    def forward(self, x: Tensor) -> Tensor:
        self.act = nn.ReLU()
        return super().forward(x)


class SetsByName(Keeps):
    def forward(self, x: Tensor) -> Tensor:
        self.renew()
        return super().forward(x)

    def renew(self) -> None:
        setattr(self, "act", nn.ReLU())  # noqa: B010


class SetsBySuper(SetsAModule):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class SetsAFunction(Keeps):
    def made(self) -> Any:
        return torch.relu

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.act = torch.relu
        return self.b(self.act(self.a(x)))  # type: ignore[no-any-return]


class SetsInChildren(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.rest = Keeps(), nn.ModuleList([Keeps()])

    def forward(self, x: Tensor) -> Tensor:
        self.first.act = nn.ReLU()
        for block in self.rest:
            block.act = nn.ReLU()
        return self.rest[0](self.first(x))  # type: ignore[no-any-return]


@either
@pytest.mark.parametrize("make", [SetsAModule, SetsByName, SetsBySuper, SetsAFunction, SetsInChildren])
def test_what_a_forward_sets_again_is_left(make: Callable[[], nn.Module], example: Tensor | None) -> None:
    model = nn.Sequential(make(), nn.ReLU(), nn.Linear(4, 4))
    report = acts.swap(model, {"relu": "softplus"}, example_input=example)
    assert "0.act" not in [entry.site.path for entry in report.swapped]
    again = [entry for entry in report.left if "sets it again" in entry.obstacle]
    assert [entry.site.path for entry in again] == (
        ["0.first.act", "0.rest.0.act"] if make is SetsInChildren else ["0.act"]
    )
    # With an example its calls may be swapped; what runs then is what was promised, also in the end.
    assert acts.verify(model, X).summary.startswith(f"{len(report.swapped)} site")
    acts.restore(model)
    model(X)
    assert not any("_acts_" in str(value) for module in model.modules() for value in vars(module).values())


def test_what_a_user_sets_is_noticed(tmp_path: Path) -> None:
    model = nn.Sequential(Keeps(), Base(), nn.Linear(4, 4))
    acts.swap(model, {"relu": "softplus"})
    model[0].act, model[1].relu_0 = nn.GELU(), nn.GELU()
    expected = model[1].b(F.gelu(model[1].a(model[0].b(F.gelu(model[0].a(X))))))  # type: ignore[operator]
    assert torch.equal(model[:2](X), expected)
    with pytest.raises(acts.VerificationError, match="replaced, since") as caught:
        acts.verify(model, X)
    assert len(caught.value.disagreements) == 2
    with pytest.raises(acts.SwapError, match=r"0\.act, 1/relu/0: something else stands there"):
        acts.save_swaps(model, tmp_path / "swap.json")
    with pytest.warns(UserWarning, match="after the swap") as warned:
        acts.restore(model)
    assert sorted(str(entry.message).partition(":")[0] for entry in warned) == ["0.act", "1/relu/0"]
    assert type(model[0].act) is nn.GELU and "relu_0" not in model[1]._modules and type(model[1]) is Base
