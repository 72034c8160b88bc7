"""Calls in helpers, nested functions, lambdas and plain objects."""

# The odd forms are the point.
# ruff: noqa: E731

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from odd_models import helpers
from odd_models.case import case
from odd_models.helpers import Activator, CallableActivator, Net, activated, activated_if, scaling_relu
from odd_models.twins import Doubled, Once, Twice, Twin


@case("a helper in another file", Once)
class CallsHelper(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(activated(self.a(x)))


@case("a helper, by its module", Once)
class CallsHelperByModule(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(helpers.activated(self.a(x)))


@case("a helper of a helper", Once)
class CallsDeepHelper(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(helpers.activated_deeper(self.a(x)))


@case("a helper called at two lines", Twice, 2)
class CallsHelperTwice(Net):
    def forward(self, x: Tensor) -> Tensor:
        h = activated(self.a(x))
        return activated(self.b(h))


@case("a helper with a default and a branch", Once)
class CallsHelperWithOptions(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(activated_if(self.a(x)))


class Countdown(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(self.act(self.a(x)))))


@case("a recursive helper", Countdown)
class CallsRecursion(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(helpers.countdown(x, self.a, 2))


@case("a recursive method", Countdown)
class RecursiveMethod(Net):
    def run(self, h: Tensor, depth: int) -> Tensor:
        return h if depth == 0 else self.run(F.relu(self.a(h)), depth - 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.run(x, 2))


class EvenOdd(Twin):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        for _ in range(2):
            h = (self.act(h) - 0.1) * 0.9
        return self.b(h)


@case("helpers that call each other", EvenOdd)
class CallsMutualRecursion(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(helpers.even(self.a(x), 4))


@case("a helper that takes the function", Once, kinds="")
class GivesFunction(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(helpers.apply_to(F.relu, self.a(x)))


@case("a helper that takes a lambda", Once)
class GivesLambda(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(helpers.apply_to(lambda h: F.relu(h), self.a(x)))


@case("a helper that takes a bound method", Once)
class GivesMethod(Net):
    def act(self, h: Tensor) -> Tensor:
        return F.relu(h)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(helpers.apply_to(self.act, self.a(x)))


@case("a nested def", Doubled)
class NestedDef(Net):
    def forward(self, x: Tensor) -> Tensor:
        factor = 2.0

        def act(h: Tensor) -> Tensor:
            return F.relu(h) * factor

        return self.b(act(self.a(x)))


@case("a nested def within a nested def, nonlocal", Doubled)
class NestedDeeper(Net):
    def forward(self, x: Tensor) -> Tensor:
        runs = 0

        def outer(h: Tensor) -> Tensor:
            def inner(h: Tensor) -> Tensor:
                nonlocal runs
                runs += 2
                return F.relu(h)

            return inner(h) * runs

        return self.b(outer(self.a(x)))


@case("a lambda in the forward", Doubled)
class LambdaWithin(Net):
    def forward(self, x: Tensor) -> Tensor:
        act = lambda h: F.relu(h) * 2.0
        return self.b(act(self.a(x)))


_global_lambda = lambda h: F.relu(h) * 2.0


@case("a lambda in a global", Doubled)
class GlobalLambda(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(_global_lambda(self.a(x)))


_global_closure = scaling_relu(2.0)


@case("a closure in a global", Doubled)
class GlobalClosure(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(_global_closure(self.a(x)))


class PlainObject:
    """Gives what a model asks for by attribute."""

    act = staticmethod(F.relu)


@case("a static attribute of a class that is no module", Once)
class CallsNamespace(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(PlainObject.act(self.a(x)))


@case("the method of a plain object", Doubled, kinds="")
class HoldsObject(Net):
    def __init__(self) -> None:
        super().__init__()
        self.helper = Activator(2.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.helper.run(self.a(x)))


@case("a plain object that is called", Once, kinds="")
class HoldsCallable(Net):
    def __init__(self) -> None:
        super().__init__()
        self.helper = CallableActivator()

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.helper(self.a(x)))


@case("a plain object made in the forward", Doubled, kinds="")
class MakesObject(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(Activator(2.0).run(self.a(x)))


@case("a closure made anew in each pass by a helper", Doubled, kinds="")
class MakesClosure(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(scaling_relu(2.0)(self.a(x)))
