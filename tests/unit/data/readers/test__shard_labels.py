import pytest

from lsbench.core.errors import DataError
from lsbench.data.readers._shard_labels import folder_of, match_labels, names_of, read_label, states_label


def match(images, labels, pictures=()):
    return match_labels(images, {name: f"{name}.cls" for name in labels}, pictures, "0.tar")


def test_the_longest_common_name_counts():
    assert list(names_of("a.b/c.d.jpg")) == ["a.b/c.d", "a.b/c.d.jpg", "a.b/c"]
    expected = {
        "1.jpg": "1",
        "1.v2.jpg": "1.v2",
        "2.v1.jpg": "2",
        "3.png": "3.png",
        "4.png.jpg": "4.png",
        "4.png": "4",
    }
    assert match(list(expected), list(expected.values())) == expected
    assert match(["n1/1.jpg"], []) == {}
    assert match(["a/1.jpg", "a/2.jpg"], ["a/1", "a/2", "a/3"], pictures=["a/3.gif"]) == {
        "a/1.jpg": "a/1",
        "a/2.jpg": "a/2",
    }


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (["a/1.v1.jpg"], ["b/1.v1"], r"an image for 'b/1\.v1\.cls' in 0\.tar, found none of this name"),
        (
            ["a.1.jpg", "a.2.jpg"],
            ["a.1"],
            r"class for each image in 0\.tar, found none for 'a\.2\.jpg'",
        ),
        (["1.jpg", "1.png"], ["1"], r"one image for '1\.cls' in 0\.tar, found 1\.jpg, 1\.png"),
        (["1.v1.jpg"], ["1.v1", "1"], r"an image for '1\.cls'"),
    ],
)
def test_each_image_has_one_class_and_each_class_one_image(images, labels, message):
    with pytest.raises(DataError, match=message):
        match(images, labels)


@pytest.mark.parametrize(
    ("content", "label"),
    [
        (b"7\n", 7),
        (b"007", 7),
        (b"\xef\xbb\xbf7\r\n", 7),
        ("7".encode("utf-16"), 7),
        (" gro\u00dfe Katze ".encode(), "gro\u00dfe Katze"),
        (b"n01440764", "n01440764"),
        (b"1.5 mm", "1.5 mm"),
    ],
)
def test_a_class_is_a_number_or_a_name(content, label):
    assert read_label(content, "member") == label


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \n",
        b"-1",
        b"1.0",
        b"+1",
        b"1e3",
        b"nan",
        b"1_0",
        b"1000000",
        "\u0663".encode(),
        b"[1]",
        b"0\n1",
    ],
)
def test_numbers_that_no_class_can_have_are_refused(content):
    with pytest.raises(DataError, match=r"class number or name in member '1\.cls' of 0\.tar, found"):
        read_label(content, "member '1.cls' of 0.tar")


def test_labels_in_unknown_bytes_are_refused():
    with pytest.raises(DataError, match=r"in member, found: .*; save it as UTF-8"):
        read_label(b"caf\xe9", "member")


def test_the_folder_is_the_last_one():
    assert folder_of("./train/n1/1.v2.png") == "n1"
    assert [folder_of(path) for path in ("1.png", "./1.png", "../1.png", "n1/../1.png")] == [""] * 4


@pytest.mark.parametrize(
    ("content", "ending", "expected"),
    [
        (b'{"label": 3}', ".json", True),
        (b'{"meta": {"class_name": "cat"}}', ".json", True),
        (b'{"label": "imgs", "class_id": 4}', ".json", False),
        (b'{"width": 3}', ".json", False),
        (b"3", ".json", True),
        (b"{", ".json", False),
        (b"a cat on a mat", ".txt", False),
        (b"3\n", ".txt", True),
        (b"cat", ".class", True),
        (b"imgs", ".class", False),
    ],
)
def test_labels_that_nobody_would_read_are_seen(content, ending, expected):
    assert states_label(content, ending, "imgs") == expected
