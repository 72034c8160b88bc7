"""A formula runs as it is written: to the bit, until a replacement takes over, and within a blend."""

import copy
import math
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery.blending import scheduled_sites

# Some of them run otherwise than torch's own on these numbers.
X = torch.randn(4096, 4, generator=torch.Generator().manual_seed(2)) * 3

FORMULAS = {
    "silu": "x * torch.sigmoid(x)",
    "silu the other way round": "torch.sigmoid(x) * x",
    "silu of a helper": "helper(x)",
    "mish": "x * torch.tanh(F.softplus(x))",
    "gelu": "0.5 * x * (1.0 + torch.erf(x / math.sqrt(2.0)))",
    "gelu by tanh": "0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))",
    "softplus of what is computed": "torch.log1p(torch.exp(x.clone()))",
}

SOURCE = """
import math
import torch
import torch.nn.functional as F
from torch import nn

def helper(given):
    return given * given.sigmoid()

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 2)

    def forward(self, x):
        x = self.first(x)
        from torch import sigmoid as s
        return self.last({})
"""


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], nn.Module]:
    def make(expression: str) -> nn.Module:
        name = f"formula_{len(list(tmp_path.iterdir()))}"
        file = tmp_path / f"{name}.py"
        file.write_text(SOURCE.format(expression))
        module = type(math)(name)
        monkeypatch.setitem(__import__("sys").modules, name, module)
        exec(compile(file.read_text(), str(file), "exec"), vars(module))
        made: nn.Module = module.Net()
        return made

    return make


def same(one: nn.Module, other: nn.Module) -> bool:
    for model in (one, other):
        model.zero_grad()
        model(X).square().sum().backward()
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return torch.equal(one(X), other(X)) and all(torch.equal(a.grad, b.grad) for a, b in pairs)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_runs_as_it_is_written(name: str, net: Callable[[str], nn.Module]) -> None:
    expression = FORMULAS[name]
    half = f"(1 - 0.5) * ({expression}) + 0.5 * F.hardswish(x)"
    twins = {0.0: net(expression), 0.5: net(half), 1.0: net("F.hardswish(x)")}
    model = net(expression)
    (site,) = acts.find(model)
    scheduled = acts.ScheduledSwap({site.activation: "hardswish"}, at={"step": 1}, blend={"steps": 2})
    scheduled.install(model)
    for step in range(4):
        scheduled.advance(step=step)
        assert same(model, twins[scheduled.amount])
        assert same(copy.deepcopy(model), twins[scheduled.amount])
        assert same(pickle.loads(pickle.dumps(model)), twins[scheduled.amount])
        acts.verify(model, X)
    acts.restore(model)
    assert same(model, twins[0.0])


@pytest.mark.parametrize("name", ["silu", "gelu"])
def test_it_rounds_otherwise_than_torch_s_own(name: str) -> None:
    """Else these tests would show nothing."""
    by_hand = eval(FORMULAS[name], {"x": X, "torch": torch, "math": math})
    assert not torch.equal(by_hand, getattr(F, name)(X))


@pytest.mark.parametrize("expression", ["x.mul_(torch.sigmoid(x))", "x * s(x)"], ids=["in place", "a name of its own"])
def test_what_can_t_run_by_itself_is_run_by_torch_s_own(expression: str, net: Callable[[str], nn.Module]) -> None:
    model, twin = net(expression), net("F.silu(x)")
    acts.ScheduledSwap({"silu": "hardswish"}, at={"step": 1}).install(model)
    assert [site.blend.formula for site in scheduled_sites(model)] == [None]
    assert torch.equal(model(X), twin(X))
    acts.verify(model, X)


def test_a_copy_of_a_class_that_can_t_be_imported() -> None:
    class Local(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.layer(x)
            return x * torch.sigmoid(x)

    model = Local()
    x = model.layer(X)
    acts.ScheduledSwap({"silu": "hardswish"}, at={"step": 1}).install(model)
    assert torch.equal(copy.deepcopy(model)(X), x * torch.sigmoid(x))


def test_compiled_code_has_no_break(net: Callable[[str], nn.Module]) -> None:
    model = net(FORMULAS["silu"])
    acts.ScheduledSwap({"silu": "hardswish"}, at={"step": 1}).install(model)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    assert torch.equal(compiled(X), model(X))
