import numpy as np
import pytest

from lsbench.stats.corrupted import mean_performance, relative_performance

WANTED = [(name, severity) for name in ("fog", "snow") for severity in (1, 2, 3)]


def test_the_mean_is_over_severities_and_corruptions_by_hand():
    values = dict(zip(WANTED, [0.6, 0.3, 0.0, 0.9, 0.6, 0.3], strict=True))
    mean = mean_performance(values, WANTED)
    assert mean == pytest.approx(((0.6 + 0.3 + 0.0) / 3 + (0.9 + 0.6 + 0.3) / 3) / 2)
    assert relative_performance(mean, 0.9) == pytest.approx(0.5)


@pytest.mark.parametrize("missing", WANTED)
def test_a_mean_over_an_incomplete_set_is_withheld(missing):
    values = dict.fromkeys(WANTED, 0.5)
    assert mean_performance({**values, missing: None}, WANTED) is None
    del values[missing]
    assert mean_performance(values, WANTED) is None
    assert relative_performance(None, 0.5) is None


def test_nothing_is_divided_by_a_clean_performance_of_zero_or_none():
    assert relative_performance(0.1, 0.0) is None
    assert relative_performance(0.1, None) is None


def test_values_over_resampled_images_are_averaged_resample_by_resample():
    drawn = {condition: np.array([place, place + 1.0]) for place, condition in enumerate(WANTED)}
    mean = mean_performance(drawn, WANTED)
    np.testing.assert_allclose(mean, [2.5, 3.5])
    np.testing.assert_allclose(relative_performance(mean, np.array([5.0, 7.0])), [0.5, 0.5])
