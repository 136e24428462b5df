"""Every kind and severity against imagecorruptions 1.1.2: no value differs, and the streams end alike."""

import numpy as np
import pytest

from lsbench.corruptions import NAMES, SEVERITIES, corrupt
from lsbench.corruptions.oracle import reference_corrupt

from .conftest import PHOTOS

#: Photograph, height, width, and where the generator stands: seed, words and normals drawn before.
CASES = [
    ("astronaut", 33, 47, (0, 0, 0)),
    ("chelsea", 64, 64, (1, 1, 0)),
    ("hubble_deep_field", 101, 75, (2, 623, 1)),
]
SIZES = [(224, 224), (32, 32), (97, 200), (161, 121)]


def compare(image, name, severity, rng, other, state_of):
    expected = reference_corrupt(image, name, severity, rng=rng)
    found = corrupt(image, name, severity, rng=other)
    assert found.dtype == np.uint8
    assert found.shape == image.shape
    assert np.count_nonzero(found != expected) == 0
    assert state_of(other) == state_of(rng)


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", NAMES)
def test_no_value_differs_from_the_package(name, severity, photo, generator_at, state_of):
    for case, height, width, place in CASES:
        image = photo(case, height, width)
        before = image.copy()
        compare(image, name, severity, generator_at(*place), generator_at(*place), state_of)
        assert np.array_equal(image, before)


@pytest.mark.parametrize("value", [0, 255, 128])
@pytest.mark.parametrize("name", NAMES)
def test_flat_images_are_no_exception(name, value, generator_at, state_of):
    image = np.full((40, 36, 3), value, np.uint8)
    compare(image, name, 4, generator_at(3), generator_at(3), state_of)


@pytest.mark.slow
@pytest.mark.parametrize("case", PHOTOS)
@pytest.mark.parametrize("name", NAMES)
def test_no_value_differs_in_the_whole_matrix(name, case, photo, generator_at, state_of):
    for height, width in SIZES:
        for severity in SEVERITIES:
            for place in ((severity, height % 5, 0), (severity + 10, 1, 1), (severity + 20, 622, 3)):
                # The package needs a second for one glass blur of the large size.
                if name != "glass_blur" or height < 224 or place[2] == 1:
                    image = photo(case, height, width)
                    compare(image, name, severity, generator_at(*place), generator_at(*place), state_of)
