"""When a swap begins and how far it is: the options, their mistakes, the curves, the order of sites."""

import math
import pickle
from typing import Any

import pytest

from lightning_acts.errors import SwapError
from lightning_acts.surgery.schedule import Position, Schedule, ScheduleError

START = Position(0, 0.0, 0.0)


def schedule(at: Any = None, blend: Any = None, order: str = "together") -> Schedule:
    return Schedule.of(at, blend, order)


@pytest.mark.parametrize("at", [None, "start", {"step": 0}])
def test_at_the_start_there_is_nothing_to_wait_for(at: Any) -> None:
    assert schedule(at).is_at_start
    assert not schedule(at, {"steps": 3}).is_at_start


@pytest.mark.parametrize(
    ("at", "position", "has_come"),
    [
        ({"epoch": 2}, Position(99, 1.99), False),
        ({"epoch": 2}, Position(0, 2.0), True),
        ({"step": 7}, Position(6, 9.0), False),
        ({"step": 7}, Position(8, 0.0), True),
        ({"fraction": 0.5}, Position(0, 0.0, 0.49), False),
        ({"fraction": 0.5}, Position(0, 0.0, 0.5), True),
        ({"fraction": 0.5}, Position(9, 9.0, None), False),
        ({"metric": "loss", "below": 1}, Position(9, 9.0, 1.0), False),
    ],
    ids=str,
)
def test_has_come(at: Any, position: Position, has_come: bool) -> None:
    assert schedule(at).has_come(position) is has_come


@pytest.mark.parametrize(
    ("shape", "curve"),
    [
        ("linear", lambda t: t),
        ("cosine", lambda t: math.sin(t * math.pi / 2) ** 2),
        ("exponential", lambda t: (1 - math.e ** (-5 * t)) / (1 - math.e**-5)),
        (lambda t: t**3, lambda t: t**3),
    ],
    ids=["linear", "cosine", "exponential", "function"],
)
def test_shapes(shape: Any, curve: Any) -> None:
    own = schedule({"step": 10}, {"steps": 8, "shape": shape})
    for passed in range(9):
        progress = own.progress(Position(10 + passed, 0.0), Position(10, 0.0))
        assert own.amounts(progress, 1) == [pytest.approx(curve(passed / 8))]
    assert own.amounts(0.0, 1) == [0.0]
    assert own.amounts(own.progress(Position(99, 0.0), Position(10, 0.0)), 1) == [1.0]


def test_groups_take_over_one_after_the_other() -> None:
    own = schedule(None, {"epochs": 3}, "from_input")
    assert own.amounts(0.5, 3) == [1.0, 0.5, 0.0]
    abrupt = schedule(None, {"epochs": 3, "shape": "abrupt"}, "from_input")
    assert abrupt.amounts(0.0, 3) == [1.0, 0.0, 0.0]
    assert abrupt.amounts(0.34, 3) == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("order", "groups"),
    [
        ("together", [[0, 1, 2, 3]]),
        ("from_input", [[0], [1], [2], [3]]),
        ("from_output", [[3], [2], [1], [0]]),
        ("from_input_by_stage", [[0], [1, 2], [3]]),
        ("from_output_by_stage", [[3], [1, 2], [0]]),
    ],
)
def test_order(order: str, groups: list[list[int]]) -> None:
    paths = ["stem.act", "layer1.0.relu", "layer1.1/relu/0", "layer2.0.relu"]
    assert schedule(None, {"epochs": 1}, order).groups(paths) == groups


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": 5}, "at=5: 'start', or a mapping such as"),
        ({"at": "begin"}, "at='begin'"),
        ({"at": {"epochs": 5}}, "did you mean 'epoch'"),
        ({"at": {"epoch": 1, "step": 2}}, "one of epoch, step, fraction, or metric"),
        ({"at": {"epoch": 1.5}}, "at: epoch: 1.5 is not a whole number"),
        ({"at": {"epoch": True}}, "at: epoch: True is not a whole number"),
        ({"at": {"step": -1}}, "at: step: -1 is less than 0"),
        ({"at": {"fraction": 1.5}}, "at: fraction: 1.5 is more than 1"),
        ({"at": {"fraction": math.nan}}, "at: fraction: nan is not a number"),
        ({"at": {"metric": "acc"}}, "a metric needs one of above, below or patience"),
        ({"at": {"metric": "acc", "above": 1, "below": 2}}, "one of above, below or patience"),
        ({"at": {"metric": "acc", "abov": 1}}, "did you mean 'above'"),
        ({"at": {"metric": 3, "above": 1}}, "3 is not the name of a metric"),
        ({"at": {"metric": "acc", "above": "x"}}, "at: above: 'x' is not a number"),
        ({"at": {"metric": "acc", "patience": 1.5}}, "at: patience: 1.5 is not a whole number"),
        ({"at": {"metric": "acc", "patience": 1, "mode": "mni"}}, "'mni' is neither 'min' nor 'max'"),
        ({"at": {"metric": "acc", "above": 1, "mode": "min"}}, "mode belongs to patience"),
        ({"blend": 3}, "blend=3: a mapping such as"),
        ({"blend": {"epoch": 3}}, "did you mean 'epochs'"),
        ({"blend": {"shape": "linear"}}, "one of epochs, steps, fraction says how long it takes"),
        ({"blend": {"epochs": 0}}, "blend: epochs: 0 is no length"),
        ({"blend": {"epochs": 1, "shape": "cosin"}}, "did you mean 'cosine'"),
        ({"blend": {"epochs": 1, "parameter": "alpha"}}, "a parameter moves from start to end: give both"),
        ({"blend": {"epochs": 1, "start": 1.0}}, "start and end belong to parameter"),
        ({"blend": {"epochs": 1, "parameter": "alpha", "start": "a", "end": 1}}, "blend: start: 'a' is not a number"),
        ({"blend": {"epochs": 1}, "order": "from_inputs"}, "did you mean 'from_input'"),
        ({"order": "from_input"}, "blend= says over how long"),
    ],
    ids=str,
)
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SwapError, match=message.replace("(", r"\(")):
        schedule(**options)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"at": {"epochs": 5}}, "epochs"),
        ({"at": {"epoch": "x"}}, "epoch"),
        ({"at": {"metric": "epoch: x", "abov": 1}}, "abov"),
        ({"at": {"metric": 3, "above": 1}}, "metric"),
        ({"at": {"metric": "acc", "above": math.inf}}, "above"),
        ({"at": {"metric": "acc", "patience": -1}}, "patience"),
        ({"at": {"metric": "acc", "patience": 1, "mode": "mni"}}, "mode"),
        ({"at": {"metric": "acc"}}, None),
        ({"blend": {"epochs": 1, "key": 1}}, "key"),
        ({"blend": {"steps": 0}}, "steps"),
        ({"blend": {"epochs": 1, "shape": "cosin"}}, "shape"),
        ({"blend": {"epochs": 1, "parameter": "alpha", "start": 0, "end": None}}, "end"),
        ({"blend": {"epochs": 1, "steps": 2}}, None),
        ({"order": "from_inputs"}, None),
    ],
    ids=str,
)
def test_mistakes_name_their_key(options: dict[str, Any], key: str | None) -> None:
    with pytest.raises(ScheduleError) as caught:
        schedule(**options)
    assert caught.value.key == key
    assert pickle.loads(pickle.dumps(caught.value)).key == key


