import math

import numpy as np
import pytest
from scipy import stats

from lsbench.timing.quantiles import quantile_intervals, relative_noise, samples_needed


def drifting(rng, size, memory):
    """Return samples around 10 of which each remembers a share of the one before."""
    noise, found = rng.normal(size=size), np.empty(size)
    found[0] = noise[0]
    for i in range(1, size):
        found[i] = memory * found[i - 1] + noise[i] * math.sqrt(1 - memory**2)
    return 10 + found


@pytest.mark.parametrize(("memory", "least"), [(0.0, 0.88), (0.8, 0.80)])
def test_the_interval_of_the_median_covers_about_as_often_as_said_even_when_samples_depend(memory, least):
    rng = np.random.default_rng(1)
    intervals = [quantile_intervals(drifting(rng, 400, memory), [0.5], resamples=200)[0] for _ in range(80)]
    assert np.mean([low <= 10 <= high for low, high in intervals]) >= least


def test_intervals_that_took_dependent_samples_for_independent_would_be_far_too_narrow():
    samples = drifting(np.random.default_rng(2), 400, 0.9)
    [(low, high)] = quantile_intervals(samples, [0.5])
    naive = stats.bootstrap(
        (samples,), np.median, n_resamples=500, rng=np.random.default_rng(0), method="percentile"
    )
    assert high - low > 1.5 * (naive.confidence_interval.high - naive.confidence_interval.low)


def test_independent_samples_have_about_the_interval_that_scipy_finds():
    samples = np.random.default_rng(3).exponential(size=2000)
    intervals = quantile_intervals(samples, [0.5, 0.9])
    for share, (low, high) in zip((0.5, 0.9), intervals, strict=True):
        found = stats.bootstrap(
            (samples,),
            lambda x, axis, q=share: np.quantile(x, q, axis=axis),
            n_resamples=1000,
            rng=np.random.default_rng(0),
            method="percentile",
        ).confidence_interval
        assert high - low == pytest.approx(found.high - found.low, rel=0.35)
        assert low < np.quantile(samples, share) < high


def test_the_same_samples_give_the_same_interval_and_it_scales_with_them():
    samples = np.random.default_rng(0).normal(10, 1, 50)
    first = quantile_intervals(samples, [0.5])
    assert quantile_intervals(samples, [0.5]) == first
    assert quantile_intervals(samples * 1e3, [0.5])[0] == pytest.approx([1e3 * edge for edge in first[0]])


def test_the_noise_shrinks_with_more_samples_and_is_unbounded_with_too_few():
    samples = np.random.default_rng(0).normal(10, 1, 4000)
    assert relative_noise(samples) < relative_noise(samples[:100]) < 0.1
    assert relative_noise(samples[:5]) == math.inf


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_the_largest_of_enough_samples_lies_above_the_quantile(share):
    needed = samples_needed(share)
    assert share**needed <= 0.025 < share ** (needed - 1)
