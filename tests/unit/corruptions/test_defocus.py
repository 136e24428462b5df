import numpy as np
import pytest

from lsbench.corruptions.defocus import defocus_blur, disk


@pytest.mark.parametrize(("radius", "alias_blur", "side"), [(3, 0.1, 17), (8, 0.5, 17), (10, 0.5, 21)])
def test_a_disk_is_round_and_of_its_size(radius, alias_blur, side):
    kernel = disk(radius, alias_blur)
    assert kernel.shape == (side, side)
    assert kernel.dtype == np.float32
    assert np.allclose(kernel, kernel.T)
    assert kernel.sum() == pytest.approx(1, abs=0.02)
    inside = np.count_nonzero(kernel > kernel.max() / 2)
    assert inside == pytest.approx(np.pi * radius**2, rel=0.1)


def test_a_white_point_becomes_a_disk():
    image = np.zeros((64, 64, 3), np.uint8)
    image[30:33, 30:33, 1] = 255
    blurred = defocus_blur(image, 3, np.random.RandomState(0))
    rows, columns = np.nonzero(blurred[:, :, 1])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (24, 38, 24, 38)
    assert not blurred[:, :, [0, 2]].any()
