import os

import pytest

from lsbench.data.readers import wds
from lsbench.data.readers.folder import READER as FOLDER
from lsbench.data.readers.wds import READER

NAMES = ("n1", "n2", "n3")
SPLITS = ("train", "val", "test")


@pytest.fixture
def shards(colours, tmp_path, store_images):
    return store_images(colours.root, tmp_path / "shards", "wds")


def test_splits_are_folders_of_shards_or_words_in_their_names(shards, tmp_path):
    assert READER.find_splits(shards, SPLITS) == {"train": shards / "train", "val": shards / "val"}
    (tmp_path / "flat").mkdir()
    for split, word in (("train", "train"), ("val", "validation")):
        for shard in (shards / split).iterdir():
            shard.rename(tmp_path / "flat" / f"noise-{word}-{shard.name}")
    flat = READER.find_splits(tmp_path / "flat", SPLITS)
    assert flat == {"train": tmp_path / "flat" / "train", "val": tmp_path / "flat" / "validation"}
    assert READER.class_names(flat["val"], NAMES) == list(NAMES)
    assert len(READER.open_split(flat["train"], NAMES, NAMES).images) == 12


def test_numbers_become_names_or_six_digits(shards):
    assert READER.class_names(shards / "train", NAMES) == list(NAMES)
    assert READER.class_names(shards / "train", ("n1",)) == ["000001", "000002", "n1"]
    opened = READER.open_split(shards / "train", ("n2", "n3"), NAMES)
    assert {image.target for image in opened.images} == {0, 1}
    assert len(opened.images) == 8


def test_the_fingerprint_is_that_of_the_folders(shards, colours, monkeypatch):
    for shard in shards.rglob("*.tar"):
        os.utime(shard, (1_000_000, 1_000_000))
    splits = READER.find_splits(shards, SPLITS)
    expected = FOLDER.fingerprint(colours.splits, None)
    assert READER.fingerprint(splits, NAMES) == expected
    with monkeypatch.context() as patch:
        patch.setattr(wds, "index_shard", lambda _: pytest.fail("read again"))
        assert READER.fingerprint(splits, NAMES) == expected
    assert READER.fingerprint(splits, ("n1", "n2", "n9")) != expected


def test_where_names_the_image_and_the_shards(shards):
    assert READER.where(shards / "train", "n1/0.png", 3, None) == (
        f"n1/0.png in the shards of {shards / 'train'}"
    )
