"""Parameters in groups of their own: everything else of an optimizer and its schedulers stays as it was."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

import lightning_acts as acts
from lightning_acts.optimizers import completed_states, set_apart


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.PReLU(), nn.Linear(4, 2))


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.ones(5, 3)).square().sum().backward()
    optimizer.step()


def test_others_keep_group_options_and_state() -> None:
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.3)
    step(model, optimizer)
    before = copy.deepcopy({id(p): state for p, state in optimizer.state.items()})
    set_apart(optimizer, model[1].parameters(), lr_factor=0.5)
    rest, own = optimizer.param_groups
    assert [id(p) for p in rest["params"]] == [id(p) for p in model.parameters() if p is not model[1].weight]
    assert [id(p) for p in own["params"]] == [id(model[1].weight)]
    assert (rest["lr"], rest["weight_decay"], own["lr"], own["weight_decay"]) == (0.1, 0.3, 0.05, 0.0)
    torch.testing.assert_close({id(p): state for p, state in optimizer.state.items()}, before, rtol=0, atol=0)


def test_nothing_moves_where_nothing_would_change() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    set_apart(optimizer, model[1].parameters())
    assert len(optimizer.param_groups) == 1


def test_names_of_parameters_stay_with_them() -> None:
    model = net()
    optimizer = torch.optim.AdamW(model.named_parameters(), lr=0.1)
    set_apart(optimizer, model[1].parameters())
    assert [group["param_names"] for group in optimizer.param_groups] == [
        ["0.weight", "0.bias", "2.weight", "2.bias"],
        ["1.weight"],
    ]


SCHEDULERS: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
    "lambda": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 0.5**epoch),
    "lambdas": lambda o: lr_scheduler.LambdaLR(o, [lambda epoch: 0.5**epoch]),
    "step": lambda o: lr_scheduler.StepLR(o, 1, 0.5),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 9),
    "one_cycle": lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=9),
    "cyclic": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, step_size_up=3),
    "linear": lambda o: lr_scheduler.LinearLR(o),
    "sequential": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o), lr_scheduler.ExponentialLR(o, 0.5)], [2]
    ),
    "chained": lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ConstantLR(o), lr_scheduler.StepLR(o, 1)]),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedulers_drive_the_new_group_as_the_old_one(name: str) -> None:
    model, plain = net(), net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    expected = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.5)
    scheduler, reference = SCHEDULERS[name](optimizer), SCHEDULERS[name](expected)
    set_apart(optimizer, model[1].parameters(), lr_factor=0.25, schedulers=[scheduler])
    for _ in range(5):
        step(model, optimizer)
        step(plain, expected)
        scheduler.step()
        reference.step()
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([expected.param_groups[0]["lr"], 0.25 * expected.param_groups[0]["lr"]])


def test_a_plateau() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.1, min_lr=[0.005])
    set_apart(optimizer, model[1].parameters(), lr_factor=0.5, schedulers=[scheduler])
    for _ in range(4):
        scheduler.step(1.0)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.005, 0.0025])


def test_completed_states_fit() -> None:
    plain = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    earlier = torch.optim.AdamW(plain.parameters(), lr=0.1)
    earlier_scheduler = lr_scheduler.StepLR(earlier, 1, 0.5)
    step(plain, earlier)
    earlier_scheduler.step()
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    scheduler = lr_scheduler.StepLR(optimizer, 1, 0.5)
    set_apart(optimizer, model[1].parameters(), schedulers=[scheduler])
    states = earlier.state_dict(), [earlier_scheduler.state_dict()]
    completed, (schedule,) = completed_states(states, optimizer, [scheduler], model[1].parameters())
    optimizer.load_state_dict(completed)
    scheduler.load_state_dict(schedule)
    for old, new in zip(plain.parameters(), [p for p in model.parameters() if p is not model[1].weight], strict=True):
        assert torch.equal(earlier.state[old]["exp_avg"], optimizer.state[new]["exp_avg"])
    assert model[1].weight not in optimizer.state
    step(model, optimizer)
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.025, 0.05])


def test_what_fits_already_is_left() -> None:
    model = net()
    optimizer = torch.optim.AdamW(model.parameters())
    states = optimizer.state_dict(), []
    assert completed_states(states, optimizer, [], model[1].parameters()) == states


class TestAfterASwap:
    @pytest.mark.parametrize("named", [False, True])
    def test_new_ones_come_and_old_ones_go(self, named: bool) -> None:
        model = net()
        optimizer = torch.optim.AdamW(
            model.named_parameters() if named else model.parameters(), lr=0.1, weight_decay=0.3
        )
        step(model, optimizer)
        slope = model[1].weight
        others = [parameter for parameter in model.parameters() if parameter is not slope]
        before = copy.deepcopy({id(p): optimizer.state[p] for p in others})
        acts.swap(model, {"prelu": "elu"}, optimizer=optimizer)
        assert slope not in optimizer.state
        assert [id(p) for p in optimizer.param_groups[0]["params"]] == [id(p) for p in others]
        report = acts.swap(model, {"elu": "prelu(init=0.1)"}, optimizer=optimizer)
        assert report.notes == ()
        rest, own = optimizer.param_groups
        assert (rest["weight_decay"], own["weight_decay"], own["lr"]) == (0.3, 0.0, 0.1)
        assert [id(p) for p in own["params"]] == [id(model[1].weight)]
        assert own.get("param_names") == (["1.weight"] if named else None)
        torch.testing.assert_close({id(p): optimizer.state[p] for p in others}, before, rtol=0, atol=0)
        step(model, optimizer)
        assert float(model[1].weight.detach()) != pytest.approx(0.1)

    def test_a_group_without_decay_is_theirs(self) -> None:
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        optimizer = torch.optim.AdamW(acts.parameter_groups(model, weight_decay=0.3), lr=0.1)
        acts.swap(model, {"relu": "prelu"}, optimizer=optimizer)
        assert [len(group["params"]) for group in optimizer.param_groups] == [2, 3]

    def test_without_the_optimizer_the_report_says_so(self) -> None:
        model = net()
        (note,) = acts.swap(model, {"prelu": "prelu(init=0.1)"}).notes
        assert note == (
            "an optimizer made before does not have 1.weight and still has 1 parameter of what was replaced: "
            "optimizer= tells it"
        )
        assert acts.swap(model, {"prelu": "elu"}).notes[0].startswith("an optimizer made before still has 1 parameter")
        assert acts.swap(model, {"elu": "gelu"}).notes == ()

    def test_one_state_for_all_is_refused_before(self) -> None:
        model = net()
        with pytest.raises(acts.SwapError, match="LBFGS keeps one state"):
            acts.swap(model, {"prelu": "elu"}, optimizer=torch.optim.LBFGS(model.parameters()))
        assert type(model[1]) is nn.PReLU