@pytest.mark.parametrize(
    ("at", "blend", "epochs", "words"),
    [
        ({"epoch": 5}, {"epochs": 3}, 20, "begins at epoch 5 (step 500), is over at epoch 8 (step 800)"),
        ({"step": 250}, None, 20, "begins at epoch 2.5 (step 250) and changes at once"),
        ({"fraction": 0.5}, {"steps": 50}, 20, "begins at epoch 10 (step 1,000), is over at epoch 10.5 (step 1,050)"),
        (
            {"metric": "acc", "above": 0.9},
            {"epochs": 2},
            20,
            "begins when acc is more than 0.9, and takes 2 epochs",
        ),
        (
            {"metric": "loss", "patience": 1},
            None,
            20,
            "begins when loss was not less than its best for 1 reading and changes at once",
        ),
        (
            {"epoch": 5},
            {"epochs": 3},
            6,
            "begins at epoch 5 (step 500), is over at epoch 8 (step 800); the fit ends before that, at epoch 6",
        ),
    ],
    ids=str,
)
def test_timeline(at: Any, blend: Any, epochs: float, words: str) -> None:
    assert schedule(at, blend).timeline(100, epochs) == words


@pytest.mark.parametrize(
    ("at", "blend", "late"),
    [
        ({"epoch": 4}, None, False),
        ({"epoch": 5}, None, True),
        ({"epoch": 3}, {"epochs": 2}, False),
        ({"epoch": 3}, {"epochs": 2.5}, True),
        ({"step": 499}, None, False),
        ({"step": 450}, {"steps": 51}, True),
        ({"fraction": 0.5}, {"fraction": 0.5}, False),
        ({"metric": "acc", "above": 1}, {"epochs": 99}, False),
    ],
    ids=str,
)
def test_ends_late(at: Any, blend: Any, late: bool) -> None:
    assert schedule(at, blend).ends_late(100, 5) is late
    assert schedule(at, blend).ends_late(100, None) is False


def test_epochs_of_unknown_length() -> None:
    assert schedule({"step": 5}, {"epochs": 1}).span(math.inf, 5) == (None, None)
    assert schedule({"epoch": 3}, {"steps": 9}).timeline(math.inf, 5) == "begins at epoch 3, is over after 9 steps"
    assert schedule({"step": 250}, None).timeline(math.inf, 5) == "begins at step 250 and changes at once"


def test_pickles() -> None:
    own = schedule({"epoch": 1}, {"epochs": 2, "shape": "cosine"})
    assert pickle.loads(pickle.dumps(own)) == own
