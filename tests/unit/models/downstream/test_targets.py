import pytest
import torch

from lsbench.core.errors import DataError
from lsbench.models.downstream.targets import check_objects, image_size_of

GOOD = {
    "boxes": torch.tensor([[0.0, 0, 5, 5], [1, 1, 2, 9]]),
    "labels": torch.tensor([0, 2]),
    "masks": torch.ones(2, 9, 9),
}
EMPTY = {
    "boxes": torch.zeros(0, 4),
    "labels": torch.zeros(0, dtype=torch.int64),
    "masks": torch.zeros(0, 9, 9),
}


def test_an_image_without_a_size_of_its_own_fills_the_batch():
    images = torch.zeros(1, 3, 64, 96)
    assert image_size_of({}, images) == (64, 96)
    assert image_size_of({"image_size": torch.tensor([50, 60])}, images) == (50, 60)


def test_images_with_and_without_objects_are_right():
    check_objects([GOOD, EMPTY], 3, with_masks=True)
    check_objects([EMPTY], 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": torch.zeros(0)}, r"boxes have shape \(0\), not \(M, 4\)"),
        ({"boxes": torch.zeros(2, 5)}, r"boxes have shape \(2, 5\), not \(M, 4\)"),
        ({"labels": torch.tensor([0])}, r"2 boxes, but labels \(1\)"),
        ({"masks": torch.ones(1, 9, 9)}, "2 boxes, but 1 masks"),
        ({"boxes": torch.tensor([[0.0, 0, 5, 5], [1, 1, 1, 9]])}, r"box \(1, 1, 1, 9\) has no area"),
        ({"boxes": torch.tensor([[0.0, 0, 5, 5], [4, 1, 2, 9]])}, r"box \(4, 1, 2, 9\) has no area"),
        (
            {"boxes": torch.tensor([[0.0, 0, 5, 5], [4, 1, 9, torch.nan]])},
            r"box \(4, 1, 9, nan\) has no area",
        ),
        ({"labels": torch.tensor([0, 3])}, r"label 3 of box \(1, 1, 2, 9\) is none of 3 classes"),
        ({"labels": torch.tensor([-1, 0])}, r"label -1 of box \(0, 0, 5, 5\) is none of 3 classes"),
    ],
)
def test_what_would_spoil_a_loss_is_told_in_one_line(change, message):
    with pytest.raises(DataError, match=rf"^image 1 of the batch: {message}"):
        check_objects([EMPTY, {**GOOD, **change}], 3, with_masks=True)


def test_masks_may_be_left_out_where_nobody_needs_them():
    bare = {"boxes": GOOD["boxes"], "labels": GOOD["labels"]}
    check_objects([bare], 3)
    with pytest.raises(DataError, match="2 boxes, but no masks"):
        check_objects([bare], 3, with_masks=True)


@pytest.mark.parametrize("task", ["retinanet", "maskrcnn"])
def test_detectors_check_what_they_train_on(small_model, scene, task):
    images, (full, empty) = scene
    with pytest.raises(DataError, match="image 0 of the batch: label 2"):
        small_model(task, num_classes=2)(images, [full, empty])
