import numpy as np
import pytest

from lsbench.metrics.ece import METRIC
from lsbench.stats.calibration import BINS, calibration_error, reliability


def test_the_error_of_the_bins_is_that_of_the_metric():
    rng = np.random.default_rng(0)
    confidence, is_right = rng.random(400), rng.random(400) < 0.6
    confidence[:BINS] = np.arange(1, BINS + 1) / BINS
    bins = reliability(confidence, is_right)
    assert bins.sum(axis=0) == pytest.approx([400, confidence.sum(), is_right.sum()])
    expected = METRIC.aggregate(np.column_stack([confidence, is_right]))
    assert calibration_error(bins) == pytest.approx(expected)


def test_an_edge_belongs_to_the_bin_below():
    bins = reliability(np.array([3 / 15, 3 / 15 + 1e-9, 1.0]), np.array([True, False, True]))
    assert np.flatnonzero(bins[:, 0]).tolist() == [2, 3, 14]
    assert bins[:, 2].sum() == 2
