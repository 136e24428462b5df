import numpy as np
import pytest
from skimage.color import hsv2rgb, rgb2hsv

from lsbench.corruptions.hsv_kernels import adjust

UNITS = np.arange(256) / 255.0


def every_kind_of_colour():
    """Greys, ties of two channels, black, white, and random colours."""
    steps = np.array([0, 1, 127, 128, 254, 255], np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    random = np.random.default_rng(0).integers(0, 256, (2000, 3)).astype(np.uint8)
    return np.concatenate([grid, random]).reshape(8, -1, 3)


@pytest.mark.parametrize(
    ("factor", "more_saturation", "more_value"), [(1, 0, 0.3), (0.1, 0, 0), (20, 0.2, 0.1)]
)
def test_colours_change_as_scikit_image_changes_them(factor, more_saturation, more_value):
    image = every_kind_of_colour()
    hsv = rgb2hsv(image / 255.0)
    hsv[..., 1] = np.clip(hsv[..., 1] * factor + more_saturation, 0, 1)
    hsv[..., 2] = np.clip(hsv[..., 2] + more_value, 0, 1)
    expected = np.uint8(np.clip(hsv2rgb(hsv), 0, 1) * 255)
    out = np.empty_like(image)
    adjust(image, UNITS, float(factor), float(more_saturation), float(more_value), out)
    assert np.array_equal(out, expected)
