import html
from dataclasses import replace

import pytest

from lsbench.core.errors import UsageError
from lsbench.core.quantity import Quantity, quantity
from lsbench.core.registry import REPORTS
from lsbench.rendering.cells import cell_text
from lsbench.stats.paired import Difference
from lsbench.stats.seeds import Estimate
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.comparisons import Comparison
from lsbench.tables.ranking import ranked
from lsbench.tables.summary import Summary, summarize
from lsbench.tables.view import View, apply_view, apply_views

TOP1 = Column("top1", quantity("top1"), "p")
DELTA = Column("top1_delta", quantity("top1"), "p", is_delta=True)
SIZE = Column("params", quantity("params"), "q")
COLUMNS = [TOP1, DELTA, SIZE]


def row(name, top1, params, delta=None):
    def cell(value, low=None, high=None):
        return Cell(None, "missing") if value is None else Cell(Estimate(value, low, high, 1))

    cells = {
        "top1": cell(top1),
        "top1_delta": Cell(None) if delta is None else cell(*delta),
        "params": cell(params),
    }
    return Row(name, f"Model {name}", name == "base", cells)


ROWS = [
    row("base", 0.70, 2e6),
    row("better", 0.80, 3e6, (0.10, 0.05, 0.15)),
    row("same", 0.71, 1e6, (0.01, -0.05, 0.07)),
    row("hole", None, None),
]


@pytest.fixture
def summary():
    return Summary("s", "default", "", "base", False, COLUMNS, ranked(COLUMNS, ROWS), ["a note"])


def names(summary):
    return [row.variant for row in summary.rows]


def keys(summary):
    return [column.key for column in summary.columns]


def test_no_wish_changes_nothing(summary):
    assert apply_view(summary, View()) == summary


def test_rows_by_name_or_title_and_ranks_among_those_shown(summary):
    assert names(apply_view(summary, View(rows=("b*", "Model same")))) == ["base", "better", "same"]
    found = apply_view(summary, View(rows=("base", "same")))
    assert [row.cells["top1"].rank for row in found.rows] == [2, 1]
    assert [row.cells["top1"].rank for row in summary.rows] == [None, 1, 2, None]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("params,top1",), ["params", "top1"]),
        ((" top1 , params ,",), ["top1", "params"]),
        (("params", "top*,a*"), ["params", "top1", "top1_delta", "at_b"]),
        (("speed, batch 1 (img/s)",), ["at_b"]),
        (("top1,speed, batch 1 (img/s),params",), ["top1", "at_b", "params"]),
        (("*",), ["top1", "top1_delta", "params", "at_b"]),
    ],
)
def test_columns_with_commas(summary, asked, expected):
    fast = Column("at_b", Quantity("speed", "img/s", True, "speed, batch 1 (img/s)"), "p")
    rows = [replace(one, cells={**one.cells, "at_b": Cell(None)}) for one in summary.rows]
    wide = replace(summary, columns=[*COLUMNS, fast], rows=rows)
    [found] = apply_views([wide], View(columns=asked))
    assert keys(found) == expected


def test_rows_with_commas_and_an_unknown_name_among_them(summary):
    [found] = apply_views([summary], View(rows=("base,Model same",)))
    assert names(found) == ["base", "same"]
    with pytest.raises(UsageError, match="--columns prams: no match"):
        apply_views([summary], View(columns=("top1,prams",)))
    with pytest.raises(UsageError, match="--columns ,: no match"):
        apply_views([summary], View(columns=(",",)))


@pytest.mark.parametrize("name", ["console", "markdown", "latex", "json", "html"])
def test_notes_of_columns_left_out_are_left_out_in_every_format(name, tiny, make_graph, fill_store):
    whole = summarize(fill_store(make_graph(tiny)))
    render = REPORTS.load(name)

    def text(*columns):
        return html.unescape(render(apply_views([whole], View(columns=columns)))).replace("\\_", "_")

    assert "Timed on" in text()
    assert "Timed on" not in text("params")
    assert "Timed on" in text("latency_ms,params")
    for found in (note for note in text("params").splitlines() if note.startswith("- ")):
        assert "top-1" not in found


