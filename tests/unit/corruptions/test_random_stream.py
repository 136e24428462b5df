import gc

import numpy as np
import pytest

from lsbench.corruptions import random_stream
from lsbench.corruptions.random_stream import (
    fill_below,
    fill_doubles,
    fill_pairs,
    fill_points,
    fill_words,
    leading_normals,
    normals,
    polar_scale,
    stream_of,
)

#: Where a generator may stand: words drawn (at, before and after the end of a block) and normals.
PLACES = [(0, 0), (1, 0), (623, 1), (624, 0), (622, 3), (700, 1)]
COUNTS = [0, 1, 2, 3, 5, 1000, 2049, 5001]


@pytest.fixture(params=PLACES, ids=str)
def pair(request, generator_at):
    """Two generators at the same place: numpy's own draws, and one whose memory is drawn from."""
    return generator_at(5, *request.param), generator_at(5, *request.param)


def test_words_and_doubles_are_numpys(pair, state_of):
    theirs, ours = pair
    for count in COUNTS:
        words, doubles = np.empty(count, np.uint32), np.empty(count)
        fill_words(stream_of(ours), words)
        fill_doubles(stream_of(ours), doubles)
        assert np.array_equal(words, theirs.randint(2**32, size=count, dtype=np.uint32))
        assert np.array_equal(doubles, theirs.random_sample(count))
        assert state_of(ours) == state_of(theirs)


def test_normals_are_numpys_and_so_is_the_one_that_is_kept(pair, state_of):
    theirs, ours = pair
    for count in COUNTS:
        assert np.array_equal(normals(ours, count), theirs.standard_normal(count))
        assert state_of(ours) == state_of(theirs)


@pytest.mark.parametrize("bound", [1, 2, 3, 6, 8, 100, 2**20 + 1])
def test_integers_are_numpys(pair, bound, state_of):
    theirs, ours = pair
    for count in COUNTS:
        drawn = np.empty(count, np.int64)
        fill_below(stream_of(ours), bound, drawn)
        assert np.array_equal(drawn, theirs.randint(bound, size=count))
        assert state_of(ours) == state_of(theirs)


def test_points_make_the_normals_that_follow_the_leading_ones(generator_at):
    theirs, ours = generator_at(1, 0, 1), generator_at(1, 0, 1)
    expected = theirs.standard_normal(7)
    leading = leading_normals(ours, stream_of(ours), 7)
    assert leading.tolist() == expected[:1].tolist()
    x, y, squares = (np.empty(3) for _ in range(3))
    fill_points(stream_of(ours), x, y, squares)
    assert np.array_equal(squares, x * x + y * y)
    scales = np.array([polar_scale(square) for square in squares])
    assert np.array_equal(np.stack([scales * y, scales * x], 1).ravel(), expected[1:])


def test_pairs_fill_what_is_asked_for(generator_at):
    theirs, ours = generator_at(2), generator_at(2)
    drawn = np.full(12, 7.0)
    fill_pairs(stream_of(ours), drawn[2:10])
    assert np.array_equal(drawn[2:10], theirs.standard_normal(8))
    assert drawn[[0, 1, 10, 11]].tolist() == [7.0] * 4


def test_a_stream_keeps_its_generator_alive(generator_at):
    stream = stream_of(generator_at(3))
    gc.collect()
    others = [generator_at(seed) for seed in range(50)]
    drawn = np.empty(1000)
    fill_doubles(stream, drawn)
    assert np.array_equal(drawn, generator_at(3).random_sample(1000))
    assert len(others) == 50


def test_another_bit_generator_is_refused():
    with pytest.raises(ValueError, match="found one over PCG64"):
        stream_of(np.random.RandomState(np.random.PCG64(1)))


def test_a_numpy_that_keeps_its_words_elsewhere_is_refused(monkeypatch):
    memory = np.zeros(random_stream.SIZE + 1, np.uint32)
    random_stream._layout_is_known.cache_clear()
    monkeypatch.setattr(random_stream, "_memory_of", lambda generator: memory)
    with pytest.raises(RuntimeError, match="stores the state of MT19937 in an unknown way"):
        stream_of(np.random.RandomState(1))
    random_stream._layout_is_known.cache_clear()
