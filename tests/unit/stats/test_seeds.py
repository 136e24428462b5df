import math

import numpy as np
import pytest
from scipy import stats

from lsbench.stats.seeds import detectable_effect, mean_over_seeds, paired_difference


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


@pytest.mark.parametrize(("freedom", "level"), [(1, 0.05), (2, 0.05), (2.6, 0.01), (19, 0.05)])
def test_a_detectable_effect_is_found_as_often_as_said(freedom, level):
    effect = detectable_effect(0.5, freedom, level=level)
    rng = np.random.default_rng(0)
    errors = 0.5 * np.sqrt(rng.chisquare(freedom, 40_000) / freedom)
    found = rng.normal(effect, 0.5, 40_000) / errors > stats.t.ppf(1 - level / 2, freedom)
    assert found.mean() == pytest.approx(0.8, abs=0.008)  # four standard errors


def test_a_detectable_effect_grows_with_noise_and_power_and_shrinks_with_freedom():
    assert detectable_effect(2.0, 4) == pytest.approx(2 * detectable_effect(1.0, 4))
    assert detectable_effect(1.0, 4, power=0.9) > detectable_effect(1.0, 4)
    found = [detectable_effect(1.0, freedom) for freedom in (1, 2, 5, 50, 1e4, math.inf)]
    assert found == sorted(found, reverse=True)
    # Of images alone the t distribution is the normal one.
    assert found[-1] == pytest.approx(stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
    assert found[-2] == pytest.approx(found[-1], rel=0.001)
