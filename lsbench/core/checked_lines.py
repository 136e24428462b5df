"""Lines of journals: JSON mappings, each with a checksum of its own, so that a flipped bit is noticed.

The checksum is the last field of the mapping, ``"crc32"``: the CRC-32 of the bytes before it. Lines that
earlier versions wrote have none.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from lsbench.core.json_text import to_json

_FIELD = b', "crc32": "'
#: The field, eight hexadecimal digits, and the end of the mapping.
_LENGTH = len(_FIELD) + 8 + len(b'"}')
_END_OF_FIELD = _LENGTH - len(_FIELD)


def to_line(value: Mapping[str, Any]) -> bytes:
    r"""Return a mapping as a line with its checksum.

    Args:
        value: Not empty; NaN and infinities are refused.

    >>> to_line({"a": 1})
    b'{"a": 1, "crc32": "7aa88204"}\n'
    """
    body = to_json(value, allow_nan=False)[:-1]
    return b'%b%b%08x"}\n' % (body, _FIELD, zlib.crc32(body))


def check_lines(lines: Iterable[bytes]) -> tuple[list[bytes], list[int]]:
    """Return the lines without their checksums, and the positions of those that do not match theirs.

    Args:
        lines: Without line ends. Empty lines are left out, lines without a checksum are returned unchanged.
    """
    found: list[bytes] = []
    wrong: list[int] = []
    crc32 = zlib.crc32
    for position, line in enumerate(lines):
        if line[-_LENGTH:-_END_OF_FIELD] == _FIELD:
            body = line[:-_LENGTH]
            if b"%08x" % crc32(body) == line[-_END_OF_FIELD:-2]:
                found.append(body + b"}")
            else:
                wrong.append(position)
        elif line:
            found.append(line)
    return found, wrong


def is_sound(line: bytes) -> bool:
    """Return whether a line without its end is valid JSON that matches its checksum, if it has one."""
    found, _ = check_lines([line])
    try:
        return bool(found) and json.loads(found[0]) is not None
    except ValueError:
        return False
