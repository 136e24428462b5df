import math

import pytest

from lsbench.core.interval_text import estimate_text, possible
from lsbench.core.quantity import quantity

TOP1, RATE, LATENCY = quantity("top1"), quantity("throughput"), quantity("latency_ms")


@pytest.mark.parametrize(
    ("shown", "value", "low", "high", "text"),
    [
        (RATE, 815, 581, 841, "815 [581, 841]"),
        (LATENCY, 7.22, 6.56, 11.34, "7.22 [6.56, 11.34]"),
        (LATENCY, 7.22, 7.0, 7.4401, "7.22 ± 0.22"),
        (LATENCY, 7.22, 7.0, 7.4461, "7.22 [7.00, 7.45]"),
        (LATENCY, 7.22, 7.2199, 7.2202, "7.22 ± 0.00"),
        (TOP1, 0.35, -1.54, 2.24, "35.00 [0.00, 100.00]"),
        (TOP1, 0.985, 0.955, 1.015, "98.50 [95.50, 100.00]"),
        (TOP1, 0.5, -0.5, 1.5, "50.00 ± 50.00"),
        (quantity("train_loss"), 2.0, -1.0, 5.0, "2.0000 ± 3.0000"),
        (quantity("mce"), 1.2, 0.9, 1.5, "120.00 ± 30.00"),
    ],
)
def test_plus_minus_stands_only_for_two_equal_halves(shown, value, low, high, text):
    assert estimate_text(shown, value, low, high) == text


def test_rounding_of_a_symmetric_interval_is_no_asymmetry():
    for half in (0.00125, 0.00135, 0.00145, 0.12345, 0.00005):
        for value in (0.3, 0.6, 0.7):
            assert "±" in estimate_text(TOP1, value, value - half, value + half)


def test_no_interval_is_the_value_alone():
    assert estimate_text(TOP1, 0.5, None, None) == "50.00"


def test_only_shares_have_bounds_and_differences_of_shares_wider_ones():
    assert possible(TOP1, 0.5, -1.0, 2.0) == (0.0, 1.0)
    assert possible(TOP1, -0.02, -2.7, 2.6, is_difference=True) == (-1.0, 1.0)
    assert possible(RATE, 0.5, -1.0, 2.0) == (-1.0, 2.0)
    assert possible(TOP1, 1.5, 1.4, 1.6) == (1.4, 1.6), "an impossible value stays inside its interval"
    low, high = possible(TOP1, 0.5, math.nan, 0.6)
    assert math.isnan(low)
    assert high == 0.6
