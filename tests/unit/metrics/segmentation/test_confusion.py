import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix, MulticlassJaccardIndex

from lsbench.core.errors import DataError
from lsbench.metrics.segmentation.confusion import ClassPixels, count_confusion

T1 = np.array([[0, 0, 0, 0], [0, 1, 255, 255]], np.uint8)
P1 = np.array([[0, 0, 0, 1], [0, 1, 2, 2]], np.uint8)
T2 = np.array([[1, 1, 1, 1], [1, 1, 2, 2]], np.uint8)
P2 = np.ones((2, 4), np.uint8)


def counted(pairs, classes):
    return ClassPixels.of(np.stack([count_confusion(t, p, classes) for t, p in pairs]))


def test_the_mean_is_over_the_classes_of_the_data_set_and_leaves_absent_ones_out():
    found = counted([(T1, P1), (T2, P2)], 4)
    numbers = found.numbers()
    assert numbers["miou"] == pytest.approx(0.5)
    assert numbers["pixel_accuracy"] == pytest.approx(0.7857, abs=1e-4)
    assert numbers["mean_accuracy"] == pytest.approx(0.6)
    of_classes = found.of_classes()
    assert of_classes["iou"] == pytest.approx([0.8, 0.7, 0, np.nan], nan_ok=True, abs=1e-12)
    means = [counted([pair], 4).numbers()["miou"] for pair in ((T1, P1), (T2, P2))]
    assert np.mean(means) == pytest.approx(0.5125), "the mean over images is another number"
    assert np.nan_to_num(of_classes["iou"]).mean() == pytest.approx(0.375), "absent classes are not 0"


@pytest.fixture(scope="module")
def random_maps():
    """200 small label maps of 12 classes, the last two absent, with ignored pixels and wrong guesses."""
    rng = np.random.default_rng(5)
    pairs = []
    for _ in range(200):
        shape = tuple(rng.integers(8, 40, 2))
        target = rng.integers(0, 10, shape).astype(np.uint8)
        predicted = np.where(rng.random(shape) < 0.6, target, rng.integers(0, 10, shape)).astype(np.uint8)
        target[rng.random(shape) < 0.1] = 255
        pairs.append((target, predicted))
    return pairs


def test_the_numbers_are_those_of_torchmetrics(random_maps, monkeypatch):
    found = counted(random_maps, 12)
    # torchmetrics divides in single precision: here in double.
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    tensors = [(torch.from_numpy(p).flatten(), torch.from_numpy(t).flatten()) for t, p in random_maps]
    metrics = {
        "miou": MulticlassJaccardIndex(12, ignore_index=255),
        "pixel_accuracy": MulticlassAccuracy(12, average="micro", ignore_index=255),
        "mean_accuracy": MulticlassAccuracy(12, average="macro", ignore_index=255),
    }
    confusion = MulticlassConfusionMatrix(12, ignore_index=255)
    for predicted, target in tensors:
        confusion.update(predicted.long(), target.long())
        for metric in metrics.values():
            metric.update(predicted.long(), target.long())
    total = sum(count_confusion(t, p, 12) for t, p in random_maps)
    assert np.array_equal(total, confusion.compute().numpy())
    assert found.numbers() == pytest.approx(
        {name: float(m.compute()) for name, m in metrics.items()}, abs=1e-9
    )


def test_resampled_images_count_as_often_as_they_are_chosen(random_maps):
    found = counted(random_maps, 12)
    weights = np.random.default_rng(1).multinomial(200, np.full(200, 1 / 200))
    again = [random_maps[image] for image in np.repeat(np.arange(200), weights)]
    assert found.numbers(weights) == counted(again, 12).numbers()


def test_without_a_counted_pixel_nothing_is_known():
    found = counted([(np.full((2, 2), 255, np.uint8), np.zeros((2, 2), np.uint8))], 2)
    assert found.numbers() == {"miou": None, "pixel_accuracy": None, "mean_accuracy": None}


def test_images_that_are_counted_one_by_one_are_joined(random_maps):
    apart = ClassPixels.join(counted([pair], 12) for pair in random_maps)
    assert apart.num_images == 200
    assert apart.numbers() == counted(random_maps, 12).numbers()


def test_counts_survive_a_file(tmp_path):
    found = counted([(T1, P1), (T2, P2)], 4)
    np.savez(tmp_path / "a.npz", **found.to_arrays())
    with np.load(tmp_path / "a.npz") as arrays:
        assert ClassPixels.from_arrays(arrays).numbers() == found.numbers()
        assert arrays["right"].dtype == np.uint32


def test_what_does_not_fit_is_one_line():
    with pytest.raises(
        DataError, match=r"expected two maps of bytes in one shape, found uint8 \(2, 4\) and int64"
    ):
        count_confusion(T1, P1.astype(np.int64), 4)
    with pytest.raises(DataError, match="expected classes from 0 to 1, found others in the true ones"):
        count_confusion(T2, P2, 2)
    with pytest.raises(DataError, match="found others in the predicted ones"):
        count_confusion(T2, P2 * 7, 4)
    assert count_confusion(T1, np.where(T1 == 255, 9, P1).astype(np.uint8), 4).sum() == 6, (
        "ignored pixels may be any"
    )
