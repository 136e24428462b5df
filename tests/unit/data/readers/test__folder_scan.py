import os
from pathlib import Path

import pytest

from lsbench.core.errors import DataError
from lsbench.core.waits import told_to
from lsbench.data.readers import _folder_scan as folder_scan
from lsbench.data.readers._fingerprint import SCAN
from lsbench.data.readers._folder_scan import (
    class_folders,
    count_left_out,
    fingerprint_folders,
    resolve_root,
)


def age(root):
    """Date everything back, so that the answer may be cached."""
    for path in [root, *root.rglob("*")]:
        os.utime(path, (1_000_000, 1_000_000))


@pytest.mark.parametrize(
    ("root", "data_root", "expected"),
    [
        (Path("/a"), None, "/a"),
        (Path("/a"), Path("/d"), "/a"),
        (Path("a"), Path("/d"), "/d/a"),
        (Path("a"), None, "a"),
        (None, Path("/d"), "/d/imagenet"),
    ],
)
def test_roots(root, data_root, expected):
    assert resolve_root(root, data_root, "imagenet") == Path(expected)


def test_no_root_at_all_says_what_to_set():
    with pytest.raises(DataError, match="set 'root:'"):
        resolve_root(None, None, "imagenet")


def test_class_folders_are_sorted_and_visible(tmp_path):
    for name in ("b", "a", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("")
    assert class_folders(tmp_path) == ["a", "b"]


def test_the_fingerprint_follows_names_and_sizes(colours):
    splits = dict(colours.splits)
    first = fingerprint_folders(splits)
    assert len(first) == 64
    assert fingerprint_folders(splits) == first
    image = colours.split("train") / "n1" / "0.png"
    image.rename(image.with_name("9.png"))
    renamed = fingerprint_folders(splits)
    assert renamed != first
    image.with_name("9.png").write_bytes(b"short")
    assert fingerprint_folders(splits) not in (first, renamed)


def test_the_fingerprint_is_the_same_elsewhere(colours, tmp_path):
    first = fingerprint_folders(colours.splits)
    colours.root.rename(tmp_path / "moved")
    moved = {split: tmp_path / "moved" / split for split in colours.splits}
    assert fingerprint_folders(moved) == first


def test_an_untouched_folder_is_not_walked_again(colours, monkeypatch):
    age(colours.root)
    first = fingerprint_folders(colours.splits)
    monkeypatch.setattr(folder_scan, "_image_lines", lambda *_: pytest.fail("walked again"))
    assert fingerprint_folders(colours.splits) == first


def test_a_damaged_memo_is_ignored(colours, cache):
    age(colours.root)
    first = fingerprint_folders(colours.splits)
    for memo in (cache / "fingerprints").iterdir():
        memo.write_text("{")
    assert fingerprint_folders(colours.splits) == first


def test_nested_and_empty_class_folders_are_refused(colours):
    nested = colours.split("val") / "n1" / "deeper"
    nested.mkdir()
    with pytest.raises(DataError, match="found the folder 'deeper'"):
        fingerprint_folders(colours.splits)
    nested.rmdir()
    (colours.split("val") / "n4").mkdir()
    with pytest.raises(DataError, match=r"n4, found none"):
        fingerprint_folders(colours.splits)


@pytest.mark.parametrize("path", ["n2", "n1/x.png"])
@pytest.mark.parametrize("target", ["gone", "itself"])
def test_dead_and_looping_links_are_named(tmp_path, path, target):
    (tmp_path / "val" / "n1").mkdir(parents=True)
    (tmp_path / "val" / "n1" / "1.png").write_bytes(b"1")
    link = tmp_path / "val" / path
    link.symlink_to(link if target == "itself" else target)
    with pytest.raises(DataError, match=f"the link {link} leads to"):
        fingerprint_folders({"val": tmp_path / "val"})


def test_litter_changes_no_fingerprint(colours):
    first = fingerprint_folders(colours.splits)
    for path in (".ipynb_checkpoints/0.png", "n1/@eaDir/0.png", "n1/._0.png"):
        (colours.split("val") / path).parent.mkdir(exist_ok=True)
        (colours.split("val") / path).write_bytes(b"1")
    assert fingerprint_folders(colours.splits) == first


def test_a_folder_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match=r"folder that can be read at .*gone, found: No such file"):
        class_folders(tmp_path / "gone")


def test_an_untouched_split_is_not_counted_again(colours, monkeypatch):
    place = colours.split("train")
    (place / "n1" / "0.gif").write_bytes(b"")
    age(colours.root)
    first = count_left_out(place)
    assert first.skipped == {".gif": 1}
    with monkeypatch.context() as patch:
        patch.setattr(folder_scan, "_count", lambda *_, **__: pytest.fail("counted again"))
        assert count_left_out(place) == first
    (place / "._x").write_bytes(b"")
    assert count_left_out(place).litter == {"._*": 1}


def test_the_fingerprint_is_that_of_the_first_release(tmp_path):
    for split in ("train", "val"):
        for name in ("a", "b"):
            (tmp_path / split / name).mkdir(parents=True)
            (tmp_path / split / name / "1.JPEG").write_bytes(b"12")
            (tmp_path / split / name / "2.png").write_bytes(b"123")
    found = fingerprint_folders({split: tmp_path / split for split in ("train", "val")})
    assert found == "b94905f7ef2b3520a38ffe4562fdf1d088b5fdd4fbeb66deff09f382020fa79f"


def test_a_long_walk_is_told(colours, monkeypatch):
    monkeypatch.setattr("lsbench.data.memo.announced_if_long", lambda what: told_to(heard.append(what)))
    heard = []
    fingerprint_folders(colours.splits)
    assert heard == [SCAN]
