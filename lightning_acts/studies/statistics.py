"""Paired comparisons over seeds: intervals, exact tests, correction for many comparisons and for looking repeatedly.

A score is one run's value of the objective, larger is better. Scores of several candidates come as an array ``(candidates,
seeds)``: runs in one column have the seed, and with it the initial weights and the order of the data, in common.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

#: The share of false winners that a study may have.
ALPHA = 0.05

_RESAMPLES = 9999
# Of so many pairs all choices of signs are counted; of more, so many choices are drawn.
_MOST_COUNTED = 20
_DRAWN = 2**17 - 1


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval; the bounds are nan for a single value."""

    mean: float
    low: float
    high: float


def bootstrap_interval(values: ArrayLike) -> Interval:
    """Return the mean of some values and its 95 % bootstrap interval, bias-corrected and accelerated (BCa).

    Where the values are too alike for BCa, the percentile interval is taken. Of few values (some ten) either is
    narrower than it should be.

    Args:
        values: The values ``(N,)``.

    Source:
        Efron, Better Bootstrap Confidence Intervals, JASA 82 (1987).

    Example:
        >>> bootstrap_interval([1.0, 1.0, 1.0])
        Interval(mean=1.0, low=1.0, high=1.0)
    """
    sample = np.asarray(values, dtype=float)
    mean = float(sample.mean())
    if len(sample) < 2:
        return Interval(mean, math.nan, math.nan)
    for method in ("BCa", "percentile"):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # scipy warns of degenerate data, and gives nan
            found = stats.bootstrap(
                (sample,), np.mean, n_resamples=_RESAMPLES, method=method, random_state=np.random.default_rng(0)
            ).confidence_interval
        if math.isfinite(found.low) and math.isfinite(found.high):
            return Interval(mean, float(found.low), float(found.high))
    return Interval(mean, math.nan, math.nan)


def sign_flip_p(differences: ArrayLike) -> float:
    """Return the two-sided p-value of the hypothesis that paired differences are symmetric around 0.

    The sum is compared with those that all ``2**N`` choices of signs give, so the test is exact and assumes no
    distribution. For more than 20 pairs 131,071 choices are drawn, which leaves the p-value valid.

    Args:
        differences: One candidate's scores minus another's ``(N,)``.

    Raises:
        ValueError: A difference is not finite.

    Source:
        Fisher, The Design of Experiments (1935), section 21.

    Example:
        >>> sign_flip_p([1.0, 2.0, 3.0, 4.0])  # 2 of 16 choices of signs are as extreme
        0.125
    """
    pairs = np.asarray(differences, dtype=float)
    if not np.isfinite(pairs).all():
        raise ValueError(f"a difference of scores is not finite: {pairs.tolist()}")
    if len(pairs) <= _MOST_COUNTED:
        sums = np.zeros(1)
        for pair in pairs:
            sums = np.concatenate([sums + pair, sums - pair])
    else:
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(_DRAWN, len(pairs)))
        sums = np.append(signs @ pairs, pairs.sum())
    rounding = 1e-12 * np.abs(pairs).sum()
    return float((np.abs(sums) >= abs(pairs.sum()) - rounding).mean())


