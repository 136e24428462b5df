import io
import os
import tarfile

import pytest

from lsbench.core.errors import DataError
from lsbench.data.readers import _shard_index as shard_index
from lsbench.data.readers._shard_index import find_shards, index_shard


@pytest.fixture
def write(tmp_path):
    def write_shard(members, name="0.tar", mode="w"):
        with tarfile.open(tmp_path / name, mode) as tar:
            for path, content in members.items():
                info = tarfile.TarInfo(path)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return tmp_path / name

    return write_shard


def test_images_are_found_where_they_lie_with_their_classes(write):
    shard = write(
        {
            "a/1.JPEG": b"one",
            "a/1.cls": b"7\n",
            "a/1.json": b"{}",
            "b/2.x.png": b"second",
            "3.cls": b"cat",
            "3.webp": b"3",
            "./n1/.hidden.png": b"-",
            "n1/readme.txt": b"-",
        }
    )
    found = index_shard(shard)
    assert [(m.label, m.path, m.name) for m in found] == [
        (7, "a/1.JPEG", "1.JPEG"),
        ("b", "b/2.x.png", "2.x.png"),
        ("cat", "3.webp", "3.webp"),
    ]
    content = shard.read_bytes()
    assert [content[m.offset : m.offset + m.size] for m in found] == [b"one", b"second", b"3"]


def test_webdataset_reads_the_same_samples(colours, tmp_path, store_images):
    import webdataset

    root = store_images(colours.root, tmp_path / "shards", "wds")
    for shard in find_shards(root / "train"):
        theirs = [
            (sample["__key__"], int(sample["cls"]), sample["png"])
            for sample in webdataset.WebDataset(str(shard), shardshuffle=False)
        ]
        content = shard.read_bytes()
        mine = [
            (m.path.removesuffix(".png"), m.label, content[m.offset : m.offset + m.size])
            for m in index_shard(shard)
        ]
        assert mine == theirs
        assert len(mine) == 6


def test_an_untouched_shard_is_not_read_again(write, monkeypatch):
    shard = write({"n1/1.png": b"1"})
    os.utime(shard, (1_000_000, 1_000_000))
    first = index_shard(shard)
    with monkeypatch.context() as patch:
        patch.setattr(shard_index, "_read_members", lambda _: pytest.fail("read again"))
        assert index_shard(shard) == first
    write({"n1/1.png": b"1", "n1/2.png": b"2"})
    os.utime(shard, (1_000_001, 1_000_001))
    assert len(index_shard(shard)) == 2


def test_shards_lie_in_a_folder_or_have_the_split_in_their_names(write, tmp_path):
    def names(place):
        return [path.name for path in find_shards(tmp_path / place)]

    for name in (
        "in-train-0001.tar",
        "in-train-0000.tar",
        "validation.000.tar",
        "trainer-0.tar",
        ".train-1.tar",
    ):
        write({}, name)
    assert names("train") == ["in-train-0000.tar", "in-train-0001.tar"]
    assert names("validation") == ["validation.000.tar"]
    (tmp_path / "train").mkdir()
    assert names("train") == []
    assert len(names(".")) == 4


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"1.png": b"1"},
            r"class of '1\.png' in .*0\.tar as .* a member '1\.cls', found neither",
        ),
        ({"a/1.cls": b" ", "a/1.png": b"1"}, r"class number or name in member 'a/1\.cls'"),
        (
            {"a/1.cls": b"0", "a/1.png": b"1", "a/1.jpg": b"1"},
            r"one image for 'a/1\.cls' .* found a/1\.png, a/1\.jpg",
        ),
    ],
)
def test_images_without_one_class_are_refused(write, members, message):
    with pytest.raises(DataError, match=message):
        index_shard(write(members))


def test_damaged_shards_are_named(write):
    shard = write({"n1/1.png": bytes(2000), "n1/2.png": b"2"})
    whole = shard.read_bytes()
    for broken in (whole[:1500], whole[:2560] + b"x" * 300 + whole[2860:], b"no tar" * 200):
        shard.write_bytes(broken)
        with pytest.raises(DataError, match=r"uncompressed, complete tar shard at .*0\.tar"):
            index_shard(shard)
    with pytest.raises(DataError, match="uncompressed"):
        index_shard(write({"n1/1.png": b"1"}, mode="w:gz"))
