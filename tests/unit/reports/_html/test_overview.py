import pandas as pd

from lsbench.reports._html.overview import overview
from lsbench.tables.frames.load import LONG_COLUMNS, load_table
from lsbench.tables.summary import summarize


def test_it_counts_jobs_and_names_what_is_missing(tiny, make_graph, fill_store, records_of):
    def records(job):
        return (
            None
            if job.label == "id/profile"
            else records_of(job, top1=0.6 if job.variant.name == "id" else 0.5)
        )

    folder = fill_store(make_graph(tiny), records, failed=("ls/profile",))
    facts = {
        name: (value, beside) for name, value, beside in overview(summarize(folder), load_table([folder]))
    }
    assert facts["variants"] == ("2", "")
    assert facts["jobs done"] == ("8 of 10", "1 failed, 1 waiting")
    assert facts["seeds"] == ("2", "0, 1")
    assert facts["measured"] == ("2025-01-01", "")
    assert facts["best top-1 (%)"] == ("60.00", "id")


def test_without_a_table_it_says_what_the_summary_knows(tiny, make_graph, fill_store):
    empty = pd.DataFrame(columns=list(LONG_COLUMNS))
    assert [name for name, _, _ in overview(summarize(fill_store(make_graph(tiny))), empty)] == ["variants"]
