import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from lsbench.corruptions.digital import CORRUPTIONS, QUALITY, SIDES
from lsbench.corruptions.oracle import reference_corrupt


@pytest.fixture
def image():
    return np.ascontiguousarray(data.coffee()[100:151, 180:219])


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_bytes_and_random_state_are_the_packages(image, name, severity):
    rng, other = np.random.RandomState(severity), np.random.RandomState(severity)
    before = image.copy()
    corrupted = CORRUPTIONS[name](image, severity, rng)
    assert corrupted.dtype == np.uint8
    assert np.array_equal(corrupted, reference_corrupt(image, name, severity, rng=other))
    assert rng.random_sample() == other.random_sample()
    assert np.array_equal(image, before)


def test_kinds_without_randomness_draw_nothing(image):
    for name in set(CORRUPTIONS) - {"elastic_transform"}:
        rng = np.random.RandomState(0)
        CORRUPTIONS[name](image, 3, rng)
        assert rng.random_sample() == np.random.RandomState(0).random_sample()


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "size", [(224, 224), (33, 47), (100, 501), (57, 57), (101, 100), (131, 65), (131, 66), (300, 64)]
)
def test_pixels_are_pillows_in_wide_and_high_images(size, severity):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    small = [int(side * SIDES[severity - 1]) for side in size]
    reduced = Image.fromarray(image).resize(small[::-1], Image.Resampling.BOX)
    expected = np.asarray(reduced.resize(size[::-1], Image.Resampling.NEAREST))
    for given in (image, np.asfortranarray(image)):
        assert np.array_equal(CORRUPTIONS["pixelate"](given, severity, np.random.RandomState(0)), expected)


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_the_codec_of_jpeg_gives_pillows_bytes(severity):
    whole = data.chelsea()
    stored = io.BytesIO()
    Image.fromarray(whole).save(stored, "JPEG", quality=QUALITY[severity - 1])
    compressed = CORRUPTIONS["jpeg_compression"](whole, severity, np.random.RandomState(0))
    assert np.array_equal(compressed, np.asarray(Image.open(stored)))


def test_grey_images_turn_reddish_where_saturation_is_added():
    grey = np.full((32, 32, 3), 100, np.uint8)
    rng = np.random.RandomState(0)
    assert CORRUPTIONS["saturate"](grey, 3, rng)[0, 0].tolist() == [100, 100, 100]
    assert CORRUPTIONS["saturate"](grey, 5, rng)[0, 0].tolist() == [100, 80, 80]
