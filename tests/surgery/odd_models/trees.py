"""Blocks and activations shared, hidden or compiled in a tree of modules; containers with a forward of their own."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from odd_models.case import Make, case
from odd_models.helpers import Net, activated
from odd_models.twins import Beside, Half, Twice, Twin


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.layer(x))


class BlockTwin(nn.Module):
    def __init__(self, act: Make) -> None:
        super().__init__()
        self.layer, self.act = nn.Linear(4, 4), act()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.layer(x))


@case("two instances of one class", lambda act: nn.Sequential(BlockTwin(act), BlockTwin(act)), 2)
def two_blocks() -> nn.Module:
    return nn.Sequential(Block(), Block())


@case("two instances, one of them swapped", lambda act: nn.Sequential(BlockTwin(act), Block()), include="0*", left="excluded|include")  # fmt: skip
def one_of_two_blocks() -> nn.Module:
    return nn.Sequential(Block(), Block())


class _FirstOnly(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.b(self.act(self.a(x))))


@case("two sites of one class, one of them swapped", _FirstOnly, include="relu/0", left="excluded|include")
class TwoSites(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.a(x))
        return F.relu(self.b(h))


class _HelperBlock(Block):
    def forward(self, x: Tensor) -> Tensor:
        return activated(self.layer(x))


class _OtherHelperBlock(_HelperBlock):
    """Another class with the same forward."""


@case("two classes with one helper, one of them swapped", lambda act: nn.Sequential(Block(), BlockTwin(act)), include="1*", left="excluded|include")  # fmt: skip
def one_helper() -> nn.Module:
    return nn.Sequential(_HelperBlock(), _OtherHelperBlock())


class _Named(Block):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        return getattr(F, self.name)(self.layer(x))


@case("one class, one line, two functions", lambda act: nn.Sequential(BlockTwin(act), _Named("softplus")), left="mapping")  # fmt: skip
def two_named() -> nn.Module:
    return nn.Sequential(_Named("relu"), _Named("softplus"))


class CompiledBlockTwin(nn.Module):
    def __init__(self, act: Make) -> None:
        super().__init__()
        self.block = torch.compile(BlockTwin(act), backend="eager")
        self.b = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.block(x))


@case("a compiled part", CompiledBlockTwin)
class CompiledBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = torch.compile(Block(), backend="eager")
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
        self.block = BlockTwin(act)
        self.again = self.block

    def forward(self, x: Tensor) -> Tensor:
        return self.again(self.block(x))


@case("one block under two names", SharedBlockTwin)
class SharedBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = Block()
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
