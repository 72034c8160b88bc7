"""How trials get their values: the activation by turns at first, what else by a sampler of Optuna."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lightning_acts.studies.plan import Plan

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial


class EachFirst:
    """Sampler that has each activation tried in all layers, as often as planned, in turn, before another one chooses.

    A trial draws its own random numbers, whoever runs it: what it is given depends on its number and on the trials
    before it. So workers that start at the same instant neither try the same nor leave out any.

    Args:
        optuna: The package.
        plan: The study.
        trials: Returns all its trials. (Hyperband shows a sampler those of a bracket.)
    """

    def __init__(self, optuna: Any, plan: Plan, trials: Callable[..., Sequence[FrozenTrial]]) -> None:
        self._optuna, self._plan, self._trials = optuna, plan, trials
        self._sampler: Any = None
        self._turn: dict[str, str] = {}

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Begin a trial."""
        samplers, seed = self._optuna.samplers, self._plan.checked.seed + trial.number
        if self._plan.sampler == "random":
            self._sampler = samplers.RandomSampler(seed=seed)
        else:
            self._sampler = samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
        place, names = places(self._trials(deepcopy=False))[trial.number], self._plan.candidates
        self._turn = {}
        if place < self._plan.tries * len(names):
            turn = names[place % len(names)]
            self._turn = {"activation": turn, **dict.fromkeys(self._plan.at[1:], json.dumps(turn))}
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, Any]:
        """Return what is sampled together: without the activation, if it has its turn."""
        space = self._sampler.infer_relative_search_space(study, trial)
        return {name: one for name, one in space.items() if name not in self._turn}

    def sample_relative(self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, Any]) -> dict[str, Any]:
        """Sample values together."""
        found = self._sampler.sample_relative(study, trial, search_space)
        return {name: value for name, value in found.items() if name in search_space}

    def sample_independent(self, study: optuna.Study, trial: FrozenTrial, name: str, distribution: Any) -> Any:
        """Sample a value, or take the activation that has its turn."""
        if name in self._turn:
            return self._turn[name]
        return self._sampler.sample_independent(study, trial, name, distribution)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)


def places(trials: Sequence[FrozenTrial]) -> list[int]:
    """Return the number of what each trial runs: how many were begun before it, or before what it is another attempt at."""
    begun = list(itertools.accumulate(map(is_first, trials), initial=0))
    return [begun[trial.system_attrs.get("failed_trial", number)] for number, trial in enumerate(trials)]


def is_first(trial: FrozenTrial) -> bool:
    """Return whether a trial is not another attempt at one that was given back."""
    return "failed_trial" not in trial.system_attrs
