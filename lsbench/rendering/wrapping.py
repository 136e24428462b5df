"""Break text into lines at words: no line is wider than asked for, and no word or number is broken."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len, chop_cells

#: Words longer than this may also be broken after a sign between their parts, as names and paths are.
LONG_WORD = 24
#: A value with its spread, a short remark in brackets, or a word: what stays on one line.
UNIT = re.compile(r"(\s*)(\S+ ± \S+|[\[(][^\[\]()]{1,24}[\])]\S*(?: %)?|\S+)")
WORD = re.compile(r"(\s*)(\S+)")
#: The places at which a long word may go on in the next line, the best first; signs stay with their number.
SEAMS = (
    re.compile(r"(?<=\|)"),
    re.compile(r"(?<=[/_=;:>)}\\&@])|(?<=[,.])(?!\d)|(?<=[^\W\d_]-)"),
    re.compile(r"(?=\+)"),
)

KIND_AND_SEED = re.compile(r"/[^/]+(?:/seed\d+)?$")


def wrap(text: str, width: int, *, hanging: str = "") -> list[str]:
    """Return the lines of a text; only a single word wider than a line is broken, at a sign if it has one.

    Args:
        text: The text; its own line breaks stay.
        width: Columns of a line.
        hanging: The start of every line but the first.
    """
    return [line for one in text.split("\n") for line in _lines(one, max(width, len(hanging) + 1), hanging)]


def _lines(text: str, width: int, hanging: str) -> Iterator[str]:
    line, is_begun = "", False
    for gap, unit in _units(text, width - len(hanging)):
        if is_begun and cell_len(line + gap + unit) > width:
            yield line
            line = hanging + unit
        else:
            kept = gap if cell_len(gap + unit) <= width else gap[: max(width - cell_len(unit), 0)]
            line += gap if is_begun else kept
            line += unit
        is_begun = True
    yield line


def _units(text: str, most: int) -> Iterator[tuple[str, str]]:
    """Yield what is not broken, each with the gap before it; nothing is wider than `most`."""
    for gap, unit in UNIT.findall(text):
        if cell_len(unit) <= most:
            yield gap, unit
            continue
        for inner, word in WORD.findall(gap + unit):
            for number, part in enumerate(_parts(word, most)):
                yield ("" if number else inner), part


def _parts(word: str, most: int) -> list[str]:
    """Return a word in parts of at most `most` columns: at its seams, within a part only if it must be."""
    return [piece for part in _at_seams(word, most) for piece in chop_cells(part, max(most, 1))]


def _at_seams(word: str, most: int) -> list[str]:
    parts = [word]
    for seam in SEAMS:
        parts = [
            piece
            for part in parts
            for piece in (seam.split(part) if cell_len(part) > most else [part])
            if piece
        ]
    return parts


def longest_unit(text: str) -> int:
    """Return the columns that a text needs so that no word of it is broken.

    >>> longest_unit("75.17 ± 1.90 (2 of 3 seeds)"), longest_unit("a/path/of/many/parts/that/is/long")
    (14, 6)
    """
    return max((_needed(unit) for _, unit in UNIT.findall(text)), default=0)


def _needed(unit: str) -> int:
    if cell_len(unit) <= LONG_WORD:
        return cell_len(unit)
    return max(cell_len(part) for word in unit.split() for part in _at_seams(word, LONG_WORD))


def short_label(label: str, most: int) -> str:
    """Return the label of a job in at most `most` columns: the variant is cut, its kind and seed stay.

    >>> short_label("w_o_large_kernels/train/seed0", 20)
    'w_o_lar…/train/seed0'
    """
    if cell_len(label) <= most:
        return label
    start = KIND_AND_SEED.search(label)
    variant, end = (label[: start.start()], start[0]) if start else (label, "")
    room = most - cell_len(end) - 1
    if room < 1:
        return "…" + "".join(chop_cells(label[::-1], max(most - 1, 1))[:1])[::-1]
    return f"{chop_cells(variant, room)[0]}…{end}"


def longest_line(text: str) -> int:
    """Return the columns of the longest line of a text."""
    return max(map(cell_len, text.split("\n")))
