"""Write blocks that are laid out: as tabulars alone, or as floats with a caption and notes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from lsbench.reports._latex.blocks import ColumnHead
from lsbench.reports._latex.layout import SEPARATION, Laid, Lines
from lsbench.reports._latex.letters import escape, escape_lines
from lsbench.reports._latex.paper import Paper
from lsbench.reports._latex.widths import width_of

MARKS = {1: "\\textbf{{{}}}", 2: "\\underline{{{}}}"}
#: Size of letters -> distance of lines, in points.
LINE = {9: 11.0, 8: 9.5, 7: 8.0}
#: What a float may take of a page, in points, without its caption; what rules take of it.
PAGE, RULES = 490.0, 18.0
NOTES_SIZE = 7
_NEGATIVE = re.compile(r"(?<![\w.])-(?=\d)")


def tabulars(parts: Sequence[Laid]) -> str:
    """Return each block as a tabular, with what it is about in a comment."""
    return "\n".join(
        (f"% {laid.block.heading}\n" if laid.block.heading else "") + _tabular(laid) for laid in parts
    )


def floats(parts: Sequence[Laid], caption: Sequence[str], notes: Sequence[str], paper: Paper) -> str:
    """Return blocks below one caption, in as few floats as pages allow, with notes below the last one.

    Args:
        parts: The blocks; those that are too long for a page are continued.
        caption: The sentences of the caption, not yet escaped; where it is continued, the first one.
        notes: The notes, not yet escaped.
        paper: The widths of the paper.
    """
    if not parts and not notes:
        return ""
    made = _pages(parts)
    is_wide = any(paper.is_wide(laid.width) for laid in made[-1])
    if (
        notes
        and made[-1]
        and sum(map(_height, made[-1])) + _notes_height(notes, paper.widths[-1 if is_wide else 0]) > PAGE
    ):
        made.append([])
    text, seen = "", ""
    for number, members in enumerate(made):
        is_wide = any(paper.is_wide(laid.width) for laid in members or made[max(0, number - 1)])
        inside = []
        for laid in members:
            heading, seen = ("" if laid.block.heading == seen else laid.block.heading), laid.block.heading
            inside.append(
                (f"\\emph{{{escape(heading)}}}\\par\\smallskip\n" if heading else "") + _tabular(laid)
            )
        words = [f"{caption[0]}{' (continued)' if members else ': notes'}"] if number else caption
        text += _float(words, inside, notes if members is made[-1] else [], is_wide)
    return text


def _pages(parts: Sequence[Laid]) -> list[list[Laid]]:
    """Return the blocks of each float, together not longer than a page."""
    found: list[list[Laid]] = [[]]
    for piece in (piece for laid in parts for piece in _pieces(laid)):
        if found[-1] and sum(map(_height, [*found[-1], piece])) > PAGE:
            found.append([])
        found[-1].append(piece)
    return found


def _pieces(laid: Laid) -> Iterator[Laid]:
    """Yield the rows of a block in pieces that fit a page."""
    first = 0
    for end in range(1, len(laid.cells) + 1):
        if end == len(laid.cells) or _height(_rows(laid, first, end + 1)) > PAGE:
            yield _rows(laid, first, end)
            first = end
    if not laid.cells:
        yield laid


def _rows(laid: Laid, first: int, end: int) -> Laid:
    return replace(laid, block=laid.block.with_rows(laid.block.rows[first:end]), cells=laid.cells[first:end])


def _height(laid: Laid) -> float:
    lines = [max(map(len, line)) for line in (laid.titles, *laid.cells)]
    has_groups = any(head.group for head in laid.block.heads)
    return LINE[laid.style.size] * (sum(lines) + has_groups) + 2 * _is_loose(laid) * len(lines) + RULES


def _is_loose(laid: Laid) -> bool:
    """Return whether rows need space between them, since some have several lines."""
    return any(len(lines) > 1 for line in laid.cells for lines in line)


def _notes_height(notes: Sequence[str], width: float) -> float:
    return sum(LINE[NOTES_SIZE] * (1 + width_of(note, NOTES_SIZE) // width) for note in notes)


def _float(caption: Sequence[str], inside: Sequence[str], notes: Sequence[str], is_wide: bool) -> str:
    name, place = ("table*", "tp") if is_wide else ("table", "htbp")
    words = " ".join(f"{escape_lines(sentence)}." for sentence in caption)
    text = f"\n\\begin{{{name}}}[{place}]\n\\centering\n"
    if inside:
        text += (
            f"\\caption{{{words}}}\n\\smallskip\n" + "\\par\\medskip\n".join(inside) + "\\par\\smallskip\n"
        )
    if notes:
        text += f"\\begin{{minipage}}{{\\linewidth}}\\raggedright\n{_size(NOTES_SIZE)}\n"
        text += "" if inside else f"\\emph{{{words}}}\\par\n"
        text += "\\par\n".join(map(escape_lines, notes)) + "\\par\n\\end{minipage}\n"
    return f"{text}\\end{{{name}}}\n"


def _size(size: int) -> str:
    return f"\\fontsize{{{size}}}{{{LINE[size]:g}}}\\selectfont"


def _tabular(laid: Laid) -> str:
    """Return a block as a tabular, in a group with the size of its letters."""
    size = laid.style.size
    columns = "r" * (len(laid.titles) - 1)
    lines = [f"{{{_size(size)}\\setlength{{\\tabcolsep}}{{{SEPARATION[size]:g}pt}}%"]
    lines += [f"\\begin{{tabular}}{{@{{}}l{columns}@{{}}}}", "\\toprule", *_groups(laid.block.heads)]
    lines += [_row(_stacked(title, "b", place) for place, title in enumerate(laid.titles)), "\\midrule"]
    between = "\n\\addlinespace[2pt]\n" if _is_loose(laid) else "\n"
    rows = zip(laid.block.rows, laid.cells, strict=True)
    lines.append(
        between.join(
            _row(_cell(texts, cell.rank, place) for place, (cell, texts) in enumerate(zip(*row, strict=True)))
            for row in rows
        )
    )
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}}"]) + "\n"


def _groups(heads: Sequence[ColumnHead]) -> list[str]:
    """Return the line above the titles, with a rule below what columns have in common."""
    if not any(head.group for head in heads):
        return []
    cells, rules, place = [], [], 1
    for group, members in groupby(heads, key=lambda head: head.group):
        count = len(list(members))
        if group:
            cells.append(f"\\multicolumn{{{count}}}{{c}}{{{escape(group)}}}")
            rules.append(f"\\cmidrule(lr){{{place}-{place + count - 1}}}")
        else:
            cells += [""] * count
        place += count
    return [_row(cells), " ".join(rules)]


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + " \\\\"


def _cell(lines: Lines, rank: int | None, place: int) -> str:
    if place == 0:
        return _stacked(lines, "t", place)
    value, gap, rest = lines[0].partition(" ")
    first = MARKS.get(rank or 0, "{}").format(_number(value)) + gap + _number(rest)
    return _joined([first, *map(_number, lines[1:])], "t", "r")


def _number(text: str) -> str:
    return "--" if text == "-" else _NEGATIVE.sub("$-$", _start(text))


def _start(text: str) -> str:
    """Return a text for the start of a line, where LaTeX would read a bracket or star as an option."""
    written = escape(text)
    return f"{{{written[0]}}}{written[1:]}" if written[:1] in ("[", "*") and written else written


def _stacked(lines: Lines, align: str, place: int) -> str:
    return _joined(list(map(_start, lines)), align, "r" if place else "l")


def _joined(lines: Sequence[str], align: str, side: str) -> str:
    """Return lines as the content of one cell."""
    if len(lines) == 1:
        return lines[0]
    stacked = " \\\\ ".join(lines)
    return f"\\begin{{tabular}}[{align}]{{@{{}}{side}@{{}}}}{stacked}\\end{{tabular}}"
