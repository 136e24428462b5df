"""The content of checkpoints is part of ids, and results of before stand by the paths of theirs."""

import json
import os

import pytest

from lsbench.core.errors import ConfigError, DataError
from lsbench.core.job import Job
from lsbench.scheduler.before import graph_of_results
from lsbench.scheduler.child import check_code
from lsbench.scheduler.run import RunOptions, plan_run
from lsbench.store.results import RESULT
from lsbench.store.trials import write_search
from lsbench.suite.graph import build_graph, named_checkpoints
from lsbench.suite.loader import load_suite
from lsbench.suite.planner import require_data
from lsbench.suite.trials import search_id, templates
from lsbench.tables.job_changes import changes

#: When results of before began, in the stores that tests fill: 2025-01-01.
BEGAN = 1735689600


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"one")
    os.utime(path, (BEGAN - 10, BEGAN - 10))
    return path


@pytest.fixture
def suite(tiny, write_suite, weights):
    tiny["variants"][1] = {"name": "id", "mixer": "identity", "model_args": {"checkpoint": str(weights)}}
    tiny["seeds"] = [0]
    return load_suite(write_suite(tiny))


def ids(graph, variant):
    return [job.id for job in graph.jobs if job.variant.name == variant]


def overwrite(path, content=b"two", at=BEGAN + 10):
    path.write_bytes(content)
    os.utime(path, (at, at))


def test_other_content_under_the_same_path_gives_other_ids(suite, weights):
    before = build_graph(suite)
    overwrite(weights, at=BEGAN - 10)
    after = build_graph(suite)
    assert not set(ids(before, "id")) & set(ids(after, "id"))
    assert ids(before, "ls") == ids(after, "ls")
    os.utime(weights, (BEGAN + 99, BEGAN + 99))
    assert build_graph(suite) == after
    old, new = (next(job for job in graph.jobs if job.variant.name == "id") for graph in (before, after))
    assert [change.name for change in changes(old, new)] == [f"contents.{weights}"]


def test_ids_without_a_checkpoint_are_those_of_before(suite):
    graph, before = build_graph(suite), build_graph(suite, ids_by_path=None)
    assert ids(graph, "ls") == ids(before, "ls")
    assert all("contents" not in json.loads(job.model_dump_json()) or not job.contents for job in before.jobs)


def test_an_absent_file_leaves_the_ids_pending_and_says_so(suite, weights, tmp_path):
    weights.unlink()
    graph = graph_of_results(suite, tmp_path / "results")
    assert ids(graph, "id") == [None] * 3
    assert None not in ids(graph, "ls")
    plan = plan_run(graph, RunOptions(tmp_path / "results"))
    with pytest.raises(DataError, match=r"checkpoint '.*weights\.pth': expected a file"):
        require_data(plan)


def test_teachers_and_controls_name_checkpoints_too(suite):
    job = build_graph(suite).jobs[0]
    spec = {
        "teacher": {"model": "resnet18", "checkpoint": "a.pth"},
        "x": [{"model_args": {"checkpoint": "b.pth"}}],
    }
    assert named_checkpoints(job.model_copy(update={"spec": spec})) == ["a.pth", "b.pth"]
    assert named_checkpoints(job.model_copy(update={"spec": {"checkpoint": None}})) == []


def test_results_of_before_stand_while_the_file_is_older(suite, weights, fill_store, tmp_path):
    fill_store(build_graph(suite, ids_by_path=None))
    results = tmp_path / "results"
    options = RunOptions(results)
    assert plan_run(graph_of_results(suite, results), options).todo == ()
    overwrite(weights)
    todo = plan_run(graph_of_results(suite, results), options).todo
    assert {job.variant.name for job in todo} == {"id"}
    weights.unlink()  # nothing newer is there
    assert plan_run(graph_of_results(suite, results), options).todo == ()


def test_a_part_of_the_results_of_before_stands_too(suite, fill_store, tmp_path):
    graph = build_graph(suite, ids_by_path=None)
    folder = fill_store(graph)
    for job in graph.jobs:
        if job.name == "evaluate":
            (folder.job_folder(job.id) / RESULT).unlink()
    todo = plan_run(graph_of_results(suite, tmp_path / "results"), RunOptions(tmp_path / "results")).todo
    assert {job.name for job in todo} == {"evaluate"}
    assert {need for job in todo for need in job.needs.values()} <= {job.id for job in graph.jobs}


def test_a_search_of_before_is_continued(tiny, write_suite, weights, make_graph, fill_store, tmp_path):
    tiny["variants"] = [{"name": "id", "mixer": "identity", "model_args": {"checkpoint": str(weights)}}]
    tiny["search"] = {"space": {"lr": {"uniform": [0.001, 0.01]}}, "budget": {"trials": 2}}
    tiny["jobs"][0]["train"]["epochs"] = 3
    suite = load_suite(write_suite(tiny))
    before = build_graph(suite, ids_by_path=None)
    folder = fill_store(before, lambda job: None)
    made = {name: search_id(suite.search, job) for name, job in templates(before, 0).items()}
    write_search(folder, {"ids": made, "search": {}, "settings": []})
    found = templates(graph_of_results(suite, tmp_path / "results"), 0)
    assert {name: search_id(suite.search, job) for name, job in found.items()} == made
    overwrite(weights, at=BEGAN * 2)
    found = templates(graph_of_results(suite, tmp_path / "results"), 0)
    assert {name: search_id(suite.search, job) for name, job in found.items()} != made


def test_another_file_on_the_node_is_an_error_of_one_line(suite, weights):
    job = next(job for job in build_graph(suite).jobs if job.contents)
    check_code(Job.model_validate_json(job.model_dump_json()))
    overwrite(weights)
    with pytest.raises(ConfigError, match=r"^checkpoint '.*weights\.pth' on .* is another file than"):
        check_code(job)
