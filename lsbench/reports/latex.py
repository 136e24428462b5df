"""LaTeX tables with booktabs for a paper, with best values in bold and second best underlined.

Wide tables are split to fit the text width, long ones to fit a page. Learning curves and nights are left to
the formats that can draw them.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lsbench.rendering.cells import heading, left_out, notes_of, tables
from lsbench.reports._sections import robustness_table
from lsbench.tables.summary import Summary

PREAMBLE = "% In the preamble: \\usepackage{booktabs}\n"
MARKS = {1: "\\textbf{{{}}}", 2: "\\underline{{{}}}"}
#: Width in \footnotesize letters of an article's text, a title, a name; number of rows that fit a page.
TEXT_WIDTH, TITLE_WIDTH, NAME_WIDTH, MOST_ROWS = 78, 13, 30, 36
ESCAPED = {
    "\\": "\\textbackslash{}",
    "^": "\\textasciicircum{}",
    "~": "\\textasciitilde{}",
    "`": "\\textasciigrave{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    '"': "''",
    "±": "$\\pm$",
    "Δ": "$\\Delta$",
    "→": "$\\rightarrow$",
    "\u00d7": "$\\times$",
    "[": "{[}",  # after the end of a row, LaTeX reads brackets as its options
    "]": "{]}",
    "*": "{*}",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}
_NEGATIVE = re.compile(r"(?<![\w.])-(?=\d)")


class Ranked(NamedTuple):
    """The text of a cell before it is escaped, and its rank."""

    text: str
    rank: int | None


def render(summaries: Sequence[Summary]) -> str:
    """Return the tables as floats to paste into a document."""
    return PREAMBLE + "".join(_summary(summary) for summary in summaries) if summaries else ""


def _summary(summary: Summary) -> str:
    parts = [part for title, titles, rows in tables(summary, Ranked) for part in _parts(title, titles, rows)]
    text = "".join(f"% {line}\n" for line in left_out(summary))
    text += "".join(_table(*part, notes_of(summary) if part is parts[-1] else []) for part in parts)
    found = robustness_table(summary)
    if found is None:
        return text
    titles, words, notes = found
    cells = [[Ranked(word, None) for word in row] for row in words]
    parts = list(_parts(f"{heading(summary)}: robustness", titles, cells))
    return text + "".join(_table(*part, notes if part is parts[-1] else []) for part in parts)


Part = tuple[str, list[str], list[list[Ranked]]]


def _parts(title: str, titles: Sequence[str], rows: Sequence[Sequence[Ranked]]) -> Iterator[Part]:
    """Yield tables that fit a page; each repeats the names of the rows."""
    for start in range(0, max(len(rows), 1), MOST_ROWS):
        for places in _places(titles, rows):
            part = [[row[place] for place in places] for row in rows[start : start + MOST_ROWS]]
            yield title, [titles[place] for place in places], part
            title = title if title.endswith(" (continued)") else f"{title} (continued)"


def _places(titles: Sequence[str], rows: Sequence[Sequence[Ranked]]) -> Iterator[list[int]]:
    """Yield the columns of each partial table: the first one, and as many others as fit."""
    widths = [
        max([_width(title, TITLE_WIDTH), *(_width(row[place].text, NAME_WIDTH) for row in rows)]) + 2
        for place, title in enumerate(titles)
    ]
    places, width = [0], widths[0]
    for place, wide in enumerate(widths[1:], 1):
        if len(places) > 1 and width + wide > TEXT_WIDTH:
            yield places
            places, width = [0], widths[0]
        places, width = [*places, place], width + wide
    yield places


def _width(text: str, most: int) -> int:
    return max(map(len, _lines(text, most)))


def _lines(text: str, most: int) -> list[str]:
    """Return the text wrapped into lines of at most `most` letters."""
    return textwrap.wrap(text, most) or [""]


def _table(title: str, titles: Sequence[str], rows: Sequence[Sequence[Ranked]], notes: Sequence[str]) -> str:
    lines = ["", "\\begin{table}[htbp]", "\\centering", f"\\caption{{{escape(title)}}}", "\\footnotesize"]
    lines += ["\\setlength{\\tabcolsep}{4pt}", f"\\begin{{tabular}}{{@{{}}l{'r' * (len(titles) - 1)}@{{}}}}"]
    lines += ["\\toprule", _row([_stacked(text, TITLE_WIDTH, "b", n) for n, text in enumerate(titles)])]
    lines += ["\\midrule", *(_row([_cell(cell, n) for n, cell in enumerate(row)]) for row in rows)]
    lines += ["\\bottomrule", "\\end{tabular}"]
    if notes:
        lines += ["", "\\smallskip", "\\begin{minipage}{\\linewidth}", "\\raggedright", "\\scriptsize"]
        lines += ["\\par\n".join(map(escape, notes)), "\\end{minipage}"]
    return "\n".join([*lines, "\\end{table}"]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + " \\\\"


def _cell(cell: Ranked, place: int) -> str:
    if place == 0:
        return _stacked(cell.text, NAME_WIDTH, "t", place)
    text = _NEGATIVE.sub("$-$", _stacked(cell.text, NAME_WIDTH, "t", place))
    return MARKS.get(cell.rank or 0, "{}").format(text)


def _stacked(text: str, most: int, align: str, place: int) -> str:
    """Return a text, as a stack of lines if it is long."""
    lines = [escape(line) for line in _lines(text, most)]
    if len(lines) == 1:
        return lines[0]
    side, stacked = "l" if place == 0 else "r", " \\\\ ".join(lines)
    return f"\\begin{{tabular}}[{align}]{{@{{}}{side}@{{}}}}{stacked}\\end{{tabular}}"


def escape(text: str) -> str:
    r"""Return a text escaped for LaTeX; letters outside Latin-1 are shown by their code point.

    >>> escape("50% of A_B")
    '50\\% of A\\_B'
    >>> escape("\u4e2d")
    '{[}U+4E2D{]}'
    """
    return "".join(map(_escaped, " ".join(text.split()))).replace("--", "-{}-")


def _escaped(letter: str) -> str:
    if letter in ESCAPED:
        return ESCAPED[letter]
    if " " <= letter <= "~" or "\u00c0" <= letter <= "\u00ff":
        return letter
    return f"{{[}}U+{ord(letter):04X}{{]}}" if letter.isprintable() else ""


#: The suffixes of its files.
SUFFIXES = (".tex",)
REPORT = render
