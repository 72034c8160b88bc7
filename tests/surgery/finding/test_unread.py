"""What the source names is in the report, without a run too; what can't be read is named."""

import ast
import sys
import types
from collections import Counter
from collections.abc import Callable
from typing import Any

import fsspec
import lightning as L
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery.recognizing.expressions import written
from lightning_acts.surgery.rewriting import reading as routes
from lightning_acts.surgery.source.functions import Scope

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
        place = f"{__file__}:{act.__code__.co_firstlineno + 1}"
    else:
        place = "in 'helper'" if act is helper_object else "in 'acts'"
    report = acts.swap(model, {"softsign": "mish"})
    (note,) = report.notes
    assert note == f"{__name__}.Made: applies functions that only a run tells ({place}): example_input= shows them"
    assert "nothing else" not in report.summary
    report.undo()
    relus = [site for site in acts.find(model, torch.randn(3, 4)) if site.activation == "relu"]
    assert [site.calls for site in relus] == [1]


def test_a_hook_is_reported() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Softsign(), nn.Linear(4, 4))
    model[0].register_forward_hook(_hook)
    report = acts.swap(model, {"softsign": "mish"})
    (note,) = report.notes
    assert note.startswith("torch.nn.modules.linear.Linear: applies functions that only a run tells (in 'a hook')")
    report.undo()
    assert acts.swap(model, {"softsign": "mish"}, example_input=torch.randn(3, 4)).notes == ()


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


def test_a_helper_without_source_is_named() -> None:
    space: dict[str, Any] = {"F": F, "__name__": __name__}
    exec("def helper(x):\n    return F.relu(x)", space)
    helper = space["helper"]
    report = acts.swap(model_of(lambda self, x: helper(x)), {"softsign": "mish"})
    assert "nothing else" not in report.summary
    assert ["helper can't be read" in note for note in report.notes] == [True, False]


class Logging(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(4, 4), nn.Softsign(), nn.Linear(4, 1))

    def forward(self, x: Tensor) -> Any:
        self.log("mean", x.clamp(-3, 3).mean())
        return self.net(x).to(self.device)

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        loss: Tensor = self(batch).sigmoid().mean()
        self.log_dict({"loss": loss, "step": self.global_step})
        return loss

    def on_train_end(self) -> None:
        self.print(self.trainer.callback_metrics["loss"].sigmoid())
        with fsspec.open("memory://weights", "wb") as file:
            torch.save(self.state_dict(), file)
        self.to_torchscript("weights.ts")


def test_what_packages_do_beside_the_data_is_not_read() -> None:
    model = Logging()
    assert set(routes.read(Logging).methods) == {"forward", "training_step", "on_train_end"}
    report = acts.swap(model, {"softsign": "mish"})
    assert report.notes == () and "can't be read" not in str(report)
    assert [left.site.activation for left in report.left] == ["sigmoid", "sigmoid"]


# Each of them names all of them: the ways through are beyond count.
def ladder(x: Tensor, depth: int) -> Tensor:
    return (
        x if depth > 9 else RUNGS[0](x, depth) + ladder_0(ladder_1(ladder_2(ladder_3(x, depth), depth), depth), depth)
    )


def ladder_0(x: Tensor, depth: int) -> Tensor:
    return ladder_1(ladder_2(ladder_3(ladder_4(ladder_5(x, depth), depth), depth), depth), depth)


def ladder_1(x: Tensor, depth: int) -> Tensor:
    return ladder_0(ladder_2(ladder_3(ladder_4(ladder_5(x, depth), depth), depth), depth), depth)


def ladder_2(x: Tensor, depth: int) -> Tensor:
    return ladder_0(ladder_1(ladder_3(ladder_4(ladder_5(x, depth), depth), depth), depth), depth)


def ladder_3(x: Tensor, depth: int) -> Tensor:
    return ladder_0(ladder_1(ladder_2(ladder_4(ladder_5(x, depth), depth), depth), depth), depth)


def ladder_4(x: Tensor, depth: int) -> Tensor:
    return ladder_0(ladder_1(ladder_2(ladder_3(ladder_5(x, depth), depth), depth), depth), depth)


def ladder_5(x: Tensor, depth: int) -> Tensor:
    scores: Tensor = x.max(dim=depth).values  # may be an activation by its name, and is not one
    return ladder_0(ladder_1(ladder_2(ladder_3(ladder_4(scores, depth), depth), depth), depth), depth)


RUNGS = [ladder_0, ladder_1, ladder_2, ladder_3, ladder_4, ladder_5]


def climbing(self: Any, x: Tensor) -> Any:
    return ladder(ladder_5(x, 3), 0)


def climbing_to_one(self: Any, x: Tensor) -> Any:
    return F.relu(ladder(ladder_5(x, 3), 0))


@pytest.mark.parametrize("act", [climbing, climbing_to_one])
def test_each_function_is_read_once(monkeypatch: pytest.MonkeyPatch, act: Callable[..., Any]) -> None:
    seen: Counter[tuple[ast.expr, Any]] = Counter()

    def counting(node: ast.expr, scope: Scope) -> Any:
        seen[node, scope.function] += 1
        return written(node, scope)

    monkeypatch.setattr(routes, "written", counting)
    sites = acts.find(model_of(act))
    assert {function.__name__ for _, function in seen} >= {rung.__name__ for rung in RUNGS}
    assert set(seen.values()) == {1}
    assert sum(site.path == "relu/0" for site in sites) == (act is climbing_to_one)


def test_a_lazy_module_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lazy(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            raise ImportError(f"{self.__name__} needs another package")

    package = types.ModuleType("lazy_package")
    code = "from torch import nn\nclass Net(nn.Module):\n    def log(self):\n        return 1\n"
    exec(code, vars(package))
    monkeypatch.setitem(sys.modules, "lazy_package", package)
    monkeypatch.setitem(sys.modules, "lazy_package.lazy", Lazy("lazy_package.lazy"))
    assert acts.find(package.Net()) == []
