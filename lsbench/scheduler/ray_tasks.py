"""What runs on a node of a Ray cluster, in the workers of Ray."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from typing import Any

from lsbench.core.env import code_version
from lsbench.scheduler.carried_job import remove_abandoned, run_carried, sees
from lsbench.scheduler.protocol import Node
from lsbench.scheduler.ray_devices import granted_devices, visible_to
from lsbench.scheduler.ray_files import FarFiles
from lsbench.scheduler.supervisor import run_request, server_folder
from lsbench.scheduler.torchrun import free_endpoint


def run_here(
    request: dict[str, Any], token: str, timeout_s: float, num_devices: int, endpoint: str | None = None
) -> Iterator[dict[str, Any]]:
    """Supervise one child on this worker's node.

    Args:
        request: The request for the child.
        token: Identifies the run.
        timeout_s: Seconds until the child is killed.
        num_devices: GPUs visible to the child; an exclusive job takes more than it sees.
        endpoint: Address at which the ranks of a gang over several nodes meet.
    """
    if endpoint is not None or request["action"] == "preflight":
        yield {"ev": "placed"}  # before the node's fork server starts, which takes long on a busy machine
    if endpoint is not None:
        request = {**request, "part": {**request["part"], "endpoint": endpoint}}
    env = visible_to(granted_devices()[:num_devices])
    yield from run_request(
        {**request, "env": env}, token=token, watched_pid=os.getppid(), timeout_s=timeout_s
    )


def run_job(request: dict[str, Any], *words: Any) -> Iterator[dict[str, Any]]:
    """Run a job as :func:`run_here` does, on nodes that do not see the results folder too.

    Args:
        request: The request for the child, with its ``place`` on a cluster.
        words: Further arguments of :func:`run_here`.
    """
    place = request.pop("place", None)
    if place is None or sees(place):
        yield from run_here(request, *words)
        return
    far = FarFiles(place["actor"])
    yield from run_carried(request, far, place["attempt"], lambda here: run_here(here, *words))


def find_endpoint() -> str:
    """Return an address of this worker's node, with a free port, that other nodes can reach."""
    import ray

    return free_endpoint(ray.util.get_node_ip_address())


def probe_node(place: dict[str, Any]) -> dict[str, Any]:
    """Return whether this worker's node sees the results folder, and the version of its code."""
    return {"sees": sees(place), **code_version()}


def stop_servers(token: str) -> None:
    """Remove the folder of this run's fork server on this worker's node, and those of killed jobs."""
    shutil.rmtree(server_folder(token), ignore_errors=True)
    remove_abandoned(young_s=0)


def pinned(node: str, *, num_cpus: float, num_gpus: float = 0) -> dict[str, Any]:
    """Return the options of a task that takes these amounts of a node, by its id."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    where = NodeAffinitySchedulingStrategy(node, soft=False)
    return {"num_cpus": num_cpus, "num_gpus": num_gpus, "scheduling_strategy": where}


def stop_remote_servers(nodes: Iterable[Node], token: str) -> None:
    """End the fork servers of a run on all nodes, as far as that takes no more than a few seconds."""
    import ray

    stop = ray.remote(max_retries=0)(stop_servers)
    tasks = [stop.options(**pinned(node.id, num_cpus=0)).remote(token) for node in nodes]
    with contextlib.suppress(ray.exceptions.RayError):
        ray.wait(tasks, num_returns=len(tasks), timeout=5)
