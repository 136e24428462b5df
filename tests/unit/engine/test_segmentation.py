import numpy as np
import pytest

from lsbench.engine.segmentation import SparseConfusion, class_pixels
from lsbench.metrics.segmentation.confusion import ClassPixels, count_confusion


@pytest.fixture(scope="module")
def confusions():
    rng = np.random.default_rng(0)
    maps = rng.integers(0, 4, (2, 5, 8, 8)).astype(np.uint8)
    maps[0][rng.random((5, 8, 8)) < 0.2] = 255
    return [count_confusion(true, predicted, 4) for true, predicted in zip(*maps, strict=True)]


def test_the_confusion_of_an_image_comes_back_from_its_pairs_of_classes(confusions):
    for one in confusions:
        assert (SparseConfusion.of(one).dense(4) == one).all()
    few = SparseConfusion.of(np.diag([0, 7, 0, 0]))
    assert (few.places.tolist(), few.counts.tolist()) == ([5], [7])


def test_pixels_of_classes_are_those_of_the_confusions(confusions):
    found = class_pixels([SparseConfusion.of(one) for one in confusions], 4)
    expected = ClassPixels.of(np.stack(confusions))
    assert found.numbers() == expected.numbers()
    weights = np.array([0, 2, 1, 0, 2])
    assert found.numbers(weights) == expected.numbers(weights)
