import numpy as np
import pytest
from skimage import data

from lsbench.corruptions.oracle import reference_corrupt
from lsbench.corruptions.weather import CORRUPTIONS


@pytest.fixture
def image():
    return np.ascontiguousarray(data.astronaut()[100:141, 180:227])


def states_are_equal(rng, other):
    left, right = rng.get_state(), other.get_state()
    return np.array_equal(left[1], right[1]) and left[2:] == right[2:]


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_bytes_and_random_state_are_the_packages(image, name, severity):
    rng, other = np.random.RandomState(severity), np.random.RandomState(severity)
    for generator in (rng, other)[: 2 * (severity % 2)]:
        generator.standard_normal()
    before = image.copy()
    corrupted = CORRUPTIONS[name](image, severity, rng)
    assert corrupted.dtype == np.uint8
    assert np.array_equal(corrupted, reference_corrupt(image, name, severity, rng=other))
    assert states_are_equal(rng, other)
    assert np.array_equal(image, before)


def test_fog_leaves_a_black_image_black():
    assert not CORRUPTIONS["fog"](np.zeros((32, 33, 3), np.uint8), 5, np.random.RandomState(0)).any()


@pytest.mark.parametrize("shape", [(330, 40, 3), (40, 600, 3)])
def test_frost_is_enlarged_for_an_image_that_is_larger_than_a_texture(shape):
    image = np.resize(data.chelsea(), shape)
    for seed in range(6):
        rng, other = np.random.RandomState(seed), np.random.RandomState(seed)
        frosty = CORRUPTIONS["frost"](image, 2, rng)
        assert np.array_equal(frosty, reference_corrupt(image, "frost", 2, rng=other))


def test_spatter_without_a_drop_turns_an_image_black_as_the_package_does():
    image = np.full((32, 32, 3), 200, np.uint8)
    black = []
    for seed in range(40):
        rng, other = np.random.RandomState(seed), np.random.RandomState(seed)
        with np.errstate(invalid="ignore"):
            expected = reference_corrupt(image, "spatter", 1, rng=other)
        assert np.array_equal(CORRUPTIONS["spatter"](image, 1, rng), expected)
        black.append(not expected.any())
    assert any(black)
