"""Read the plain texts of YAML: numbers, true, false and null, as in the core schema of YAML 1.2.

What YAML 1.1 reads as something else than YAML 1.2 (``yes``, ``010``, ``1:30``) is refused, so that nobody
gets another value than the one meant.
"""

from __future__ import annotations

import math
import re
from typing import Any

from lsbench.core.plain_text import shown
from lsbench.core.spec import MAX_INT

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"(?P<sign>[-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_OLD_WORDS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
#: Octal, binary, grouped, or counted in sixties.
_OLD_NUMBER = re.compile(
    r"[-+]?(?:0[0-9_]+(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|0o[0-7_]*|0b[01_]*|0x[0-9a-fA-F_]*"
    r"|[0-9][0-9_]*(?::[0-9]+)+(?:\.[0-9_]*)?|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9_]+)?"
    r"|\.[0-9][0-9_]*(?:[eE][-+]?[0-9_]+)?)"
)
_LONGEST_NUMBER = 100
_TAG = "tag:yaml.org,2002:"


def plain_value(text: str) -> Any:
    """Return the value of a text without quotes.

    >>> [plain_value(text) for text in ("8", "1e-3", "0x10", "true", "~", "ls_conv", "2025-02-30")]
    [8, 0.001, 16, True, None, 'ls_conv', '2025-02-30']

    Raises:
        ValueError: If YAML 1.1 and 1.2 differ about it, or a number has more than 64 bits.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) or _HEX.fullmatch(text):
        return _int(text)
    if _FLOAT.fullmatch(text):
        return _float(text)
    if found := _SPECIAL.fullmatch(text):
        return math.nan if found["sign"] is None else float(f"{found['sign']}inf")
    _refuse_old(text)
    return text


def tagged_value(tag: str, text: str) -> Any:
    """Return the value of a text with an explicit tag, such as ``!!str 8``.

    Raises:
        ValueError: If the tag is not of a plain type, or the text is not of this type.
    """
    kind = tag.removeprefix(_TAG)
    types = {"str": str, "int": int, "float": (int, float), "bool": bool, "null": type(None)}
    if tag == kind or kind not in types:
        raise ValueError(f"the tag {shown_tag(tag)} is not supported: leave it out")
    if kind == "str":
        return text
    value = plain_value(text)
    is_bool_as_number = isinstance(value, bool) and kind != "bool"
    if is_bool_as_number or not isinstance(value, types[kind]):  # type: ignore[arg-type]
        raise ValueError(f"{shown(text)} is not a value of the tag {shown_tag(tag)}")
    return float(value) if kind == "float" else value


def shown_tag(tag: str) -> str:
    """Return a tag as it is written: ``!!int``."""
    return shown(f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag)


def _int(text: str) -> int:
    if len(text) > 20 or abs(value := int(text, 0)) > MAX_INT:
        raise ValueError(f"{shown(text)}: expected a number of at most 64 bits (up to {MAX_INT})")
    return value


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{shown(text)}: the number is too large")
    return value


def _refuse_old(text: str) -> None:
    if text.lower() in _OLD_WORDS and text in (text.lower(), text.capitalize(), text.upper()):
        word = _OLD_WORDS[text.lower()]
        raise ValueError(f"{text}: expected {word}, or '{text}' in quotes if it is a text")
    if len(text) <= _LONGEST_NUMBER and _OLD_NUMBER.fullmatch(text):
        raise ValueError(
            f"{shown(text)}: expected a decimal number (8, 0.5, 1e-3), or the text in quotes; octal and "
            "binary numbers, leading zeros, underscores and colons are not read as numbers"
        )
