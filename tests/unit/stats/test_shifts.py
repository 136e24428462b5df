"""The tests of the gate beside brute force, scipy and simulation."""

import itertools
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from lsbench.stats.shifts import (
    Evidence,
    Spread,
    compare_images,
    compare_resamples,
    compare_seeds,
    compare_timings,
    hodges_lehmann,
    pool_spread,
    stretch_medians,
)


def exact_tail(lost, differing):
    """The chance of at least `lost` heads in `differing` tosses, as a fraction."""
    return Fraction(sum(comb(differing, k) for k in range(lost, differing + 1)), 2**differing)


@pytest.mark.parametrize(("lost", "gained"), [(0, 1), (1, 0), (5, 0), (9, 3), (3, 9), (40, 25), (500, 500)])
def test_images_are_tested_as_an_exact_sum_over_all_outcomes(lost, gained):
    found = compare_images(lost, gained, 10_000, alpha=0.01)
    assert found.p_worse == pytest.approx(float(exact_tail(lost, lost + gained)))
    assert found.p_better == pytest.approx(float(exact_tail(gained, lost + gained)))
    assert found.worsening == pytest.approx((lost - gained) / 10_000)
    assert found.low <= found.worsening <= found.high


def test_the_test_of_images_is_that_of_all_relabelled_pairs():
    """Permutation by hand: if nothing changed, the two models' answers on an image could be swapped."""
    was = np.array([1, 1, 1, 1, 0, 1, 0, 1], dtype=bool)
    now = np.array([0, 0, 0, 1, 1, 0, 0, 1], dtype=bool)
    seen = was.sum() - now.sum()
    swaps = itertools.product([False, True], repeat=len(was))
    losses = [
        np.where(swap, now, was).sum() - np.where(swap, was, now).sum() for swap in map(np.array, swaps)
    ]
    found = compare_images(int((was & ~now).sum()), int((~was & now).sum()), len(was), alpha=0.05)
    assert found.p_worse == pytest.approx(np.mean(np.array(losses) >= seen))


def test_the_interval_of_images_ends_where_the_test_would_turn():
    """Clopper-Pearson: at each end the tail of the share has just the probability that is left out."""
    found = compare_images(30, 12, 1000, alpha=0.01)
    for end, tail in (
        (found.low, lambda p: stats.binom.sf(29, 42, p)),
        (found.high, lambda p: stats.binom.cdf(30, 42, p)),
    ):
        share = (end * 1000 / 42 + 1) / 2
        assert tail(share) == pytest.approx(0.01, rel=1e-6)


def test_alike_images_are_no_change_at_all():
    assert compare_images(0, 0, 10_000, alpha=0.01) == Evidence(0.0, 0.0, 0.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="at most 5 images that differ, found 6"):
        compare_images(4, 2, 5, alpha=0.01)


def test_a_hundred_lost_of_ten_thousand_are_beyond_doubt():
    assert compare_images(100, 0, 10_000, alpha=0.01).p_worse < 1e-29


def by_pairs(before, after):
    """Mann-Whitney by counting over all ways to split the pooled samples."""
    pooled = np.concatenate([before, after])
    size = len(after)

    def statistic(index):
        mine, others = pooled[list(index)], np.delete(pooled, list(index))
        return (mine[:, None] > others).sum() + 0.5 * (mine[:, None] == others).sum()

    seen = statistic(range(len(before), len(pooled)))
    found = [statistic(index) for index in itertools.combinations(range(len(pooled)), size)]
    return np.mean(np.array(found) >= seen)


def test_timings_are_tested_as_all_ways_to_split_them():
    rng = np.random.default_rng(0)
    before, after = rng.lognormal(0, 0.05, 6), rng.lognormal(0.05, 0.05, 6)
    found = compare_timings(before, after, alpha=0.05)
    assert found.p_worse == pytest.approx(by_pairs(before, after))
    assert found.p_better == pytest.approx(by_pairs(-before, -after))


def test_a_planted_slowdown_is_estimated_and_its_interval_holds_it():
    rng = np.random.default_rng(1)
    hits, estimates = 0, []
    for _ in range(200):
        before, after = rng.lognormal(0, 0.02, 320), 1.05 * rng.lognormal(0, 0.02, 320)
        found = compare_timings(before, after, alpha=0.05)
        estimates.append(found.worsening)
        hits += found.low <= 0.05 <= found.high
    assert np.mean(estimates) == pytest.approx(0.05, abs=0.001)
    assert 165 <= hits <= 195, "a two-sided 90 % interval"


