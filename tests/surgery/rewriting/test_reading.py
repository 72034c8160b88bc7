"""What the source of a forward shows without a run: calls in the functions that it reaches."""

import functools
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery.rewriting.reading import may_apply

package = types.ModuleType("package")
package.part = types.ModuleType("package.part")  # type: ignore[attr-defined]
in_place = functools.partial(F.relu, inplace=True)


def applied_by(function: Callable[..., Tensor]) -> Callable[[Tensor], Tensor]:
    def apply(x: Tensor) -> Tensor:
        return function(x)

    return apply


class Toolbox:
    @staticmethod
    def tool(x: Tensor) -> Tensor:
        return F.relu(x)


package.part.tool = Toolbox.tool  # type: ignore[attr-defined]
to_absolute, to_positive = applied_by(torch.abs), applied_by(F.relu)


def of_a_package(x: Tensor) -> Tensor:
    return package.part.tool(x)  # type: ignore[attr-defined, no-any-return]


def of_a_class(x: Tensor) -> Tensor:
    return Toolbox.tool(x)


def by_a_partial(x: Tensor) -> Tensor:
    return in_place(x)


def there(x: Tensor, depth: int) -> Tensor:
    y = back_again(x, depth - 1) if depth > 0 else x
    return Toolbox.tool(y)


def back_again(x: Tensor, depth: int) -> Tensor:
    return there(x, depth - 1)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)


class OfAPackage(Net):
    def forward(self, x: Tensor) -> Tensor:
        return of_a_package(self.layer(x))


class OfAClass(Net):
    def forward(self, x: Tensor) -> Tensor:
        return of_a_class(self.layer(x))


class ByAPartial(Net):
    def forward(self, x: Tensor) -> Tensor:
        return by_a_partial(self.layer(x))


class SameCodeTwice(Net):
    def forward(self, x: Tensor) -> Tensor:
        x = to_absolute(self.layer(x))
        return to_positive(x)


class InACircle(Net):
    def forward(self, x: Tensor) -> Tensor:
        x = there(self.layer(x), 1)
        return back_again(x, 1)


@pytest.mark.parametrize(
    ("make", "expected"), [(OfAPackage, 1), (OfAClass, 1), (ByAPartial, 1), (SameCodeTwice, 1), (InACircle, 2)]
)
def test_helper_functions_are_followed_whatever_leads_to_the_call(make: Any, expected: int) -> None:
    model, x = make(), torch.randn(4, 3)
    assert len(acts.find(model)) == expected
    report = acts.swap(model, {"relu": "mish"})
    assert len(report.swapped) == expected
    acts.verify(model, x)


def activate(x: Tensor) -> Tensor:
    return F.relu(x)


class Activated(Net):
    def forward(self, x: Tensor) -> Tensor:
        return activate(self.layer(x))


class Patched(Net):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.layer(x))


class TestDefinedAnew:
    """As in a notebook."""

    def test_a_helper(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert [site.activation for site in acts.find(Activated())] == ["relu"]

        def other(x: Tensor) -> Tensor:
            return F.gelu(x)

        monkeypatch.setitem(globals(), "activate", other)
        assert [site.activation for site in acts.find(Activated())] == ["gelu"]

    def test_a_method(self, monkeypatch: pytest.MonkeyPatch) -> None:
        swapped, x = Patched(), torch.randn(2, 3)
        report = acts.swap(swapped, {"relu": "mish"})
        before = swapped(x)

        def forward(self: Patched, x: Tensor) -> Tensor:
            return F.relu(self.layer(x)) * 2

        forward.__qualname__ = Patched.forward.__qualname__
        monkeypatch.setattr(Patched, "forward", forward)
        fresh = Patched()
        acts.swap(fresh, {"relu": "mish"})
        assert torch.equal(fresh(x), F.mish(fresh.layer(x)) * 2)
        assert torch.equal(swapped(x), before)
        report.undo()
        assert type(swapped) is Patched and torch.equal(swapped(x), F.relu(swapped.layer(x)) * 2)


class OneAfterTheOther(Net):
    def forward(self, x: Tensor) -> Tensor:
        states, order = [self.layer(x), self.layer(x) + 1], iter([0, 1])
        F.relu_(states[next(order)])
        return states[0] + states[1] + next(order)


def test_what_is_written_to_is_evaluated_once() -> None:
    model, x = OneAfterTheOther(), torch.randn(4, 3)
    acts.swap(model, {"relu": "mish"})
    h = model.layer(x)
    torch.testing.assert_close(model(x), F.mish(h) + (h + 1) + 1, rtol=0, atol=0)


@pytest.mark.parametrize(
    "name",
    [
        "relu",
        "relu6",
        "elu_",
        "gelu",
        "hardswish",
        "hardtanh",
        "mish",
        "rrelu",
        "silu",
        "softplus",
        "softsign",
        "threshold",
        "gumbel_softmax",
    ],
)
def test_a_function_that_names_one_of_torchs_may_apply_it(name: str) -> None:
    names: dict[str, Any] = {"torch": torch}
    exec(f"def applying(x):\n    return torch.nn.functional.{name}(x)", names)
    assert may_apply(names["applying"])


def test_a_function_that_names_none_does_not() -> None:
    def matrix(x: Tensor) -> Tensor:
        return torch.nn.functional.linear(x, x)

    assert not may_apply(matrix)
