import random
from typing import Any

import pytest

from lightning_acts.studies.importance import importances

optuna = pytest.importorskip("optuna")


def trials(count: int, score: Any, seed: int = 0) -> list[Any]:
    """Trials with a learning rate, a choice, and a slope for one of the choices alone."""
    generator, made = random.Random(seed), []
    for _ in range(count):
        params: dict[str, Any] = {"activation": generator.choice(["relu", "mish", "elu"])}
        spread: dict[str, Any] = {"activation": optuna.distributions.CategoricalDistribution(["relu", "mish", "elu"])}
        for key in ("lr", *["elu.alpha"] * (params["activation"] == "elu")):
            params[key] = generator.uniform(0, 1)
            spread[key] = optuna.distributions.FloatDistribution(0, 1)
        value = score(params, generator)
        made.append(optuna.trial.create_trial(params=params, distributions=spread, value=value))
    return made


def by_lr(params: dict[str, Any], generator: random.Random) -> float:
    return -abs(params["lr"] - 0.7) + generator.gauss(0, 0.01)


def test_what_matters_comes_first_and_passes_chance() -> None:
    found, said = importances(trials(40, by_lr), "max")
    assert found[0].name == "lr"
    assert found[0].share > found[0].chance
    assert sum(one.share for one in found) == pytest.approx(1)
    # A parameter of one activation is there in a third of the trials, and looks important by chance.
    assert not [one for one in found[1:] if one.share > 2 * one.chance]
    assert "PED-ANOVA" in said
    assert "best 5 of 40 trials" in said


def test_where_smaller_is_better_the_same_is_found() -> None:
    turned = [
        optuna.trial.create_trial(params=one.params, distributions=one.distributions, value=-one.value)
        for one in trials(40, by_lr)
    ]
    assert importances(turned, "min")[0] == importances(trials(40, by_lr), "max")[0]


def test_an_activation_that_is_better_matters() -> None:
    found, _ = importances(trials(60, lambda params, _: (params["activation"] == "mish") + 0.001 * params["lr"]), "max")
    named = {one.name: one for one in found}
    assert named["activation"].share > named["activation"].chance


def test_where_nothing_matters_few_pass_chance() -> None:
    passed = 0
    for seed in range(8):
        found, _ = importances(trials(20, lambda params, generator: generator.random(), seed), "max")
        passed += sum(one.share > one.chance for one in found)
    assert passed <= 5  # of 24, of which 1.2 are expected


def test_trials_that_did_not_end_and_repeated_ones_are_not_counted() -> None:
    ended = trials(12, by_lr)
    spoiled = optuna.trial.create_trial(
        params={"activation": "relu", "lr": 0.01},
        distributions={key: ended[0].distributions[key] for key in ("activation", "lr")},
        value=5.0,
        state=optuna.trial.TrialState.PRUNED,
    )
    assert importances([*ended, *ended, spoiled], "max") == importances(ended, "max")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (trials(9, by_lr), "at least 10 different trials that came to their end are needed, and this search has 9"),
        (trials(12, lambda params, generator: 0.5), "all scores are equal"),
    ],
)
def test_where_it_can_not_be_computed_the_reason_is_told(given: list[Any], reason: str) -> None:
    assert importances(given, "max") == ([], f"Not computed: {reason}.")
