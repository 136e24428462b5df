import pytest

from lsbench.core.errors import DataError
from lsbench.data.datasets.imagenet_c import DATASET, ImageNetCSpec
from lsbench.data.imagenet.ilsvrc import ilsvrc_wnids
from lsbench.data.loading.image_list import list_images


def test_its_splits_are_the_whole_conditions(write_classes):
    root = write_classes("imagenet-c/fog/3", ilsvrc_wnids())
    write_classes("imagenet-c/snow/1", ilsvrc_wnids()[:-1])
    folders = DATASET.prepare(ImageNetCSpec(), root)
    assert folders.splits == {"fog/3": root / "imagenet-c" / "fog" / "3"}
    assert list_images(folders, "fog/3").targets == tuple(range(1000))
    problems = folders.problems(["fog/3", "snow/1", "snow/2"])
    assert list(problems) == ["snow/1", "snow/2"]
    assert DATASET.num_images(ImageNetCSpec(), "test") == 50_000


def test_another_condition_changes_the_fingerprint(write_classes):
    root = write_classes("imagenet-c/fog/3", ilsvrc_wnids())
    before = DATASET.fingerprint(ImageNetCSpec(), root)
    write_classes("imagenet-c/fog/4", ilsvrc_wnids())
    assert DATASET.fingerprint(ImageNetCSpec(root=root / "imagenet-c"), None) != before


def test_without_a_whole_condition_the_first_problem_is_named(write_classes):
    root = write_classes("imagenet-c/fog/3", ["0", "1"])
    with pytest.raises(DataError, match=r"found 2 named by number \(0, 1\)"):
        DATASET.prepare(ImageNetCSpec(), root)
