"""What the package of corruptions offers without compiling anything, and what it says to wrong arguments."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.random import RandomState

from lsbench import corruptions
from lsbench.core.errors import DataError
from lsbench.corruptions import BENCHMARK, NAMES, VALIDATION, corrupt, image_rng

GREY = np.zeros((40, 40), np.uint8)
RGB = np.zeros((40, 40, 3), np.uint8)


def test_names_are_those_of_the_benchmark():
    noise = ("gaussian_noise", "shot_noise", "impulse_noise")
    blur = ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur")
    weather = ("snow", "frost", "fog", "brightness")
    digital = ("contrast", "elastic_transform", "pixelate", "jpeg_compression")
    assert noise + blur + weather + digital == BENCHMARK
    assert VALIDATION == ("speckle_noise", "gaussian_blur", "spatter", "saturate")
    assert NAMES == BENCHMARK + VALIDATION
    assert corruptions.SEVERITIES == (1, 2, 3, 4, 5)
    assert corruptions.FAMILIES == ("imagecorruptions", "original")
    assert set(corruptions.ORIGINALS) < set(NAMES)


def test_names_come_without_heavy_imports():
    code = (
        "import sys; from lsbench.corruptions import NAMES, check_condition; check_condition('fog', 1); "
        "print([name for name in ('numba', 'cv2', 'numpy', 'scipy', 'torch') if name in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
        == "[]\n"
    )


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (GREY, r"shape \(40, 40\) of uint8; convert"),
        (np.zeros((40, 40, 4), np.uint8), r"shape \(40, 40, 4\)"),
        (np.zeros((40, 40, 1), np.uint8), r"shape \(40, 40, 1\)"),
        (RGB.astype(np.float32), "of float32"),
        (RGB.astype(np.uint16), "of uint16"),
        (RGB[:31], "at least 32 pixels high and wide, found 31x40"),
        (RGB[:, :31], "found 40x31"),
        ([[0]], "found list"),
    ],
)
def test_another_image_is_refused_in_one_line(image, words):
    with pytest.raises(DataError, match=words) as caught:
        corrupt(image, "gaussian_noise", 1, rng=RandomState(0))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"name": "gausian_noise"},
            r"unknown corruption 'gausian_noise' \(did you mean 'gaussian_noise'\?\)",
        ),
        ({"name": "xyz"}, "unknown corruption 'xyz'; there are: gaussian_noise, "),
        ({"severity": 0}, "severity must be an integer from 1 to 5, found 0"),
        ({"severity": 6}, "found 6"),
        ({"severity": 2.0}, "found 2.0"),
        ({"severity": True}, "found True"),
        ({"rng": np.random.default_rng(0)}, "RandomState, found Generator"),
        ({"rng": None}, "found NoneType"),
        ({"rng": RandomState(np.random.PCG64(0))}, "over PCG64"),
        ({"family": "orignal"}, r"unknown family 'orignal' \(did you mean 'original'\?\)"),
    ],
)
def test_other_wrong_arguments_are_refused_in_one_line(changed, words):
    arguments = {"name": "gaussian_noise", "severity": 1, "rng": RandomState(0), **changed}
    with pytest.raises(ValueError, match=words) as caught:
        corrupt(RGB, **arguments)
    assert "\n" not in str(caught.value)


def test_read_only_and_scattered_images_give_what_tidy_ones_give():
    image = np.random.RandomState(0).randint(0, 256, (40, 50, 3)).astype(np.uint8)
    scattered = np.asfortranarray(image)
    scattered.flags.writeable = False
    tidy, other = (corrupt(x, "motion_blur", np.int64(2), rng=RandomState(1)) for x in (image, scattered))
    assert np.array_equal(tidy, other)


def test_a_variant_has_a_generator_of_its_own():
    first = image_rng("val/1", "fog", 3).random_sample(4)
    assert np.array_equal(first, image_rng("val/1", "fog", np.int64(3)).random_sample(4))
    for other in (("val/2", "fog", 3), ("val/1", "snow", 3), ("val/1", "fog", 4)):
        assert not np.array_equal(first, image_rng(*other).random_sample(4))
    # Fixed for ever: results of other versions are compared with it.
    assert image_rng("val/1", "fog", 3).randint(2**31) == 786743862
    with pytest.raises(ValueError, match="unknown corruption"):
        image_rng("val/1", "frog", 3)
