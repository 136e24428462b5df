import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lsbench.core.errors import DataError
from lsbench.data.thumbnails import SIDE, create_thumbnails, to_jpeg


def opened(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def test_an_image_is_found_by_its_name(colours):
    found = dict(create_thumbnails(colours, "val", {7: "n2/3.png", 0: "n1/0.png"}))
    assert list(found) == [7, 0]
    for number, path in ((7, "n2/3.png"), (0, "n1/0.png")):
        small = opened(found[number])
        assert small.shape == (20, 30, 3), "it is not enlarged"
        original = np.asarray(Image.open(colours.split("val") / path)).astype(int)
        assert abs(small.mean() - original.mean()) < 5


def test_large_images_are_made_small_in_their_proportions():
    content = to_jpeg(Image.new("RGB", (800, 400), "red"))
    assert opened(content).shape == (SIDE // 2, SIDE, 3)
    assert len(content) < 4000


def test_other_data_is_an_error(colours):
    with pytest.raises(DataError, match=r"expected image n9/0\.png in split 'val'"):
        list(create_thumbnails(colours, "val", {0: "n9/0.png"}))
    with pytest.raises(DataError, match="expected a 'test' split"):
        list(create_thumbnails(replace(colours), "test", {0: "n1/0.png"}))
