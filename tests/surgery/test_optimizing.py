"""Activations of models run by a backend: modules in place, calls as modules, and everything back again."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

import lightning_acts as acts


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 6)
        self.act = nn.Mish()
        self.learned = acts.create("tanh_soft")
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return F.mish(self.relu(self.learned(self.act(self.linear(x))))) + F.gelu(x)


@pytest.fixture
def model() -> Net:
    torch.manual_seed(0)
    return Net()


def test_optimize_keeps_what_is_computed_and_restore_brings_everything_back(model: Net) -> None:
    twin, x = copy.deepcopy(model), torch.randn(4, 6)
    modules, keys = dict(model.named_modules()), model.state_dict().keys()
    report = acts.optimize(model, "lean")
    assert {site.shown for site in report.optimized} >= {"mish", "gelu"} and len(report.optimized) == 4
    assert [(left.site.path, left.obstacle) for left in report.left] == [("relu", "torch's own operator is as good")]
    assert str(report) == "4 sites run by the backend; relu at 1 site left: torch's own operator is as good"
    assert all(model.get_submodule(name) is module for name, module in modules.items() if name)
    assert model.act.backend == "lean" and model.state_dict().keys() == keys
    assert_close(model(x), twin(x))
    acts.restore(model)
    assert type(model.act) is nn.Mish and type(model) is Net and not hasattr(model.learned, "backend")
    assert torch.equal(model(x), twin(x))


def test_a_second_backend_takes_the_place_of_the_first_and_restore_undoes_both(model: Net) -> None:
    acts.optimize(model, "lean")
    acts.optimize(model, "compiled")
    assert model.act.backend == "compiled"
    acts.restore(model)
    assert type(model.act) is nn.Mish


def test_hooks_and_copies_stay(model: Net) -> None:
    seen = []
    model.act.register_forward_hook(lambda *_: seen.append(1))
    acts.optimize(model, "lean")
    clone = copy.deepcopy(model)
    clone(torch.randn(2, 6))
    assert seen == [1] and clone.act.backend == "lean"
    acts.restore(clone)
    assert type(clone.act) is nn.Mish and model.act.backend == "lean"


def test_derivatives_in_few_bits(model: Net) -> None:
    twin, x = copy.deepcopy(model), torch.randn(4, 6)
    model.clipped, twin.clipped = (nn.ReLU6(inplace=True) for _ in range(2))
    report = acts.optimize(model, "lean(bits=2)")
    assert {site.activation for site in report.optimized} == {"mish", "relu", "gelu"}
    assert {left.site.path: left.obstacle for left in report.left} == {
        "learned": "the gradient of its parameters needs its input",
        "clipped": "it works in place",
    }
    assert torch.equal(model.relu(x), twin.relu(x)) and model.relu.backend == "lean(bits=2)"
    assert_close(model(x), twin(x))
    acts.restore(model)
    assert type(model.relu) is nn.ReLU and type(model) is Net


def test_a_swap_takes_a_backend(model: Net) -> None:
    report = acts.swap(model, {"relu": "penalized_tanh"}, backend="lean")
    assert model.relu.backend == "lean" and report.plan.request.backend == "lean"
    report.undo()
    assert type(model.relu) is nn.ReLU
    report = acts.swap(model, {"relu": "silu"}, backend="lean( bits=3 )")
    assert model.relu.backend == "lean(bits=3)" and report.plan.request.to_dict()["backend"] == "lean(bits=3)"


def test_nothing_is_changed_by_a_mistake(model: Net) -> None:
    with pytest.raises(acts.SpecError, match="backend='leen': one of .*lean"):
        acts.optimize(model, "leen")
    with pytest.raises(acts.SwapError, match="itself an activation"):
        acts.optimize(nn.Mish(), "lean")
    assert type(model.act) is nn.Mish
