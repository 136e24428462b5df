import numpy as np
import pytest

from lsbench.analyses._maps import entropy


def test_entropy_by_hand():
    maps = np.array([[[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [5.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]])
    assert entropy(maps) == pytest.approx([1.0, 0.0, 0.5])


def test_entropy_does_not_depend_on_the_scale():
    maps = np.random.default_rng(0).random((3, 4, 5))
    assert entropy(1e6 * maps) == pytest.approx(entropy(maps))
    share = maps[0].ravel() / maps[0].sum()
    assert entropy(maps)[0] == pytest.approx(-sum(p * np.log(p) / np.log(20) for p in share))


def test_an_empty_map_and_one_of_one_place_have_none():
    assert entropy(np.zeros((1, 2, 2))).tolist() == [0.0]
    assert entropy(np.ones((1, 1, 1))).tolist() == [0.0]
