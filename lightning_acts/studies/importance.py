"""How much each choice of a search mattered for its best trials."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lightning_acts.extras import require

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# Optuna's documentation asks for five trials among the best; half of all are the most that "the best" may be.
_BEST = 5
_LEAST = 2 * _BEST
_SHARE = 0.1
_SHUFFLES = 100


@dataclass(frozen=True)
class Importance:
    """How much a choice mattered.

    Attributes:
        name: The choice: ``activation``, a parameter of one, or a key of the config.
        share: Its part of the importance of all choices.
        chance: What 95 % of searches reach in which nothing matters.
    """

    name: str
    share: float
    chance: float


def importances(trials: Sequence[FrozenTrial], direction: str) -> tuple[list[Importance], str]:
    """Return how much each choice mattered, the most important first, and in words how that was found.

    The best trials are compared with all, choice by choice (PED-ANOVA). The same is done after shuffling the scores,
    which shows what chance alone gives: with few trials, much.

    Args:
        trials: The trials of a search; those that were pruned or failed are left out.
        direction: ``max`` or ``min``.

    Returns:
        The choices, none if there is nothing to tell; and the words.

    Source:
        Watanabe, Bansal, Hutter, PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces,
        IJCAI 2023, arXiv 2304.10255.
    """
    found = {str(sorted(trial.params.items())): trial for trial in trials if trial.state.name == "COMPLETE"}
    whole = list(found.values())
    if len(whole) < _LEAST:
        said = f"at least {_LEAST} different trials that came to their end are needed, and this search has {len(whole)}"
        return [], f"Not computed: {said}."
    sign = -1 if direction == "max" else 1
    scores = [sign * trial.values[0] for trial in whole]
    best = max(_BEST, round(_SHARE * len(whole)))
    judge = _ped_anova(whole, best / len(whole))
    own = judge(scores)
    total = sum(own.values())
    if total == 0 or len(own) < 2:
        return [], "Not computed: all scores are equal." if total == 0 else "Not computed: there was one choice."
    generator, shuffled = random.Random(0), []
    for _ in range(_SHUFFLES):
        generator.shuffle(scores)
        shuffled.append(judge(scores))
    chance = {name: float(np.quantile([one[name] for one in shuffled], 0.95)) for name in own}
    listed = [Importance(name, value / total, chance[name] / total) for name, value in own.items()]
    return (
        sorted(listed, key=lambda one: -one.share),
        f"PED-ANOVA (Watanabe et al. 2023): in what the best {best} of {len(whole)} trials that came to their "
        f"end differ from all of them. Mark: below it are 95 % of {_SHUFFLES} searches with shuffled scores, "
        "in which nothing matters. A bar that does not pass its mark shows nothing.",
    )


def _ped_anova(trials: Sequence[FrozenTrial], share: float) -> Callable[[Sequence[float]], dict[str, float]]:
    """Return what tells the importance of each choice from scores of the trials, of which smaller ones are better."""
    optuna: Any = require("optuna", extra="search")
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=share)
    study = optuna.create_study()
    for one in trials:
        study.add_trial(optuna.trial.create_trial(params=one.params, distributions=one.distributions, value=0.0))

    def judge(scores: Sequence[float]) -> dict[str, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that smaller scores are taken for better, and if all are equal
            found: dict[str, float] = optuna.importance.get_param_importances(
                study, evaluator=evaluator, target=lambda trial: scores[trial.number], normalize=False
            )
        return found

    return judge
