"""Activations that stay because of what they are for."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from odd_models.case import case
from odd_models.twins import Beside, Twin


class HalfWithIntegers(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x))) * torch.relu(torch.arange(4) - 1)


@case("relu of integers", HalfWithIntegers, kinds="module", left="integer|floating|int64|parameters")
class OfIntegers(Beside):
    """Clips an index; most activations don't take integers."""

    def last(self, h: Tensor) -> Tensor:
        return h * F.relu(torch.arange(4) - 1)


def _kept_by_role(name: str, swapped: str, left: str) -> Callable[[type[Twin]], type[Twin]]:
    """The model and its twin are one class: only the module is replaced."""

    def register(model: type[Twin]) -> type[Twin]:
        case(name, model, kinds="module", swapped=swapped, left=left)(functools.partial(model, nn.ReLU))
        return model

    return register


@_kept_by_role("torch.sigmoid as the last", "relu sigmoid", "output")
class SigmoidLast(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.b(self.act(self.a(x))))


@_kept_by_role("softmax of scores", "relu softmax", "attention|normalizes")
class SoftmaxOfScores(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.a(x))
        return self.b(torch.softmax(h @ h.T, dim=-1) @ h)


@_kept_by_role("a sigmoid that gates", "relu sigmoid", "gate")
class SigmoidGates(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.a(x))
        return self.b(h * torch.sigmoid(self.b(h)))


@_kept_by_role("an LSTM cell written out", "relu sigmoid", "gate")
class CellWrittenOut(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.a(x))
        i, f, g, o = self.b(h).unbind(1)
        c = torch.sigmoid(f) * h[:, 0] + torch.sigmoid(i) * torch.tanh(g)
        return self.b((torch.sigmoid(o) * torch.tanh(c)).unsqueeze(1) * h)
