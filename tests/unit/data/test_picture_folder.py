import pytest

from lsbench.core.errors import DataError
from lsbench.data.picture_folder import fingerprint_pictures, list_pictures


@pytest.fixture
def folder(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_images_are_listed_by_name_and_nothing_else(folder):
    assert list_pictures(folder) == ("a.png", "b.JPG")


def test_the_fingerprint_follows_content_and_names_alone(folder):
    before = fingerprint_pictures(folder)
    (folder / "notes.txt").write_text("more")
    assert fingerprint_pictures(folder) == before
    (folder / "a.png").write_bytes(b"other")
    changed = fingerprint_pictures(folder)
    (folder / "a.png").rename(folder / "c.png")
    assert len({before, changed, fingerprint_pictures(folder)}) == 3


def test_no_folder_and_no_image_are_told(folder, tmp_path):
    with pytest.raises(DataError, match=r"images at .*absent: No such file or directory; name another"):
        list_pictures(tmp_path / "absent")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match=r"expected images in .*empty, found none; their names end in \.jpg"):
        fingerprint_pictures(empty)
