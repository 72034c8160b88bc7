"""Scheduled swaps in a loop of one's own: when they begin, what they tell, how they go on."""

import copy
import json
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
import torch
from torch import nn

import lightning_acts as acts
from lightning_acts.surgery import history
from lightning_acts.surgery.blend import Blend
from lightning_acts.surgery.checkpoints import SavedSwaps, fit_plain_weights, restate
from lightning_acts.surgery.schedule import Position
from lightning_acts.surgery.swapping import replay

X = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))


def train(model: nn.Module, scheduled: acts.ScheduledSwap, steps: range, optimizer: Any = None) -> list[float]:
    optimizer = optimizer or torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    amounts = []
    for step in steps:
        scheduled.advance(step=step, epoch=step / 4)
        amounts.append(scheduled.amount)
        optimizer.zero_grad()
        model(X).square().mean().backward()
        optimizer.step()
    return amounts


def test_a_loop_equals_one_with_the_blend_written_by_hand() -> None:
    model, twin = net(), net()
    scheduled = acts.ScheduledSwap({"relu": "tanh"}, at={"step": 3}, blend={"steps": 4})
    scheduled.install(model)
    train(model, scheduled, range(12))
    optimizer = torch.optim.SGD(twin.parameters(), 0.1, momentum=0.9)
    for step in range(12):
        a = min(max((step - 3) / 4, 0.0), 1.0)
        hidden = X
        for layer in (twin[0], twin[2]):
            z = layer(hidden)
            ends = {0.0: torch.relu, 1.0: torch.tanh}
            hidden = ends[a](z) if a in ends else (1 - a) * torch.relu(z) + a * torch.tanh(z)
        optimizer.zero_grad()
        twin[4](hidden).square().mean().backward()
        optimizer.step()
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), twin.parameters(), strict=True))
    assert type(model[1]) is nn.Tanh


def test_events_tell_what_was_done() -> None:
    model = net()
    scheduled = acts.ScheduledSwap({"relu": "mish"}, at={"step": 1}, blend={"steps": 2})
    scheduled.install(model)
    events = [scheduled.advance(step=step) for step in range(5)]
    assert [event and event.kind for event in events] == [None, "begins", "moves", "ends", None]
    assert [len(event.switched) for event in events if event] == [0, 2, 2]
    assert scheduled.is_over


def test_state_goes_through_json_and_on() -> None:
    def make() -> acts.ScheduledSwap:
        return acts.ScheduledSwap({"relu": "prelu"}, at={"metric": "loss", "patience": 2}, blend={"steps": 5})

    model, scheduled = net(), make()
    scheduled.install(model)
    for value in (1.0, 0.5, 0.6):
        scheduled.read({"loss": value})
    state = json.loads(json.dumps(scheduled.state_dict()))
    other, copied = make(), copy.deepcopy(model)
    other.attach(copied)
    other.load_state_dict(state)
    other.read({"loss": 0.7})
    assert other.advance(step=10) is not None
    assert other.advance(step=12) is not None
    assert other.amount == pytest.approx(0.4)
    assert scheduled.amount == 0.0


def test_going_on_in_a_loop_that_counts_from_zero() -> None:
    model = net()
    scheduled = acts.ScheduledSwap({"relu": "mish"}, at={"step": 2}, blend={"steps": 4})
    scheduled.install(model)
    assert train(model, scheduled, range(5)) == [0, 0, 0, 0.25, 0.5]
    scheduled.resume(Position(0, 0.0))
    assert train(model, scheduled, range(4)) == [0.5, 0.75, 1.0, 1.0]


def test_a_metric_that_is_not_there() -> None:
    scheduled = acts.ScheduledSwap({"relu": "mish"}, at={"metric": "acc", "above": 0.5})
    scheduled.install(net())
    with pytest.raises(acts.SwapError, match="'acc' was not logged; did you mean 'val/acc'"):
        scheduled.read({"val/acc": 0.7})


def test_a_conflict_leaves_the_model_as_it_was() -> None:
    model = net()
    first = acts.ScheduledSwap({"relu": "mish"}, include="1", at={"step": 1})
    first.install(model)
    second = acts.ScheduledSwap({"relu": "silu"}, at={"step": 5})
    with pytest.raises(acts.SwapError, match="two swaps mean 1: relu -> mish has it already"):
        second.install(model)
    assert type(model[1]) is Blend
    assert type(model[3]) is nn.ReLU
    acts.ScheduledSwap({"relu": "silu"}, include="3", at={"step": 5}).install(model)


