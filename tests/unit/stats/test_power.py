import math

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from lsbench.stats.paired import Difference, over_seeds, over_seeds_and_images
from lsbench.stats.power import FEWEST_SEEDS, POWER, power_of_t_test, seeds_to_detect

SPREAD = over_seeds([0.0, 1.0, 2.0])  # a standard deviation of 1


@pytest.mark.parametrize("effect", [0.05, 0.2, 0.33, 0.7, 1.0, 1.4, 2.0])
@pytest.mark.parametrize("level", [0.05, 0.01])
def test_the_number_of_seeds_is_that_of_statsmodels(effect, level):
    expected = math.ceil(TTestPower().solve_power(effect_size=effect, alpha=level, power=POWER))
    assert seeds_to_detect(effect, SPREAD, level=level) == expected
    assert seeds_to_detect(-effect, SPREAD, level=level) == expected


@pytest.mark.parametrize("seeds", [3, 5, 30, 1000])
def test_the_power_is_that_of_statsmodels(seeds):
    for effect in (0.001, 0.1, 0.5, 1.0):
        expected = TTestPower().power(effect, seeds, 0.05)
        assert power_of_t_test(effect, 1 / math.sqrt(seeds), seeds - 1) == pytest.approx(expected, abs=1e-6)


def test_a_huge_difference_is_always_found_and_never_by_less_than_three_seeds():
    assert all(
        power_of_t_test(shift, 1.0, freedom) > 0.99 for shift in (20, 50, 1e3) for freedom in (2, 10, 1e6)
    )
    assert seeds_to_detect(1e6, SPREAD) == FEWEST_SEEDS


def test_more_seeds_do_not_help_where_the_images_are_too_few():
    rng = np.random.default_rng(0)
    hard = rng.random(200)
    images = np.stack([(rng.random(200) < hard).astype(np.int8) - (hard > 0.5) for _ in range(4)]).astype(
        np.int8
    )
    found = over_seeds_and_images(images)
    of_images = found.error**2 * (1 - 3 / found.freedom)
    assert seeds_to_detect(1.5 * math.sqrt(of_images), found) is None, "below what the images alone allow"
    enough = seeds_to_detect(4 * math.sqrt(of_images), found)
    assert enough is not None
    larger = seeds_to_detect(6 * math.sqrt(of_images), found)
    assert FEWEST_SEEDS <= larger <= enough


def test_the_present_seeds_have_the_present_power():
    rng = np.random.default_rng(1)
    images = rng.integers(-1, 2, size=(5, 300)).astype(np.int8)
    found = over_seeds_and_images(images)
    effects = np.linspace(0.01, 0.4, 40)
    for effect in effects:
        is_enough = power_of_t_test(effect, found.error, found.freedom) >= POWER
        needed = seeds_to_detect(effect, found)
        assert (needed is not None and needed <= 5) == is_enough


def test_without_a_spread_no_number_is_said():
    assert seeds_to_detect(0.1, over_seeds([0.1])) is None
    assert seeds_to_detect(0.1, over_seeds([0.0, 0.0, 0.0])) is None
    assert seeds_to_detect(0.0, SPREAD) is None
    assert seeds_to_detect(0.1, Difference(0.1, 0.0, 0.2, 0.04, 0.05, math.inf, 1, 900)) is None
