import numpy as np
from PIL import Image

from lsbench.data.garments.png_folders import write_split


def test_pixels_land_unchanged_in_their_class_folder(tmp_path):
    grey = np.arange(784, dtype=np.uint32).astype(np.uint8).reshape(28, 28)
    colour = np.random.default_rng(0).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    write_split(tmp_path / "train", ["b", "a", "empty"], [(grey, 0, 7), (colour, 1, 12345)])
    assert np.array_equal(np.asarray(Image.open(tmp_path / "train/b/00007.png")), grey)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "train/a/12345.png")), colour)
    assert list((tmp_path / "train/empty").iterdir()) == []


def test_folders_of_empty_classes_may_be_left_out(tmp_path):
    write_split(tmp_path, ["a", "b"], [(np.zeros((2, 2), np.uint8), 1, 0)], empty_classes=False)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
