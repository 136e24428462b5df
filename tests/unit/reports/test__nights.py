from lsbench.reports._nights import HEADER, nights_table
from lsbench.tables.nights import NightCurve
from lsbench.tables.summary import Summary


def summary(*curves):
    return Summary("nightly", "default", "", "a", False, [], [], nights=list(curves))


def curve(**more):
    usual = {"variant": "a", "title": "A", "metric": "top1", "protocol": "p", "dataset": "fashion"}
    seen = {"values": [0.7, 0.71, 0.6], "verdicts": ["ok", "ok", "regressed"], "baseline": 0.7}
    return NightCurve(**{**usual, **seen, **more})


def test_each_number_has_a_chart_and_its_last_verdict():
    header, rows, [note] = nights_table(
        summary(curve(), curve(values=[None], verdicts=["ok"], baseline=None))
    )
    assert header == HEADER
    assert rows[0] == ["top-1 (%)", "A", "▇█▁", "60.00", "70.00", "regressed", "1 of 3"]
    assert rows[1][2:5] == [" ", "-", "-"]
    assert note.startswith("The last 3 nights")


def test_a_suite_that_was_never_judged_has_no_such_section():
    assert nights_table(summary()) is None
