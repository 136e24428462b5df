import pytest

from lsbench.core.errors import DataError
from lsbench.data.segmentation.folders import (
    LabelMapFolders,
    PairLayout,
    fingerprint_pairs,
    list_pairs,
    with_test,
)

LAYOUT = PairLayout.named("images/<split>", "maps/<split>")


@pytest.fixture
def root(tmp_path):
    for split in ("train", "val"):
        for kind, ending in (("images", "jpg"), ("maps", "png")):
            (tmp_path / kind / split).mkdir(parents=True)
            (tmp_path / kind / split / f"0.{ending}").write_bytes(b"1")
    return tmp_path


def test_splits_are_found_with_their_label_maps(root):
    images, maps = LAYOUT.find(root)
    assert images == {"train": root / "images" / "train", "val": root / "images" / "val"}
    assert list_pairs(images["val"], maps["val"]) == [("0.jpg", "0.png")]


def test_what_is_missing_is_told(root):
    (root / "images" / "val" / "1.jpg").write_bytes(b"1")
    images, maps = LAYOUT.find(root)
    with pytest.raises(
        DataError, match=rf"the label map of {images['val']}/1.jpg at {maps['val']}/1.png, found none"
    ):
        list_pairs(images["val"], maps["val"])
    (root / "images" / "val" / "1.jpg").rename(root / "images" / "val" / "0.jpeg")
    with pytest.raises(DataError, match=r"expected one image for .*0.png, found 0.jpeg and 0.jpg"):
        list_pairs(images["val"], maps["val"])
    (root / "empty").mkdir()
    with pytest.raises(DataError, match=r"expected images in .*/empty, found none"):
        list_pairs(root / "empty", maps["val"])
    (root / "maps" / "val").rename(root / "maps" / "other")
    with pytest.raises(DataError, match=rf"expected the label maps of {root}/images/val in the folder"):
        LAYOUT.find(root)
    with pytest.raises(DataError, match=r"expected images in .*/images/<train\|val\|test>, found none"):
        LAYOUT.find(root / "nowhere")


def test_the_fingerprint_follows_images_and_label_maps(root):
    def fingerprint():
        return fingerprint_pairs(*LAYOUT.find(root))

    first = fingerprint()
    assert fingerprint() == first
    (root / "images" / "val" / "notes.txt").write_text("no image")
    assert fingerprint() == first
    for kind, ending in (("images", "jpg"), ("maps", "png")):
        (root / kind / "val" / f"1.{ending}").write_bytes(b"12")
    second = fingerprint()
    (root / "maps" / "val" / "1.png").unlink()
    (root / "maps" / "val" / "1.png").write_bytes(b"123")
    assert len({first, second, fingerprint()}) == 3


def test_data_moves_with_its_label_maps_and_tests_on_val(root, tmp_path):
    data = with_test(LabelMapFolders(root, *LAYOUT.find(root), ("a", "b"), False))
    assert (data.task, data.num_classes) == ("segmentation", 2)
    assert data.split("test") == root / "images" / "val"
    assert with_test(data) is data
    moved = data.moved(tmp_path / "b")
    assert moved.label_maps["test"] == tmp_path / "b" / "maps" / "val"
    with pytest.raises(DataError, match="add the images and the label maps of 'dev'"):
        data.split("dev")
