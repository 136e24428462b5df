import pytest

from lsbench.core.facets import Facets
from lsbench.core.record import measured
from lsbench.reports._analyses import analyses_table
from lsbench.tables.summary import summarize


@pytest.fixture
def summary_of(tiny, make_graph, fill_store):
    def create(seeds, measures=True):
        tiny["seeds"] = seeds
        graph = make_graph({**tiny, "jobs": ["train", {"analyze": "aggregation"}]})

        def records(job):
            if job.kind != "analyze" or not measures:
                return []
            facets = Facets(method="aggregation", split="test", n=6, version="1.1")
            where = {"facets": facets, "dataset": "fashion", "n": 6}
            value = None if job.variant.name == "id" else 0.25
            found = measured("aggregation_overlap", value, ci_low=0.2, ci_high=0.3, **where)
            return [{"job_id": job.id, **found.model_dump(mode="json")}]

        return summarize(fill_store(graph, records))

    return create


def test_numbers_stand_with_their_intervals_protocol_and_holes(summary_of):
    header, rows, notes = analyses_table(summary_of([0]))
    assert header == ["analysis", "aggregation on the object (%)"]
    assert dict(rows) == {"ls": "25.0 [20.0, 30.0]", "id": "-"}
    assert "aggregation|test|n=6|v1.1" in notes[0]
    assert "the mean over the images" in notes[0]
    assert notes[1].startswith("id: no aggregation")


def test_several_seeds_are_averaged(summary_of):
    _, rows, notes = analyses_table(summary_of([0, 1]))
    assert dict(rows)["ls"].startswith("25.0")
    assert "the mean over 2 seeds" in notes[0]


def test_without_analyses_there_is_no_section(summary_of):
    assert analyses_table(summary_of([0], measures=False)) is None
