"""Masks of polygons and run lengths beside pycocotools."""

import numpy as np
import pytest
from pycocotools import mask as mask_api

from lsbench.core.errors import DataError
from lsbench.data.detection.annotations import read_annotations
from lsbench.data.detection.outlines import Outlines


def outlines(tmp_path, *stored, size=(50, 60)):
    entries = [{"id": row, "segmentation": one} for row, one in enumerate(stored)]
    sizes = np.array([size] * len(stored))
    return Outlines.read(tmp_path / "a.json", entries, np.arange(len(stored)), sizes)


def test_masks_of_polygons_are_those_of_the_reference(tmp_path):
    rng = np.random.default_rng(0)
    shapes = [
        [rng.uniform(-5, 55, 2 * int(rng.integers(3, 9))).tolist() for _ in range(1 + row % 3)]
        for row in range(60)
    ]
    found = outlines(tmp_path, *shapes).masks(range(60), 50, 60)
    for row, shape in enumerate(shapes):
        expected = mask_api.decode(mask_api.merge(mask_api.frPyObjects(shape, 50, 60)))
        assert np.array_equal(found[row], expected)


def test_run_lengths_and_polygons_may_be_mixed(tmp_path):
    mask = np.zeros((50, 60), np.uint8)
    mask[10:20, 30:40] = 1
    packed = mask_api.encode(np.asfortranarray(mask))
    text = {"size": [50, 60], "counts": packed["counts"].decode()}
    plain = {"size": [50, 60], "counts": [30 * 50 + 10, *[10, 40] * 9, 10, 50 * 20 + 30]}
    found = outlines(tmp_path, text, [[30, 10, 40, 10, 40, 20, 30, 20]], plain)
    assert np.array_equal(found.masks([0, 2], 50, 60), [mask, mask])
    assert found.masks([1], 50, 60).sum() == 100
    assert found.masks([], 50, 60).shape == (0, 50, 60)


@pytest.mark.parametrize(
    ("outline", "message"),
    [
        (
            {"size": [60, 50], "counts": "3"},
            r"expected a mask of 50 x 60 pixels like its image, found 60 x 50",
        ),
        ({"size": [50, 60], "counts": [3, 4]}, "expected run lengths of 3000 pixels in all, found 7"),
        (
            {"size": [50, 60], "counts": "~~"},
            "expected run lengths of 3000 pixels in all, found damaged ones",
        ),
        ({"counts": "3"}, "expected run lengths as 'size' and 'counts'"),
        ([[1, 2, 3, 4]], "expected polygons of at least three corners"),
        ([[1, 2, 3, 4, 5, float("inf")]], "expected polygons of finite numbers"),
        ([[1, 2, 3, 4, 5, "6"]], "expected polygons of finite numbers"),
        ([], "expected an outline like the other objects have, found none"),
    ],
)
def test_a_damaged_outline_is_named(tmp_path, outline, message):
    with pytest.raises(DataError, match=message) as caught:
        outlines(tmp_path, [[0, 0, 9, 0, 9, 9]], outline)
    assert f"{tmp_path / 'a.json'}: annotations[1] (id 1): " in str(caught.value)


def test_no_outline_at_all_is_none(tmp_path):
    assert outlines(tmp_path, None, []) is None


def test_the_place_in_the_file_is_told_although_objects_are_sorted(coco):
    def damage(content):
        content["annotations"][3]["segmentation"]["size"] = [1, 2]

    with pytest.raises(DataError, match=r"annotations\[3\] \(id 9\): expected a mask of 60 x 120 pixels"):
        read_annotations(coco(damage).split("val"), (1, 13, 90))
