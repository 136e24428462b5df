import numpy as np
from PIL import Image

from lsbench.data.png_folders import write_split


def test_pixels_land_unchanged_in_their_class_folder(tmp_path):
    grey = np.arange(784, dtype=np.uint32).astype(np.uint8).reshape(28, 28)
    colour = np.random.default_rng(0).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    write_split(tmp_path / "train", ["b", "a", "empty"], [(grey, 0, 7), (colour, 1, 12345)])
    assert np.array_equal(np.asarray(Image.open(tmp_path / "train/b/00007.png")), grey)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "train/a/12345.png")), colour)
    assert list((tmp_path / "train/empty").iterdir()) == []
