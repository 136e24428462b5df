"""The loops of training steps, on memory given by address."""

from __future__ import annotations

import numpy as np

from lsbench.models.ops import train_kernels


def unsigned(*numbers: int) -> tuple[np.uint64, ...]:
    return tuple(np.uint64(number) for number in numbers)


def test_patches_are_copied_and_added_back() -> None:
    x = np.arange(1, 17, dtype=np.float32)  # 2 images, 2 pixels, 4 channels
    places = np.array([0, 1, 1, 2], np.uint64)  # 2 outputs with 2 taps, the last outside
    patches, back = np.full(32, np.nan, np.float32), np.full(16, np.nan, np.float32)
    sizes = unsigned(4, 2, 2, 4)
    addresses = x.ctypes.data, patches.ctypes.data, places.ctypes.data
    train_kernels.copy_patches(*addresses, *sizes)
    expected = x.reshape(2, 2, 4)[:, [0, 1, 1, 0]]
    expected[:, 3] = 0
    np.testing.assert_array_equal(patches.reshape(2, 4, 4), expected)
    train_kernels.add_patches(patches.ctypes.data, back.ctypes.data, places.ctypes.data, *sizes)
    np.testing.assert_array_equal(back.reshape(2, 2, 4), x.reshape(2, 2, 4) * [[1], [2]])


def test_terms_are_added_up_in_each_image() -> None:
    random = np.random.default_rng(0)
    weights = random.normal(size=(6, 8)).astype(np.float32)
    x = random.normal(size=(3, 2, 8)).astype(np.float32)
    out = np.ones((3, 2, 8), np.float32)
    starts, a_at = np.array([0, 5, 6], np.uint64), np.arange(6, dtype=np.uint64) * np.uint64(8)
    b_at = np.array([0, 1, 0, 1, 1, 0], np.uint64) * np.uint64(8)
    pitches = unsigned(0, 16, 16)
    places = weights.ctypes.data, x.ctypes.data, out.ctypes.data
    pairs = [value for pair in zip(places, pitches, strict=True) for value in pair]
    table = starts.ctypes.data, a_at.ctypes.data, b_at.ctypes.data
    train_kernels.add_terms(*pairs, *table, *unsigned(2, 3, 8))
    first = 1 + sum(weights[k] * x[:, pixel] for k, pixel in enumerate([0, 1, 0, 1, 1]))
    np.testing.assert_allclose(out, np.stack([first, 1 + weights[5] * x[:, 0]], 1), rtol=1e-5)
