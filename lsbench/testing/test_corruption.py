"""Contract of every corruption: a changed image of equal shape, random only through the given generator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lsbench.corruptions import SEVERITIES, corrupt, image_rng

severities = pytest.mark.parametrize("severity", SEVERITIES)


def picture(height: int, width: int) -> Any:
    """Return an image with edges, slopes and colours."""
    rows, cols = np.indices((height, width))
    channels = [(rows * 5) % 256, (cols * 7) % 256, ((rows // 8 + cols // 8) % 2) * 200]
    return np.stack(channels, axis=2).astype(np.uint8)


@severities
def test_it_keeps_the_shape_and_changes_a_copy(name: str, severity: int) -> None:
    for size in ((48, 48), (40, 64)):
        image = picture(*size)
        before = image.copy()
        found = corrupt(image, name, severity, rng=image_rng("a", name, severity))
        assert found.shape == image.shape
        assert found.dtype == np.uint8
        assert np.array_equal(image, before)
        assert not np.array_equal(found, image)


@severities
def test_the_same_randomness_gives_the_same_image(name: str, severity: int) -> None:
    image = picture(48, 48)
    np.random.seed(0)
    one = corrupt(image, name, severity, rng=image_rng("a", name, severity))
    np.random.seed(1)
    two = corrupt(image, name, severity, rng=image_rng("a", name, severity))
    assert np.array_equal(one, two)
