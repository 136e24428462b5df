import pytest
import torch
from torchvision import tv_tensors

from lsbench.data.detection.transforms import (
    create_eval_transform,
    create_train_transform,
    drop_empty_boxes,
    pad_masks,
)
from lsbench.data.loading.keep_ratio import Scaling

PLAIN = Scaling(40, 60, (0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))


def sample():
    """An image of 20 x 30 pixels that is bright at the left, and one object of 4 x 6 pixels at its corner."""
    image = torch.zeros((3, 20, 30), dtype=torch.uint8)
    image[:, :, :10] = 200
    masks = torch.zeros((1, 20, 30), dtype=torch.uint8)
    masks[0, 2:6, 3:9] = 1
    boxes = tv_tensors.BoundingBoxes([[3.0, 2, 9, 6]], format="XYXY", canvas_size=(20, 30))
    target = {"boxes": boxes, "labels": torch.tensor([4]), "masks": tv_tensors.Mask(masks)}
    return tv_tensors.Image(image), target


def test_boxes_and_masks_are_resized_with_the_image():
    image, target = create_train_transform(PLAIN, 0.0)(*sample())
    assert image.shape == (3, 40, 60)
    assert target["boxes"].tolist() == [[6, 4, 18, 12]]
    assert target["masks"][0, 4:12, 6:18].all()
    assert target["masks"].sum() == 8 * 12
    assert target["labels"].tolist() == [4]
    assert image[0, 5, 5] == pytest.approx(200)


def test_a_flip_mirrors_image_boxes_and_masks():
    image, target = create_train_transform(PLAIN, 1.0)(*sample())
    assert target["boxes"].tolist() == [[42, 4, 54, 12]]
    assert target["masks"][0, 4:12, 42:54].all()
    assert target["masks"].sum() == 8 * 12
    assert image[0, 5, 55] == pytest.approx(200)
    assert image[0, 5, 5] == 0


def test_boxes_are_clipped_to_the_image():
    image, target = sample()
    target["boxes"] = tv_tensors.BoundingBoxes([[-5.0, 10, 50, 40]], format="XYXY", canvas_size=(20, 30))
    _, target = create_train_transform(PLAIN, 0.0)(image, target)
    assert target["boxes"].tolist() == [[0, 20, 60, 40]]


def test_images_without_objects_keep_the_shape_of_boxes():
    image, _ = sample()
    boxes = tv_tensors.BoundingBoxes(torch.zeros((0, 4)), format="XYXY", canvas_size=(20, 30))
    _, target = create_train_transform(PLAIN, 1.0)(image, {"boxes": boxes, "labels": torch.zeros(0)})
    assert target["boxes"].shape == (0, 4)


def test_the_test_image_is_the_training_image_that_is_not_flipped():
    image, target = sample()
    assert torch.equal(
        create_eval_transform(PLAIN)(image), create_train_transform(PLAIN, 0.0)(image, target)[0]
    )


def test_boxes_without_area_are_dropped_with_what_belongs_to_them():
    target = {
        "boxes": torch.tensor([[0.0, 0, 2, 2], [5, 5, 5, 9]]),
        "labels": torch.tensor([1, 2]),
        "masks": torch.zeros((2, 3, 3)),
        "image_size": (3, 3),
    }
    kept = drop_empty_boxes(target)
    assert kept["labels"].tolist() == [1]
    assert (len(kept["boxes"]), len(kept["masks"]), kept["image_size"]) == (1, 1, (3, 3))
    assert drop_empty_boxes(kept) is kept


def test_masks_are_padded_to_the_right_and_below():
    padded = pad_masks(torch.ones((2, 3, 4)), (5, 6))
    assert padded.shape == (2, 5, 6)
    assert padded[:, :3, :4].all()
    assert padded.sum() == 24
