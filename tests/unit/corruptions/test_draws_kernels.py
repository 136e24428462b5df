import numpy as np
import pytest

from lsbench.corruptions.draws_kernels import skip_pairs
from lsbench.corruptions.random_stream import stream_of


@pytest.mark.parametrize("pairs", [0, 1, 1500])
def test_skipped_pairs_leave_the_stream_where_numpy_leaves_it(pairs):
    rng, other = np.random.RandomState(0), np.random.RandomState(0)
    skip_pairs(stream_of(rng), pairs)
    other.standard_normal(2 * pairs)
    assert np.array_equal(rng.standard_normal(3), other.standard_normal(3))
