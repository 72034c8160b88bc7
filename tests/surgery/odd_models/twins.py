"""Twins that several files take, and the base of models of which a part may stay."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from odd_models.case import Make
from odd_models.helpers import Net


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


class Doubled(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x)) * 2.0)


class ScaledTwin(Twin):
    def __init__(self, act: Make) -> None:
        super().__init__(act)
        self.scale = nn.Parameter(torch.linspace(-1.0, 1.0, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x) * self.act(self.scale))
