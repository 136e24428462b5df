import pytest

from lsbench.tables.columns import create_columns
from lsbench.tables.load import load_table


@pytest.fixture
def columns_of(tiny, make_graph, fill_store, records_of):
    """Return the columns of a suite of these jobs, filled with what `records` gives."""

    def columns(jobs, records=records_of):
        folder = fill_store(make_graph({**tiny, "jobs": jobs}), records)
        return create_columns(load_table([folder]), folder.manifest()["jobs"])

    return columns


def test_a_metric_has_a_column_where_a_kind_of_job_measures_it(columns_of):
    found = columns_of(["train", "evaluate"])
    assert [(c.key, c.title, c.protocol, c.dataset, c.jobs) for c in found] == [
        ("top1", "top-1 (%)", "test|n=20|v1", "fashion", {"evaluate"}),
        ("top1_delta", "Δ top-1 (%)", "test|n=20|v1", "fashion", {"evaluate"}),
    ]
    assert columns_of(["train"]) == []


def test_what_nobody_has_measured_has_a_column_too(columns_of):
    found = columns_of(["train", "evaluate"], lambda job: None)
    assert [(c.key, c.protocol) for c in found] == [("top1", ""), ("top1_delta", "")]
