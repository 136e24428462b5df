"""A small data set in COCO's layout: sparse ids, a crowd, an empty image, and boxes of every odd kind."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lsbench.data.detection.files import DetectionFiles

IDS, NAMES = (1, 13, 90), ("cat", "dog", "bird")
SIZES = {5: (100, 80), 7: (60, 120), 12: (48, 48), 30: (20, 90)}
"""Height and width of each image."""


def polygon(x, y, width, height):
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def annotation(key, image, category, box, **more):
    _, _, width, height = box
    return {
        "id": key,
        "image_id": image,
        "category_id": category,
        "bbox": list(box),
        "area": width * height,
        "iscrowd": 0,
        "segmentation": polygon(*box),
        **more,
    }


def content():
    """Three images and one of 20 pixels; image 12 is empty."""
    runs = {"size": [60, 120], "counts": [60 * 110, 60 * 10]}
    return {
        "info": {},
        "images": [
            {"id": key, "file_name": f"{key:012d}.png", "height": height, "width": width}
            for key, (height, width) in reversed(SIZES.items())
        ],
        "categories": [
            {"id": key, "name": name} for key, name in reversed(list(zip(IDS, NAMES, strict=True)))
        ],
        "annotations": [
            annotation(3, 7, 13, (10.5, 10, 30, 20)),
            annotation(1, 5, 1, (10, 10, 50, 50)),
            annotation(2, 5, 90, (60, 80, 40, 40)),  # reaches outside
            annotation(9, 7, 1, (110, 0, 10, 60), iscrowd=1, segmentation=runs),
            annotation(8, 5, 13, (5, 5, 0.5, 30)),  # too narrow
            annotation(0, 5, 13, (20, 20, 5, 5), area=0),
            annotation(4, 30, 1, (1, 1, 10, 10)),
        ],
    }


@pytest.fixture
def coco(tmp_path: Path):
    """Return what writes a split: the data set of a content, changed by a function of it."""
    root = tmp_path / "coco"
    rng = np.random.default_rng(0)

    def write(change=lambda content: None, split="val") -> DetectionFiles:
        made = copy.deepcopy(content())
        change(made)
        file, folder = root / "annotations" / f"instances_{split}2017.json", root / f"{split}2017"
        file.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True)
        file.write_text(json.dumps(made))
        for key, (height, width) in SIZES.items():
            pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{key:012d}.png")
        return DetectionFiles(root, {split: file}, {split: folder}, NAMES, IDS)

    return write
