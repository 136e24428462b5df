import pytest

from lsbench.data.datasets.imagenet_sketch import DATASET, ImageNetSketchSpec
from lsbench.data.imagenet.ilsvrc import ilsvrc_wnids


@pytest.mark.parametrize("folder", ["imagenet-sketch", "sketch"])
def test_it_has_all_classes_in_either_folder(write_classes, folder):
    root = write_classes(folder, ilsvrc_wnids())
    folders = DATASET.prepare(ImageNetSketchSpec(), root)
    assert folders.split("test") == root / folder
    assert folders.subset is None
    assert DATASET.num_images(ImageNetSketchSpec(), "test") == 50_889
