from lsbench.core.registry import JOBS
from lsbench.suite.parsed import parsed_once


def test_seeds_are_parsed_once_and_rows_and_names_one_by_one(tiny, make_graph):
    tiny["seeds"] = [0, 1, 2]
    jobs = make_graph(tiny).jobs
    parsed = parsed_once(jobs)
    assert len({job.seed for job in jobs}) > 1
    found = [(one.job.variant.name, one.job.name) for one in parsed]
    assert sorted(found) == sorted({(job.variant.name, job.name) for job in jobs})
    assert all(one.spec == JOBS.load(one.job.kind).spec.model_validate(one.job.spec) for one in parsed)
