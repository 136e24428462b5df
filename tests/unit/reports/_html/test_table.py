import csv
import io
from dataclasses import replace

import pytest

from lsbench.reports import csv as csv_report
from lsbench.reports._html.table import HOLE, table_data
from lsbench.tables.summary import summarize


def test_a_cell_is_its_text_its_numbers_and_its_place(tiny, make_graph, fill_store, records_of):
    tops = {"ls": 0.5, "id": 0.6}
    folder = fill_store(
        make_graph(tiny),
        lambda job: (
            None
            if job.label == "id/profile"
            else records_of(job, top1=tops[job.variant.name] * (1 + (job.seed or 0) / 1000))
        ),
    )
    data = table_data(summarize(folder))
    assert (data["name"], data["baseline"]) == ("tiny (default)", "ls")
    keys = [column["key"] for column in data["columns"]]
    assert [row[:3] for row in data["rows"]] == [["ls", "ls", "baseline"], ["id", "id", ""]]
    first, second = (dict(zip(keys, row[3], strict=True)) for row in data["rows"])
    text, beside, value, low, high, place = second["top1"]
    assert (text, place) == ("60.03", 1)
    assert beside.startswith("± ")
    assert low < value < high
    assert value == pytest.approx(0.6003)
    assert first["top1"][5] == 2
    assert first["top1_delta"] == ["-", "", None, None, None, 0]
    assert second["top1_delta"][0] == "+10.00"
    assert second["top1_delta"][1].startswith("[+")
    assert second["params"] == ["waiting", "", None, None, None, HOLE]


def test_charts_get_intervals_within_what_is_possible(tiny, make_graph, fill_store, records_of):
    folder = fill_store(
        make_graph(tiny),
        lambda job: records_of(job, top1=0.2 + 0.6 * (job.seed or 0) * (job.variant.name == "ls")),
    )
    data = table_data(summarize(folder))
    place = [column["key"] for column in data["columns"]].index("top1")
    first, second = (row[3][place] for row in data["rows"])
    assert first == ["50.00", "± 50.00", 0.5, 0.0, 1.0, 1]
    assert second[2:5] == [0.2, 0.2, 0.2]
    delta = data["rows"][1][3][place + 1]
    assert delta[:2] == ["-30.00", "[-100.00, +100.00]"]
    assert delta[3:5] == [-1.0, 1.0]


def test_columns_say_in_which_runtime_they_were_measured(tiny, make_graph, fill_store, records_of):
    form = {"runtime": "onnxruntime", "precision": "int8", "quantisation": "static"}
    tiny["jobs"] += [{"evaluate": {"name": "int8", "runtime": "onnxruntime", "precision": "int8"}}]

    def records(job):
        found = records_of(job)
        if job.name == "int8":
            return [
                {**r, "facets": {**r.get("facets", {}), **form}, "protocol": f"int8|{r['protocol']}"}
                for r in found
            ]
        return found

    columns = table_data(summarize(fill_store(make_graph(tiny), records)))["columns"]
    tops = [column for column in columns if column["metric"] == "top1" and column["role"] == "value"]
    assert [column["runtime"] for column in tops] == ["eager fp32", "onnxruntime int8 static"]
    assert [column["title"] for column in tops] == [
        "top-1 (%) [eager fp32]",
        "top-1 (%) [onnxruntime int8 static]",
    ]
    assert {column["plain_title"] for column in tops} == {"top-1 (%)"}
    assert {column["runtime"] for column in columns if column["metric"] in ("params", "macs")} == {""}


def test_columns_say_how_they_are_read(tiny, make_graph, fill_store):
    data = table_data(summarize(fill_store(make_graph(tiny))))
    columns = {column["key"]: column for column in data["columns"]}
    assert (
        columns["latency_ms"] | {"better": -1, "scale": 1.0, "unit": "ms", "dataset": None}
        == columns["latency_ms"]
    )
    assert (
        columns["top1"] | {"better": 1, "scale": 100.0, "dataset": "fashion", "role": "value"}
        == columns["top1"]
    )
    assert columns["top1_delta"]["role"] == "delta"
    assert columns["top1"]["protocol"]


def test_rows_have_the_cells_of_the_csv_report(tiny, make_graph, fill_store):
    tiny["variants"][1]["label"] = '=1+1, "x"'
    summary = summarize(fill_store(make_graph(tiny), failed=("id/profile",)))
    data = table_data(summary)
    lines = list(csv.reader(io.StringIO(csv_report.render([summary]), newline="")))
    assert [data["csv_titles"], *(row[4] for row in data["rows"])] == lines
    assert lines[2][3] == '\'=1+1, "x"'


def test_each_column_knows_its_cells_of_the_csv_report(tiny, make_graph, fill_store):
    data = table_data(summarize(fill_store(make_graph(tiny), failed=("id/profile",))))
    names = {c["key"]: [data["csv_titles"][n] for n in c["csv"]] for c in data["columns"]}
    assert names["top1"] == ["top1", "top1_ci_low", "top1_ci_high", "top1_n"]
    assert set(names["top1_delta"]) >= {"top1_delta", "top1_delta_ci_low", "top1_delta_ci_high"}
    assert names["params"] == ["params", "params_hole"]
    always = [data["csv_titles"][n] for n in data["csv_always"]]
    assert always == ["suite", "preset", "variant", "title", "is_baseline"]
    places = sorted([*data["csv_always"], *(n for c in data["columns"] for n in c["csv"])])
    assert places == list(range(len(data["csv_titles"])))


def test_texts_that_markdown_would_change_have_their_escaped_form(tiny, make_graph, fill_store):
    tiny["variants"][1]["label"] = "a|b <i>"
    summary = summarize(fill_store(make_graph(tiny)))
    column = replace(summary.columns[0], remark=" *")
    data = table_data(replace(summary, columns=[column, *summary.columns[1:]]))
    assert data["markdown"] == {"a|b <i>": "a\\|b &lt;i&gt;", "top-1 (%) *": "top-1 (%) \\*"}
