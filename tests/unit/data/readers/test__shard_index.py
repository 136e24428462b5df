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
            "b/2.x.cls": b"8",
            "3.cls": b"cat",
            "3.webp": b"3",
            "n1/4.cls": b"9",
            "n1/4.gif": b"-",
            "./n1/.hidden.png": b"-",
            "__MACOSX/a/._1.cls": b"-",
            "__MACOSX/a/._1.png": b"-",
            "n1/readme.txt": b"-",
        }
    )
    index = index_shard(shard)
    assert [(m.label, m.path, m.name) for m in index.members] == [
        (7, "a/1.JPEG", "1.JPEG"),
        (8, "b/2.x.png", "2.x.png"),
        ("cat", "3.webp", "3.webp"),
    ]
    content = shard.read_bytes()
    assert [content[m.offset : m.offset + m.size] for m in index.members] == [b"one", b"second", b"3"]
    assert index.has_labels
    assert index.left_out.to_json() == [{".hidden.png": 1, "__MACOSX": 1}, {".gif": 1, ".txt": 1}]


def test_without_labels_the_last_folder_is_the_class(write):
    index = index_shard(write({"x/n1/1.v2.png": b"1", "./n2/1.png": b"2", "n2/1.json": b'{"width": 3}'}))
    assert [(m.label, m.name) for m in index.members] == [("n1", "1.v2.png"), ("n2", "1.png")]
    assert not index.has_labels
    assert index.left_out.to_json() == [{}, {}]


def test_photos_with_dots_in_their_names_keep_their_labels(write):
    """WebDataset sees one sample, ``imgs/photo_0``, with the fields ``v1.jpg``, ``v1.cls`` and so on."""
    names = [f"imgs/photo_{number}.v{version}" for number in range(3) for version in (1, 2)]
    members = {}
    for row, name in enumerate(names):
        members |= {f"{name}.jpg": bytes([row]), f"{name}.cls": str(row % 2).encode()}
    shard = write(members)
    content = shard.read_bytes()
    assert [(m.path, m.label, content[m.offset]) for m in index_shard(shard).members] == [
        (f"{name}.jpg", row % 2, row) for row, name in enumerate(names)
    ]


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
            for m in index_shard(shard).members
        ]
        assert mine == theirs
        assert len(mine) == 6


def test_an_untouched_shard_is_not_read_again(write, monkeypatch):
    shard = write({"n1/1.png": b"1"})
    os.utime(shard, (1_000_000, 1_000_000))
    first = index_shard(shard)
    with monkeypatch.context() as patch:
        patch.setattr(shard_index, "_read_shard", lambda _: pytest.fail("read again"))
        assert index_shard(shard) == first
    write({"n1/1.png": b"1", "n1/2.png": b"2"})
    os.utime(shard, (1_000_001, 1_000_001))
    assert len(index_shard(shard).members) == 2


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
        (
            {"a/1.png": b"1", "a/1.cls": b"0", "a/2.cls": b"1"},
            r"image for 'a/2\.cls' in .*0\.tar, found",
        ),
        ({"a/1.png": b"1", "a/1.cls": b"0", "a/2.png": b"1"}, r"none for 'a/2\.png', while others have one"),
        ({"a/1.v1.png": b"1", "a/1.v1.cls": b"-1"}, r"in member 'a/1\.v1\.cls' of .*0\.tar, found '-1'"),
        ({"a/1.png": b"1", "a/1.cls": b"1.0"}, r"in member 'a/1\.cls' of .*0\.tar, found '1\.0'"),
        (
            {"a/1.png": b"1", "a/1.json": b'{"label": 1}'},
            r"class of 'a/1\.png' in .*0\.tar as a member 'a/1\.cls', found one in 'a/1\.json' only",
        ),
        ({"a/1.png": b"1", "./a/1.png": b"2"}, r"each name once in .*0\.tar, found '\./a/1\.png' twice"),
        ({"a/1.png": b"1", "a/1.cls": b"0", "a//1.CLS": b"1"}, r"found 'a//1\.CLS' twice"),
    ],
)
def test_images_without_one_class_are_refused(write, members, message):
    with pytest.raises(DataError, match=message):
        index_shard(write(members))


def test_damaged_shards_are_named(write):
    shard = write({"n1/1.png": bytes(2000), "n1/2.png": b"2"})
    whole = shard.read_bytes()
    cuts = (whole[:1500], whole[:2560] + b"x" * 300 + whole[2860:], whole[:2560], whole[:3584])
    for broken in (*cuts, whole + whole, b"no tar" * 200):
        shard.write_bytes(broken)
        with pytest.raises(DataError, match=r"uncompressed, complete tar shard at .*0\.tar"):
            index_shard(shard)
    with pytest.raises(DataError, match="uncompressed"):
        index_shard(write({"n1/1.png": b"1"}, mode="w:gz"))


def test_members_that_are_no_files_are_named(tmp_path):
    (tmp_path / "n1").mkdir()
    (tmp_path / "n1" / "1.png").write_bytes(b"1")
    os.link(tmp_path / "n1" / "1.png", tmp_path / "n1" / "2.png")
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        tar.add(tmp_path / "n1", "n1")
    with pytest.raises(
        DataError, match=r"ordinary files in .*0\.tar, found a link, 'n1/[12]\.png'; .*--hard"
    ):
        index_shard(tmp_path / "0.tar")


def test_shards_that_would_be_passed_over_are_named(write, tmp_path):
    write({}, "0.TAR")
    write({}, "._0.tar")
    assert [path.name for path in find_shards(tmp_path)] == ["0.TAR"]
    (tmp_path / "1.tar").symlink_to("gone")
    with pytest.raises(DataError, match=r"the link .*1\.tar leads to"):
        find_shards(tmp_path)
    (tmp_path / "1.tar").unlink()
    write({}, "2.tar.gz", mode="w:gz")
    with pytest.raises(DataError, match=r"uncompressed tar shards, found .*2\.tar\.gz"):
        find_shards(tmp_path)
    (tmp_path / "val").symlink_to("val")
    with pytest.raises(DataError, match=r"the link .*val leads to"):
        find_shards(tmp_path / "val")
