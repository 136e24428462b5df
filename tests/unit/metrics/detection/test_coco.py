"""COCO's twelve numbers beside pycocotools, and every trap with its right value."""

import numpy as np
import pytest

from lsbench.core.errors import DataError
from lsbench.metrics.detection.coco import evaluate_detections
from lsbench.metrics.detection.numbers import NUMBERS
from lsbench.metrics.detection.objects import Detections

B = (10, 10, 50, 50)
AWAY = (100, 100, 40, 40)


@pytest.mark.parametrize("region", ["box", "mask"])
def test_the_numbers_are_those_of_pycocotools(random_data, reference, region):
    truths, founds, classes = random_data
    expected = reference(truths, founds, classes, region)
    scores = evaluate_detections(truths, founds, classes, region=region)
    assert list(scores.numbers) == list(NUMBERS)
    known = [-1.0 if value is None else value for value in scores.numbers.values()]
    assert known == pytest.approx(expected.stats.tolist(), abs=1e-9)
    assert 0.05 < known[0] < 0.95
    precision = expected.eval["precision"][:, :, :, 0, 2]
    for label in range(classes):
        own = precision[:, :, label]
        if (own > -1).all():
            assert scores.of_classes["ap"][label] == pytest.approx(own.mean(), abs=1e-9)
        else:
            assert np.isnan(scores.of_classes["ap"][label])
    assert np.isnan(scores.of_classes["ap"]).sum() == 2


def test_a_hit_and_detections_inside_of_a_crowd(true, found):
    truth = [true(B, (90, 90, 60, 60), crowd=[False, True])]
    inside = [(100, 100, 10, 10), (110, 110, 10, 10), (120, 120, 10, 10)]
    one = [found(B, *inside, scores=[0.5, 0.7, 0.8, 0.9])]
    assert evaluate_detections(truth, one, 1).numbers["ap"] == pytest.approx(1.0)
    as_object = [true(B, (90, 90, 60, 60))]
    assert evaluate_detections(as_object, one, 1).numbers["ap"] == pytest.approx(0.1262, abs=1e-4)


def test_a_false_alarm_in_an_image_without_objects_counts(true, found):
    truth, alarms = [true(B), true()], [found(B, scores=[0.5]), found(B, scores=[0.9])]
    assert evaluate_detections(truth, alarms, 1).numbers["ap"] == pytest.approx(0.5)
    assert evaluate_detections(truth[:1], alarms[:1], 1).numbers["ap"] == pytest.approx(1.0)


def test_a_category_without_objects_is_left_out(true, found):
    scores = evaluate_detections([true(B)], [found(B, B, scores=[0.9, 0.8], labels=[0, 1])], 2)
    assert scores.numbers["ap"] == pytest.approx(1.0)
    assert np.isnan(scores.of_classes["ap"][1])


@pytest.mark.parametrize(("rank", "expected"), [(100, 0.01), (101, 0.0)])
def test_a_hundred_detections_count(true, found, rank, expected):
    boxes = [AWAY] * (rank - 1) + [B]
    scores = np.linspace(0.9, 0.1, rank)
    one = evaluate_detections([true(B)], [found(*boxes, scores=scores)], 1)
    assert one.numbers["ap"] == pytest.approx(expected)
    assert one.matches.mean_average_precision() == pytest.approx(expected)


def test_no_detection_at_all_is_zero(true, found):
    scores = evaluate_detections([true(B), true()], [found(), found()], 1)
    assert scores.numbers == {name: None if name.endswith(("small", "large")) else 0.0 for name in NUMBERS}
    assert scores.matches.mean_average_precision() == 0


def test_without_an_object_nothing_is_known(true, found):
    scores = evaluate_detections([true()], [found(B, scores=[0.9])], 1)
    assert set(scores.numbers.values()) == {None}
    assert np.isnan(scores.matches.mean_average_precision())


@pytest.mark.parametrize(
    ("area", "ranges"),
    [(900, {"small"}), (2500, {"medium"}), (1024, {"small", "medium"}), (9216, {"medium", "large"})],
)
def test_ranges_go_by_the_area_of_the_object(true, found, area, ranges):
    numbers = evaluate_detections([true(B, areas=[area])], [found(B, scores=[0.9])], 1).numbers
    known = {name for name in ("small", "medium", "large") if numbers[f"ap_{name}"] is not None}
    assert known == ranges
    assert all(numbers[f"ap_{name}"] == pytest.approx(1.0) for name in ranges)


def test_corners_taken_for_sizes(true):
    truth = [true(B)]
    right = Detections(np.array([[10.0, 10, 60, 60]]), np.array([0.9]), np.array([0]))
    wrong = Detections(np.array([[10.0, 10, 70, 70]]), np.array([0.9]), np.array([0]))
    assert evaluate_detections(truth, [right], 1).numbers["ap"] == pytest.approx(1.0)
    numbers = evaluate_detections(truth, [wrong], 1).numbers
    assert (numbers["ap"], numbers["ap50"]) == (pytest.approx(0.4), pytest.approx(1.0))


def test_an_overlap_of_exactly_a_half_is_a_hit(true, found):
    numbers = evaluate_detections([true((0, 0, 100, 100))], [found((0, 0, 50, 100), scores=[0.9])], 1).numbers
    assert (numbers["ap"], numbers["ap50"]) == (pytest.approx(0.1), pytest.approx(1.0))


def test_a_miss_between_two_hits(true, found):
    one = found(B, (0, 100, 20, 20), AWAY, scores=[0.9, 0.8, 0.7])
    assert evaluate_detections([true(B, AWAY)], [one], 1).numbers["ap"] == pytest.approx(0.835, abs=5e-4)


def test_the_area_of_a_mask_decides_its_range(true, found):
    from lsbench.data.detection.run_lengths import encode

    mask = np.zeros((1, 100, 100), np.uint8)
    mask[0, 10:60, 10:60] = np.tri(50)
    (runs,) = encode(mask)
    missed = found(B, (70, 70, 20, 20), scores=[0.9, 0.8], masks=[runs, runs])
    numbers = evaluate_detections([true(B, areas=[1275], masks=[runs])], [missed], 1, region="mask").numbers
    assert numbers["ap_medium"] == pytest.approx(1.0)
    assert numbers["ap_small"] is None


def test_what_does_not_fit_is_one_line(true, found):
    with pytest.raises(DataError, match="expected detections of 1 image, found those of 2"):
        evaluate_detections([true(B)], [found(), found()], 1)
    with pytest.raises(DataError, match="expected classes from 0 to 0 in image 0, found 3 to 3"):
        evaluate_detections([true(B)], [found(B, scores=[0.5], labels=[3])], 1)
    with pytest.raises(DataError, match="expected finite scores in image 0"):
        evaluate_detections([true(B)], [found(B, scores=[np.nan])], 1)
    with pytest.raises(DataError, match="expected objects with masks in image 0"):
        evaluate_detections([true(B)], [found()], 1, region="mask")
