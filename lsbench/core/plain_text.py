"""Texts of users that are shown again: without characters that command a terminal or hide what is there."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator

#: They join letters and emoji; the other invisible characters change what a reader sees.
_JOINERS = "\u200c\u200d"
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
#: Most bytes of a message that is stored.
MESSAGE_BYTES = 4096
REASON = "the character {} does not show, or changes how text is shown: leave it out"


def hidden_character(text: str, *, allowed: str = "") -> str | None:
    r"""Return the first character that is a command to terminals or hides text, as ``U+001B``; or None.

    >>> hidden_character("a\x1b[1m"), hidden_character("a b")
    ('U+001B', None)

    Args:
        text: Any text.
        allowed: Characters to accept all the same.
    """
    if text.isprintable():
        return None
    return next((f"U+{ord(one):04X}" for one in text if one not in allowed and _is_hidden(one)), None)


def visible(text: str, *, allowed: str = "") -> str:
    r"""Return a text in which each hidden character is written out.

    >>> visible("a\x1b[1m")
    'a\\x1b[1m'

    Args:
        text: Any text.
        allowed: Characters to keep all the same.
    """
    if text.isprintable():
        return text
    return "".join(one if one in allowed else _written_out(one) for one in text)


def make_visible(values: dict[str, Any]) -> None:
    """Write out the hidden characters in the texts of a mapping, in place, but for tabs and line ends."""
    for key, value in values.items():
        if isinstance(value, str) and not value.isprintable():
            values[key] = visible(value, allowed="\t\n\r")


def limited(text: str, most_bytes: int = MESSAGE_BYTES) -> str:
    """Return a text without hidden characters, cut to a number of bytes in UTF-8, which it then tells.

    >>> limited("a" * 9, 4), limited("ü" * 4, 8)
    ('aaaa... (5 more bytes)', 'üüüü')
    """
    content = visible(text).encode()
    if len(content) <= most_bytes:
        return content.decode()
    kept = content[:most_bytes].decode(errors="ignore")
    return f"{kept}... ({len(content) - len(kept.encode())} more bytes)"


def shown(text: str, most: int = 40) -> str:
    """Return a text for a message: short, in one line, without hidden characters."""
    return visible(text if len(text) <= most else f"{text[:most]}...")


def _check_label(text: str) -> str:
    if hidden := hidden_character(text):
        raise ValueError(REASON.format(hidden))
    return text


#: A text of one line that is shown as it is.
Label = Annotated[str, AfterValidator(_check_label)]


def _is_hidden(one: str) -> bool:
    return unicodedata.category(one) in _HIDDEN and one not in _JOINERS


def _written_out(one: str) -> str:
    return repr(one)[1:-1] if _is_hidden(one) else one
