import pytest

from lsbench.core.errors import DataError
from lsbench.data.datasets.imagenet import DATASET, ImageNetSpec
from lsbench.data.imagenet.ilsvrc import ilsvrc_wnids


@pytest.fixture
def val_only(tmp_path):
    for wnid in ilsvrc_wnids():
        (tmp_path / "imagenet" / "val" / wnid).mkdir(parents=True)
        (tmp_path / "imagenet" / "val" / wnid / "ILSVRC2012_val_1.JPEG").write_bytes(b"12")
    return tmp_path


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


@pytest.mark.parametrize("reader", ["wds", "hfds"])
def test_a_missing_class_is_named_in_any_storage(tmp_path, store_images, reader):
    for wnid in ilsvrc_wnids()[:-1]:
        (tmp_path / "source" / "val" / wnid).mkdir(parents=True)
        (tmp_path / "source" / "val" / wnid / "1.png").write_bytes(b"12")
    root = store_images(tmp_path / "source", tmp_path / reader, reader)
    message = r"expected the 1000 ILSVRC classes in .*, found 999: 1 missing \(n15075141\); write all classes"
    with pytest.raises(DataError, match=message):
        DATASET.prepare(ImageNetSpec(root=root, reader=reader), None)


@pytest.mark.parametrize(
    ("reader", "layout"), [("wds", "store it as uncomp"), ("hfds", "store it as parquet")]
)
def test_no_split_in_other_storage_says_how_to_store_it(tmp_path, reader, layout):
    with pytest.raises(DataError, match=layout):
        DATASET.fingerprint(ImageNetSpec(root=tmp_path / "nowhere", reader=reader), None)