def test_the_shift_and_its_interval_are_ranks_of_all_differences():
    before, after = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), np.array([11.0, 12.5, 13.0, 14.0, 15.0, 16.0])
    shift, low, high = hodges_lehmann(before, after, alpha=0.05)
    differences = sorted(y - x for x in before for y in after)
    assert shift == pytest.approx(np.median(differences))
    assert low in differences
    assert high in differences
    assert stats.mannwhitneyu(after - low, before, alternative="greater").pvalue <= 0.1
    assert stats.mannwhitneyu(after - (low - 0.6), before, alternative="greater").pvalue <= 0.05


def neighbours_alike(rng, count, alike=0.9):
    """Ratios of which each resembles the one before it, as timings do."""
    return np.exp(0.02 * lfilter([1.0], [1.0, -alike], rng.normal(size=count)))


def test_samples_that_resemble_their_neighbours_raise_no_alarm():
    rng = np.random.default_rng(2)
    one_by_one = in_stretches = 0
    for _ in range(200):
        first, second = neighbours_alike(rng, 640), neighbours_alike(rng, 640)
        one_by_one += stats.mannwhitneyu(second, first, alternative="greater").pvalue <= 0.05
        in_stretches += compare_timings(first, second, alpha=0.05).p_worse <= 0.05
    assert one_by_one > 50, "samples taken for independent: an alarm in every third comparison"
    assert in_stretches <= 24


def test_stretches_are_as_equal_as_they_can_be():
    assert len(stretch_medians(np.arange(960.0))) == 32
    assert len(stretch_medians(np.arange(10.0))) == 10


def test_too_few_samples_say_nothing():
    assert compare_timings(np.ones(5), np.ones(50), alpha=0.01) is None
    assert compare_timings(np.ones(50), np.ones(5), alpha=0.01) is None


def test_seeds_are_tested_as_two_samples_of_equal_scatter():
    before, after = [0.30, 0.32, 0.31], [0.34, 0.33, 0.36]
    found = compare_seeds(before, after, pool_spread([before, after]), alpha=0.05)
    independent = stats.ttest_ind(after, before, alternative="greater")
    assert found.p_worse == pytest.approx(independent.pvalue)
    interval = stats.ttest_ind(after, before).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_rows_that_are_not_tested_lend_their_scatter():
    groups = [[1.0, 3.0], [10.0, 14.0], [7.0]]
    assert pool_spread(groups) == Spread(pytest.approx(np.sqrt((2 + 8) / 2)), 2)
    assert pool_spread([[1.0], [2.0]]) is None
    assert pool_spread([[1.0, 1.0], [2.0, 2.0]]) is None


def test_the_power_of_seeds_is_how_often_a_loss_is_found():
    spread = Spread(0.01, 4)
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(4000):
        before, after = rng.normal(0, 0.01, 3), rng.normal(0.03, 0.01, 3)
        pooled = pool_spread([before, after])
        evidence = compare_seeds(before, after, pooled, alpha=0.05)
        found += evidence.p_worse <= 0.05 and evidence.worsening >= 0.005
    assert spread.power(0.03, 3, 3, alpha=0.05, min_effect=0.005) == pytest.approx(found / 4000, abs=0.03)
    smallest = spread.detectable(3, alpha=0.05, min_effect=0.005, power=0.8)
    assert spread.power(smallest, 3, 3, alpha=0.05, min_effect=0.005) == pytest.approx(0.8, abs=1e-6)


def test_a_loss_over_resamples_has_their_quantiles_and_shares():
    resampled = np.append(np.linspace(-0.1, 0.9, 999), np.nan)
    found = compare_resamples(0.4, resampled, alpha=0.05)
    assert (found.worsening, found.low, found.high) == pytest.approx((0.4, -0.05, 0.85), abs=1e-9)
    assert found.p_worse == pytest.approx((1 + np.sum(resampled <= 0)) / 1000)
    assert found.p_better == pytest.approx((1 + np.sum(resampled >= 0)) / 1000)
    with pytest.raises(ValueError, match="found none"):
        compare_resamples(0.4, np.full(3, np.nan), alpha=0.05)
