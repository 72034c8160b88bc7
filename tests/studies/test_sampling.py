from collections.abc import Callable
from typing import Any

import pytest

from lightning_acts.studies.plan import plan
from lightning_acts.studies.sampling import EachFirst, places

optuna = pytest.importorskip("optuna")


def asked(write: Callable[..., str], count: int, sampler: str, workers: int = 2) -> list[dict[str, Any]]:
    """What trials are given that workers begin by turns, none of which has ended."""
    found = plan([write(sampler=sampler, parameters=None, budget={"trials": 12})])
    storage = optuna.storages.InMemoryStorage()
    pruner = optuna.pruners.HyperbandPruner()
    studies = [
        optuna.create_study(storage=storage, study_name="one", load_if_exists=True, pruner=pruner)
        for _ in range(workers)
    ]
    given = []
    for number in range(count):
        study = studies[number % workers]
        study.sampler = EachFirst(optuna, found, study.get_trials)
        trial = study.ask()
        trial.suggest_categorical("activation", found.candidates)
        trial.suggest_float("model.lr", 1e-4, 1e-2, log=True)
        given.append(trial.params)
    return given


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_each_activation_has_its_turn_whoever_begins_a_trial(write: Callable[..., str], sampler: str) -> None:
    given = asked(write, 8, sampler)
    assert [one["activation"] for one in given[:6]] == ["relu", "mish", "leaky_relu"] * 2
    assert len({one["model.lr"] for one in given}) == 8
    assert asked(write, 8, sampler, workers=1) == given


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_after_that_the_sampler_chooses(write: Callable[..., str]) -> None:
    found = plan([write(parameters=None, space=None, budget={"trials": 60})])
    study = optuna.create_study(direction="maximize")
    study.sampler = EachFirst(optuna, found, study.get_trials)
    study.optimize(
        lambda trial: float(trial.suggest_categorical("activation", found.candidates) == "mish"), n_trials=60
    )
    names = [trial.params["activation"] for trial in study.get_trials()]
    assert names[:30] == ["relu", "mish", "leaky_relu"] * 10
    assert names[30:].count("mish") > 15


def test_another_attempt_has_the_place_of_the_first() -> None:
    study = optuna.create_study()
    for _ in range(3):
        study.ask()
    study.add_trial(optuna.create_trial(state=optuna.trial.TrialState.WAITING, system_attrs={"failed_trial": 1}))
    study.ask()  # takes that one up
    study.ask()
    assert places(study.get_trials()) == [0, 1, 2, 1, 3]
