from dataclasses import replace

import pytest

from lsbench.core.quantity import quantity
from lsbench.rendering.cells import (
    RANKS,
    TWO_SEEDS,
    cell_text,
    header,
    heading,
    notes_of,
    row_texts,
    tables,
)
from lsbench.reports import console, html, json, latex, markdown
from lsbench.stats.seeds import Estimate
from lsbench.tables.columns import FURTHER
from lsbench.tables.summary import Cell, Column, Row, Summary, summarize
from lsbench.tables.view import View, apply_view

TOP1 = Column("top1", quantity("top1"), "p")
DELTA = Column("top1_delta", quantity("top1"), "p", is_delta=True)


def write(text, rank):
    return text


RATE = Column("throughput", quantity("throughput"), "p")


@pytest.mark.parametrize(
    ("cell", "column", "text"),
    [
        (Cell(Estimate(0.714, 0.704, 0.724, 3), expected=3), TOP1, "71.40 ± 1.00"),
        (Cell(Estimate(0.714, None, None, 1)), TOP1, "71.40"),
        (Cell(Estimate(0.714, 0.704, 0.724, 2), expected=3), TOP1, "71.40 ± 1.00 (2 of 3 seeds)"),
        (Cell(None, "failed", 3), TOP1, "failed"),
        (Cell(None, "waiting"), TOP1, "waiting"),
        (Cell(None), DELTA, "-"),
        (Cell(Estimate(-0.01, -0.02, 0.0, 3), expected=3), DELTA, "-1.00 [-2.00, +0.00]"),
        (Cell(Estimate(0.01, None, None, 1)), DELTA, "+1.00"),
        (Cell(Estimate(1234.5, 1000.0, 1469.0, 1)), RATE, "1234 ± 234"),
        (Cell(Estimate(0.0, None, None, 1)), TOP1, "0.00"),
        (Cell(Estimate(815, 581, 841, 1)), RATE, "815 [581, 841]"),
        (Cell(Estimate(0.35, -1.54, 2.24, 2), expected=2), TOP1, "35.00 [0.00, 100.00]"),
        (Cell(Estimate(-0.02, -2.72, 2.68, 2), expected=2), DELTA, "-2.00 [-100.00, +100.00]"),
    ],
)
def test_a_cell_in_words(cell, column, text):
    assert cell_text(cell, column) == text


@pytest.mark.parametrize(("seeds", "is_said"), [(2, True), (3, False)])
def test_a_table_over_two_seeds_says_that_they_cannot_tell(seeds, is_said):
    cells = {"top1": Cell(Estimate(0.35, -1.54, 2.24, seeds), expected=seeds)}
    summary = Summary("suite", "preset", "", "v", False, [TOP1], [Row("v", "Title", True, cells)])
    for one in (console, markdown, latex, json, html):
        assert ("Two seeds cannot tell" in one.render([summary])) == is_said
    assert TWO_SEEDS in notes_of(summary) or not is_said


def test_notes_are_about_the_columns_that_a_format_shows():
    two = {"top1": Cell(Estimate(0.3, 0.3, 0.3, 1)), "seen": Cell(Estimate(0.3, 0.1, 0.5, 2), rank=1)}
    seen = Column("seen", quantity("top5"), "further protocol", panel=FURTHER)
    summary = Summary("suite", "preset", "", "v", False, [TOP1, seen], [Row("v", "Title", True, two)], ["a"])
    assert notes_of(summary) == ["a"]
    told = ["a", "top-5 (%): further protocol.", TWO_SEEDS]
    assert (
        notes_of(summary, is_whole=True) == notes_of(replace(summary, shows_further=True)) == [*told, RANKS]
    )
    assert notes_of(summary, is_marked=False, is_whole=True) == told
    pivoted = apply_view(summary, View(is_pivoted=True))
    assert notes_of(pivoted) == ["a"]
    assert notes_of(pivoted, is_marked=False, is_whole=True) == told


def test_a_row_and_its_header_have_the_same_number_of_cells():
    cells = {"top1": Cell(None, "waiting"), "top1_delta": Cell(None)}
    row = Row("v", "Title", True, cells)
    summary = Summary("suite", "preset", "", "v", False, [TOP1, DELTA], [row])
    assert header(summary.columns) == ["variant", "top-1 (%)", "Δ top-1 (%)"]
    assert row_texts(row, summary.columns) == ["Title (baseline)", "waiting", "-"]
    assert heading(summary) == "suite (preset)"


def test_most_summaries_are_one_table_and_robustness_has_its_own(tiny, make_graph, fill_store, tested):
    graph = make_graph(tiny)
    assert [title for title, _, _ in tables(summarize(fill_store(graph)), write)] == ["tiny (default)"]
    found = list(tables(summarize(fill_store(tested(graph))), write))
    assert [title for title, _, _ in found] == [
        "tiny (default)",
        "tiny (default): on corrupted images",
        "tiny (default): on other data",
    ]
    for _, titles, rows in found:
        assert [row[0] for row in rows] == ["ls (baseline)", "id"]
        assert {len(row) for row in rows} == {len(titles)}


def test_a_table_that_does_not_fit_has_short_titles(tiny, make_graph, fill_store):
    summary = summarize(fill_store(make_graph(tiny)))
    wide, narrow = (next(tables(summary, write, width=width))[1] for width in (400, 60))
    assert "FLOPs (G), 1 MAC = 1 FLOP" in wide
    assert "FLOPs (G)" in narrow
    assert len(wide) == len(narrow)
