import io
import os
import re
import tarfile

import pytest

from lsbench.core.errors import DataError
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
    assert READER.class_names(shards / "train", None) == ["000000", "000001", "000002"]
    opened = READER.open_split(shards / "train", ("n2", "n3"), NAMES)
    assert {image.target for image in opened.images} == {0, 1}
    assert len(opened.images) == 8


def test_a_number_without_a_name_is_an_error_that_names_line_and_member(shards):
    (shards / "classes.txt").write_text("n1\nn2\n")
    for ask in (READER.class_names, lambda *_: READER.fingerprint({"train": shards / "train"}, ("n1", "n2"))):
        with pytest.raises(DataError) as error:
            ask(shards / "train", ("n1", "n2"))
        assert f"{shards / 'classes.txt'}:3: expected the name of class 2, found 2 names" in str(error.value)
        assert re.search(r"the class is that of 'n3/\d\.png' of .*train/000\d\.tar", str(error.value))
    with pytest.raises(DataError, match="expected the name of class 2, found 1 names"):
        READER.open_split(shards / "train", ("n1",), ("n1",))


def write(path, members):
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def test_shards_of_one_split_state_classes_in_one_way(tmp_path):
    write(tmp_path / "train" / "0.tar", {"a/1.png": b"1", "a/1.cls": b"0"})
    write(tmp_path / "train" / "1.tar", {"a/1.png": b"1"})
    with pytest.raises(
        DataError, match=r"in all shards or in none, found them in .*0\.tar, and none in .*1\.tar"
    ):
        READER.class_names(tmp_path / "train", None)
    write(tmp_path / "train" / "1.tar", {"a/1.png": b"1", "a/1.cls": b"cat"})
    assert READER.class_names(tmp_path / "train", ("dog", "cat")) == ["cat", "dog"]
    with pytest.raises(DataError, match=r"found 0 in 'a/1\.png' of .*0\.tar and 'cat' in .*1\.tar"):
        READER.class_names(tmp_path / "train", None)


def test_a_shard_of_two_splits_is_refused(tmp_path):
    write(tmp_path / "in-train-val-0.tar", {"a/1.png": b"1"})
    with pytest.raises(
        DataError, match=r"found in-train-val-0\.tar, which is of train and of val by its name"
    ):
        READER.find_splits(tmp_path, SPLITS)


def test_what_is_no_image_is_counted(tmp_path):
    write(tmp_path / "train" / "0.tar", {"a/1.png": b"1", "a/2.gif": b"1", "a/1.txt": b"words"})
    write(tmp_path / "train" / "1.tar", {"a/1.png": b"1", "a/@eaDir/1.png": b"1", "a/3.gif": b"1"})
    assert READER.left_out(tmp_path / "train").to_json() == [{"@eaDir": 1}, {".gif": 2}]


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
