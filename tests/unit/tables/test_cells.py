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
