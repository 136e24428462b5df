import cv2
import numpy as np
import pytest

from lsbench.corruptions import SEVERITIES, defocus
from lsbench.corruptions.defocus import DISKS, Runs, defocus_blur, disk, runs_of


@pytest.fixture
def filters(monkeypatch):
    """Return the list of calls of OpenCV's filter."""
    calls = []

    original = cv2.filter2D

    def filtered(*args):
        calls.append(args)
        return original(*args)

    monkeypatch.setattr(defocus.cv2, "filter2D", filtered)
    return calls


@pytest.mark.parametrize(("radius", "alias_blur", "side"), [(3, 0.1, 17), (8, 0.5, 17), (10, 0.5, 21)])
def test_a_disk_is_round_and_of_its_size(radius, alias_blur, side):
    kernel = disk(radius, alias_blur)
    assert kernel.shape == (side, side)
    assert kernel.dtype == np.float32
    assert np.allclose(kernel, kernel.T)
    assert kernel.sum() == pytest.approx(1, abs=0.02)
    inside = np.count_nonzero(kernel > kernel.max() / 2)
    assert inside == pytest.approx(np.pi * radius**2, rel=0.1)


def test_a_white_point_becomes_a_disk():
    image = np.zeros((64, 64, 3), np.uint8)
    image[30:33, 30:33, 1] = 255
    blurred = defocus_blur(image, 3, np.random.RandomState(0))
    rows, columns = np.nonzero(blurred[:, :, 1])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (24, 38, 24, 38)
    assert not blurred[:, :, [0, 2]].any()


@pytest.fixture(params=SEVERITIES)
def severity(request, monkeypatch):
    """Every severity, none left to OpenCV for its many runs."""
    monkeypatch.setattr(defocus, "MOST_RUNS", 1000)
    runs_of.cache_clear()
    yield request.param
    runs_of.cache_clear()


def test_only_the_largest_disk_is_left_to_opencv():
    assert [runs_of(*shape) is None for shape in DISKS] == [False, False, False, False, True]


def test_runs_add_up_to_the_disk(severity):
    kernel, runs = disk(*DISKS[severity - 1]).astype(float), runs_of(*DISKS[severity - 1])
    middle = len(kernel) // 2
    found = np.zeros_like(kernel)
    for row, (kinds, weights) in enumerate(zip(runs.kinds, runs.weights, strict=True)):
        for kind, weight in zip(kinds, weights, strict=True):
            for y in {middle - row, middle + row}:
                if kind < len(runs.kinds):
                    found[y, middle - kind : middle + kind + 1] += weight
                else:
                    far = kind - len(runs.kinds) + 1
                    found[y, middle + far] += weight
                    found[y, middle - far] -= weight
    assert np.abs(found - kernel).max() < 1e-16


def test_no_photograph_and_no_flat_area_needs_opencv(severity, photo, filters):
    image = photo("coffee", 52, 45)
    image[:30, :30], image[30:, 20:] = 255, 0
    for source in (image, np.full_like(image, 1), np.full_like(image, 255)):
        blurred = defocus_blur(source, severity, np.random.RandomState(0))
        assert not filters
        values = cv2.filter2D(source / 255.0, -1, disk(*DISKS[severity - 1]))
        filters.clear()
        assert np.array_equal(blurred, (np.clip(values, 0, 1) * 255).astype(np.uint8))


def test_opencv_blurs_what_is_in_doubt_and_what_has_no_runs(photo, filters, monkeypatch):
    image = photo("coffee", 40, 40)
    expected = defocus_blur(image, 2, np.random.RandomState(0))
    monkeypatch.setattr(defocus, "runs_of", lambda *_: None)
    assert np.array_equal(defocus_blur(image, 2, np.random.RandomState(0)), expected)
    assert len(filters) == 1
    # One weight of one: every result is a whole number.
    monkeypatch.setattr(
        defocus, "runs_of", lambda *_: Runs(np.zeros((1, 3), np.int64), np.array([[1.0, 0, 0]]))
    )
    assert np.array_equal(defocus_blur(image, 2, np.random.RandomState(0)), expected)
    assert len(filters) == 2
