from pathlib import Path

import pytest

from lsbench.cli.options import Scheduler
from lsbench.cli.running import check_wait, create_executor, create_graph, parse_seeds, run_jobs
from lsbench.core.errors import UsageError
from lsbench.scheduler.inline import InlineExecutor
from lsbench.scheduler.run import RunOptions


def test_seeds_are_whole_numbers():
    assert parse_seeds(None) is None
    assert parse_seeds("0,2") == [0, 2]
    with pytest.raises(UsageError, match="--seeds 0,x: expected whole numbers"):
        parse_seeds("0,x")


def test_who_would_wait_for_nodes_names_a_cluster(tiny, make_graph):
    graph, options = make_graph(tiny), RunOptions(Path("results"), wait_for_nodes_s=60.0)
    check_wait(graph, options, "auto")
    check_wait(graph, RunOptions(Path("results")), None)
    with pytest.raises(UsageError, match="--wait-for-nodes: without --address"):
        check_wait(graph, options, None)
    search = {"metric": "val_top1", "space": {"lr": {"log_uniform": [1e-3, 1e-2]}}, "budget": {"trials": 2}}
    with pytest.raises(UsageError, match="'tiny' is a search, which waits without end"):
        check_wait(make_graph({**tiny, "search": search}), options, "auto")


def test_inline_needs_no_ray(tiny, write_suite):
    assert isinstance(create_executor(Scheduler.inline, None), InlineExecutor)
    assert len(create_graph(write_suite(tiny), "default", None, 2, None, Path("results")).jobs) == 10


def test_nothing_left_to_do_starts_nobody(tiny, make_graph, fill_store, tmp_path):
    graph = make_graph(tiny)
    fill_store(graph)
    assert run_jobs(graph, RunOptions(tmp_path / "results"), Scheduler.ray, "nowhere:1") is None
