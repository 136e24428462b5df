"""The width of text in print, and the lines in which it may stand."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len

from lsbench.rendering.wrapping import longest_unit, wrap
from lsbench.reports._latex.letters import escape

#: Letters by width in hundredths of their size: the widest of Computer Modern and Times in their encodings.
_LETTERS = {
    28: ",.:;il|",
    34: " !-fj[]'",
    39: "I()t",
    40: "rs",
    45: "cez",
    50: '$*/0123456789\\ago{}"?`',
    53: "Jkqvxy",
    56: "Sbdhnpu",
    63: "LZ^~",
    69: "EFP",
    79: "ABCHNRTUVXYw&+<=>DGKOQ_",
    84: "#%m",
    93: "@M",
    103: "W",
}
_OF_LETTER = {letter: width / 100 for width, letters in _LETTERS.items() for letter in letters}
#: Small letters of Computer Modern are wider for their size: size -> factor.
_OF_SIZE = {9: 1.03, 8: 1.065, 7: 1.15}
_BOLD, _SIGN = 1.17, 1.0


def width_of(text: str, size: int, *, is_bold: bool = False) -> float:
    """Return the width of a text in points, in Computer Modern or Times, whichever is wider.

    >>> round(width_of("75.17", 8), 1)
    19.4

    Args:
        text: The text, not yet escaped.
        size: The size of its letters: 7, 8 or 9 points.
        is_bold: Whether it is bold.
    """
    return _ems(text) * size * _OF_SIZE[size] * (_BOLD if is_bold else 1.0)


@lru_cache(maxsize=65536)
def _ems(text: str) -> float:
    return sum(map(_em, unicodedata.normalize("NFKD", text)))


@lru_cache(maxsize=4096)
def _em(letter: str) -> float:
    if letter in _OF_LETTER or unicodedata.combining(letter):
        return _OF_LETTER.get(letter, 0.0)
    written = escape(letter)
    is_plain = "\\" not in written and "$" not in written
    return sum(_OF_LETTER.get(one, _SIGN) for one in written) if is_plain else _SIGN


@lru_cache(maxsize=4096)
def shapes(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the ways to break a text into lines without breaking a word, the fewest lines first."""
    found: dict[int, tuple[str, ...]] = {}
    for columns in range(cell_len(text), longest_unit(text) - 1, -1):
        lines = tuple(line.strip() for line in wrap(text, max(columns, 1)))
        found[len(lines)] = lines  # the narrowest of as many lines
    return tuple(found[count] for count in sorted(found)) or ((text,),)


def block_width(lines: tuple[str, ...], size: int) -> float:
    """Return the width of the longest line in points."""
    return max(width_of(line, size) for line in lines)


def fitting(text: str, size: int, width: float, *, most: int | None = None) -> tuple[str, ...] | None:
    """Return a text in as few lines as `width` allows; None if that takes more than `most` lines."""
    if width_of(text, size) <= width:
        return (text,)
    for lines in shapes(text):
        if block_width(lines, size) <= width:
            return lines if most is None or len(lines) <= most else None
    return None


@lru_cache(maxsize=65536)
def narrowest(text: str, *, most: int) -> tuple[str, ...]:
    """Return a text in its narrowest lines, of which there are at most `most` if its words allow it."""
    lines = tuple(line.strip() for line in wrap(text, max(longest_unit(text), 1)))
    if len(lines) <= most:
        return lines
    found = [lines for lines in shapes(text) if len(lines) <= most]
    return found[-1] if found else shapes(text)[0]


def forced(text: str, size: int, width: float) -> tuple[str, ...]:
    """Return a text in lines that fit, within words where it must be."""
    found = fitting(text, size, width)
    for columns in range(longest_unit(text) - 1, 0, -1) if found is None else ():
        lines = tuple(wrap(text, columns))
        if block_width(lines, size) <= width:
            return lines
    return found or (text,)
