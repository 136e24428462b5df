import pytest

from lsbench.scheduler.pace import MACS, Likeness, Pace, keys_of, work_of
from lsbench.store.durations import Duration


def test_jobs_are_alike_by_row_then_settings_then_kind(tiny, make_graph):
    tiny["variants"].append({"name": "other", "mixer": "involution"})
    by_label = {job.label: job for job in make_graph(tiny).jobs}
    row, settings, kind, unit = keys_of(by_label["ls/train/seed0"])
    assert keys_of(by_label["ls/train/seed1"]) == (row, settings, kind, unit)
    assert keys_of(by_label["other/train/seed0"])[1:] == (settings, "train", MACS)
    assert keys_of(by_label["other/train/seed0"])[0] != row
    assert keys_of(by_label["ls/evaluate/seed0"])[2:] == ("evaluate", MACS)
    assert keys_of(by_label["ls/profile"])[2:] == ("profile",)
    limited = {job.label: job for job in make_graph(tiny, limit=2).jobs}
    assert keys_of(limited["ls/profile"])[2:] == ("profile --limit 2",)
    assert keys_of(limited["ls/train/seed0"])[2:] == ("train --limit 2",)


def test_work_is_in_the_seconds_that_a_kind_declares_or_in_macs(tiny, make_graph):
    graph = make_graph(tiny)
    train, profile = (next(job for job in graph.jobs if job.kind == kind) for kind in ("train", "profile"))
    assert work_of(train, graph) == (graph.cost[train.label], False)
    assert work_of(profile, graph) == (2.0, True), "a second for each of two counts"


def test_the_most_alike_jobs_tell():
    pace = Pace([Duration(("row", "kind"), 2.0, 5.0, 10.0), Duration(("else", "kind"), 2.0, 1.0, 2.0)])
    assert pace.of(["row", "kind"]) == 5.0
    assert pace.of(["new", "kind"]) == 3.0
    assert pace.of(["new"]) is None
    assert pace.of(["new", "kind"], {"new": (8.0, 1.0)}) == 8.0
    assert pace.of(["row", "kind"], {"row": (8.0, 1.0)}) == 5.0
    assert pace.of(["row"], prior=2.0) == pytest.approx((10 + 2 / 25) / (2 + 2 / 25))
    assert pace.of(["else"], prior=2.0) == 1.0


def test_the_shortest_start_counts():
    pace = Pace([Duration(("row", "kind"), 2.0, 50.0, 1.0), Duration(("else", "kind"), 2.0, 1.0, 1.0)])
    assert pace.start_s(["row", "kind"]) == 50.0
    assert pace.start_s(["new", "kind"]) == 1.0
    assert pace.start_s(["new"]) is None


def test_seeds_of_a_job_are_like_each_other_and_rows_are_not(tiny, make_graph):
    jobs, likeness = make_graph(tiny).jobs, Likeness()
    assert {job.label: likeness.of(job) for job in jobs} == {job.label: keys_of(job) for job in jobs}
    assert len({likeness.of(job) for job in jobs}) < len(jobs)
