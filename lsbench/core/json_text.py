"""JSON of any text: lone halves of surrogate pairs, as in file names that are not UTF-8, are written out."""

from __future__ import annotations

import json
import re
from typing import Any

_LONE = re.compile("[\ud800-\udfff]")


def to_json(value: Any, *, indent: int | None = None, allow_nan: bool = True) -> bytes:
    r"""Return `value` as JSON in UTF-8; a character that UTF-8 lacks becomes text such as ``\udcff``.

    Readers of any kind, tables included, then get text that they can show and store again.

    >>> to_json("ü"), to_json({"name": "b\udcfcgel.png"})
    (b'"\xc3\xbc"', b'{"name": "b\\\\udcfcgel.png"}')

    Args:
        value: Mappings, lists and plain values.
        indent: Spaces per level; None: all in one line.
        allow_nan: Whether NaN and infinities are accepted.

    Raises:
        ValueError: If `value` holds NaN or an infinity that is not allowed.
        TypeError: If it holds something that JSON cannot say.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=allow_nan, indent=indent)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _LONE.sub(lambda found: f"\\\\u{ord(found[0]):04x}", text).encode()
