import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors

from lsbench.core.errors import DataError
from lsbench.data.detection.samples import open_split


def opened(data, **options):
    return open_split(data, "val", **{"with_masks": True, "for_training": True, **options})


def test_training_leaves_out_what_cannot_be_trained_on(coco):
    split = opened(coco())
    assert split.paths == ("000000000005.png", "000000000007.png")
    image, target = split.read(0)
    assert (image.shape, image.dtype) == ((3, 100, 80), torch.uint8)
    assert isinstance(target["boxes"], tv_tensors.BoundingBoxes)
    assert target["boxes"].tolist() == [[10, 10, 60, 60], [60, 80, 100, 120]]
    assert target["labels"].tolist() == [0, 2]
    assert target["masks"].shape == (2, 100, 80)
    assert target["masks"].sum(dim=(1, 2)).tolist() == [2500, 400]
    _, target = split.read(1)
    assert target["labels"].tolist() == [1], "the crowd is left out"
    assert split.is_wide().tolist() == [False, True]


def test_tests_read_every_image(coco):
    split = opened(coco(), for_training=False, with_masks=False)
    assert len(split) == 4
    assert split.size(2) == (48, 48)
    assert split.decode(3).shape == (3, 20, 90)
    _, target = split.read(2)
    assert target["boxes"].shape == (0, 4), "shaped for detectors, although there is none"
    assert target["labels"].dtype == torch.int64
    assert "masks" not in target


def test_a_limit_is_spread_over_the_images(coco):
    assert opened(coco().at_most(2), for_training=False).paths == ("000000000005.png", "000000000012.png")
    assert opened(coco().at_most(1)).paths == ("000000000005.png",)


def test_images_that_are_not_as_told_are_one_line(coco):
    data = coco()
    path = data.images["val"] / "000000000005.png"
    Image.fromarray(np.zeros((5, 6, 3), np.uint8)).save(path)
    with pytest.raises(DataError, match=rf"expected {path} with 100 x 80 pixels as in .* found 5 x 6"):
        opened(data).read(0)
    path.unlink()
    with pytest.raises(DataError, match=rf"expected a readable image at {path}, found"):
        opened(data).read(0)


def test_a_set_without_boxes_or_masks_to_train_on_is_one_line(coco):
    with pytest.raises(
        DataError, match=r"expected images with boxes to train on in .*, found 4 images without any"
    ):
        opened(coco(lambda content: content.update(annotations=[])), with_masks=False)
    for entry in ("annotations",):
        with pytest.raises(DataError, match="expected objects with masks in"):
            opened(coco(lambda content, entry=entry: [one.pop("segmentation") for one in content[entry]]))
