import numpy as np
import pytest

from lsbench.metrics.detection.match_kernels import match_groups, mean_precisions

THRESHOLDS = np.array([0.5, 0.75])


def matched(overlaps, *, ignored=None, crowd=None, outside=None):
    overlaps = np.array(overlaps, dtype=np.float64)
    detections, objects = overlaps.shape
    hit = np.zeros((detections, 1), np.uint16)
    left_out = np.zeros((detections, 1), np.uint16)
    match_groups(
        np.array([[0], [detections], [0], [objects]]),
        overlaps.ravel(),
        np.array([ignored or [False] * objects]),
        np.array(crowd or [False] * objects),
        np.array([outside or [False] * detections]),
        THRESHOLDS,
        hit,
        left_out,
    )
    return hit[:, 0].tolist(), left_out[:, 0].tolist()


def test_an_object_is_matched_once_by_the_best_detection():
    assert matched([[0.8], [0.9]]) == ([0b11, 0], [0, 0])
    assert matched([[0.6], [0.9]]) == ([0b01, 0b10], [0, 0]), "each threshold for itself"
    assert matched([[0.6, 0.8], [0.7, 0.9]]) == ([0b11, 0b01], [0, 0])


def test_a_crowd_takes_any_number_and_an_object_goes_first():
    crowd = {"ignored": [False, True], "crowd": [False, True]}
    assert matched([[0.0, 0.9], [0.0, 0.9], [0.6, 1.0]], **crowd) == ([0b11, 0b11, 0b11], [0b11, 0b11, 0b10])


def test_what_is_out_of_range_and_unmatched_does_not_count():
    assert matched([[0.6]], outside=[True]) == ([0b01], [0b10])


def test_precision_is_averaged_over_recalls():
    images, scores = np.array([0, 1, 0, 0], np.int32), np.array([0.9, 0.8, 0.7, 0.9])
    hit, left_out = np.array([1, 0, 1, 1], np.uint16), np.zeros(4, np.uint16)

    def means(weights):
        out = np.full((1, 3), np.nan)
        mean_precisions(
            (images, scores, hit, left_out),
            np.array([3, 4, 4]),
            np.array(weights),
            np.array([2, 1, 0]),
            np.array([0]),
            np.linspace(0, 1, 101),
            out,
        )
        return out[0].tolist()

    assert means([1, 1]) == pytest.approx([(51 + 50 * 2 / 3) / 101, 1, np.nan], nan_ok=True)
    assert means([1, 0])[0] == pytest.approx(1)
    assert means([0, 1])[0] == 0
