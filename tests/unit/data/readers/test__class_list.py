import pytest

from lsbench.core.errors import DataError
from lsbench.data.readers._class_list import decode_text, read_class_list

NAMES = ("zebra", "Äpfel", "a b", "10", "9")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("tail", ["", "{}", " \t{}  {}{}"])
def test_the_numbers_are_right_however_the_list_was_saved(tmp_path, encoding, line_end, tail):
    text = f" {line_end}".join(NAMES) + tail.format(*[line_end] * 3)
    (tmp_path / "classes.txt").write_bytes(text.encode(encoding))
    assert read_class_list(tmp_path) == NAMES


def test_marks_of_the_other_byte_order_are_known():
    assert decode_text(b"\xfe\xff\0a\0\n") == "a\n"
    assert decode_text(b"\0\0\xfe\xff\0\0\0a") == "a"


def test_only_line_ends_end_a_line(tmp_path):
    (tmp_path / "classes.txt").write_text("a\x0bb\nc\x85d\ne\u2028f\n", encoding="utf-8")
    assert read_class_list(tmp_path) == ("a\x0bb", "c\x85d", "e\u2028f")


def test_without_a_list_there_are_no_names(tmp_path):
    assert read_class_list(tmp_path) is None
    (tmp_path / "classes.txt").symlink_to("gone")
    with pytest.raises(DataError, match=r"the link .*classes\.txt leads to \(gone\)"):
        read_class_list(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"cat\ndog\ncat\n", r"classes\.txt:3: expected the name of class 2, found 'cat' again.* in line 1;"),
        ("é\ne\u0301\n".encode(), r"classes\.txt:2: .* again, which is class 0"),
        (b"# my classes\ncat\n", r"classes\.txt:1: expected the name of class 0, found a comment \(# my"),
        (b"cat\n\ndog\n", r"classes\.txt:2: expected the name of class 1, found an empty line"),
        (b"", r"classes\.txt:1: .* found an empty line"),
        (b"caf\xe9\n", r"classes\.txt: expected a text in UTF-8, found: .*; save it as UTF-8"),
    ],
)
def test_lines_that_name_no_class_are_errors(tmp_path, text, message):
    (tmp_path / "classes.txt").write_bytes(text)
    with pytest.raises(DataError, match=message):
        read_class_list(tmp_path)
