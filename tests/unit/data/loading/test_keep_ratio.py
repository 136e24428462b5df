import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional
from torchvision import tv_tensors

from lsbench.data.loading.keep_ratio import (
    KeepRatioResize,
    Normalise,
    Scaling,
    batches_of_equal_shape,
    collate_tests,
    keep_ratio_size,
    pad_and_stack,
    padded_size,
    to_image,
)

COCO = Scaling(800, 1333, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((480, 640), (800, 1067)),
        ((640, 480), (1067, 800)),
        ((300, 900), (444, 1333)),
        ((800, 1333), (800, 1333)),
    ],
)
def test_sides_are_rounded_half_up(size, expected):
    assert keep_ratio_size(size, 800, 1333) == COCO.size(size) == expected


def test_padding_goes_up_to_a_multiple_of_32():
    assert padded_size((800, 1067)) == (800, 1088)
    assert padded_size((1, 32)) == (32, 32)


def test_resizing_interpolates_without_antialiasing():
    image = torch.randint(0, 256, (3, 90, 60), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    found = KeepRatioResize(Scaling(30, 100, COCO.mean, COCO.std))(tv_tensors.Image(image))
    expected = functional.interpolate(image[None].float(), (45, 30), mode="bilinear", align_corners=False)[0]
    assert found.shape == (3, 45, 30)
    assert (found.float() - expected).abs().max() <= 1


def test_normalisation_is_by_the_published_numbers():
    image = tv_tensors.Image(torch.tensor([0, 100, 255], dtype=torch.uint8).reshape(3, 1, 1))
    found = Normalise(COCO.mean, COCO.std)(image)
    expected = [(0 - 123.675) / 58.395, (100 - 116.28) / 57.12, (255 - 103.53) / 57.375]
    assert type(found) is torch.Tensor
    assert found.flatten().tolist() == pytest.approx(expected, rel=1e-5)


def test_a_batch_is_as_large_as_its_largest_sides():
    batch = pad_and_stack([torch.ones((3, 33, 10)), torch.ones((3, 5, 40))])
    assert batch.shape == (2, 3, 64, 64)
    assert batch.sum() == 3 * (330 + 200)
    assert batch[0, :, :33, :10].all()
    found = collate_tests([(torch.ones((3, 5, 40)), (10, 80), 7, None)])
    assert (found.image_sizes, found.original_sizes, found.indices) == (((5, 40),), ((10, 80),), (7,))


def test_test_batches_hold_images_of_one_shape_and_ranks_share_them():
    shapes = [(32, 64), (64, 32), (32, 64), (32, 64), (64, 32)]
    assert batches_of_equal_shape(shapes, 2) == [[0, 2], [3], [1, 4]]
    assert batches_of_equal_shape(shapes, 2, rank=1, world_size=2) == [[3]]


def test_pixels_become_an_image():
    found = to_image(torch.arange(12, dtype=torch.uint8).reshape(2, 2, 3).numpy())
    assert isinstance(found, tv_tensors.Image)
    assert found[:, 0, 1].tolist() == [3, 4, 5]


def test_images_and_masks_are_resized_as_opencv_does():
    generator = torch.Generator().manual_seed(1)
    image = torch.randint(0, 256, (3, 48, 64), generator=generator).to(torch.uint8)
    mask = (torch.rand((1, 48, 64), generator=generator) < 0.5).to(torch.uint8)
    for img_size in (30, 80):
        scaling = Scaling(img_size, 1000, COCO.mean, COCO.std)
        height, width = scaling.size((48, 64))
        found, found_mask = KeepRatioResize(scaling)(tv_tensors.Image(image), tv_tensors.Mask(mask))
        expected = cv2.resize(image.permute(1, 2, 0).numpy(), (width, height), interpolation=cv2.INTER_LINEAR)
        assert np.abs(found.permute(1, 2, 0).numpy().astype(int) - expected).max() <= 1
        nearest = cv2.resize(mask[0].numpy(), (width, height), interpolation=cv2.INTER_NEAREST)
        assert np.array_equal(found_mask[0], nearest)
