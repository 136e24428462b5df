import json

from lsbench.rendering.cells import notes_of
from lsbench.rendering.sentences import comparison_notes
from lsbench.reports.json import render
from lsbench.tables.summary import summarize


def test_columns_say_unit_direction_and_protocol(tiny, make_graph, fill_store):
    summary = summarize(fill_store(make_graph({**tiny, "tags": ["smoke"]})))
    table = json.loads(render([summary]))["tables"][0]
    assert (table["suite"], table["baseline"], table["smoke"]) == ("tiny", "ls", True)
    latency = next(column for column in table["columns"] if column["key"] == "latency_ms")
    assert latency == {
        "key": "latency_ms",
        "title": "latency (ms)",
        "unit": "ms",
        "higher_is_better": False,
        "protocol": "b=1|v1",
        "is_published": False,
        "is_further": False,
    }
    assert table["notes"] == notes_of(summary, is_marked=False, is_whole=True)
    assert table["comparison_notes"] == comparison_notes(summary.comparisons) != []


def test_unmeasured_is_null(tiny, make_graph, fill_store, records_of):
    folder = fill_store(make_graph(tiny), lambda job: None if job.kind == "profile" else records_of(job))
    table = json.loads(render([summarize(folder)]))["tables"][0]
    assert all(row["throughput"] is None and row["throughput_hole"] == "waiting" for row in table["rows"])
    assert all(row["top1"] == 0.5 for row in table["rows"])