def test_columns_by_key_or_title_in_the_order_asked_for(summary):
    assert keys(apply_view(summary, View(columns=("params*", "top1")))) == ["params", "top1"]
    assert keys(apply_view(summary, View(columns=("*top-1*",)))) == ["top1", "top1_delta"]


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (View(sort_by="top1"), ["better", "same", "base", "hole"]),
        (View(sort_by="params"), ["same", "base", "better", "hole"]),
        (View(sort_by="params", is_descending=True), ["better", "base", "same", "hole"]),
        (View(sort_by="top1", is_descending=False), ["base", "same", "better", "hole"]),
        (View(sort_by="variant"), ["base", "better", "hole", "same"]),
        (View(sort_by="params (M)"), ["same", "base", "better", "hole"]),
        (View(sort_by="params", columns=("top1",)), ["same", "base", "better", "hole"]),
    ],
)
def test_the_best_comes_first_and_holes_last(summary, view, expected):
    assert names(apply_view(summary, view)) == expected


def test_only_what_is_told_apart_and_the_baseline_and_the_rest_is_named(summary):
    found = apply_view(summary, View(only_changed=True))
    assert names(found) == ["base", "better"]
    assert found.notes == ["a note", "Left out, not told apart from the baseline: Model same, Model hole."]


def test_where_there_are_comparisons_their_adjusted_p_decides(summary):
    def compared(variant, p_adjusted):
        difference = Difference(0.1, 0.05, 0.15, p_adjusted, 0.01, 9.0, 3, 100)
        where = (TOP1.quantity.name, TOP1.dataset, TOP1.protocol)
        return Comparison(variant, variant, "base", *where, difference, p_adjusted)

    both = replace(summary, comparisons=[compared("better", 0.2), compared("same", 0.01)])
    assert names(apply_view(both, View(only_changed=True))) == ["base", "same"]


def test_precision_changes_what_people_read_and_no_number(summary):
    found = apply_view(summary, View(precision=0))
    assert cell_text(found.rows[1].cells["top1"], found.columns[0]) == "80"
    assert found.rows[1].cells["top1"].estimate.value == 0.80


def test_a_pivot_has_variants_as_columns_and_the_same_numbers(summary):
    found = apply_view(summary, View(is_pivoted=True))
    assert [column.title for column in found.columns][:2] == ["Model base (baseline)", "Model better"]
    assert names(found) == keys(summary)
    for column in summary.columns:
        turned = next(row for row in found.rows if row.variant == column.key)
        for was, place in zip(summary.rows, found.columns, strict=True):
            assert cell_text(turned.cells[place.key], place) == cell_text(was.cells[column.key], column)
    frame = found.to_frame()
    assert list(frame.unit) == ["fraction", "fraction", "count"]
    assert frame.better.tolist() == [0.80, 0.10, 3e6]


@pytest.mark.parametrize(
    ("view", "message"),
    [
        (View(rows=("bettr",)), "--rows bettr: no match (did you mean 'better'?)"),
        (View(columns=("parms",)), "--columns parms: no match (did you mean 'params'?)"),
        (View(sort_by="top-1"), "--sort-by top-1: no match (did you mean 'top1'?)"),
        (View(columns=("zzz",)), "--columns zzz: no match; known: top1, top1_delta, params"),
    ],
)
def test_an_unknown_name_is_one_line_with_the_nearest(summary, view, message):
    with pytest.raises(UsageError) as caught:
        apply_views([summary], view)
    assert str(caught.value) == message


def test_a_summary_of_which_nothing_is_left_is_left_out(summary):
    other = Summary("o", "default", "", "x", False, [SIZE], [row("x", 0.1, 1e6)])
    assert [found.suite for found in apply_views([summary, other], View(rows=("x",)))] == ["o"]
    assert [found.suite for found in apply_views([summary, other], View(columns=("top1",)))] == ["s"]


def test_a_summary_without_columns_stays_for_its_notes_unless_columns_are_asked_for(summary):
    bare = replace(summary, columns=[], notes=["Of 2 jobs: 2 due."])
    for view in (View(), View(is_pivoted=True), View(all_columns=True)):
        [found] = apply_views([bare], view)
        assert (found.columns, found.notes) == ([], ["Of 2 jobs: 2 due."])
        assert [one.variant for one in found.rows] == [one.variant for one in bare.rows]
    assert apply_views([bare, summary], View(columns=("top1",)))[0].suite == summary.suite
    assert len(apply_views([bare, summary], View(columns=("top1",)))) == 1