def test_a_chain_in_any_state_goes_back() -> None:
    for steps in (0, 2, 4, 6, 9):
        model = net()
        original = copy.deepcopy(model)
        first = acts.ScheduledSwap({"relu": "prelu(init=0.1)"}, at={"step": 1}, blend={"steps": 2})
        second = acts.ScheduledSwap({"prelu(init=0.1)": "mish"}, at={"step": 5}, blend={"steps": 2})
        first.install(model)
        second.install(model)
        for step in range(steps):
            first.advance(step=step)
            second.advance(step=step)
        acts.restore(model)
        assert torch.equal(model(X), original(X))
        assert type(model[1]) is nn.ReLU


def test_an_error_in_the_swap_leaves_nothing() -> None:
    model = net()
    path = {"steps": 3, "parameter": "beta", "start": 1.0, "end": 2.0}
    with pytest.raises(acts.SwapError, match="no fixed number 'beta'"):
        acts.ScheduledSwap({"relu": "leaky_relu"}, blend=path).install(model)
    assert type(model[1]) is nn.ReLU
    assert not [module for module in model.modules() if isinstance(module, Blend)]


class Backwards(nn.Module):
    """Runs its layers in another order than it makes them."""

    def __init__(self) -> None:
        super().__init__()
        self.last, self.middle, self.first = nn.ReLU(), nn.ReLU(), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.middle(self.first(x) * 2) * 2) * 2


@pytest.mark.parametrize(
    ("order", "paths"), [("from_input", "first middle last"), ("from_output", "last middle first")]
)
def test_an_example_tells_the_order(order: Any, paths: str) -> None:
    model = nn.Sequential(Backwards(), nn.Linear(4, 4))
    scheduled = acts.ScheduledSwap({"relu": "mish"}, blend={"steps": 3, "shape": "abrupt"}, order=order)
    scheduled.install(model, X)
    assert [site.paths[0] for site in scheduled.sites] == [f"0.{name}" for name in paths.split()]


def test_a_part_that_was_built_again_takes_part() -> None:
    model = net()
    scheduled = acts.ScheduledSwap({"relu": "mish"}, at={"step": 1}, blend={"steps": 2})
    scheduled.install(model)
    model[3] = nn.ReLU()
    history.forget_lost(model)
    scheduled.install(model, among=scheduled.request.limited_to(lambda site: site.path == "3"))
    assert [site.paths[0] for site in scheduled.sites] == ["1", "3"]
    for step in range(4):
        scheduled.advance(step=step)
    assert [type(model[index]) for index in (1, 3)] == [nn.Mish, nn.Mish]


def test_a_blend_is_found_as_one_site() -> None:
    model = net()
    scheduled = acts.ScheduledSwap({"relu": "mish"}, blend={"steps": 4})
    scheduled.install(model)
    shown = []
    for step in range(5):
        scheduled.advance(step=step)
        shown.append([site.shown for site in acts.find(model)])
    of = "blend of relu and mish, {}% taken over"
    assert shown == [[of.format(part)] * 2 for part in (0, 25, 50, 75)] + [["mish"] * 2]


def _calls(action: Callable[[], object]) -> int:
    """Count the calls of Python functions in an action."""
    count = 0

    def on_event(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(on_event)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("to", ["mish", "prelu"])
def test_each_step_of_its_life_takes_time_in_proportion_to_the_model(to: str) -> None:
    def fresh(sites: int) -> nn.Sequential:
        return nn.Sequential(*[nn.Sequential(nn.Linear(1, 1), nn.ReLU()) for _ in range(sites)])

    def counts(sites: int) -> dict[str, int]:
        model, loaded, weights = fresh(sites), fresh(sites), fresh(sites).state_dict()
        swap, other = (acts.ScheduledSwap({"relu": to}, at={"step": 1}, blend={"steps": 2}) for _ in range(2))
        counted = {"install": _calls(lambda: swap.install(model)), "begin": _calls(lambda: swap.advance(step=1))}
        counted["move"] = _calls(lambda: swap.advance(step=2))
        saved = SavedSwaps.of(model)
        counted["save"] = _calls(lambda: (SavedSwaps.of(model), saved.fingerprint))
        counted["load"] = _calls(lambda: replay(fresh(sites), saved.plans))
        other.install(loaded)
        counted["restate"] = _calls(lambda: (restate(loaded, saved), saved.lacking(SavedSwaps.of(loaded))))
        counted["plain weights"] = _calls(lambda: fit_plain_weights(loaded, weights))
        counted["end"] = _calls(lambda: (swap.advance(step=3), swap.settle()))
        counted["restore"] = _calls(lambda: acts.restore(model))
        return counted

    counts(2)  # what is read once
    few, many = counts(60), counts(240)
    assert {step: round(many[step] / few[step], 1) for step in few if many[step] > 5 * few[step]} == {}
