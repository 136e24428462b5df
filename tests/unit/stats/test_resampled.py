import numpy as np
import pytest

from lsbench.stats.paired import over_images, over_seeds_and_images
from lsbench.stats.resampled import difference_of_evaluations, draw_images


def mean_of(values):
    """A number that is a mean over images, so that it has a known interval."""
    return lambda weights: float(np.average(values, weights=weights))


@pytest.fixture
def right():
    rng = np.random.default_rng(2)
    first = rng.random(300) < 0.7
    second = np.where(rng.random(300) < 0.8, first, rng.random(300) < 0.5)
    return first, second


def test_a_mean_over_images_has_the_interval_of_its_own_bootstrap(right):
    first, second = right
    found = difference_of_evaluations([(mean_of(first), mean_of(second))], 300)
    known = over_images(first.astype(np.int8) - second.astype(np.int8))
    assert found.value == pytest.approx(known.value)
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=0.01)
    assert found.error == pytest.approx(known.error, rel=0.1)
    assert (found.seeds, found.images) == (1, 300)
    assert difference_of_evaluations([(mean_of(first), mean_of(second))], 300) == found, (
        "drawn alike each time"
    )


def test_the_p_value_tells_a_difference_from_none(right):
    first, second = right
    better = np.where(np.arange(300) % 5 == 0, True, second)
    assert difference_of_evaluations([(mean_of(better), mean_of(second))], 300).p_value < 0.01
    same = difference_of_evaluations([(mean_of(first), mean_of(first))], 300)
    assert (same.value, same.low, same.high, same.p_value) == (0, 0, 0, 1)


def test_seeds_and_images_are_crossed_as_for_means(right):
    """A number that is a mean has the interval of the analysis of variance."""
    rng = np.random.default_rng(4)
    first = np.stack([np.where(rng.random(300) < 0.85, right[0], rng.random(300) < 0.6) for _ in range(4)])
    second = np.stack([np.where(rng.random(300) < 0.85, right[1], rng.random(300) < 0.5) for _ in range(4)])
    for seeds in (2, 3, 4):
        pairs = [(mean_of(first[seed]), mean_of(second[seed])) for seed in range(seeds)]
        found = difference_of_evaluations(pairs, 300)
        known = over_seeds_and_images(first[:seeds].astype(np.int8) - second[:seeds].astype(np.int8))
        assert found.value == pytest.approx(known.value)
        assert found.error == pytest.approx(known.error, rel=0.1)
        assert found.freedom == pytest.approx(known.freedom, rel=0.25)
        assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=0.015)
        assert (found.seeds, found.images) == (seeds, 300)


def test_models_that_never_differ_have_no_spread(right):
    first, _ = right
    alike = difference_of_evaluations([(mean_of(first), mean_of(first))] * 3, 300)
    assert (alike.low, alike.high, alike.p_value) == (0, 0, 1)
    offsets = [(lambda w, o=o: 0.3 + o, lambda w: 0.3) for o in (0.0, 0.1, 0.2)]
    seeds_alone = difference_of_evaluations(offsets, 300)
    assert seeds_alone.freedom == pytest.approx(2)
    assert seeds_alone.error == pytest.approx(0.1 / np.sqrt(3))


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng, covered = np.random.default_rng(0), 0
    for _ in range(200):
        values = rng.normal(0.3, 1, (2, 80))
        values[0] += 0.2
        found = difference_of_evaluations([(mean_of(values[0]), mean_of(values[1]))], 80, resamples=200)
        covered += found.low <= 0.2 <= found.high
    assert 0.89 < covered / 200 < 0.99


def test_choices_hold_every_image_once_on_average():
    chosen = draw_images(50, 400)
    assert chosen.shape == (400, 50)
    assert (chosen.sum(axis=1) == 50).all()
    assert chosen.mean(axis=0) == pytest.approx(np.ones(50), abs=0.25)


def test_unknown_numbers_are_refused():
    with pytest.raises(ValueError, match="expected numbers over all images"):
        difference_of_evaluations([(lambda weights: np.nan, lambda weights: 0.0)], 3)
    with pytest.raises(ValueError, match="expected numbers over all images"):
        difference_of_evaluations([], 3)
