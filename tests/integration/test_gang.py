"""A gang of ranks over two nodes (on one machine): one job, one result; the loss of one ends all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lsbench.core.job import Job
from lsbench.scheduler.local_ray import FLAGS
from lsbench.scheduler.ray_pool import RayExecutor
from lsbench.scheduler.run import RunOptions, run_suite
from lsbench.suite.graph import JobGraph

pytestmark = pytest.mark.slow


class Watcher:
    """Remembers what it was told, and kills the last rank after the first epoch."""

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []
        self.ended: list[tuple[str, str]] = []
        self.epochs: list[int] = []

    def job_started(self, job: Job, event: dict[str, Any]) -> None:
        self.started.append(event)

    def nodes_changed(self, nodes: Any, most: int | None) -> None:
        pass

    def job_progressed(self, job: Job, event: dict[str, Any]) -> None:
        if event["ev"] == "epoch":
            self.epochs.append(event["epoch"])
            if len(self.epochs) == 1:
                last = [rank for rank in ranks() if rank.environ()["RANK"] == "2"]
                last[0].kill()

    def job_ended(self, job: Job, state: str, message: str) -> None:
        self.ended.append((state, message))

    def tick(self) -> None:
        pass


def ranks() -> list[psutil.Process]:
    """Return the ranks that run among the processes of this test."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "lsbench.scheduler.rank" in process.cmdline():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two nodes with two CPUs each."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in FLAGS.items():
            patch.setenv(name, value)
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        made.add_node(num_cpus=2)
        made.wait_for_nodes()
        yield made
        made.shutdown()


@pytest.fixture
def graph(tiny: dict[str, Any], make_graph: Callable[..., JobGraph]) -> JobGraph:
    """One training of three ranks, which no node holds."""
    tiny["variants"] = tiny["variants"][1:]
    tiny["jobs"] = [{"train": {"epochs": 6, "batch_size": 18, "resources": {"num_ranks": 3, "num_gpus": 0}}}]
    return make_graph({**tiny, "seeds": [0]})


def test_a_gang_over_two_nodes_outlives_the_loss_of_a_rank(
    cluster: Any, graph: JobGraph, tmp_path: Path
) -> None:
    watcher = Watcher()

    outcome = run_suite(
        graph,
        RunOptions(tmp_path / "results"),
        create_executor=lambda: RayExecutor(cluster.address),
        create_watcher=lambda plan, folder: watcher,
    )

    assert outcome is not None
    assert (len(outcome.ok), outcome.failed) == (1, []), watcher.ended
    assert [(event["num_ranks"], event["num_nodes"]) for event in watcher.started] == [(3, 2)] * 2
    assert [state for state, _ in watcher.ended] == ["retry", "ok"]
    assert watcher.ended[0][1] == "worker_lost: rank 2 was killed by SIGKILL"
    assert watcher.epochs[-1] == 6
    assert ranks() == []
