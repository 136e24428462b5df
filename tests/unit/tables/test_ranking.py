import pytest

from lsbench.core.quantity import quantity
from lsbench.stats.seeds import Estimate
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.ranking import ranked, reranked


def rows_of(column, values, expected=1, n=1):
    cells = [Cell(None if v is None else Estimate(v, None, None, n), "", expected) for v in values]
    return [Row(f"v{i}", f"v{i}", i == 0, {column.key: cell}) for i, cell in enumerate(cells)]


def ranks(column, values, **options):
    return [row.cells[column.key].rank for row in ranked([column], rows_of(column, values), **options)]


TOP1, LOSS = (Column(name, quantity(name), "p") for name in ("top1", "train_loss"))


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        (TOP1, [0.7, 0.9, 0.8, 0.1], [None, 1, 2, None]),
        (LOSS, [0.7, 0.9, 0.8, 0.1], [2, None, None, 1]),
        (TOP1, [0.7, None, 0.8], [2, None, 1]),
        (TOP1, [0.8, 0.80001, 0.7, 0.7, 0.6], [1, 1, 2, 2, None]),
        (TOP1, [0.8, 0.8], [None, None]),
        (TOP1, [0.8, None], [None, None]),
        (TOP1, [], []),
        (Column("x", quantity("unknown"), "p"), [1, 2, 3], [None] * 3),
        (Column("d", quantity("top1"), "p", is_delta=True), [1, 2, 3], [None] * 3),
        (Column("p", quantity("top1"), "", is_published=True), [1, 2, 3], [None] * 3),
    ],
)
def test_best_and_second_by_the_direction_of_the_quantity(column, values, expected):
    assert ranks(column, values) == expected


def test_timings_of_several_machines_are_not_ranked():
    latency = Column("latency_ms", quantity("latency_ms"), "p")
    assert ranks(latency, [1.0, 2.0]) == [1, 2]
    assert ranks(latency, [1.0, 2.0], on_one_machine=False) == [None, None]


def test_a_mean_over_fewer_seeds_takes_no_part():
    rows = [*rows_of(TOP1, [0.9], expected=3, n=2), *rows_of(TOP1, [0.8, 0.7], expected=3, n=3)]
    assert [row.cells["top1"].rank for row in ranked([TOP1], rows)] == [None, 1, 2]


def test_chosen_rows_are_ranked_anew_where_all_were_ranked():
    rows = ranked([TOP1], rows_of(TOP1, [0.9, 0.8, 0.7]))
    assert [row.cells["top1"].rank for row in reranked([TOP1], rows[1:], rows)] == [1, 2]
    plain = rows_of(TOP1, [0.9, 0.8, 0.7])
    assert [row.cells["top1"].rank for row in reranked([TOP1], plain[1:], plain)] == [None, None]
