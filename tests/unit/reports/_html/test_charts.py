import json
from dataclasses import replace

from lsbench.reports._html import charts
from lsbench.reports._html.charts import chart_data
from lsbench.tables.nights import NightCurve
from lsbench.tables.summary import summarize


def summary_of(tiny, make_graph, fill_store, tested, with_epochs):
    graph = tested(make_graph(tiny))

    def records(job):
        if job.kind == "train":
            return with_epochs(job, {"train_loss": [2.0, 1.0 + (job.seed or 0)]})
        return with_epochs(job, {})

    return summarize(fill_store(graph, records))


def test_every_curve_and_every_corruption_is_there(tiny, make_graph, fill_store, tested, with_epochs):
    data = chart_data(summary_of(tiny, make_graph, fill_store, tested, with_epochs))
    losses = [curve for curve in data["curves"] if curve[3] == "train_loss"]
    assert [(curve[0], curve[1], curve[4], curve[5]) for curve in losses] == [
        (name, seed, [1, 2], [2.0, 1.0 + seed]) for name in ("ls", "id") for seed in (0, 1)
    ]
    cells = {
        (one[3], one[4]): one[6]
        for one in data["corruptions"]
        if one[5] == "corruption_error" and one[0] == "ls"
    }
    assert cells[("fog", 1)] == 0.2
    assert cells[("snow", 2)] == 0.5
    assert data["quantities"]["train_loss"]["digits"] == 4
    json.dumps(data, allow_nan=False)


def test_bars_are_the_means_of_the_robustness_table(tiny, make_graph, fill_store, tested, with_epochs):
    bars = chart_data(summary_of(tiny, make_graph, fill_store, tested, with_epochs))["bars"]
    assert [(variant, title) for variant, title, _, _ in bars] == [("ls", "ls"), ("id", "id")]
    assert bars[0][3] == {"snow": [0.5, 0.5, 0.5], "fog": [0.3, 0.3, 0.3]}


def test_what_is_left_out_is_told(tiny, make_graph, fill_store, tested, with_epochs, monkeypatch):
    monkeypatch.setattr(charts, "MOST_POINTS", 5)
    monkeypatch.setattr(charts, "MOST_FIGURES", 3)
    data = chart_data(summary_of(tiny, make_graph, fill_store, tested, with_epochs))
    assert len(data["corruptions"]) == 3
    assert sum(len(curve[4]) for curve in data["curves"]) <= 5
    assert any("This page holds 3 of" in note for note in data["notes"])
    assert any("left out" in note for note in data["notes"])


def test_nights_are_there_with_their_gaps(tiny, make_graph, fill_store):
    summary = summarize(fill_store(make_graph(tiny)))
    summary.nights.append(
        NightCurve(
            "ls",
            "LS",
            "top1",
            "p",
            "fashion",
            [0.5, None],
            ["ok", "inconclusive"],
            0.5,
            ["2026-11-01 abc", ""],
        )
    )
    assert chart_data(summary)["nights"] == [
        ["ls", "LS", "top1", "p", "fashion", [0.5, None], ["ok", "inconclusive"], 0.5, ["2026-11-01 abc", ""]]
    ]


def test_each_protocol_of_corruptions_has_a_short_name(tiny, make_graph, fill_store, tested, with_epochs):
    data = chart_data(summary_of(tiny, make_graph, fill_store, tested, with_epochs))
    assert data["ways"] == {"fashion-c-live|c2|s2|res=32|ref=knn5|n=20|v1": "fashion-c-live"}
    assert {one[2] for one in (*data["corruptions"], *data["bars"])} == set(data["ways"])


def test_charts_of_errors_hold_no_detector(tiny, make_graph, fill_store, tested, with_epochs):
    summary = summary_of(tiny, make_graph, fill_store, tested, with_epochs)
    before = chart_data(summary)
    first = summary.corruptions[0]
    detector = replace(first, metric="retinanet_ap", protocol="retinanet|c15|v1")
    after = chart_data(replace(summary, corruptions=[detector, *summary.corruptions]))
    assert after == before
