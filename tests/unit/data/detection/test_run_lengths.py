import numpy as np
import pytest
from pycocotools import mask as mask_api

from lsbench.data.detection.run_lengths import compressed, count_pixels, decode, encode, to_run_lengths


@pytest.fixture(scope="module")
def masks():
    rng = np.random.default_rng(0)
    made = [rng.random(tuple(rng.integers(1, 90, 2))) < share for share in (0.01, 0.5, 0.99) * 10]
    return [*made, np.zeros((3, 4), bool), np.ones((3, 4), bool)]


def test_run_lengths_are_those_of_the_reference(masks):
    for mask in masks:
        (packed,) = encode(mask[None])
        assert packed["counts"] == mask_api.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
        size = list(mask.shape)
        assert compressed({"size": size, "counts": to_run_lengths(mask)})["counts"] == packed["counts"]
        assert compressed({"size": size, "counts": packed["counts"].decode()})["counts"] == packed["counts"]
        assert np.array_equal(decode([packed], *size)[0], mask)
        assert count_pixels(packed["counts"]) == count_pixels(to_run_lengths(mask)) == mask.size


def test_no_masks_are_no_runs():
    assert encode(np.zeros((0, 3, 4))) == []
    assert decode([], 3, 4).shape == (0, 3, 4)


@pytest.mark.parametrize(
    "counts", [b"", "", "~", "é", b"zzz", "ooooooooooooo1", [1, -1], [1, 2.5], ["1"], b"1N"]
)
def test_damaged_runs_are_none(counts):
    assert count_pixels(counts) is None
