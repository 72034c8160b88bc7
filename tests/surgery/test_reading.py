"""What the source names is in the report, without a run too; what can't be read is named."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts

ACT = nn.ReLU()


class Helper:
    def run(self, x: Tensor) -> Tensor:
        return F.relu(x)

    def __call__(self, x: Tensor) -> Tensor:
        return self.run(x)


HELPER = Helper()


def _hook(module: nn.Module, given: Any, result: Tensor) -> Tensor:
    return F.relu(result)


class Net(nn.Module):
    acts: list[nn.Module]
    helper: Any
    table: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self.a, self.first, self.b = nn.Linear(4, 4), nn.Softsign(), nn.Linear(4, 4)
        self.helper, self.acts, self.table = Helper(), [nn.ReLU()], {"relu": F.relu}

    def forward(self, x: Tensor) -> Any:
        return self.b(self.act(self.a(self.first(self.a(x)))))

    def act(self, x: Tensor) -> Any:
        return x


def local_import(self: Any, x: Tensor) -> Any:
    from torch.nn.functional import relu

    return relu(x)


def local_import_of_a_module(self: Any, x: Tensor) -> Any:
    import torch.nn.functional as functional

    return functional.relu(x)


def or_default(self: Any, x: Tensor, f: Any = None) -> Any:
    f = f or F.relu
    return f(x)


def default_of_inner(self: Any, x: Tensor) -> Any:
    def inner(h: Tensor, f: Any = F.relu) -> Any:
        return f(h)

    return inner(x)


def global_module(self: Any, x: Tensor) -> Any:
    return ACT(x)


def list_of_modules(self: Any, x: Tensor) -> Any:
    return self.acts[0](x)


def helper_object(self: Any, x: Tensor) -> Any:
    return self.helper.run(x)


def called_helper(self: Any, x: Tensor) -> Any:
    return self.helper(x)


def global_helper(self: Any, x: Tensor) -> Any:
    return HELPER.run(x)


def class_in_a_variable(self: Any, x: Tensor) -> Any:
    kind = nn.ReLU
    return kind()(x)


def model_of(act: Callable[..., Any]) -> Any:
    return type("Made", (Net,), {"act": act})()


@pytest.mark.parametrize("act", [local_import, local_import_of_a_module, or_default, default_of_inner])
def test_what_is_named_in_the_function_is_swapped(act: Callable[..., Any]) -> None:
    model, x = model_of(act), torch.randn(3, 4)
    expected = model.b(nn.Mish()(model.a(model.first(model.a(x)))))
    report = acts.swap(model, {"relu": "mish"})
    assert len(report.swapped) == 1, str(report)
    assert torch.equal(model(x), expected)
    report.undo()
    assert torch.equal(model(x), model.b(F.relu(model.a(model.first(model.a(x))))))


@pytest.mark.parametrize(
    "act", [global_module, list_of_modules, helper_object, called_helper, global_helper, class_in_a_variable]
)
def test_what_is_named_elsewhere_is_reported(act: Callable[..., Any]) -> None:
    model = model_of(act)
    if act in (global_module, global_helper, class_in_a_variable):
        model.helper, model.acts, model.table = None, [], {}
    report = acts.swap(model, {"softsign": "mish"})
    assert [left.site.activation for left in report.left].count("relu") >= 1, str(report)
    assert "nothing else" not in report.summary


def test_a_hook_is_reported() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Softsign(), nn.Linear(4, 4))
    model[0].register_forward_hook(_hook)
    report = acts.swap(model, {"softsign": "mish"})
    assert [left.site.activation for left in report.left] == ["relu"]


def test_super_of_the_own_class_is_read() -> None:
    class Child(Net):
        def act(self, x: Tensor) -> Any:
            return F.relu(x)

    class Grandchild(Child):
        def act(self, x: Tensor) -> Any:
            return super(type(self), self).act(x)

    assert acts.swap(Grandchild(), {"relu": "mish"}).summary.startswith("swapped relu -> mish at 1 site;")


CODE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.r, self.b = nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)

    def forward(self, x):
        return self.b(self.r(F.relu(self.a(x))))
"""


def test_a_class_without_source_is_named() -> None:
    space: dict[str, Any] = {"nn": nn, "F": F, "__name__": __name__}
    exec(CODE, space)
    report = acts.swap(space["Net"](), {"relu": "mish"})
    assert "nothing else" not in report.summary
    (note,) = report.notes
    assert "Net.forward can't be read: it has no source" in note
    report = acts.swap(space["Net"](), {"relu": "mish"}, example_input=torch.randn(3, 4))
    assert [left.site.activation for left in report.left] == ["relu"]
    assert report.notes == ()
