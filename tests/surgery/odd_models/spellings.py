"""Ways to write the call: imports and their names, partial functions, keywords, arguments with stars."""

# The odd forms are the point.
# ruff: noqa: PIE804

from __future__ import annotations

import functools

import torch
import torch as pt
import torch.nn.functional
import torch.nn.functional as F
import torch.nn.functional as functional_by_another_name
from torch import Tensor
from torch import relu as plain_relu
from torch.nn.functional import relu
from torch.nn.functional import relu as renamed

from odd_models.case import case
from odd_models.helpers import Net
from odd_models.twins import Once, Twice


@case("F.relu", Once)
class CallsF(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))


@case("torch.relu", Once)
class CallsTorch(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.relu(self.a(x)))


@case("torch.nn.functional.relu in full", Once)
class CallsInFull(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.nn.functional.relu(self.a(x)))


@case("from torch.nn.functional import relu", Once)
class CallsImported(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(relu(self.a(x)))


@case("import relu as renamed", Once)
class CallsRenamed(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(renamed(self.a(x)))


@case("import functional, torch under other names", Twice, 2)
class CallsAliases(Net):
    def forward(self, x: Tensor) -> Tensor:
        return pt.relu(self.b(functional_by_another_name.relu(self.a(x))))


@case("from torch import relu", Once)
class CallsPlain(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(plain_relu(self.a(x)))


@case("imported within the forward", Once)
class ImportsWithin(Net):
    def forward(self, x: Tensor) -> Tensor:
        from torch.nn.functional import relu as local_relu

        return self.b(local_relu(self.a(x)))


@case("a module imported within the forward", Once)
class ImportsModuleWithin(Net):
    def forward(self, x: Tensor) -> Tensor:
        import torch.nn.functional as G

        return self.b(G.relu(self.a(x)))


_partial = functools.partial(F.relu, inplace=False)


@case("a partial in a global", Once)
class CallsPartial(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(_partial(self.a(x)))


@case("x.relu()", Once, kinds="method")
class CallsMethod(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x).relu())


@case("torch.Tensor.relu(x)", Once, kinds="")
class CallsUnbound(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.Tensor.relu(self.a(x)))


@case("input= by keyword", Once)
class KeywordInput(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(inplace=False, input=self.a(x)))


@case("*args", Once)
class StarCall(Net):
    def forward(self, x: Tensor) -> Tensor:
        arguments = (self.a(x),)
        return self.b(F.relu(*arguments))


@case("**kwargs", Once)
class DoubleStarCall(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(**{"input": self.a(x)}))


@case("a global bound anew after the definition", Once)
class ReboundLater(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(_bound_anew(self.a(x)))


_bound_anew = torch.tanh


_bound_anew = torch.relu
