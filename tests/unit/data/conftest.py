"""A private cache for every test, and small image folders."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lsbench.data.dataset import ImageFolders
from lsbench.data.datasets.fashion import DATASET as FASHION
from lsbench.data.datasets.fashion import FashionSpec


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("LSBENCH_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def garments(tmp_path_factory: pytest.TempPathFactory) -> ImageFolders:
    """Fashion with 200/50/100 images, written once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSBENCH_CACHE", str(tmp_path_factory.mktemp("garments")))
        return FASHION.prepare(FashionSpec(train_images=200, val_images=50, test_images=100), None)


@pytest.fixture
def colours(tmp_path: Path) -> ImageFolders:
    """Twelve colour photos of 20x30 pixels in three classes, train and val."""
    rng = np.random.default_rng(0)
    root = tmp_path / "colours"
    for split in ("train", "val"):
        for wnid in ("n1", "n2", "n3"):
            (root / split / wnid).mkdir(parents=True)
            for i in range(4):
                pixels = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(root / split / wnid / f"{i}.png")
    return ImageFolders(root, {s: root / s for s in ("train", "val")}, ("n1", "n2", "n3"))
