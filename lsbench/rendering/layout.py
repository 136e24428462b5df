"""Lay out a table in the width of a terminal: which columns stand beside each other, and how wide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lsbench.rendering.wrapping import longest_line, longest_unit

#: Columns of text that lines and spaces take: for each column, and for the table.
PER_COLUMN, PER_TABLE = 3, 1
#: A cell up to this width stays on one line where a table is split.
COMFORTABLE = 20
#: No column of longer text is narrower than this.
NARROW = 16
#: The same where several columns say what a row is, which leaves little room.
NARROW_BESIDE_KEYS = 12
#: A table is split only if its parts, but the last, hold this many columns on average beside the first.
FEWEST = 2
#: Longer names of rows are not repeated.
SENTENCE = 40
#: A table of at most this many rows is turned round rather than split.
FEW_ROWS = 4


@dataclass(frozen=True)
class Panel:
    """Columns that stand beside each other.

    Attributes:
        columns: Their places in the table.
        widths: The width of each, without lines and spaces.
    """

    columns: tuple[int, ...]
    widths: tuple[int, ...]


@dataclass(frozen=True)
class _Needs:
    """The widths that a column may have.

    Attributes:
        least: The narrowest without a broken word.
        comfortable: The narrowest that keeps values on one line.
        full: That of its longest line.
    """

    least: int
    comfortable: int
    full: int


def parts(
    titles: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, keys: int = 1, lead: int = 0
) -> list[Panel] | None:
    """Return the parts of a table, most often one; None if it reads better as a list of its cells.

    That is where a column does not fit beside the first ones, where most parts would hold a single column,
    and where what names a row is a sentence.

    Args:
        titles: Column titles.
        rows: Cells of each row.
        width: Columns of text that are available.
        keys: Number of columns that say what a row is, and stand in every part.
        lead: Number of columns before those, which stand in the first part only.
    """
    narrow = NARROW if keys == 1 else NARROW_BESIDE_KEYS
    needs = [_needs(title, [row[place] for row in rows], narrow) for place, title in enumerate(titles)]
    every = range(len(needs))
    if _total([need.least for need in needs]) <= width:
        return [_part(needs, every, [need.least for need in needs], width)]
    choices = [[need.comfortable for need in needs], [need.least for need in needs]]
    for widths in choices if keys == 1 else reversed(choices):  # several keys leave little room
        groups = _groups(widths, keys, lead, width)
        if groups is not None and _is_legible(groups, keys, lead, rows):
            return [_part(needs, group, [widths[place] for place in group], width) for group in groups]
    return None


def fits_turned(titles: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> bool:
    """Return whether a table of few rows fits in one part once its columns are rows."""
    if not 0 < len(rows) <= FEW_ROWS:
        return False
    found = parts(*turned(titles, rows), width)
    return found is not None and len(found) == 1


def turned(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Return titles and rows of a table whose columns are rows."""
    columns = [list(column) for column in zip(titles, *rows, strict=True)]
    return columns[0], columns[1:]


def _needs(title: str, cells: Sequence[str], narrow: int) -> _Needs:
    texts = [title, *cells]
    words = max(map(longest_unit, texts))
    inside = max(map(longest_line, cells), default=0)
    full = max(map(longest_line, texts))
    least = max(words, min(inside, narrow), 1)
    return _Needs(least, max(least, min(inside, COMFORTABLE)), max(full, least))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + PER_COLUMN * len(widths) + PER_TABLE


def _groups(widths: Sequence[int], keys: int, lead: int, width: int) -> list[list[int]] | None:
    """Return the columns of each part, filled in order, or None if one does not fit beside the keys."""
    first = list(range(min(lead + keys, len(widths))))
    groups, repeated = [list(first)], first[lead:]
    for place in range(len(first), len(widths)):
        is_begun = groups[-1] not in (first, repeated)
        if _total([widths[other] for other in (*groups[-1], place)]) > width and is_begun:
            groups.append(list(repeated))
        groups[-1].append(place)
        if _total([widths[other] for other in groups[-1]]) > width:
            return None
    return groups if _total([widths[place] for place in groups[0]]) <= width else None


def _is_legible(groups: Sequence[Sequence[int]], keys: int, lead: int, rows: Sequence[Sequence[str]]) -> bool:
    own = sum(len(group) - keys for group in groups) - lead
    names = sum(len(cell) for row in rows for cell in row[lead : lead + keys])
    return len(groups) <= 1 or (own >= FEWEST * (len(groups) - 1) and names <= SENTENCE * max(len(rows), 1))


def _part(needs: Sequence[_Needs], columns: Sequence[int], widths: Sequence[int], width: int) -> Panel:
    """Return a part in which the room that is left goes to the columns whose text is longest."""
    wanted = [needs[place].full - given for place, given in zip(columns, widths, strict=True)]
    room = max(width - _total(widths), 0)
    given = _shares(wanted, room)
    return Panel(tuple(columns), tuple(map(sum, zip(widths, given, strict=True))))


def _shares(wanted: Sequence[int], room: int) -> list[int]:
    """Return how much of a room each gets: what it wants, the smallest wishes first.

    >>> _shares([2, 40, 0], 12)
    [2, 10, 0]
    """
    given = [0] * len(wanted)
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    for number, place in enumerate(order):
        given[place] = min(wanted[place], room // (len(order) - number))
        room -= given[place]
    return given