def smallest_p(pairs: int) -> float:
    """Return the smallest p-value that :func:`sign_flip_p` can give: all differences have one sign.

    Example:
        >>> smallest_p(5), smallest_p(10)
        (0.0625, 0.001953125)
    """
    return 2.0 ** (1 - pairs) if pairs <= _MOST_COUNTED else 1 / (_DRAWN + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for how many they are, by Holm's step-down method; the order is kept.

    Source:
        Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scand. J. Statist. 6 (1979).

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    reached = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = reached
    return adjusted


def probability_best(scores: ArrayLike) -> list[float]:
    """Return, for each candidate, the share of bootstrap resamples of the seeds in which its mean is the largest.

    Ties are shared out evenly.

    Args:
        scores: The scores ``(candidates, seeds)``.

    Example:
        >>> probability_best([[1.0, 2.0], [1.0, 2.0]])
        [0.5, 0.5]
    """
    table = np.asarray(scores, dtype=float)
    seeds = table.shape[1]
    drawn = np.random.default_rng(0).integers(seeds, size=(_RESAMPLES, seeds))
    counts = np.stack([(drawn == seed).sum(1) for seed in range(seeds)])  # equal candidates have equal sums
    means = table @ counts / seeds
    best = means >= means.max(0) - 1e-12 * np.abs(means).max()
    shares: NDArray[np.float64] = (best / best.sum(0)).mean(1)
    return [float(share) for share in shares]


def pareto_front(scores: ArrayLike) -> list[int]:
    """Return the indices of the candidates that no other is better than in one score, and as good as in all.

    Args:
        scores: Several scores of each ``(candidates, scores)``, larger is better.

    Example:
        >>> pareto_front([[3.0, 1.0], [2.0, 2.0], [1.0, 1.5]])
        [0, 1]
    """
    table = np.asarray(scores, dtype=float)
    return [
        index
        for index, own in enumerate(table)
        if not any((other >= own).all() and (other > own).any() for other in table)
    ]


def levels(looks: Sequence[int], alpha: float = ALPHA) -> list[float]:
    """Return the level of the test at each look, so that all looks together err with probability ``alpha`` at most.

    What may have been spent when a share ``t`` of the seeds is in is ``alpha * ln(1 + (e - 1) * t)``, Lan and DeMets'
    spending function of Pocock's type. A look is tested at what it adds. The levels sum to ``alpha``, so by
    Bonferroni's inequality nothing needs to be known of how the looks depend on each other.

    Args:
        looks: After how many seeds the scores are looked at, increasing; the last is the largest number planned.
        alpha: The share of false winners that is allowed.

    Source:
        Lan and DeMets, Discrete Sequential Boundaries for Clinical Trials, Biometrika 70 (1983).

    Example:
        >>> [round(level, 4) for level in levels([10, 15, 20])]
        [0.031, 0.0104, 0.0086]
    """
    spent = [0.0, *(alpha * math.log(1 + (math.e - 1) * look / looks[-1]) for look in looks)]
    return [after - before for before, after in itertools.pairwise(spent)]


@dataclass(frozen=True)
class Comparison:
    """A candidate against the baseline: the paired difference, its p-value, and that after Holm's correction."""

    difference: Interval
    p: float
    p_holm: float


@dataclass(frozen=True)
class Look:
    """What the scores say after some seeds.

    Attributes:
        names: The candidates.
        scores: Their scores ``(candidates, seeds)``.
        baseline: The name of one of them.
        level: The level of the tests at this look.
        best: The name of the one with the largest mean.
        intervals: Mean and interval of each.
        comparisons: Each but the baseline against the baseline.
        probabilities: The probability of each to be the best.
        p_best: The largest p-value of the best against any other.
        shown: The candidates that an earlier look has shown to be better than the baseline.
    """

    names: tuple[str, ...]
    scores: NDArray[np.float64]
    baseline: str
    level: float
    best: str
    intervals: dict[str, Interval]
    comparisons: dict[str, Comparison]
    probabilities: dict[str, float]
    p_best: float
    shown: tuple[str, ...] = ()

    @classmethod
    def at(
        cls,
        names: Sequence[str],
        scores: ArrayLike,
        baseline: str,
        level: float = ALPHA,
        shown: Sequence[str] = (),
    ) -> Look:
        """Compare candidates.

        Args:
            names: The candidates.
            scores: Their scores ``(candidates, seeds)``, larger is better.
            baseline: The one that each is compared to.
            level: The level of the tests, from :func:`levels`.
            shown: Those that an earlier look has shown to be better than the baseline: its level was spent for that.
        """
        table = np.asarray(scores, dtype=float)
        means = table.mean(1)
        leader, base = int(means.argmax()), list(names).index(baseline)
        others = [index for index in range(len(names)) if index != base]
        p_values = [sign_flip_p(table[index] - table[base]) for index in others]
        comparisons = {
            names[index]: Comparison(bootstrap_interval(table[index] - table[base]), p, corrected)
            for index, p, corrected in zip(others, p_values, holm(p_values), strict=True)
        }
        against = [sign_flip_p(table[leader] - row) for index, row in enumerate(table) if index != leader]
        return cls(
            tuple(names),
            table,
            baseline,
            level,
            names[leader],
            dict(zip(names, map(bootstrap_interval, table), strict=True)),
            comparisons,
            dict(zip(names, probability_best(table), strict=True)),
            max(against, default=1.0),
            tuple(name for name in shown if name in comparisons),
        )

    @property
    def winner(self) -> str | None:
        """The best one, if it is better than each other candidate; else None.

        It was chosen by the same scores, and yet needs no further correction: the runner-up decides, by a two-sided
        test. (Gutmann and Maymin, Is the Selected Population the Best?, Ann. Statist. 15, 1987; Hung and Fithian, Rank
        Verification for Exponential Families, Ann. Statist. 47, 2019.)
        """
        return self.best if self.p_best <= self.level else None

    @property
    def better_than_baseline(self) -> list[str]:
        """The candidates that are better than the baseline after Holm's correction, now or at an earlier look; best first."""
        found = [name for name, one in self.comparisons.items() if one.difference.mean > 0 and one.p_holm <= self.level]
        return sorted({*found, *self.shown}, key=lambda name: -self.intervals[name].mean)

    @property
    def verdict(self) -> str:
        """What can be said, in words."""
        seeds = f"{self.scores.shape[1]} seeds"
        if self.winner:
            return (
                f"{self.winner} is the best of {len(self.names)}: better than each other one over {seeds} "
                f"(largest p {self.p_best:.2g}, level {self.level:.2g})"
            )
        open_question = "which candidate is the best: no difference that this budget can show"
        if better := self.better_than_baseline:
            verb = "is" if len(better) == 1 else "are"
            return f"{', '.join(better)} {verb} better than the baseline {self.baseline} over {seeds}; {open_question}"
        return f"no difference that this budget can show, over {seeds} (level {self.level:.2g})"
