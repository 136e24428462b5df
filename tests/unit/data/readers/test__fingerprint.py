import hashlib

from lsbench.data.readers._fingerprint import fingerprint_lines, image_line


def test_it_is_the_hash_of_the_lines_as_first_published():
    lines = [image_line("train", "n1", "a.png", 7), image_line("val", "n1", "b.png", 12)]
    expected = hashlib.sha256(b"v1train/n1/a.png\x007\nval/n1/b.png\x0012\n").hexdigest()
    assert fingerprint_lines(lines) == expected
    assert fingerprint_lines(reversed(lines)) != expected


def test_names_that_are_no_utf8_have_one_too():
    assert len(fingerprint_lines([image_line("train", "n1", "\udcff.png", 1)])) == 64
