import math

import numpy as np
import pytest
from scipy import stats

from lightning_acts.studies.statistics import (
    Look,
    bootstrap_interval,
    holm,
    levels,
    probability_best,
    sign_flip_p,
    smallest_p,
)

# Darwin's plants: cross-fertilized minus self-fertilized, in eighths of an inch (Fisher 1935, section 17).
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


def test_p_of_darwins_plants_is_that_of_fisher() -> None:
    # Fisher counted: 863 of 32,768 choices of signs have a sum as large, so 1,726 on both sides.
    assert sign_flip_p(DARWIN) == 1726 / 32768


@pytest.mark.parametrize("count", [2, 3, 8, 12])
def test_p_is_that_of_scipy(count: int) -> None:
    sample = np.random.default_rng(count).normal(0.4, 1, count).round(1)
    expected = stats.permutation_test(
        (sample,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True
    ).pvalue
    assert sign_flip_p(sample) == sign_flip_p(-sample) == pytest.approx(expected)


def test_p_of_many_pairs_is_drawn_and_close_to_students() -> None:
    sample = np.random.default_rng(0).normal(0.3, 1, 60)
    assert sign_flip_p(sample) == pytest.approx(stats.ttest_1samp(sample, 0).pvalue, abs=0.005)


def test_p_of_no_difference_is_one() -> None:
    assert sign_flip_p([0.0] * 6) == 1


@pytest.mark.parametrize("pairs", [2, 5, 10, 20, 40])
def test_the_smallest_p_is_reached(pairs: int) -> None:
    assert sign_flip_p(np.arange(1, pairs + 1)) == smallest_p(pairs)
    if pairs <= 20:  # that of a signed-rank test is the same
        assert stats.wilcoxon(np.arange(1, pairs + 1), method="exact").pvalue == smallest_p(pairs)


def test_holm_gives_the_published_example() -> None:
    # https://en.wikipedia.org/wiki/Holm%E2%80%93Bonferroni_method, "Example": at 0.05 the fourth and first are rejected.
    adjusted = holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert [value <= 0.05 for value in adjusted] == [True, False, False, True]
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_interval_is_that_of_scipy_and_of_student() -> None:
    sample = np.random.default_rng(0).normal(3, 2, 200)
    found = bootstrap_interval(sample)
    student = stats.t.interval(0.95, len(sample) - 1, sample.mean(), stats.sem(sample))
    assert (found.mean, found.low, found.high) == pytest.approx((sample.mean(), *student), abs=0.03)


def test_intervals_of_few_or_equal_values_are_defined() -> None:
    one = bootstrap_interval([2.0])
    assert one.mean == 2
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    two = bootstrap_interval([0.0, 1.0])
    assert 0 <= two.low <= 0.5 <= two.high <= 1
    almost = bootstrap_interval([1.0] * 9 + [1.0 + 1e-12])
    assert almost.low <= almost.high


def test_probability_of_being_the_best() -> None:
    assert probability_best([[1, 1, 1], [0, 0, 0]]) == [1, 0]
    assert probability_best([[0.1, 0.7, 0.3]] * 3) == pytest.approx([1 / 3] * 3)
    # One seed of two decides: the second is best unless the first seed is drawn twice.
    first, second = probability_best([[0, 1], [0.5, 1.6]])
    assert (first, second) == (0, 1)
    first, second = probability_best([[1.0, 0.0], [0.0, 2.0]])
    assert first == pytest.approx(0.25, abs=0.02)


def test_levels_sum_to_alpha() -> None:
    assert levels([10]) == pytest.approx([0.05])
    spent = levels([10, 14, 17, 20])
    assert sum(spent) == pytest.approx(0.05)
    # Lan and DeMets' second function at t = 1/2.
    assert spent[0] == pytest.approx(0.05 * math.log(1 + (math.e - 1) / 2))


def study(rng: np.random.Generator, shift: float, looks: list[int], candidates: int = 4) -> str | None:
    """A simulated study: skewed scores, common to all candidates but for noise; returns the winner, if there is one."""
    common = rng.exponential(1, looks[-1])
    scores = common + 0.3 * rng.standard_t(3, (candidates, looks[-1]))
    scores[1] += shift
    names = [f"a{index}" for index in range(candidates)]
    for look, level in zip(looks, levels(looks), strict=True):
        # Only what decides: intervals would take the time.
        table = scores[:, :look]
        best = int(table.mean(1).argmax())
        p = max(sign_flip_p(table[best] - row) for index, row in enumerate(table) if index != best)
        if p <= level:
            return names[best]
    return None


@pytest.mark.parametrize("candidates", [2, 4])
def test_equal_candidates_win_no_more_often_than_allowed(candidates: int) -> None:
    rng = np.random.default_rng(0)
    studies = 300
    wins = sum(study(rng, 0, [8, 10, 12], candidates) is not None for _ in range(studies))
    assert wins <= stats.binom.ppf(0.999, studies, 0.05)


def test_looking_without_paying_would_give_more_false_winners() -> None:
    rng = np.random.default_rng(0)
    false = 0
    for _ in range(300):
        sample = rng.normal(size=14)
        false += any(sign_flip_p(sample[:look]) <= 0.05 for look in range(6, 15))
    assert false > stats.binom.ppf(0.999, 300, 0.05)


def test_a_better_candidate_is_found() -> None:
    rng = np.random.default_rng(0)
    assert sum(study(rng, 1.5, [8, 10, 12]) == "a1" for _ in range(20)) >= 18


def test_a_look_compares_with_the_baseline_and_names_the_winner() -> None:
    rng = np.random.default_rng(1)
    common = rng.normal(size=10)
    scores = common + 0.01 * rng.normal(size=(3, 10))
    scores[2] += 1
    look = Look.at(["relu", "mish", "silu"], scores, "relu", 0.05)
    assert look.best == look.winner == "silu"
    assert set(look.comparisons) == {"mish", "silu"}
    assert look.comparisons["silu"].p == smallest_p(10)
    assert look.comparisons["silu"].p_holm == 2 * smallest_p(10)
    # The seeds' own differences, a hundred times larger, are not in the paired one.
    assert look.comparisons["silu"].difference.high - look.comparisons["silu"].difference.low < 0.03
    assert look.verdict.startswith("silu is the best of 3")
    assert look.better_than_baseline == ["silu"]


def test_two_alike_ones_can_both_be_better_than_the_baseline() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(size=10) + 0.1 * rng.normal(size=(3, 10))
    scores[1:] += 1
    look = Look.at(["relu", "mish", "silu"], scores, "relu")
    assert look.winner is None
    assert look.better_than_baseline[0] == look.best
    assert "are better than the baseline relu" in look.verdict
    assert "no difference that this budget can show" in look.verdict


def test_a_difference_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        sign_flip_p([1.0, np.nan, 2.0])


def test_what_an_earlier_look_has_shown_is_not_withdrawn() -> None:
    scores = np.random.default_rng(0).normal(size=(3, 5))
    look = Look.at(["a", "b", "c"], scores, "a", 0.01, ["b", "gone"])
    assert look.better_than_baseline == ["b"]
    assert look.verdict.startswith("b is better than the baseline a over 5 seeds")


def test_where_nothing_can_be_shown_the_verdict_says_so() -> None:
    scores = np.random.default_rng(0).normal(size=(3, 5))
    look = Look.at(["a", "b", "c"], scores, "a")
    assert look.winner is None
    assert look.verdict.startswith("no difference that this budget can show")
    assert sum(look.probabilities.values()) == pytest.approx(1)
