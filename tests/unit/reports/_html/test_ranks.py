from lsbench.core.units import quantity
from lsbench.reports._html.ranks import ranks
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.statistics import Estimate


def rows_of(*values, only=()):
    return [
        Row(str(n), str(n), n == 0, {"x": Cell(None if v is None else Estimate(v, None, None, 1))}, n in only)
        for n, v in enumerate(values)
    ]


def column(metric, **more):
    return Column("x", quantity(metric), "p", **more)


def test_the_best_is_the_largest_or_the_least_as_the_quantity_says():
    assert ranks(rows_of(0.5, 0.7, 0.6, None), column("top1")) == [0, 1, 2, 0]
    assert ranks(rows_of(5.0, 7.0, 6.0), column("latency_ms")) == [1, 0, 2]


def test_values_that_look_alike_share_a_place():
    assert ranks(rows_of(0.70001, 0.70002, 0.6, 0.5), column("top1")) == [1, 1, 2, 0]
    assert ranks(rows_of(0.7, 0.7), column("top1")) == [0, 0], "nobody is best where all are equal"


def test_nothing_is_ranked_that_no_direction_or_no_measurement_of_ours_has():
    assert ranks(rows_of(1.0, 2.0), column("lr")) == [0, 0]
    assert ranks(rows_of(0.1, 0.2), column("top1", is_delta=True)) == [0, 0]
    assert ranks(rows_of(0.1, 0.2), column("top1", is_published=True)) == [0, 0]
    assert ranks(rows_of(0.9, 0.2, 0.1, only=(0,)), column("top1")) == [0, 1, 2]
