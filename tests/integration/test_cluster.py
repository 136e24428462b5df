"""A cluster of several nodes (on one machine): pinned jobs, checks of every node, the loss of a node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lsbench.core.job import Job
from lsbench.core.waits import told_to
from lsbench.scheduler.local_ray import FLAGS
from lsbench.scheduler.protocol import NodeNeeds
from lsbench.scheduler.ray_pool import RayExecutor
from lsbench.scheduler.run import RunOptions, run_suite
from lsbench.suite.graph import JobGraph


class Watcher:
    """Remembers how jobs ended, and calls back at the first progress."""

    def __init__(self, on_epoch: Callable[[], None] = lambda: None) -> None:
        self.ended: list[tuple[str, str, str]] = []
        self.on_epoch: Callable[[], None] | None = on_epoch

    def job_started(self, job: Job, event: dict[str, Any]) -> None:
        assert event["nice"] == 0

    def nodes_changed(self, nodes: Any, most: int | None) -> None:
        pass

    def job_progressed(self, job: Job, event: dict[str, Any]) -> None:
        if event["ev"] == "epoch" and self.on_epoch is not None:
            self.on_epoch, act = None, self.on_epoch
            act()

    def job_ended(self, job: Job, state: str, message: str) -> None:
        self.ended.append((job.label, state, message))

    def tick(self) -> None:
        pass


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Three nodes: a head with one CPU and two workers with two CPUs and a GPU that is none each."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in FLAGS.items():
            patch.setenv(name, value)
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        for _ in range(2):
            made.add_node(num_cpus=2, num_gpus=1)
        made.wait_for_nodes()
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def executor(cluster: Any) -> Iterator[RayExecutor]:
    """An executor that has joined the cluster."""
    made = RayExecutor(cluster.address)
    made.start()
    yield made
    made.close()


@pytest.fixture
def graph(tiny: dict[str, Any], make_graph: Callable[..., JobGraph]) -> JobGraph:
    tiny["jobs"][0]["train"]["epochs"] = 25
    tiny["resources"] = {"num_gpus": 0}
    return make_graph(tiny)


def test_a_results_folder_that_cannot_be_written_stops_before_any_job(
    executor: RayExecutor, graph: JobGraph, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert executor.preflight([graph.suite.variants[0]], blocked, NodeNeeds()) == [
        f"results folder {blocked}: cannot be written (File exists); choose another with --results DIR"
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has GPUs")
def test_nodes_that_claim_gpus_and_have_none_are_told_before_any_job_and_a_gpu_can_be_held(
    executor: RayExecutor, graph: JobGraph, tmp_path: Path
) -> None:
    problems = executor.preflight([graph.suite.variants[0]], tmp_path, NodeNeeds(wants_gpus=True))
    claiming = [node.id for node in executor.nodes() if node.num_gpus]
    assert len(problems) == len(claiming) == 2, problems
    for problem in problems:
        assert problem.startswith("node ")
        assert "the job was given 1 GPU (visible: 0), and torch" in problem
        assert "(driver " in problem
    assert executor.hold_device(claiming[0], "0")
    executor.free_device(claiming[0], "0")
    assert not executor.hold_device(claiming[1], "7")


@pytest.mark.slow
def test_a_lost_node_is_outlived_and_timing_jobs_are_alone(
    cluster: Any, graph: JobGraph, tmp_path: Path
) -> None:
    executor = RecordingExecutor(cluster.address)
    watcher = Watcher(
        on_epoch=lambda: cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
    )

    outcome = run_suite(
        graph,
        RunOptions(tmp_path / "results"),
        create_executor=lambda: executor,
        create_watcher=lambda plan, folder: watcher,
    )

    assert outcome is not None
    assert (len(outcome.ok), outcome.failed, outcome.skipped) == (10, [], []), watcher.ended
    assert [label for label, state, _ in watcher.ended if state == "ok"].count("ls/train/seed0") == 1
    lost = [why for _, state, why in watcher.ended if state == "retry"]
    assert lost
    assert all(why.startswith("node_lost: ") for why in lost), lost
    assert executor.shared_an_exclusive_node == []


class RecordingExecutor(RayExecutor):
    """Notes every moment at which an exclusive job shared its node."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.placed: dict[str, Any] = {}
        self.shared_an_exclusive_node: list[tuple[str, str]] = []

    def submit(self, job_id: str, folder: Path, spec: str, placement: Any, timeout_s: float) -> None:
        for other_id, other in self.placed.items():
            exclusive = any(name.startswith("profile") for name in (job_id, other_id))
            if exclusive and other.node == placement.node:
                self.shared_an_exclusive_node.append((job_id, other_id))
        self.placed[job_id] = placement
        super().submit(job_id, folder, spec, placement, timeout_s)

    def poll(self, timeout_s: float) -> list[Any]:
        events = super().poll(timeout_s)
        for event in events:
            if event.kind == "end":
                del self.placed[event.job_id]
        return events


@pytest.mark.slow
def test_when_all_nodes_are_lost_jobs_wait_until_one_comes(
    graph: JobGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.cluster_utils import Cluster

    for name, value in FLAGS.items():
        monkeypatch.setenv(name, value)
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    made.add_node(num_cpus=2)
    made.wait_for_nodes()

    def lose_all() -> None:
        made.remove_node(made.list_all_nodes()[-1], allow_graceful=False)

    heard: list[str] = []

    def hear(what: str) -> None:
        heard.append(what)
        if what.startswith("waiting for nodes"):
            made.add_node(num_cpus=2)

    watcher = Watcher(on_epoch=lose_all)
    try:
        with told_to(hear):
            outcome = run_suite(
                graph,
                RunOptions(tmp_path / "results"),
                create_executor=lambda: RayExecutor(made.address),
                create_watcher=lambda plan, folder: watcher,
            )
    finally:
        made.shutdown()

    assert outcome is not None
    assert (len(outcome.ok), outcome.failed, outcome.skipped) == (10, [], []), watcher.ended
    [told] = [what for what in heard if what.startswith("waiting for nodes")]
    assert "there is no node with CPUs" in told
    [joined] = [what for what in heard if "has joined" in what]
    assert joined.endswith("; checking it before its first job")
