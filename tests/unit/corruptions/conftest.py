"""Photographs to corrupt, and generators to compare."""

import numpy as np
import pytest

#: scikit-image's own, all in colour.
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "retina", "immunohistochemistry")


@pytest.fixture(scope="session")
def photo():
    """Return a function that cuts a photograph to ``(height, width)`` around its centre."""
    import skimage.data

    def cut(name, height, width):
        whole = getattr(skimage.data, name)()
        top, left = (whole.shape[0] - height) // 2, (whole.shape[1] - width) // 2
        return np.ascontiguousarray(whole[top : top + height, left : left + width])

    return cut


@pytest.fixture(scope="session")
def state_of():
    """Return a function that lists everything that decides what a generator draws next."""

    def read(rng):
        state = rng.get_state(legacy=False)
        words = state["state"]
        return words["key"].tolist(), int(words["pos"]), int(state["has_gauss"]), float(state["gauss"])

    return read


def generator(seed, words=0, normals=0):
    """Return a generator that has drawn words and normals before: an odd number leaves a normal behind."""
    rng = np.random.RandomState(seed)
    rng.standard_normal(normals)
    rng.randint(2**32, size=words, dtype=np.uint32)
    return rng


@pytest.fixture(scope="session")
def generator_at():
    return generator
