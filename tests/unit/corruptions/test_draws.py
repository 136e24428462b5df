import numpy as np
import pytest

from lsbench.corruptions.draws import draw_normal, draw_normal_rows, draw_uniform, skip_pairs
from lsbench.corruptions.random_stream import stream_of


def generators(kept):
    """Two generators at the same place, with or without a normal that waits for the next call."""
    pair = np.random.RandomState(3), np.random.RandomState(3)
    for rng in pair:
        rng.randint(1 << 30, size=611)
        if kept:
            rng.standard_normal()
    return pair


def are_at_the_same_place(rng, other):
    return np.array_equal(rng.standard_normal(3), other.standard_normal(3))


@pytest.mark.parametrize("shape", [(7,), (32, 33)])
def test_uniform_numbers_are_numpys(shape):
    rng, other = generators(kept=False)
    assert np.array_equal(draw_uniform(rng, -1.5, 2.0, shape), other.uniform(-1.5, 2.0, size=shape))
    assert are_at_the_same_place(rng, other)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("shape", [(32, 32), (33, 35)])
def test_normal_numbers_are_numpys(shape, kept):
    rng, other = generators(kept)
    assert np.array_equal(draw_normal(rng, 0.65, 0.3, shape), other.normal(0.65, 0.3, size=shape))
    assert are_at_the_same_place(rng, other)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("shape", [(40, 51), (61, 45)])
@pytest.mark.parametrize("rows", [range(12), range(7, 8), range(13, 27), range(20, 40)])
def test_rows_are_those_of_the_whole_plane_and_the_rest_is_drawn_too(shape, rows, kept):
    rng, other = generators(kept)
    expected = other.normal(0.1, 0.3, size=shape)[rows.start : rows.stop]
    assert np.array_equal(draw_normal_rows(rng, 0.1, 0.3, shape, rows), expected)
    assert are_at_the_same_place(rng, other)


@pytest.mark.parametrize("pairs", [0, 1, 1500])
def test_skipped_pairs_leave_the_stream_where_numpy_leaves_it(pairs):
    rng, other = np.random.RandomState(0), np.random.RandomState(0)
    skip_pairs(stream_of(rng), pairs)
    other.standard_normal(2 * pairs)
    assert np.array_equal(rng.standard_normal(3), other.standard_normal(3))
