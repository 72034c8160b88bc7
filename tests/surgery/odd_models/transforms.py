"""Checkpoints, torch.func and autocast."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from odd_models.case import Make, case
from odd_models.helpers import Net
from odd_models.trees import Block, BlockTwin
from odd_models.twins import Once, Twin


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
        self.block, self.b, self.reentrant = Block(), nn.Linear(4, 4), reentrant

    def forward(self, x: Tensor) -> Tensor:
        return self.b(checkpoint(self.block, x, use_reentrant=self.reentrant))


class BlockThenLayer(nn.Module):
    def __init__(self, act: Make) -> None:
        super().__init__()
        self.block, self.b = BlockTwin(act), nn.Linear(4, 4)

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
        self.block = BlockTwin(act)

    def forward(self, x: Tensor) -> Tensor:
        halved = {name: value * 0.5 for name, value in self.block.named_parameters()}
        return torch.func.functional_call(self.block, halved, (x,))


@case("torch.func.functional_call", FunctionalTwin)
class FunctionalCall(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = Block()

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
