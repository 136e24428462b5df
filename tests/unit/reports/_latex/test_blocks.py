import pytest

from lsbench.core.quantity import quantity
from lsbench.reports._latex.blocks import ColumnHead, Ranked, TableBlock, blocks_of, corruptions_of
from lsbench.stats.seeds import Estimate
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.summary import Summary, summarize


def column(name, **more):
    return Column(more.pop("key", name), quantity(name), more.pop("protocol", "p"), **more)


TOP1, DELTA = column("top1"), column("top1", key="top1_delta", is_delta=True)
PUBLISHED = column("top1", key="top1_published", protocol="", is_published=True)
MCE = column("mce", panel="on corrupted images")


@pytest.fixture
def make():
    def summary(*columns, only_published=False):
        cells = {one.key: Cell(Estimate(0.5, None, None, 1), rank=1) for one in columns}
        rows = [Row("a", "A", True, cells)]
        if only_published:
            bare = {
                one.key: Cell(Estimate(0.4, None, None, 1) if one.is_published else None) for one in columns
            }
            rows.append(Row("b", "B", False, bare, is_published_only=True))
        return Summary("s", "default", "", "a", False, list(columns), rows)

    return summary


def test_published_numbers_stand_beside_ours_below_one_title(make):
    whole, (block,) = blocks_of(make(TOP1, DELTA, PUBLISHED, column("params")))
    assert whole is None
    assert [(head.group, head.in_group) for head in block.heads] == [
        ("", ""),
        ("top-1 (%)", "ours"),
        ("top-1 (%)", "\u0394"),
        ("top-1 (%)", "published"),
        ("", ""),
    ]
    assert block.groups() == [[1, 2, 3], [4]]
    assert block.rows[0][:2] == (Ranked("A (baseline)"), Ranked("50.00", 1))


def test_several_ways_of_ours_or_none_keep_titles_of_their_own(make):
    other = column("top1", key="top1@q", protocol="q", remark=" [q]")
    for columns in ([TOP1, other, PUBLISHED], [PUBLISHED], [column("params"), PUBLISHED]):
        _, (block,) = blocks_of(make(*columns))
        assert {head.group for head in block.heads} == {""}
        assert block.heads[-1].title == "published top-1 (%)"


def test_all_tables_as_one_stand_below_what_each_is_about(make):
    whole, each = blocks_of(make(TOP1, MCE))
    assert [block.heading for block in each] == ["", "on corrupted images"]
    assert [head.group for head in whole.heads] == ["", "", "on corrupted images"]
    assert whole.heads[2].in_group == "mCE"


def test_rows_that_only_a_source_has_are_left_out_of_further_tables(make):
    _, (main, further) = blocks_of(make(TOP1, PUBLISHED, MCE, only_published=True))
    assert [row[0].text for row in main.rows] == ["A (baseline)", "B (published only)"]
    assert [row[0].text for row in further.rows] == ["A (baseline)"]


def test_a_block_turned_has_its_columns_as_rows_with_their_ranks():
    heads = (
        ColumnHead("variant", "variant"),
        ColumnHead("top-1", "top-1", "g", "ours"),
        ColumnHead("long", "short"),
    )
    block = TableBlock(
        "", heads, ((Ranked("A"), Ranked("1", 1), Ranked("2")), (Ranked("B"), Ranked("3"), Ranked("4", 2)))
    )
    turned = block.turned()
    assert [head.title for head in turned.heads] == ["variant", "A", "B"]
    assert turned.rows == (
        (Ranked("top-1"), Ranked("1", 1), Ranked("3")),
        (Ranked("short"), Ranked("2"), Ranked("4", 2)),
    )
    assert turned.groups() == [[1], [2]]


def test_single_corruptions_are_a_block_with_notes(tiny, make_graph, fill_store, tested, make):
    assert list(corruptions_of(make(TOP1))) == []
    found = summarize(fill_store(tested(make_graph(tiny))))
    [(block, notes)] = corruptions_of(found)
    assert block.heads[0].title == "error (%)"
    assert len(block.rows) == 2
    assert "Mean top-1 error" in notes[0]
