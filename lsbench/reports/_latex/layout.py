"""Lay out a block in the width of a paper: the size of its letters, its lines, and its parts.

The first way that fits is taken: with small letters or smaller ones, with long cells in several lines, with
rows and columns exchanged, and split by columns only if nothing else fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lsbench.reports._latex.blocks import Ranked, TableBlock
from lsbench.reports._latex.paper import Paper
from lsbench.reports._latex.widths import block_width, fitting, forced, narrowest, width_of

#: Points between columns, to each side, by size of the letters.
SEPARATION = {9: 4.0, 8: 4.0, 7: 3.0}
#: Lines of a title or a name.
MOST_LINES = 3
#: Titles up to this many points stay on one line where there is room.
SHORT_TITLE = 48.0
#: A block of at most this many rows is turned round before it takes both columns of a paper.
FEW_ROWS = 4

Lines = tuple[str, ...]


@dataclass(frozen=True)
class Style:
    """A way to write a block.

    Attributes:
        size: Size of the letters in points.
        is_stacked: Whether long cells take several lines.
        has_long_titles: Whether titles are given in full.
        is_turned: Whether columns are rows.
    """

    size: int
    is_stacked: bool = False
    has_long_titles: bool = False
    is_turned: bool = False


LEGIBLE = (Style(9, has_long_titles=True), Style(9), Style(8), Style(8, is_stacked=True))
FEW = (Style(8, is_turned=True), Style(8, is_turned=True, is_stacked=True))
DENSE = (
    Style(7),
    Style(8, is_turned=True),
    Style(7, is_stacked=True),
    Style(8, is_turned=True, is_stacked=True),
    Style(7, is_turned=True, is_stacked=True),
)
SPLIT = (Style(8, is_stacked=True), Style(7, is_stacked=True))


@dataclass(frozen=True)
class Laid:
    """A block, or a part of it, whose lines are chosen.

    Attributes:
        block: The block.
        style: How it is written.
        titles: The lines of each title.
        cells: The lines of each cell.
        width: Its width in points.
    """

    block: TableBlock
    style: Style
    titles: tuple[Lines, ...]
    cells: tuple[tuple[Lines, ...], ...]
    width: float


def is_legible(block: TableBlock, paper: Paper) -> bool:
    """Return whether a block fits in letters of at least 8 points, as it is."""
    return any(_laid(block, style, width) for width in paper.widths for style in LEGIBLE)


def lay_out(block: TableBlock, paper: Paper) -> list[Laid]:
    """Return the block laid out for a paper, in one part wherever that fits."""
    for width, styles in _choices(block, paper):
        for style in styles:
            found = _laid(block.turned() if style.is_turned else block, style, width)
            if found is not None:
                return [found]
    parts = [_split(block, style, paper.widths[-1]) for style in SPLIT]
    return min(parts, key=len)


def _choices(block: TableBlock, paper: Paper) -> Iterator[tuple[float, tuple[Style, ...]]]:
    for width in paper.widths:
        yield width, LEGIBLE
        if width != paper.widths[-1] and len(block.rows) <= FEW_ROWS:
            yield width, FEW
    yield paper.widths[-1], DENSE


def _laid(block: TableBlock, style: Style, width: float, *, is_forced: bool = False) -> Laid | None:
    """Return the block in one style, or None if it is wider than `width`.

    Short titles stay on one line where there is room.
    """
    roomy = None if is_forced else _tried(block, style, width, SHORT_TITLE)
    return roomy or _tried(block, style, width, 0.0, is_forced=is_forced)


def _tried(
    block: TableBlock, style: Style, width: float, title_width: float, *, is_forced: bool = False
) -> Laid | None:
    size, gap = style.size, 2 * SEPARATION[style.size]
    places = range(1, len(block.heads))
    cells = [[_cell(row[place], style) for place in places] for row in block.rows]
    pairs = [list(zip(row[1:], lines, strict=True)) for row, lines in zip(block.rows, cells, strict=True)]
    inside = [max((_cell_width(*row[place - 1], size) for row in pairs), default=0.0) for place in places]
    rooms = [max(one, title_width) for one in inside]
    titles = [_title(_titled(block, place, style), size, rooms[place - 1]) for place in places]
    widths = [max(one, block_width(title, size)) for one, title in zip(inside, titles, strict=True)]
    for members in block.groups():
        group = block.heads[members[0]].group
        lacks = width_of(group, size) - sum(widths[place - 1] for place in members) - gap * (len(members) - 1)
        widths[members[-1] - 1] += max(lacks, 0.0)
    room = width - sum(widths) - gap * len(widths)
    if room <= 0 and not is_forced:
        return None
    texts = (block.heads[0].title, *(row[0].text for row in block.rows))
    names = [_name(text, size, room, is_forced) for text in texts]
    known = [name for name in names if name is not None]
    if len(known) < len(names):
        return None
    own = max(block_width(name, size) for name in known)
    rows = tuple((name, *line) for name, line in zip(known[1:], cells, strict=True))
    return Laid(block, style, (known[0], *titles), rows, own + sum(widths) + gap * len(widths))


def _titled(block: TableBlock, place: int, style: Style) -> str:
    head = block.heads[place]
    return head.in_group or (head.title if style.has_long_titles else head.short)


def _title(text: str, size: int, room: float) -> Lines:
    """Return a title in as few lines as the cells below allow, else in its narrowest lines."""
    return fitting(text, size, room, most=MOST_LINES) or narrowest(text, most=MOST_LINES)


def _cell(cell: Ranked, style: Style) -> Lines:
    return narrowest(cell.text, most=MOST_LINES) if style.is_stacked else (cell.text,)


def _cell_width(cell: Ranked, lines: Lines, size: int) -> float:
    if cell.rank != 1:
        return block_width(lines, size)
    value, _, rest = lines[0].partition(" ")
    first = width_of(value, size, is_bold=True) + (width_of(f" {rest}", size) if rest else 0.0)
    return max([first, *(width_of(line, size) for line in lines[1:])])


def _name(text: str, size: int, room: float, is_forced: bool) -> Lines | None:
    return forced(text, size, room) if is_forced else fitting(text, size, room, most=MOST_LINES)


def _split(block: TableBlock, style: Style, width: float) -> list[Laid]:
    """Return parts that fit, each with the names of the rows and as many other columns as possible."""
    parts: list[Laid] = []
    places: list[int] = []
    for group in _units(block, style, width):
        wider = _laid(_part(block, [*places, *group]), style, width)
        if wider is None and places:
            parts.append(_sure(_part(block, places), style, width))
            places = []
        places = [*places, *group]
    return [*parts, _sure(_part(block, places), style, width)]


def _units(block: TableBlock, style: Style, width: float) -> Iterator[list[int]]:
    """Yield the columns that stay together, single ones of a group that does not fit."""
    for group in block.groups():
        fits = _laid(_part(block, group), style, width) is not None
        yield from [group] if fits else [[place] for place in group]


def _part(block: TableBlock, places: Sequence[int]) -> TableBlock:
    """Return some columns of a block; one without its neighbours of a group has its own title."""
    kept = block.with_columns(places)
    whole = {place for group in block.groups() if set(group) <= set(places) for place in group}
    first, *others = kept.heads
    heads = [head if place in whole else head.alone for place, head in zip(places, others, strict=True)]
    return TableBlock(kept.heading, (first, *heads), kept.rows)


def _sure(block: TableBlock, style: Style, width: float) -> Laid:
    found = _laid(block, style, width) or _laid(block, style, width, is_forced=True)
    if found is None:
        raise RuntimeError("a table whose names are broken anywhere always has a layout")
    return found
