"""Kept matches give the numbers again, and those of any choice of images exactly."""

import numpy as np
import pytest

from lsbench.metrics.detection.coco import evaluate_detections
from lsbench.metrics.detection.matches import Matches
from lsbench.metrics.detection.objects import Detections
from lsbench.stats.resampled import difference_of_evaluations, draw_images


@pytest.fixture(scope="module", params=["box", "mask"])
def scores(request, random_data):
    truths, founds, classes = random_data
    return evaluate_detections(truths, founds, classes, region=request.param)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ap", {}),
        ("ap50", {"thresholds": [0]}),
        ("ap75", {"thresholds": [5]}),
        ("ap_small", {"area": "small"}),
        ("ap_medium", {"area": "medium"}),
    ],
)
def test_matches_give_the_same_precision(scores, name, options):
    assert scores.matches.mean_average_precision(**options) == pytest.approx(scores.numbers[name], abs=1e-12)
    of_classes = scores.matches.average_precisions(**options).mean(axis=0)
    assert of_classes == pytest.approx(scores.of_classes[name], abs=1e-12, nan_ok=True)


def test_resampled_images_are_evaluated_as_if_they_stood_there_again(random_data, reference):
    truths, founds, classes = random_data
    matches = evaluate_detections(truths, founds, classes).matches
    rng = np.random.default_rng(3)
    weights = rng.multinomial(len(truths), np.full(len(truths), 1 / len(truths)))
    again = np.repeat(np.arange(len(truths)), weights)
    assert weights.max() > 2, "images that count several times, with equal scores inside"
    expected = reference([truths[i] for i in again], [founds[i] for i in again], classes, "box")
    assert matches.mean_average_precision(weights) == pytest.approx(expected.stats[0], abs=1e-9)
    assert matches.mean_average_precision(weights, thresholds=[0]) == pytest.approx(
        expected.stats[1], abs=1e-9
    )
    large = matches.mean_average_precision(weights, area="medium")
    assert large == pytest.approx(expected.stats[4], abs=1e-9)


def test_equal_scores_in_an_image_that_counts_thrice(true, found):
    """A miss and a hit of one score: copy by copy, not all misses first."""
    box = (10, 10, 50, 50)
    truth = [true(box), true((0, 0, 20, 20))]
    one = [found((90, 90, 20, 20), box, scores=[0.5, 0.5]), found((0, 0, 20, 20), scores=[0.9])]
    matches = evaluate_detections(truth, one, 1).matches
    tripled = evaluate_detections([truth[0]] * 3 + truth[1:], [one[0]] * 3 + one[1:], 1)
    weights = np.array([3, 1])
    assert matches.mean_average_precision(weights) == pytest.approx(tripled.numbers["ap"], abs=1e-12)


def test_images_that_do_not_count_leave_classes_without_objects(true, found):
    box = (10, 10, 50, 50)
    truth = [true(box), true(box, labels=[1])]
    matches = evaluate_detections(truth, [found(box, scores=[0.5]), found()], 2).matches
    assert matches.mean_average_precision() == pytest.approx(0.5)
    assert matches.mean_average_precision(np.array([2, 0])) == pytest.approx(1.0)
    assert matches.average_precisions(np.array([0, 2]))[0].tolist() == [
        pytest.approx(np.nan, nan_ok=True),
        0.0,
    ]
    assert matches.num_images == 2


def test_two_detectors_are_compared_on_the_same_resampled_images(random_data):
    truths, founds, classes = random_data
    rng = np.random.default_rng(1)
    worse = [
        Detections(one.boxes + rng.normal(0, 3, one.boxes.shape), one.scores, one.labels) for one in founds
    ]
    good, bad = (evaluate_detections(truths, one, classes) for one in (founds, worse))
    pair = (good.matches.mean_average_precision, bad.matches.mean_average_precision)
    found = difference_of_evaluations([pair], len(truths), resamples=200)
    assert found.value == pytest.approx(good.numbers["ap"] - bad.numbers["ap"], abs=1e-12)
    assert 0 < found.low < found.value < found.high
    assert found.p_value < 0.02
    alone = [np.std([one(w) for w in draw_images(len(truths), 200)]) for one in pair]
    assert found.error < np.hypot(*alone), "images that are hard for one are hard for the other"


def test_matches_survive_a_file(scores, tmp_path):
    np.savez_compressed(tmp_path / "matches.npz", **scores.matches.to_arrays())
    with np.load(tmp_path / "matches.npz") as arrays:
        again = Matches.from_arrays(arrays)
    for name in ("image", "score", "hit", "left_out", "class_ends", "objects"):
        assert np.array_equal(getattr(again, name), getattr(scores.matches, name)), name
    assert again.mean_average_precision() == scores.numbers[
        "ap"
    ] or again.mean_average_precision() == pytest.approx(scores.numbers["ap"], abs=1e-12)


def test_scores_of_single_precision_are_kept_in_four_bytes(true, found):
    box = (10, 10, 50, 50)
    one = found(box, scores=np.array([0.3], np.float32))
    arrays = evaluate_detections([true(box)], [one], 1).matches.to_arrays()
    assert arrays["score"].dtype == np.float32
    one = found(box, scores=np.array([0.3]))
    assert evaluate_detections([true(box)], [one], 1).matches.to_arrays()["score"].dtype == np.float64
