import numpy as np
import pytest

from lsbench.engine.detection import RESAMPLED, numbers_over, write_detections
from lsbench.metrics.detection.coco import evaluate_detections
from lsbench.metrics.detection.objects import Detections, TrueObjects


def scenes(images=12, seed=0):
    """True objects of each image, and detections of most of them and of others."""
    rng, truth, found = np.random.default_rng(seed), [], []
    for _ in range(images):
        count = int(rng.integers(0, 4))
        near = rng.uniform(0, 60, (count, 2))
        boxes = np.concatenate([near, rng.uniform(8, 120, (count, 2))], axis=1)
        labels = rng.integers(0, 3, count)
        truth.append(TrueObjects(boxes, labels, boxes[:, 2] * boxes[:, 3], np.zeros(count, bool)))
        moved = boxes + rng.normal(0, 4, boxes.shape)
        corners = np.concatenate([moved[:, :2], moved[:, :2] + np.abs(moved[:, 2:]) + 1], axis=1)
        keep = rng.random(count) < 0.8
        extra = rng.uniform(0, 60, (2, 2))
        corners = np.concatenate([corners[keep], np.concatenate([extra, extra + 20], axis=1)])
        guessed = np.concatenate([labels[keep], rng.integers(0, 3, 2)])
        found.append(Detections(corners, rng.random(len(corners)), guessed))
    return truth, found


@pytest.fixture(scope="module")
def scores():
    truth, found = scenes()
    return evaluate_detections(truth, found, 3)


def test_with_every_image_once_they_are_the_numbers_of_the_whole(scores):
    once = numbers_over(scores.matches, np.ones(12, np.int64))
    assert once.keys() == RESAMPLED.keys()
    for name, value in once.items():
        expected = scores.numbers[name]
        assert value == (None if expected is None else pytest.approx(expected, abs=1e-12)), name


def test_over_some_images_they_are_those_of_a_set_of_these(scores):
    truth, found = scenes()
    weights = np.array([0, 2, 1, 0, 1, 3, 1, 0, 2, 1, 1, 0])
    rows = np.repeat(np.arange(12), weights)
    expected = evaluate_detections([truth[row] for row in rows], [found[row] for row in rows], 3).numbers
    for name, value in numbers_over(scores.matches, weights).items():
        assert value == (None if expected[name] is None else pytest.approx(expected[name], abs=1e-12)), name


def test_without_any_object_there_is_no_number(scores):
    empty = np.flatnonzero(scores.matches.objects.sum(axis=(1, 2)) == 0)
    weights = np.zeros(12, np.int64)
    weights[empty] = 1
    assert set(numbers_over(scores.matches, weights).values()) == {None}


def test_detections_are_kept_image_by_image(scores, tmp_path):
    _, found = scenes()
    paths = tuple(f"{number}.png" for number in range(12))
    write_detections(tmp_path, found, {"box": scores.matches}, paths)
    with np.load(tmp_path / "detections.npz") as file:
        kept = {name: file[name] for name in file.files}
    assert kept["names"].tolist() == list(paths)
    for number, one in enumerate(found):
        rows = slice(kept["first"][number], kept["first"][number + 1])
        assert kept["boxes"][rows] == pytest.approx(one.boxes, abs=1e-4)
        assert kept["labels"][rows].tolist() == one.labels.tolist()
    assert "mask_first" not in kept
    arrays = {name.removeprefix("box_"): kept[name] for name in kept if name.startswith("box_")}
    again = type(scores.matches).from_arrays(arrays)
    assert again.mean_average_precision() == pytest.approx(scores.numbers["ap"], abs=1e-12)


def test_masks_are_kept_as_run_lengths(tmp_path):
    runs = [{"size": [4, 5], "counts": b"abc"}, {"size": [4, 5], "counts": b"de"}]
    one = Detections(np.zeros((2, 4)), np.zeros(2), np.zeros(2, int), runs)
    none = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int), [])
    truth = [TrueObjects(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0), np.zeros(0, bool))]
    matches = evaluate_detections(truth, [none], 1).matches
    write_detections(tmp_path, [one, none], {"box": matches, "mask": matches}, ("a", "b"))
    with np.load(tmp_path / "detections.npz") as file:
        ends, packed, sizes = file["mask_first"], file["mask_runs"].tobytes(), file["mask_sizes"]
    assert [packed[ends[j] : ends[j + 1]] for j in range(2)] == [b"abc", b"de"]
    assert sizes.tolist() == [[4, 5], [4, 5]]
