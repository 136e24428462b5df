import json

import pytest

from lsbench.store.again import inconclusive_jobs
from lsbench.store.results import RESULT


@pytest.fixture
def graph(tiny, make_graph):
    return make_graph(tiny)


def test_a_timing_without_a_value_is_inconclusive_and_a_missing_device_is_not(graph, fill_store):
    folder = fill_store(graph)
    ids = {one.label: one.id for one in graph.jobs}

    def write(label, metric, setting):
        path = folder.job_folder(ids[label]) / RESULT
        result = json.loads(path.read_text())
        result["records"][0] |= {"metric": metric, "value": None, "setting": setting}
        path.write_text(json.dumps(result))

    write("ls/profile", "latency_ms", {"inconclusive": "40% of the samples were disturbed"})
    write("id/profile", "peak_device_memory_mib", {})
    assert inconclusive_jobs(folder, ids.values()) == {ids["ls/profile"]}
    assert inconclusive_jobs(folder, ids.values(), {"latency_ms"}) == {ids["ls/profile"]}
    assert inconclusive_jobs(folder, ids.values(), {"throughput"}) == set()
    assert inconclusive_jobs(folder, ["train-unknown"]) == set()
