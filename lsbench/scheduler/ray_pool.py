"""Run jobs on Ray. In the scheduler, only the files ray_*.py import Ray.

Ray core executes, the driver schedules. A job is one Ray task (a gang over several nodes is one task
per node) that is pinned to the node chosen by the ledger, supervises one child process and streams its
events back. Ray's own queue stays empty and its retries are off.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lsbench.core.counted import counted
from lsbench.core.env import usable_cpus
from lsbench.core.errors import ClusterError
from lsbench.core.job import Variant
from lsbench.core.stopping import GRACE_S
from lsbench.core.waits import announce
from lsbench.scheduler.demand import Bundle
from lsbench.scheduler.gang import RunningGang, part_requests
from lsbench.scheduler.local_ray import check_reachable, kill_processes
from lsbench.scheduler.others_use import Amounts
from lsbench.scheduler.protocol import Event, Node, NodeNeeds, Placement
from lsbench.scheduler.ray_cluster import RayCluster
from lsbench.scheduler.ray_devices import HeldDevices
from lsbench.scheduler.ray_files import SharedFiles
from lsbench.scheduler.ray_joining import JoiningNodes
from lsbench.scheduler.ray_life import RayLife, imported_ray
from lsbench.scheduler.ray_preflight import TIMEOUT_S, TRIES, LostCheckError, check_results, run_checks
from lsbench.scheduler.ray_streams import CANCELLED, cancel, next_items
from lsbench.scheduler.ray_tasks import (
    find_endpoint,
    pinned,
    probe_node,
    run_job,
    stop_remote_servers,
)
from lsbench.scheduler.throttle import newest, period_s
from lsbench.suite.splits import DataUse

log = logging.getLogger(__name__)

#: Seconds before a check that was lost is made again.
RETRY_S = 2.0
#: Where many jobs run, so long events are gathered after the first; as often may a stream give one at a time.
GATHERED_S_PER_JOB, MOST_GATHERED_S, MOST_ROUNDS = 0.0016, 0.2, 100


class RayExecutor:
    """An executor on a local Ray or on a cluster."""

    def __init__(self, address: str | None = None, *, num_cpus: int | None = None) -> None:
        """Store the settings; nothing is started.

        Args:
            address: None for a local Ray; ``"auto"`` or an address for a cluster.
            num_cpus: CPUs of a local Ray; default: those available to this process.
        """
        self.life = RayLife(address, num_cpus or usable_cpus())
        self._running: dict[Any, tuple[RunningGang, int]] = {}
        self._nodes: list[Node] = []
        self._held = HeldDevices()
        self._joining: JoiningNodes | None = None
        self._cluster = RayCluster(is_shared=address is not None)
        self._asked_to_stop: set[RunningGang] = set()
        #: What starts a job, by task, node, CPUs and GPUs: each is made once.
        self._starters: dict[tuple[Any, str, int, float], Any] = {}
        self._lost: list[Event] = []
        self._files: SharedFiles | None = None
        self.blind_nodes: list[str] = []

    @property
    def token(self) -> str:
        """Identifies the run on its nodes."""
        return self.life.token

    def start(self) -> None:
        """Start a local Ray, or join the cluster.

        Raises:
            ClusterError: If Ray does not come up in time, or the cluster cannot be joined.
        """
        self.life.start()
        import ray

        self._task = ray.remote(max_retries=0, max_calls=0)(run_job)

    def nodes(self) -> list[Node]:
        """Return the nodes that are alive; while the head does not answer, those that were.

        A node that has joined since the check before the run is left out until it has passed its own.

        Raises:
            ClusterError: If the head is gone.
        """
        self._revive_if_lost()
        if not self.life.head_answers():
            return self._nodes  # of a local Ray, until it is started again
        alive = self._cluster.nodes(self._ours())
        self._nodes = alive if self._joining is None else self._joining.fit(alive)
        self._save_what_leaves()
        return self._nodes

    def _ours(self) -> dict[str, Amounts]:
        """Return what this run has on each node."""
        held = Counter(self._held.counts())
        held.update(self._joining.gpus if self._joining else {})
        found = {node: (0.0, float(count)) for node, count in held.items()}
        for job in {job for job, _ in self._running.values()}:
            for part in job.placement.parts:
                cpus, gpus = found.get(part.node, (0.0, 0.0))
                found[part.node] = cpus + part.num_cpus, gpus + part.num_gpus
        return found

    def _save_what_leaves(self) -> None:
        """Ask the jobs on nodes that Ray is about to take away to save and end, once."""
        for stream, (job, number) in list(self._running.items()):
            leaves = job.placement.parts[number].node in self._cluster.draining
            if leaves and job not in self._asked_to_stop:
                self._asked_to_stop.add(job)
                cancel(stream)

    @property
    def can_grow(self) -> bool:
        """True for a cluster: nodes may join it."""
        return not self.life.is_local

    def ask_for(self, bundles: Sequence[Bundle]) -> None:
        """Tell the cluster's autoscaler, if there is one, what the cluster should hold at a time."""
        self._cluster.ask_for(bundles)

    def preflight(
        self, variants: Sequence[Variant], results: Path, needs: NodeNeeds, data: Sequence[DataUse] = ()
    ) -> list[str]:
        """Check that every node can run the jobs, look at the data and build every model once.

        Nodes must run the same code, with what jobs need on them; the names of those that do not see the
        results folder are in `blind_nodes` afterwards. If a part of Ray is lost meanwhile, the check is made
        again.
        """
        announce("looking at the data and building every model once, to find faults before any job starts")
        for tries_left in reversed(range(TRIES)):
            try:
                return self._check(variants, results, needs, data)
            except LostCheckError as error:
                if not tries_left:
                    return [f"the nodes and models cannot be checked: {error}"]
                announce(f"the check before the run was lost: {error}; checking again")
                time.sleep(RETRY_S)
        return []

    def _check(
        self, variants: Sequence[Variant], results: Path, needs: NodeNeeds, data: Sequence[DataUse]
    ) -> list[str]:
        self._revive_if_lost()
        nodes = self.nodes()
        if not nodes:
            raise LostCheckError("no node is alive")
        try:
            place = self._share(results).place
        except OSError as error:
            reason = error.strerror or str(error)
            return [
                f"results folder {results}: cannot be written ({reason}); choose another with --results DIR"
            ]
        start = partial(self._start_probe, place=place)
        problems, self.blind_nodes = check_results(nodes, start, self._raise_if_lost)
        if self.blind_nodes:
            names = ", ".join(dict.fromkeys(self.blind_nodes))
            announce(f"sending files of jobs through Ray, as {results} cannot be used on {names}")
        problems += run_checks(nodes, variants, needs, self._start_check, self._raise_if_lost, data=data)
        if self.can_grow:
            self._joining = JoiningNodes(nodes, needs, self._start_check, start)
        return problems

    def _raise_if_lost(self) -> None:
        if self._revive_if_lost():
            raise LostCheckError("the local Ray ended")

    def _revive_if_lost(self) -> bool:
        """Start the local Ray again, once a run, if its head or node has ended; return whether it had.

        The jobs that ran there are lost with the node, which costs them no retry.

        Raises:
            ClusterError: If it has ended again.
        """
        if self.life.is_alive:
            return False
        self.life.clear_up()
        for job in {job for job, _ in self._running.values()}:
            end = {"ok": False, "error_class": "node_lost", "message": "the local Ray ended"}
            nodes = [part.node for part in job.placement.parts]
            self._lost.append(Event(job.job_id, "end", {**end, "lost_nodes": nodes}))
        self._running.clear()
        self._held = HeldDevices()
        if self._files is not None:
            self._files.close()
            self._files = None
        self.start()
        return True

    def _start_check(self, node: Node, request: dict[str, Any], gpus: int) -> Any:
        options = pinned(node.id, num_cpus=0, num_gpus=gpus)
        return self._task.options(**options).remote(request, self.token, TIMEOUT_S, gpus)

    def _share(self, results: Path) -> SharedFiles:
        """Offer the results to all nodes; once for each Ray that is started."""
        if self._files is None:
            self._files = SharedFiles(results, self.token, is_local=self.life.is_local)
        return self._files

    def _start_probe(self, node: Node, place: dict[str, Any]) -> Any:
        import ray

        return ray.remote(max_retries=0)(probe_node).options(**pinned(node.id, num_cpus=0)).remote(place)

    def submit(self, job_id: str, folder: Path, spec: str, placement: Placement, timeout_s: float) -> None:
        """Start a job on the nodes chosen by the ledger."""
        job = RunningGang(job_id, placement)
        request = {
            "action": "job",
            "folder": str(folder),
            "spec": spec,
            "log": str(folder / "log.txt"),
            "step_s": period_s(len(self._running)),
            **(self._files.for_job() if self._files else {}),
        }
        endpoint = self._find_endpoint(placement) if placement.further else None
        for number, asked in enumerate(part_requests(request, placement)):
            part = placement.parts[number]
            asked["gpu_share"] = part.gpu_share
            words = (asked, self.token, timeout_s, part.num_devices, endpoint)
            self._running[self._starter(part).remote(*words)] = job, number

    def _starter(self, part: Placement) -> Any:
        """Return what starts a job on a node with its CPUs and GPUs."""
        key = self._task, part.node, part.num_cpus, part.num_gpus
        if key not in self._starters:
            options = pinned(part.node, num_cpus=part.num_cpus, num_gpus=part.num_gpus)
            self._starters[key] = self._task.options(**options)
        return self._starters[key]

    def _find_endpoint(self, placement: Placement) -> Any:
        """Return a future of the address at which the ranks meet; the parts wait for it."""
        import ray

        task = ray.remote(max_retries=0)(find_endpoint)
        return task.options(**pinned(placement.node, num_cpus=0)).remote()

    def poll(self, timeout_s: float) -> list[Event]:
        """Return the events of all jobs since the last call; where many run, gather them for a moment."""
        import ray

        self._revive_if_lost()
        if self._lost:
            lost, self._lost = self._lost, []
            return lost
        if not self._running:
            return []
        ready, _ = ray.wait(list(self._running), num_returns=1, timeout=timeout_s)
        if ready:
            time.sleep(min(MOST_GATHERED_S, GATHERED_S_PER_JOB * len(self._running)))
        events: list[Event] = []
        for _ in range(MOST_ROUNDS if ready else 0):
            streams = list(self._running)
            ready, _ = ray.wait(streams, num_returns=len(streams), timeout=0) if streams else ([], [])
            if not ready:
                break
            events += self._next(ready)
        return newest(events) + self._stop_broken()

    def _next(self, streams: list[Any]) -> list[Event]:
        """Return the events that follow from the next items of streams; the end of a part ends its stream."""
        events: list[Event] = []
        for stream, item in zip(streams, next_items(streams), strict=True):
            job, number = self._running[stream]
            is_end = item["ev"] == "end"
            data = self._corrected(item, job, job.placement.parts[number].node) if is_end else item
            if is_end:
                del self._running[stream]
            events += job.take(number, data, time.monotonic())
        return events

    def _corrected(self, end: dict[str, Any], job: RunningGang, node: str) -> dict[str, Any]:
        """Return the end of a part of a job with what is known of its node."""
        error_class = end.get("error_class")
        if error_class == CANCELLED:
            error_class = "preempted" if job in self._asked_to_stop else "worker_lost"
        if error_class == "worker_lost" and self._is_gone(node):
            error_class = "node_lost"  # Ray notices the loss of the worker first
        if error_class == "node_lost" and self.life.is_local:
            self.life.give_up()
        if error_class == "preempted":
            self._cluster.stop_using(node)
        return end if error_class is None else {**end, "error_class": error_class}

    def _is_gone(self, node: str) -> bool:
        """Return whether a node does not answer any more; from outside of a cluster it cannot be asked."""
        try:
            check_reachable(self._cluster.addresses.get(node))
        except ClusterError:
            return not (self.life.address or "").startswith("ray://")
        return False

    def _stop_broken(self) -> list[Event]:
        """Stop the rest of jobs that have lost a part; return the ends of parts that do not stop."""
        now, events = time.monotonic(), []
        for job in {job for job, _ in self._running.values() if job.is_broken}:
            streams = [stream for stream, (owner, _) in self._running.items() if owner is job]
            if job.must_stop(now):
                for stream in streams:
                    cancel(stream)
            given_up = job.give_up(now)
            for stream in streams if given_up else ():
                del self._running[stream]
            events += given_up
        return events

    def hold_device(self, node: str, device: str) -> bool:
        """Keep a GPU of a node from all jobs; return False if it cannot be had now."""
        most = next((one.num_gpus for one in self._nodes if one.id == node), 0)
        options = pinned(node, num_cpus=0, num_gpus=1)
        return self._held.hold(node, device, most=most, options=options)

    def free_device(self, node: str, device: str) -> None:
        """Give a GPU that is held to jobs again."""
        self._held.free(node, device)

    def close(self) -> None:
        """Cancel running jobs, shut down a local Ray and remove its folders."""
        ray = imported_ray()
        if ray is None:
            return
        announce(self._farewell())
        if not self.life.is_alive:
            kill_processes(self.life.started())
        try:
            if ray.is_initialized() and self.life.is_alive and not self.life.is_head_gone:
                self._let_jobs_save()
        finally:
            self._leave(ray)

    def _let_jobs_save(self) -> None:
        """Ask all running jobs to stop, and wait for their ends; a second interruption ends the wait."""
        for stream in self._running:
            cancel(stream)
        self.life.may_start_again = False
        deadline = time.monotonic() + GRACE_S
        with contextlib.suppress(ClusterError):
            while self._running and time.monotonic() < deadline:
                self.poll(0.25)

    def _leave(self, ray: Any) -> None:
        if ray.is_initialized():
            self._held.free_all()
            if not self.life.is_local and not self.life.is_head_gone:
                self.ask_for([])
                stop_remote_servers(self._cluster.nodes(self._ours()), self.token)
        if self._files is not None:
            self._files.close()
        self._running.clear()
        self.life.end()

    def _farewell(self) -> str:
        count = len({job for job, _ in self._running.values()})
        stopped = f"stopping {counted(count, 'running job')}" if count else ""
        ended = "ending Ray" if self.life.is_local else "leaving the Ray cluster"
        return f"{stopped} and {ended}" if stopped else ended
