import pytest

from lsbench.core.errors import DataError
from lsbench.data.datasets.imagenet_r import DATASET, ImageNetRSpec
from lsbench.data.imagenet.ilsvrc import class_list


def test_it_has_the_200_classes_of_timms_list(write_classes):
    root = write_classes("imagenet-r", class_list("imagenet_r_synsets.txt"))
    folders = DATASET.prepare(ImageNetRSpec(), root)
    assert folders.split("test") == root / "imagenet-r"
    assert (folders.subset[0], folders.subset[-1], len(folders.subset)) == (1, 988, 200)
    assert DATASET.num_images(ImageNetRSpec(), "test") == 30_000


def test_the_classes_of_imagenet_a_are_others(write_classes):
    root = write_classes("imagenet-r", class_list("imagenet_a_synsets.txt"))
    with pytest.raises(DataError, match=r"found 200: \d+ missing \(n01443537, .*\) and \d+ unexpected"):
        DATASET.prepare(ImageNetRSpec(), root)
