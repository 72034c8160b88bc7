"""Calls in methods that are decorated."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from odd_models.case import case
from odd_models.helpers import Counted, Net, logged, quiet, scaled_by
from odd_models.twins import Doubled, Once, Twin


class NoGradientBelow(Twin):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            h = self.act(self.a(x))
        return self.b(h)


@case("under torch.no_grad as a decorator", NoGradientBelow)
class NoGrad(Net):
    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.a(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.features(x))


def _naming_self(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @functools.wraps(function)
    def wrapper(self: Net, *args: Tensor) -> Tensor:
        return function(self, *args)

    return wrapper


@case("under two decorators that name self", Once)
class DecoratedNamingSelf(Net):
    @_naming_self
    @_naming_self
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))


@case("under a decorator of another file", Once)
class Decorated(Net):
    @logged
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))


@case("under two decorators, one with an argument", Doubled)
class DecoratedTwice(Net):
    @logged
    @scaled_by(2.0)
    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.a(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.features(x))


@case("under a context manager as a decorator", Once)
class DecoratedByContext(Net):
    @quiet()
    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.a(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.features(x))


@case("under torch.compiler.disable", Once)
class NotCompiled(Net):
    @torch.compiler.disable
    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.a(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.features(x))


@case("under a decorator that is a class", Once, kinds="")
class DecoratedByClass(Net):
    @Counted
    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.a(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.features(x))
