"""LaTeX tables with booktabs for a paper, with best values in bold and second best underlined.

One table holds a suite wherever it fits the width of the paper: published values beside ours, other data and
corruptions beside them or below. Learning curves and nights are left to the formats that can draw them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lsbench.rendering.cells import RANKS, heading, left_out, notes_of
from lsbench.reports._latex.blocks import TableBlock, blocks_of, corruptions_of
from lsbench.reports._latex.layout import is_legible, lay_out
from lsbench.reports._latex.letters import lacking
from lsbench.reports._latex.paper import Paper, parse_width
from lsbench.reports._latex.writing import floats, tabulars
from lsbench.tables.summary import Summary

TURNED = "Where variants are columns, bold and underlined are of a row."
NO_GAPS = "Left out for want of room: ours minus published."
PREAMBLE = "% In the preamble: \\usepackage{booktabs}\n"


def render(summaries: Sequence[Summary], *, width: str = "one-column", is_bare: bool = False) -> str:
    """Return the tables to paste into a document.

    Args:
        summaries: The summaries.
        width: The width of the paper: ``one-column``, ``two-column`` or lengths; see
            :func:`lsbench.reports._latex.paper.parse_width`.
        is_bare: True for tabulars alone, with the notes as comments.

    Raises:
        UsageError: If `width` names no width.
    """
    paper = parse_width(width)
    return PREAMBLE + "".join(_summary(one, paper, is_bare) for one in summaries) if summaries else ""


def _summary(summary: Summary, paper: Paper, is_bare: bool) -> str:
    blocks, notes, words = _blocks(summary, paper), notes_of(summary), caption(summary)
    has_gaps = any(cell.gap is not None for row in summary.rows for cell in row.cells.values())
    if has_gaps and not all(is_legible(block, paper) for block in blocks):
        blocks = _blocks(_without_gaps(summary), paper)
        notes += [NO_GAPS] if summary.has_notes else []
    for block, more in corruptions_of(summary):
        blocks, notes = [*blocks, block], [*notes, *more]
    parts = [laid for block in blocks for laid in lay_out(block, paper)]
    if RANKS in notes and any(laid.style.is_turned for laid in parts):
        notes = [*notes, TURNED]
    remarks = [*left_out(summary), *_lacking(blocks)]
    if is_bare:
        remarks = [f"{'. '.join(words)}.", *notes, *remarks]
    comments = "".join(f"% {' '.join(line.split())}\n" for line in remarks)
    return comments + (f"{tabulars(parts)}\n" if is_bare else floats(parts, words, notes, paper))


def _without_gaps(summary: Summary) -> Summary:
    """Return a summary whose published cells do not say how far ours are from them."""
    rows = [
        replace(row, cells={key: replace(cell, gap=None) for key, cell in row.cells.items()})
        for row in summary.rows
    ]
    return replace(summary, rows=rows)


def _blocks(summary: Summary, paper: Paper) -> list[TableBlock]:
    """Return the tables of a summary: as one if it is legible, else each by itself."""
    whole, each = blocks_of(summary)
    if whole is None:
        return each
    for width in paper.widths:
        narrow = Paper((width,))
        if is_legible(whole, narrow):
            return [whole]
        if all(is_legible(block, narrow) for block in each):
            return each
    return each


def caption(summary: Summary) -> list[str]:
    """Return the sentences of the caption: the suite, our seeds, and the source of published numbers."""
    pairs = [
        (cell.of or column, cell)
        for row in summary.rows
        for column in summary.columns
        for cell in [row.cells[column.key]]
    ]
    seeds = max((cell.expected for column, cell in pairs if not column.is_published), default=1)
    has_published = any(column.is_published and cell.estimate for column, cell in pairs)
    found = [summary.caption or heading(summary)]
    if seeds > 1:
        means = f"means over {seeds} seeds with 95 % intervals"
        found.append(f"Ours: {means}" if has_published else f"{means[0].upper()}{means[1:]}")
    if has_published:
        found.append(f"Published: {summary.source or 'not measured here'}")
    return found


def _lacking(blocks: Sequence[TableBlock]) -> list[str]:
    texts = [cell.text for block in blocks for row in block.rows for cell in row]
    found = lacking("".join([*texts, *(head.title for block in blocks for head in block.heads)]))
    return [f"LaTeX's usual fonts lack {' '.join(found)}: code points stand instead."] if found else []


#: The suffixes of its files.
SUFFIXES = (".tex",)
REPORT = render
