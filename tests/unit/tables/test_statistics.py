import math

import numpy as np
import pytest
from scipy import stats

from lsbench.tables.statistics import (
    detectable_difference,
    mean_over_seeds,
    paired_difference,
    pooled_deviation,
    seeds_needed,
)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_the_interval_of_a_mean_is_scipys(n):
    values = np.random.default_rng(n).normal(0.7, 0.05, n)
    found = mean_over_seeds(list(values))
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.value, found.n) == (pytest.approx(values.mean()), n)
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_one_value_has_no_interval_and_none_no_mean():
    found = mean_over_seeds([0.5])
    assert (found.value, found.low, found.high, found.half_width, found.n) == (0.5, None, None, None, 1)
    assert not found.excludes_zero
    with pytest.raises(ValueError, match="no value"):
        mean_over_seeds([])


def test_differences_are_paired_by_seed_and_not_by_order():
    base = {2: 0.70, 0: 0.50, 1: 0.60, 9: 0.1}
    better = {0: 0.52, 1: 0.61, 2: 0.73, 8: 0.9}
    found = paired_difference(better, base)
    expected = stats.ttest_rel([0.52, 0.61, 0.73], [0.50, 0.60, 0.70]).confidence_interval(0.95)
    assert found.n == 3
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    unpaired = stats.ttest_ind([0.52, 0.61, 0.73], [0.50, 0.60, 0.70]).confidence_interval(0.95)
    assert found.half_width < (unpaired.high - unpaired.low) / 2


def test_no_shared_seed_gives_no_difference():
    assert paired_difference({0: 1.0}, {1: 1.0}) is None
    assert paired_difference({}, {}) is None


def test_an_interval_excludes_zero_exactly_when_the_test_rejects():
    rng = np.random.default_rng(0)
    verdicts = set()
    for shift in (0.0, 0.5, 1.0, 2.0):
        x = rng.normal(shift, 1, 6)
        told = mean_over_seeds(list(x)).excludes_zero
        assert told == (stats.ttest_1samp(x, 0).pvalue < 0.05)
        verdicts.add(told)
    assert verdicts == {True, False}


def test_the_pooled_deviation_is_the_root_of_the_within_group_mean_square():
    groups = [[1.0, 2.0, 4.0], [10.0, 10.5], [7.0]]
    squares = 2 * np.var(groups[0], ddof=1) + 1 * np.var(groups[1], ddof=1)
    assert pooled_deviation(groups) == pytest.approx(math.sqrt(squares / 3))
    assert pooled_deviation([[1.0], []]) is None


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_a_detectable_difference_is_found_as_often_as_said(n):
    difference = detectable_difference(2.0, n)
    draws = np.random.default_rng(n).normal(difference, 2.0, (20_000, n))
    found = (stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05).mean()
    assert found == pytest.approx(0.8, abs=0.012)  # four standard errors of 20,000 draws


def test_a_detectable_difference_grows_with_noise_and_power_and_shrinks_with_seeds():
    assert detectable_difference(2.0, 5) == pytest.approx(2 * detectable_difference(1.0, 5))
    assert detectable_difference(1.0, 5, power=0.9) > detectable_difference(1.0, 5)
    found = [detectable_difference(1.0, n) for n in range(2, 40)]
    assert found == sorted(found, reverse=True)
    # For many seeds the t distribution is the normal one: (z_0.975 + z_0.8) * sd / sqrt(n).
    normal = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) / math.sqrt(1000)
    assert detectable_difference(1.0, 1000) == pytest.approx(normal, rel=0.005)


@pytest.mark.parametrize("deviation", [0.001, 0.005, 0.01, 0.03])
def test_seeds_needed_is_the_first_number_that_suffices(deviation):
    n = seeds_needed(deviation, 0.01)
    assert detectable_difference(deviation, n) <= 0.01
    assert n == 2 or detectable_difference(deviation, n - 1) > 0.01


def test_more_noise_needs_more_seeds_up_to_the_point_of_giving_up():
    found = [seeds_needed(deviation, 0.01) for deviation in (0.002, 0.01, 0.02, 0.05)]
    assert found == sorted(found)
    assert len(set(found)) > 2
    assert seeds_needed(0.05, 0.01, most=10) is None
    assert seeds_needed(5.0, 0.01) is None
