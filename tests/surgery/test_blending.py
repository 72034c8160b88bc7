"""Replacements that are held back, blended and taken over, at sites of each kind, and the way back from each state."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery.blend import Blend, ParameterPath
from lightning_acts.surgery.blending import ScheduledSite, hold_back, scheduled_sites
from lightning_acts.surgery.history import newest, plans_of
from lightning_acts.surgery.plan import BlendState, Plan

X = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)


class Module(Layers):
    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.act(self.first(x)))


class Call(Layers):
    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.relu(self.first(x)))


class Method(Layers):
    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).relu())


class Attribute(Layers):
    def __init__(self) -> None:
        super().__init__()
        self.function: Callable[[Tensor], Tensor] = F.relu

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.function(self.first(x)))


class Twice(Module):
    """One module in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.again = self.act

    def forward(self, x: Tensor) -> Tensor:
        return self.again(super().forward(x))


def graph() -> nn.Module:
    return torch.fx.symbolic_trace(Call())


KINDS: dict[str, Callable[[], nn.Module]] = {
    "module": Module,
    "call": Call,
    "method": Method,
    "attribute": Attribute,
    "shared": Twice,
    "graph": graph,
}


def held_back(model: nn.Module, to: str = "mish") -> list[ScheduledSite]:
    acts.swap(model, {"relu": to}, role=("hidden", "output"))
    return hold_back(model, newest(model), BlendState(0.0))


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> Any:
    return KINDS[request.param]()


def test_the_original_runs_first_the_sum_then_and_the_replacement_at_last(model: nn.Module) -> None:
    original, swapped = copy.deepcopy(model), copy.deepcopy(model)
    acts.swap(swapped, {"relu": "mish"}, role=("hidden", "output"))
    (site,) = held_back(model)
    assert torch.equal(model(X), original(X))
    site.set(0.25)
    if "again" not in dict(model.named_modules(remove_duplicate=False)):
        hidden = model.first(X)
        assert torch.equal(model(X), model.second(0.75 * torch.relu(hidden) + 0.25 * F.mish(hidden)))
    site.set(1.0)
    assert torch.equal(model(X), swapped(X))
    assert not [module for module in model.modules() if isinstance(module, Blend)]


@pytest.mark.parametrize("amount", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("to", ["mish", "prelu(init=0.1)"])
def test_the_way_back(model: nn.Module, amount: float, to: str) -> None:
    original = copy.deepcopy(model)
    (site,) = held_back(model, to)
    site.set(amount)
    acts.restore(model)
    assert torch.equal(model(X), original(X))
    assert model.state_dict().keys() == original.state_dict().keys()
    assert not scheduled_sites(model)


@pytest.mark.parametrize("amount", [0.0, 0.5, 1.0])
def test_copies(model: nn.Module, amount: float) -> None:
    (site,) = held_back(model, "prelu(init=0.1)")
    site.set(amount)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(X), model(X))
        (own,) = scheduled_sites(other)
        own.set(0.75)
        assert site.blend.amount == amount


@pytest.mark.parametrize("amount", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("to", ["mish", "prelu(init=0.1)"])
def test_a_plan_tells_the_state(model: nn.Module, amount: float, to: str) -> None:
    fresh = copy.deepcopy(model)
    (site,) = held_back(model, to)
    site.set(amount)
    (plan,) = plans_of(model)
    assert Plan.from_dict(plan.to_dict()) == plan
    acts.swap(fresh, plan)
    assert fresh.state_dict().keys() == model.state_dict().keys()
    assert torch.equal(fresh(X), model(X))


def test_any_state_leads_to_any_other(model: nn.Module) -> None:
    (site,) = held_back(model, "prelu(init=0.1)")
    states = [BlendState(0.0), BlendState(0.5), BlendState(1.0), None]
    outputs = {}
    for state in states:
        site.restate(state)
        outputs[str(state)] = model(X)
        assert site.state == state
    for one in states:
        for other in states:
            site.restate(one)
            site.restate(other)
            assert site.state == other
            assert torch.equal(model(X), outputs[str(other)])


def test_what_runs_is_what_is_found(model: nn.Module) -> None:
    (site,) = held_back(model)
    found = []
    for amount in (0.0, 0.5, 1.0):
        site.set(amount)
        found.append({entry.activation for entry in acts.find(model)})
    assert found == [{"relu"}, {"unknown activation"}, {"mish"}]


def test_hooks_are_called_once(model: nn.Module) -> None:
    if not isinstance(model, Module):
        pytest.skip("calls have no hooks")
    called: list[float] = []
    handle = model.act.register_forward_hook(lambda *_: called.append(site.blend.amount))
    (site,) = held_back(model)
    for amount in (0.0, 0.5, 1.0):
        site.set(amount)
        model(X)
    assert called == [amount for amount in (0.0, 0.5, 1.0) for _ in range(2 if isinstance(model, Twice) else 1)]
    acts.restore(model)
    handle.remove()
    assert not model.act._forward_hooks


def test_train_and_eval_reach_it() -> None:
    model = Module()
    (site,) = held_back(model, "rrelu")
    model.eval()
    site.set(1.0)
    assert not model.act.training
    model.train()
    site.restate(BlendState(0.5))
    assert site.blend.training


def test_a_parameter_that_does_not_exist() -> None:
    model = Module()
    report = acts.swap(model, {"relu": "leaky_relu"})
    path = ParameterPath("slope", 0.1, 0.2)
    with pytest.raises(acts.SwapError, match="has no fixed number 'slope' that could move; it has: negative_slope$"):
        hold_back(model, newest(model), BlendState(0.0, path))
    report.undo()
    assert type(model.act) is nn.ReLU
