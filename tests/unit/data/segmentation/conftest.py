"""A small data set in ADE20K's published layout: labels from 1, and pixels that do not count."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lsbench.data.segmentation.folders import LabelMapFolders

SIZES = {"a": (40, 60), "b": (64, 32), "c": (40, 60)}


@pytest.fixture
def ade(tmp_path: Path):
    """Write three images with labels 0 (ignored) to 3 of four classes; return the data set."""
    root = tmp_path / "ade"
    images, label_maps = root / "images" / "validation", root / "annotations" / "validation"
    for folder in (images, label_maps):
        folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, size in SIZES.items():
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(images / f"{name}.jpg")
        labels = np.repeat(np.arange(4, dtype=np.uint8), size[1] // 4)[None].repeat(size[0], axis=0)
        Image.fromarray(labels).save(label_maps / f"{name}.png")
    return LabelMapFolders(root, {"val": images}, {"val": label_maps}, ("w", "x", "y", "z"), True)
