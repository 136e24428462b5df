import numpy as np
import pytest

from lsbench.data.corruptions.path_blur import blur_along, create_path, within


def read_beside(plane, down, right):
    rows = np.clip(np.arange(plane.shape[0]) + down, 0, plane.shape[0] - 1)
    return plane[rows][:, np.clip(np.arange(plane.shape[1]) + right, 0, plane.shape[1] - 1)]


@pytest.mark.parametrize(
    ("angle", "end"), [(0, (0, 6)), (45, (4, 4)), (-90, (-6, 0)), (-135, (-4, -4)), (30, (3, 5))]
)
def test_a_path_leaves_the_pixel_at_its_angle(angle, end):
    path = create_path(3, 2.0, angle)
    assert (path.down[0], path.right[0]) == (0, 0)
    assert (path.down[-1], path.right[-1]) == end


def test_the_weights_of_a_path_are_half_a_gaussian():
    weights = create_path(10, 3.0, 20.0).weights
    assert weights.size == 21
    assert weights.sum() == pytest.approx(1)
    assert weights[3] / weights[0] == pytest.approx(np.exp(-0.5))


def test_taps_from_the_first_that_leaves_the_plane_are_dropped():
    path = create_path(10, 3.0, 0.0)
    assert within(path, (5, 8)).right.tolist() == list(range(8))
    assert within(path, (5, 50)).right.size == 21


@pytest.mark.parametrize("angle", [-130.0, -20.0, 0.0, 44.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_blur_is_the_weighted_sum_of_moved_copies_that_repeat_the_border(angle, channels):
    image = np.random.RandomState(0).randint(0, 256, (13, 17, channels)).astype(np.uint8)
    path = create_path(4, 2.0, angle)
    expected = np.zeros(image.shape)
    for down, right, weight in zip(*path, strict=True):
        expected = expected + weight * (read_beside(image, down, right) * 257.0)
    blurred = blur_along(image.reshape(13, -1), path, scale=257.0, channels=channels)
    assert np.array_equal(blurred, expected.reshape(13, -1))
