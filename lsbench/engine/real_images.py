"""A few real images of a data set, as a model sees them: to compare two runtimes, or to calibrate one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lsbench.core.errors import DataError
from lsbench.engine.classify import create_eval_batches
from lsbench.engine.open_data import OpenData

#: Embedded, so that it is there on every machine.
EMBEDDED = "fashion"


def real_images(
    settings: Mapping[str, Any], data_root: str | None, split: str, *, count: int, img_size: int
) -> Tensor:
    """Return images evenly spaced over a split, normalised, shape (count, 3, H, W).

    If the data is not on this machine, they are those of the embedded garments.

    Args:
        settings: Name and options of the data set, as a suite gives them.
        data_root: Folder under which large data sets live, if given.
        split: One of its splits.
        count: Image count; fewer of a smaller split.
        img_size: Height and width in pixels.
    """
    try:
        return _of_split(OpenData({**settings, "img_size": img_size}, data_root), split, count)
    except DataError:
        # A multiple of ten: every class has as many images.
        size = {f"{name}_images": max(10, -(-count // 10) * 10) for name in ("train", "val", "test")}
        return _of_split(OpenData({"name": EMBEDDED, "img_size": img_size, **size}, None), split, count)


def _of_split(data: OpenData, split: str, count: int) -> Tensor:
    batches = create_eval_batches(data, split, batch_size=count, workers=0, at_most=count)
    return torch.cat([images for images, _ in batches])
