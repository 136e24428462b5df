import pytest

from lsbench.core.registry import REPORTS
from lsbench.reports._comparisons import comparison_table
from lsbench.tables.summary import summarize


@pytest.fixture
def by_seed(records_of):
    top1 = {"ls": [0.70, 0.71, 0.705], "id": [0.60, 0.612, 0.604]}
    return lambda job: records_of(job, top1=top1[job.variant.name][job.seed or 0])


def test_each_comparison_is_a_line_in_words(tiny, make_graph, fill_store, by_seed):
    summary = summarize(fill_store(make_graph({**tiny, "seeds": [0, 1, 2]}), by_seed))
    header, rows, notes = comparison_table(summary)
    assert len(header) == len(rows[0]) == 3
    assert rows[0][0].startswith("ls is better than id by 9.97 points, 95 % interval ")
    assert rows[0][2] == "3 seeds"
    assert "Over seeds alone, since no results of single images are kept: id." in notes
    for name in ("markdown", "console"):
        assert "is better than id by 9.97 points" in REPORTS.load(name)([summary])


def test_smoke_tests_and_overrides_compare_nothing(tiny, make_graph, fill_store, by_seed):
    for graph in (make_graph({**tiny, "tags": ["smoke"]}), make_graph(tiny, limit=2)):
        assert comparison_table(summarize(fill_store(graph, by_seed))) is None
