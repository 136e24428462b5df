"""What the package of corruptions offers without compiling anything, and what it says to wrong arguments."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.random import RandomState

from lsbench import corruptions
from lsbench.core.errors import DataError
from lsbench.corruptions import (
    BENCHMARK,
    NAMES,
    VALIDATION,
    all_names,
    check_condition,
    corrupt,
    image_rng,
    title,
)

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


HAZE = '''"""A haze of another package."""
import numpy as np


def CORRUPTION(image, severity, rng):
    image //= 2  # what it is given is a copy
    return image + np.uint8(rng.randint(severity + 1))
'''


def test_a_kind_of_another_package_stands_beside_the_own_ones(install):
    install({"acme.haze": HAZE}, {"lsbench.corruptions": {"acme_haze": "acme.haze"}})
    assert all_names() == (*NAMES, "acme_haze")
    assert title("acme_haze") == "A haze of another package."
    image = np.full((32, 32, 3), 200, np.uint8)
    found = corrupt(image, "acme_haze", 5, rng=image_rng("a", "acme_haze", 5))
    assert np.array_equal(found, corrupt(image, "acme_haze", 5, rng=image_rng("a", "acme_haze", 5)))
    assert (image == 200).all()
    assert 100 <= found.min() == found.max() <= 105
    with pytest.raises(ValueError, match=r"unknown corruption 'acme_haz' \(did you mean 'acme_haze'\?\)"):
        image_rng("a", "acme_haz", 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def CORRUPTION(image, severity, rng): return image.astype(float)", "of float64"),
        ("def CORRUPTION(image, severity, rng): return image[1:]", r"found shape \(31, 32, 3\)"),
        ("def CORRUPTION(image, severity, rng): return None", "found NoneType"),
    ],
)
def test_what_another_package_makes_of_an_image_is_an_image_of_the_same_shape(install, text, words):
    install({"acme.haze": text}, {"lsbench.corruptions": {"acme_haze": "acme.haze"}})
    image = np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(DataError, match=f"corruption 'acme_haze' of acme-plugin 0.1: .*{words}"):
        corrupt(image, "acme_haze", 1, rng=image_rng("a", "acme_haze", 1))


def test_a_kind_with_the_name_of_an_own_one_or_that_is_no_function_is_refused(install):
    install({"acme.haze": "CORRUPTION = 3"}, {"lsbench.corruptions": {"fog": "acme.haze", "x": "acme.haze"}})
    with pytest.raises(ValueError, match="'fog' is offered twice: by lsbench itself and by entry point"):
        check_condition("fog", 1)
    with pytest.raises(ValueError, match=r"expected a function of \(image, severity, rng\), found"):
        check_condition("x", 1)
