import pytest

from lsbench.core.errors import DataError
from lsbench.data.datasets import imagenet
from lsbench.data.datasets.imagenet import DATASET, ImageNetSpec, ilsvrc_wnids


@pytest.fixture
def val_only(tmp_path):
    for wnid in ilsvrc_wnids():
        (tmp_path / "imagenet" / "val" / wnid).mkdir(parents=True)
        (tmp_path / "imagenet" / "val" / wnid / "ILSVRC2012_val_1.JPEG").write_bytes(b"12")
    return tmp_path


def test_the_class_list_is_that_of_ilsvrc():
    wnids = ilsvrc_wnids()
    assert len(wnids) == 1000
    assert (wnids[0], wnids[999]) == ("n01440764", "n15075141")


def test_a_machine_may_hold_the_validation_set_alone(val_only):
    folders = DATASET.prepare(ImageNetSpec(), val_only)
    assert folders.split("test") == folders.split("val") == val_only / "imagenet" / "val"
    assert len(DATASET.fingerprint(ImageNetSpec(root=val_only / "imagenet"), None)) == 64
    with pytest.raises(DataError, match="expected a 'train' split"):
        folders.split("train")


def test_missing_and_unexpected_classes_are_named(val_only):
    (val_only / "imagenet/val/n01440764").rename(val_only / "imagenet/val/goldfish")
    with pytest.raises(DataError, match=r"1 missing \(n01440764\) and 1 unexpected \(goldfish\)"):
        DATASET.fingerprint(ImageNetSpec(), val_only)


def test_unsorted_validation_images_are_recognised(tmp_path):
    (tmp_path / "imagenet" / "val").mkdir(parents=True)
    (tmp_path / "imagenet" / "val" / "ILSVRC2012_val_1.JPEG").write_bytes(b"")
    with pytest.raises(DataError, match="sort the images into class folders first"):
        DATASET.prepare(ImageNetSpec(), tmp_path)


def test_a_missing_class_list_says_what_to_install(monkeypatch):
    monkeypatch.setattr(imagenet.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="install timm"):
        ilsvrc_wnids.__wrapped__()
