import numpy as np

from lsbench.corruptions.grey import to_bytes, to_shares


def test_all_bytes_come_back_as_they_went():
    image = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    shares = to_shares(image)
    assert np.array_equal(shares, image.reshape(16, 48) / 255.0)
    assert np.array_equal(to_bytes(shares, image.shape), image)


def test_values_are_clipped_and_cut_not_rounded():
    values = np.array([[-3.0, 0.9, 1.999, 254.999, 255.0, 300.0]])
    assert to_bytes(values, (1, 2, 3), white=255.0).ravel().tolist() == [0, 0, 1, 254, 255, 255]
    assert to_bytes(values / 255.0, (1, 2, 3)).ravel().tolist() == [0, 0, 1, 254, 255, 255]
