from pathlib import Path

import pytest

from lsbench.cli.options import Scheduler
from lsbench.cli.running import create_executor, create_graph, parse_seeds, run_jobs
from lsbench.core.errors import UsageError
from lsbench.scheduler.inline import InlineExecutor
from lsbench.scheduler.run import RunOptions


def test_seeds_are_whole_numbers():
    assert parse_seeds(None) is None
    assert parse_seeds("0,2") == [0, 2]
    with pytest.raises(UsageError, match="--seeds 0,x: expected whole numbers"):
        parse_seeds("0,x")


def test_inline_needs_no_ray(tiny, write_suite):
    assert isinstance(create_executor(Scheduler.inline, None), InlineExecutor)
    assert len(create_graph(write_suite(tiny), "default", None, 2, None, Path("results")).jobs) == 10


def test_nothing_left_to_do_starts_nobody(tiny, make_graph, fill_store, tmp_path):
    graph = make_graph(tiny)
    fill_store(graph)
    assert run_jobs(graph, RunOptions(tmp_path / "results"), Scheduler.ray, "nowhere:1") is None
