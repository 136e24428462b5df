import json

import pytest

from lsbench.store.again import inconclusive_jobs
from lsbench.store.results import RESULT


@pytest.fixture
def graph(tiny, make_graph):
    return make_graph(tiny)


def change(folder, name, **told):
    path = folder.job_folder(name) / RESULT
    result = json.loads(path.read_text())
    result["records"][0] |= {"value": None, **told}
    path.write_text(json.dumps(result))


@pytest.mark.parametrize(("n", "share", "is_retried"), [(60, 0.0, False), (60, 0.1, False), (290, 0.1, True)])
def test_a_quantile_that_no_quiet_machine_would_reach_is_not_measured_again(
    graph, fill_store, n, share, is_retried
):
    folder = fill_store(graph)
    name = next(job.id for job in graph.jobs if job.label == "ls/profile")
    setting = {"inconclusive": "too few", "samples_needed": 299, "disturbed_share": share}
    change(folder, name, n=n, setting=setting)
    assert (inconclusive_jobs(folder, [name]) == {name}) == is_retried


def test_a_timing_without_a_value_is_inconclusive_and_a_missing_device_is_not(graph, fill_store):
    folder = fill_store(graph)
    ids = {one.label: one.id for one in graph.jobs}

    def write(label, metric, setting):
        change(folder, ids[label], metric=metric, setting=setting)

    write("ls/profile", "latency_ms", {"inconclusive": "40% of the samples were disturbed"})
    write("id/profile", "peak_device_memory_mib", {})
    assert inconclusive_jobs(folder, ids.values()) == {ids["ls/profile"]}
    assert inconclusive_jobs(folder, ids.values(), {"latency_ms"}) == {ids["ls/profile"]}
    assert inconclusive_jobs(folder, ids.values(), {"throughput"}) == set()
    assert inconclusive_jobs(folder, ["train-unknown"]) == set()
