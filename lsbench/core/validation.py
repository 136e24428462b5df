"""Words for what pydantic finds wrong with a value: every message of a user's input is made here."""

from __future__ import annotations

from typing import Any

from lsbench.core.plain_text import shown

#: Characters of a value that a message shows.
LONGEST = 100


def reason_of(item: Any) -> str:
    """Return what is wrong, with the value found unless that is a list or a mapping.

    Args:
        item: One of ``errors()`` of a ``ValidationError``.

    >>> reason_of({"type": "value_error", "msg": "Value error, Expected a fraction", "input": 3})
    'expected a fraction, found 3'
    """
    if item["type"] == "missing":
        return "this key is required"
    if item["type"] == "extra_forbidden":
        return "unknown key"
    text = str(item["msg"]).removeprefix("Value error, ")
    text = text[:1].lower() + text[1:]
    found = item.get("input")
    if ", found " in text or not isinstance(found, (str, int, float, bool)):
        return text
    return f"{text}, found {shown(repr(found), LONGEST)}"


def place_of(item: Any) -> str:
    """Return where a value stands, from the top: ``space.lr.low``.

    Args:
        item: As for :func:`reason_of`.

    >>> place_of({"loc": ("rows", 3, "value")})
    'rows.3.value'
    """
    return ".".join(map(str, item["loc"]))
