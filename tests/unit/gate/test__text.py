from dataclasses import replace

from lsbench.gate._text import HEADER, headline, row_texts, table_texts


def test_the_headline_counts_verdicts_worst_first(judgement):
    assert headline(judgement) == "nightly (default): 1 inconclusive, 1 regressed, 1 improved, 3 ok"
    assert headline(replace(judgement, findings=())) == "nightly (default): nothing compared"


def cells(judgement, number):
    return dict(zip(HEADER, row_texts(judgement.findings[number]), strict=True))


def test_cells_are_in_the_units_of_their_metric(judgement):
    lost = cells(judgement, 2)
    assert (lost["baseline"], lost["now"], lost["change"]) == ("70.00", "69.00", "-1.00")
    assert lost["interval"] == "[-1.00, -0.91]"
    assert lost["metric"] == "top-1 (%), fashion"
    timing = cells(judgement, 4)
    assert timing["change"].endswith("% time")
    low, high = (float(end) for end in timing["interval"].strip("[] %").split(","))
    assert low < 2.0 < high
    assert timing["metric"] == "latency / control"
    counted = cells(judgement, 5)
    assert (counted["change"], counted["interval"], counted["p"]) == ("+0.0000", "", "")
    gone = cells(judgement, 3)
    assert (gone["now"], gone["change"], gone["interval"]) == ("-", "-", "")


def test_trends_are_a_column_where_there_is_a_history(judgement):
    titles, rows = table_texts(judgement, judgement.findings)
    assert titles == list(HEADER)
    key = judgement.findings[0].compared.key
    titles, rows = table_texts(replace(judgement, trends={key: "▁█"}), judgement.findings)
    assert titles[-1] == "trend"
    assert [row[-1] for row in rows] == ["▁█", "", "", "", "", ""]
