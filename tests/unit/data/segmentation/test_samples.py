import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors

from lsbench.core.errors import DataError
from lsbench.data.segmentation.samples import open_split, read_label_map, reduced


def test_labels_that_count_from_one_become_classes():
    assert reduced(np.array([0, 1, 150, 255], np.uint8)).tolist() == [255, 0, 149, 255]
    assert reduced(np.array([254], np.uint8)).tolist() == [253]


def test_images_come_with_their_classes(ade):
    split = open_split(ade, "val")
    assert split.paths == ("a.jpg", "b.jpg", "c.jpg")
    image, label_map = split.read(1)
    assert (image.shape, image.dtype) == ((3, 64, 32), torch.uint8)
    assert isinstance(label_map, tv_tensors.Mask)
    assert label_map[0].tolist() == [255] * 8 + [0] * 8 + [1] * 8 + [2] * 8
    assert split.size(0) == (40, 60)
    assert open_split(ade.at_most(2), "val").paths == ("a.jpg", "b.jpg")


def test_labels_stay_where_they_count_from_zero(ade):
    from dataclasses import replace

    split = open_split(replace(ade, reduce_zero_label=False), "val")
    assert np.unique(split.label_map(0)).tolist() == [0, 1, 2, 3]


def test_what_does_not_fit_is_one_line(ade):
    split, place = open_split(ade, "val"), ade.label_maps["val"]
    labels = np.full((40, 60), 4, np.uint8)
    labels[3, 7] = 9
    Image.fromarray(labels).save(place / "a.png")
    with pytest.raises(
        DataError, match=rf"labels from 1 to 4, or 255 .* in {place}/a.png, found 9 at row 3, column 7"
    ):
        split.read(0)
    Image.fromarray(labels[:30].clip(max=4)).save(place / "a.png")
    with pytest.raises(
        DataError, match=rf"expected {place}/a.png with 40 x 60 pixels like .*a.jpg, found 30 x 60"
    ):
        split.read(0)
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(place / "a.png")
    with pytest.raises(DataError, match=r"one byte a pixel at .*a.png, found mode RGB"):
        split.read(0)
    Image.fromarray(np.zeros((40, 60), np.uint16)).save(place / "a.png")
    with pytest.raises(DataError, match=r"one byte a pixel at .*a.png, found mode I;16"):
        split.read(0)
    (place / "a.png").write_bytes(b"x")
    with pytest.raises(DataError, match=rf"expected a readable image at {place}/a.png"):
        split.read(0)


def test_a_palette_is_for_the_eye_alone(ade):
    image = Image.fromarray(np.array([[1, 2], [0, 3]], np.uint8)).convert("P")
    image.putpalette([255, 0, 0] * 256)
    image.putdata([1, 2, 0, 3])
    image.save(ade.label_maps["val"] / "a.png")
    assert read_label_map(open_split(ade, "val").label_maps, 0).tolist() == [[1, 2], [0, 3]]
