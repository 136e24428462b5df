import os

import pytest

from lsbench.core.errors import DataError
from lsbench.data.detection.files import DetectionFiles, Layout, fingerprint_files, with_test

LAYOUT = Layout("<split>.json", "<split>", "get it")


@pytest.fixture
def root(tmp_path):
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        (tmp_path / f"{split}.json").write_text("{}")
        (tmp_path / split / "0.png").write_bytes(b"1")
    return tmp_path


def test_splits_are_found_with_their_images(root):
    files, folders = LAYOUT.find(root)
    assert files == {"train": root / "train.json", "val": root / "val.json"}
    assert folders == {"train": root / "train", "val": root / "val"}


def test_what_is_missing_is_told_with_how_to_get_it(root):
    (root / "train" / "0.png").unlink()
    (root / "train").rmdir()
    with pytest.raises(
        DataError, match=rf"expected the images of {root}/train.json in the folder .*; get it"
    ):
        LAYOUT.find(root)
    with pytest.raises(
        DataError, match=r"expected annotations in .*/<train\|val\|test>.json, found none; get it"
    ):
        LAYOUT.find(root / "nowhere")
    with pytest.raises(DataError, match="correct 'root:', 'annotations:' or 'images:'"):
        Layout("<split>.json", "<split>").find(root / "nowhere")


def test_the_fingerprint_follows_annotations_and_images(root):
    def fingerprint():
        return fingerprint_files(*LAYOUT.find(root))

    first = fingerprint()
    assert fingerprint() == first
    (root / "val" / "notes.txt").write_text("no image")
    assert fingerprint() == first
    (root / "val" / "deep").mkdir()
    (root / "val" / "deep" / "0.png").write_bytes(b"1")
    deep = fingerprint()
    (root / "val" / "deep" / "1.png").write_bytes(b"1")
    assert len({first, deep, fingerprint()}) == 3, "folders in the folder count, too"
    (root / "val" / "1.png").write_bytes(b"12")
    second = fingerprint()
    assert second != first
    os.utime(root / "val.json", ns=(1, 1))
    assert fingerprint() == second, "only the content counts"
    (root / "val.json").write_text("[]")
    assert fingerprint() not in (first, second)


def test_data_moves_with_its_images_and_tests_on_val(root, tmp_path):
    files, folders = LAYOUT.find(root)
    data = with_test(DetectionFiles(root, files, folders, ("cat",), (7,)))
    assert data.task == "detection"
    assert data.num_classes == 1
    assert data.split("test") == root / "val.json"
    assert with_test(data) is data
    moved = data.moved(tmp_path / "b")
    assert (moved.split("val"), moved.images["test"]) == (tmp_path / "b" / "val.json", tmp_path / "b" / "val")
    assert data.at_most(3).limit == 3
    with pytest.raises(DataError, match=r"expected a 'dev' split in .*; add the annotations of 'dev'"):
        data.split("dev")
