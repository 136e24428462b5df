import io

import pandas as pd

from lsbench.reports.csv import render
from lsbench.tables.summary import summarize


def test_unmeasured_is_an_empty_field_and_two_suites_share_one_file(tiny, make_graph, fill_store, records_of):
    def no_profile(job):
        return None if job.kind == "profile" else records_of(job)

    first = summarize(fill_store(make_graph(tiny)))
    second = summarize(fill_store(make_graph({**tiny, "name": "other"}), no_profile))
    frame = pd.read_csv(io.StringIO(render([first, second])))
    assert list(frame.columns[:2]) == ["suite", "preset"]
    assert list(frame.suite) == ["tiny", "tiny", "other", "other"]
    assert list(frame.params.isna()) == [False, False, True, True]
    assert (frame.top1 == 0.5).all()


def test_no_summary_is_no_text():
    assert render([]) == ""
