import numpy as np
import pytest

from lsbench.data.corruptions.path_blur_kernels import add_moved, widen


@pytest.mark.parametrize("taps", [1, 2, 4, 5, 10])
def test_copies_are_added_in_the_order_of_their_taps(taps):
    rng = np.random.RandomState(0)
    plane, weights = rng.normal(size=100), rng.random_sample(taps)
    starts = rng.randint(0, 60, taps)
    expected = np.zeros((3, 7))
    for start, weight in zip(starts, weights, strict=True):
        expected = expected + weight * np.array(
            [plane[start + 10 * row : start + 10 * row + 7] for row in range(3)]
        )
    out = np.empty((3, 7))
    add_moved(plane, starts, weights, 10, out)
    assert np.array_equal(out, expected)


@pytest.mark.parametrize("margin", [0, 1, 3])
def test_the_margin_repeats_the_pixels_at_the_border(margin):
    image = np.random.RandomState(0).randint(0, 256, (4, 5, 3)).astype(np.uint8)
    expected = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="edge") * 2.0
    out = np.empty((4 + 2 * margin, (5 + 2 * margin) * 3))
    widen(image.reshape(4, 15), margin, 3, 2.0, out)
    assert np.array_equal(out, expected.reshape(out.shape))
