import json
import zlib

import pytest

from lsbench.core.checked_lines import check_lines, is_sound, to_line

VALUE = {"text": "ü|\n", "number": 1.5, "none": None, "inside": {"crc32": "x"}}


def test_a_line_is_json_with_the_crc_of_the_bytes_before_the_field():
    line = to_line(VALUE)
    content = json.loads(line)
    body = line[: line.rindex(b', "crc32"')]
    assert content.pop("crc32") == f"{zlib.crc32(body):08x}"
    assert content == VALUE
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1


def test_lines_come_back_without_their_checksums():
    found, wrong = check_lines([to_line(VALUE)[:-1], b"", b'{"old": 1}'])
    assert (list(map(json.loads, found)), wrong) == ([VALUE, {"old": 1}], [])


def test_every_flipped_bit_before_the_checksum_and_in_it_is_noticed():
    line = to_line({"value": 0.75})[:-1]
    end_of_body = line.index(b', "crc32"')
    digits = range(len(line) - 10, len(line) - 2)
    for place in [*range(end_of_body), *digits]:
        for bit in range(8):
            flipped = line[:place] + bytes([line[place] ^ 1 << bit]) + line[place + 1 :]
            assert check_lines([flipped]) == ([], [0])
            assert not is_sound(flipped)


def test_nan_and_infinities_are_refused():
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            to_line({"value": value})


@pytest.mark.parametrize(
    ("line", "sound"), [(b'{"a": 1}', True), (b'{"a": 1', False), (b"", False), (b"\x00", False)]
)
def test_lines_without_a_checksum_are_sound_if_they_are_json(line, sound):
    assert is_sound(line) is sound
