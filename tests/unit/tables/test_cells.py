import pytest

from lsbench.core.quantity import quantity
from lsbench.tables.cells import Column

TOP1 = quantity("top1")


@pytest.mark.parametrize(
    ("column", "title"),
    [
        (Column("k", TOP1, "p", "fashion"), "top-1 (%)"),
        (Column("k", TOP1, "p", "fashion", is_delta=True), "Δ top-1 (%)"),
        (Column("k", TOP1, "p", "fashion", remark=" [fashion|p]"), "top-1 (%) [fashion|p]"),
        (Column("k", TOP1, "p", remark=" [p]", is_delta=True), "Δ top-1 (%) [p]"),
        (Column("k", TOP1, "", is_published=True), "published top-1 (%)"),
        (Column("k", quantity("macs"), "", is_published=True), "published FLOPs (G)"),
    ],
)
def test_a_header_says_whose_numbers_and_how_measured(column, title):
    assert column.title == title


def test_a_narrow_table_has_short_titles_of_published_numbers_too():
    published = [Column("k", quantity(name), "", is_published=True) for name in ("top1", "imagenet_a_top1")]
    assert [one.short_title for one in published] == ["publ. top-1 (%)", "publ. IN-A (%)"]
