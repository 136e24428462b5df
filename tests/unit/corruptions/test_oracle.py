import importlib.util
import sys

import numpy as np
import pytest

from lsbench.core.errors import UsageError
from lsbench.corruptions import oracle
from lsbench.corruptions.oracle import frost_textures, reference_corrupt


def test_the_reference_draws_from_the_given_generator_alone(photo, generator_at):
    image = photo("astronaut", 40, 40)
    before = np.random.get_state()[1].tolist()
    for name in ("gaussian_noise", "impulse_noise", "fog"):
        first, again, other = (
            reference_corrupt(image, name, 2, rng=generator_at(seed)) for seed in (1, 1, 2)
        )
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)
    assert np.random.get_state()[1].tolist() == before


def test_nothing_is_patched_outside(photo, generator_at):
    import skimage.filters
    import skimage.util

    functions = skimage.filters.gaussian, skimage.util.random_noise
    modules = {name: sys.modules.get(name) for name in ("pkg_resources", "scipy.ndimage.interpolation")}
    oracle._package.cache_clear()
    reference_corrupt(photo("astronaut", 40, 40), "impulse_noise", 2, rng=generator_at(1))
    assert (skimage.filters.gaussian, skimage.util.random_noise) == functions
    assert {name: sys.modules.get(name) for name in modules} == modules
    assert not hasattr(np, "float_")


def test_the_textures_of_frost_are_the_packages():
    names = ["frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg", "frost6.jpg"]
    assert [path.name for path in frost_textures()] == names
    assert all(path.is_file() for path in frost_textures())


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install imagecorruptions==1\.1\.2"):
        frost_textures()
