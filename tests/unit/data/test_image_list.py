from dataclasses import replace

import pytest

from lsbench.core.errors import DataError
from lsbench.data.image_list import list_images


def test_paths_are_sorted_and_targets_follow_the_wnids(colours):
    images = list_images(colours, "train")
    assert images.paths[:2] == ("n1/0.png", "n1/1.png")
    assert images.targets == (0,) * 4 + (1,) * 4 + (2,) * 4
    assert images.decode(0).mode == "RGB"


def test_targets_do_not_depend_on_the_order_of_wnids_or_on_absent_classes(colours):
    shuffled = replace(colours, wnids=("n3", "n0", "n1", "n2"))
    images = list_images(shuffled, "val")
    assert dict(zip(images.paths, images.targets, strict=True))["n3/0.png"] == 3
    assert set(images.targets) == {1, 2, 3}


def test_a_limit_keeps_every_class(colours):
    images = list_images(replace(colours, limit=6), "train")
    assert images.targets == (0, 0, 1, 1, 2, 2)
    assert len(list_images(replace(colours, limit=99), "train")) == 12


def test_an_empty_split_and_a_broken_image_are_named(colours):
    (colours.split("train") / "n1" / "0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"n1/0\.png, found:"):
        list_images(colours, "train").decode(0)
    for path in colours.split("val").rglob("*.png"):
        path.unlink()
    with pytest.raises(DataError, match="found none"):
        list_images(colours, "val")
