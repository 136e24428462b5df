import math

import numpy as np
import pytest

from lsbench.corruptions.poisson import TABLED, fill_poisson, log_gamma, means_of_greys
from lsbench.corruptions.random_stream import stream_of

COUNTS = np.arange(256).astype(np.uint8)


def test_the_log_of_the_gamma_function_is_that_of_the_c_library():
    assert log_gamma(1.0) == log_gamma(2.0) == 0.0
    for x in (3.0, 5.0, 6.0, 7.0, 30.0, 200.0):
        assert log_gamma(x) == pytest.approx(math.lgamma(x), rel=1e-14)


@pytest.mark.parametrize("white", [0.5, 3, 25, 60, 200])
def test_numbers_and_state_are_numpys_for_means_small_and_large(white, generator_at, state_of):
    greys = np.random.RandomState(7).randint(0, 256, 20000).astype(np.uint8)
    theirs, ours = generator_at(3, 5), generator_at(3, 5)
    drawn = np.empty(greys.size, np.uint8)
    means = means_of_greys(white)
    fill_poisson(stream_of(ours), greys, means, COUNTS, drawn)
    assert np.array_equal(drawn, np.minimum(theirs.poisson(means.values[greys]), 255))
    assert state_of(ours) == state_of(theirs)


def test_black_draws_nothing(generator_at, state_of):
    ours = generator_at(4)
    drawn = np.empty(50, np.uint8)
    fill_poisson(stream_of(ours), np.zeros(50, np.uint8), means_of_greys(60), COUNTS, drawn)
    assert not drawn.any()
    assert state_of(ours) == state_of(generator_at(4))


def test_each_mean_has_the_chances_of_its_numbers():
    means = means_of_greys(60)
    assert means.chances.shape == (256, TABLED)
    assert np.allclose(means.chances[means.values >= 10].sum(1), 1, atol=1e-5)
    assert not means.chances[means.values < 10].any()
