import pandas as pd
import pytest

import lsbench
from lsbench.store.results import ResultsFolder
from lsbench.tables.frames.corruptions import CORRUPTION_COLUMNS, load_corruptions
from lsbench.tables.frames.load import load_table
from lsbench.tables.robustness import figures_of


@pytest.fixture
def graph(tiny, make_graph, tested):
    return tested(make_graph(tiny))


def test_one_row_per_figure_of_a_corruption_with_the_documented_columns_and_types(graph, fill_store):
    frame = load_corruptions([fill_store(graph)])
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == CORRUPTION_COLUMNS
    assert len(frame) == 4 * 2 * (2 + 2)
    row = frame[(frame.variant == "id") & (frame.corruption == "snow") & (frame.severity == 2)].iloc[0]
    assert (row.metric, row.value, row.n) == ("corruption_error", pytest.approx(0.5), 20)
    assert (row.dataset, row.protocol) == ("fashion", "fashion-c-live|c2|s2|res=32|ref=knn5|n=20|v1")
    over_all = frame[frame.severity.isna()]
    assert set(over_all.metric) == {"ce", "corruption_error"}


def test_the_long_table_holds_no_figure_of_a_corruption(graph, fill_store):
    assert not load_table([fill_store(graph)]).protocol.str.contains("corruption=").any()


def test_a_failed_job_has_no_figures_and_what_is_withheld_stays_null(graph, fill_store, records_of):
    def incomplete(job):
        records = records_of(job)
        return [{**r, "value": None, "n": None} if "fog" in r["protocol"] else r for r in records]

    frame = load_corruptions([fill_store(graph, incomplete, failed=("id/robustness/seed1",))])
    assert set(frame[frame.variant == "id"].seed) == {0}
    assert frame[frame.corruption == "fog"].value.isna().all()
    assert {f.value for f in figures_of(frame) if f.corruption == "fog"} == {None}


def test_the_frame_is_kept_and_can_be_lost(graph, fill_store, tmp_path):
    folder = fill_store(graph)
    first = load_corruptions([folder])
    pd.testing.assert_frame_equal(load_corruptions([folder]), first)
    empty = load_corruptions([ResultsFolder(tmp_path / "nowhere")])
    assert list(empty.columns) == list(CORRUPTION_COLUMNS)
    assert figures_of(empty) == []


def test_a_notebook_has_the_same_frame(graph, fill_store):
    folder = fill_store(graph)
    found = lsbench.load_table(folder.root, form="corruptions")
    pd.testing.assert_frame_equal(found, load_corruptions([folder]))
