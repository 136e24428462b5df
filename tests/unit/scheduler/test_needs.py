from lsbench.scheduler.needs import Needs


def test_a_job_is_ready_when_the_last_that_it_needs_is_done(tiny, make_graph):
    graph = make_graph(tiny)
    by_label = {job.label: job.id for job in graph.jobs}
    done = {by_label["ls/train/seed0"]}
    needs = Needs([job for job in graph.jobs if job.id not in done], done)
    ready = set(needs.ready())
    assert by_label["ls/evaluate/seed0"] in ready
    assert by_label["ls/evaluate/seed1"] not in ready
    assert list(needs.met(by_label["ls/train/seed1"])) == [by_label["ls/evaluate/seed1"]]
    assert list(needs.met(by_label["ls/train/seed1"])) == []


def test_a_job_with_several_needs_waits_for_all(tiny, make_graph):
    tiny["jobs"] = ["train", {"analyze": {"kind": "cka", "other": "ls"}}]
    graph = make_graph({**tiny, "seeds": [0]})
    [compared] = [job for job in graph.jobs if job.label == "id/cka/seed0"]
    first, second = compared.needs.values()
    needs = Needs(graph.jobs, set())
    assert compared.id not in set(needs.met(str(first)))
    assert compared.id in set(needs.met(str(second)))
