import io

import pandas as pd

from lsbench.reports.csv import render as render_csv
from lsbench.reports.parquet import render
from lsbench.tables.summary import summarize
from lsbench.tables.view import View, apply_view


def read(content):
    return pd.read_parquet(io.BytesIO(content))


def test_it_holds_what_csv_holds_with_types_and_units(tiny, make_graph, fill_store, records_of):
    def records(job):
        return None if job.kind == "profile" and job.variant.name == "id" else records_of(job, top1=0.1 + 0.2)

    summary = summarize(fill_store(make_graph(tiny), records))
    frame, text = read(render([summary])), pd.read_csv(io.StringIO(render_csv([summary])))
    assert list(frame.columns) == list(text.columns)
    assert frame.top1.tolist() == [0.1 + 0.2] * 2
    assert pd.api.types.is_float_dtype(frame.top1)
    assert pd.api.types.is_bool_dtype(frame.is_baseline)
    assert frame.params.isna().tolist() == [False, True]
    assert frame.params_hole.tolist()[1] == "waiting"
    assert frame.attrs["units"]["top1"] == "fraction"
    assert frame.attrs["units"]["latency_ms"] == "ms"
    assert frame.attrs["titles"]["latency_ms"] == "latency (ms)"


def test_a_column_of_numbers_and_words_is_words(tiny, make_graph, fill_store):
    summary = summarize(fill_store(make_graph(tiny)))
    summary.rows[0].cells["top1"] = type(summary.rows[0].cells["top1"])(None, text="a word")
    assert read(render([summary])).top1.tolist() == ["a word", "0.5"]


def test_a_pivot_and_nothing_at_all(tiny, make_graph, fill_store):
    summary = apply_view(summarize(fill_store(make_graph(tiny))), View(is_pivoted=True))
    frame = read(render([summary]))
    assert frame.set_index("variant").ls["top1"] == 0.5
    assert len(read(render([]))) == 0
