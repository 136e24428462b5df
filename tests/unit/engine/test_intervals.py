import numpy as np
import pytest
from scipy import stats

from lsbench.engine.intervals import interval_of


@pytest.mark.parametrize(("right", "n"), [(0, 20), (7, 20), (20, 20), (713, 1000)])
def test_a_share_has_wilsons_interval_written_by_hand(right, n):
    found = interval_of(np.arange(n) < right)
    z, p = stats.norm.ppf(0.975), right / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    expected = (max(0.0, middle - half), min(1.0, middle + half))
    assert (found["ci_low"], found["ci_high"]) == pytest.approx(expected, abs=1e-12)
    assert found["ci_method"] == "wilson 95%, over images"


@pytest.mark.parametrize("n", [1, 2, 3, 10, 97, 1000, 10_000, 50_000])
def test_the_interval_of_a_share_is_scipys_to_the_last_bit(n):
    for right in sorted({0, 1, n // 7, n // 3, n // 2, n - 1, n}):
        found = interval_of(np.arange(n) < right)
        expected = stats.binomtest(right, n).proportion_ci(method="wilson")
        assert (found["ci_low"], found["ci_high"]) == (expected.low, expected.high), right


def test_no_images_are_told_as_such():
    with pytest.raises(ValueError, match="no images"):
        interval_of(np.zeros(0, dtype=bool))


def test_a_mean_has_the_normal_interval():
    values = np.random.default_rng(0).normal(size=50)
    found = interval_of(values)
    low, high = stats.norm.interval(0.95, loc=values.mean(), scale=stats.sem(values))
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((low, high), abs=1e-6)
    assert found["ci_method"] == "normal 95%, over images"


@pytest.mark.parametrize("values", [[0.5], [1.0, 1.0, 1.0]])
def test_numbers_that_show_no_spread_have_no_interval(values):
    assert interval_of(np.array(values)) == {}
