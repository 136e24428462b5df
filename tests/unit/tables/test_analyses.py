import pytest

from lsbench.core.facets import Facets
from lsbench.core.record import measured
from lsbench.tables.analyses import analysis_figures, in_order, load_analyses

FACETS = Facets(method="aggregation", split="test", weights="last", res=32, n=6, version="1.1")


@pytest.fixture
def figures(tiny, make_graph, fill_store):
    graph = make_graph({**tiny, "jobs": ["train", {"analyze": "aggregation"}]})

    def records(job):
        if job.kind != "analyze":
            return []
        where = {"facets": FACETS, "dataset": "fashion", "n": 6}
        value = None if job.variant.name == "id" else 0.5 + job.seed / 10
        one = measured("aggregation_entropy", value, **where)
        return [{"job_id": job.id, **one.model_dump(mode="json")}]

    return analysis_figures(load_analyses([fill_store(graph, records)]))


def test_there_is_one_figure_per_variant_and_metric_over_the_seeds(figures):
    by_name = {figure.variant: figure for figure in figures}
    assert len(figures) == 2
    found = by_name["ls"]
    assert (found.analysis, found.seeds, found.estimate.n) == ("aggregation", 2, 2)
    assert found.estimate.value == pytest.approx(0.55)
    assert found.estimate.low < 0.55 < found.estimate.high


def test_what_a_model_does_not_have_is_a_hole(figures):
    [hole] = [figure for figure in figures if figure.variant == "id"]
    assert hole.estimate is None
    assert hole.reason
    assert in_order(figures) == ["aggregation_entropy"]
    assert in_order([hole]) == []
