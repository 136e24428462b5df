"""The GPUs that Ray gives to a task, and GPUs that are kept from all tasks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from lsbench.scheduler.ray_streams import cancel

#: Both name the devices of torch: AMD's runtime prefers its own. Each job gets them anew, as the process that
#: it is forked from has those of another job.
VARIABLES = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
HOLD_S = 10.0
POLL_S = 0.1


def granted_devices() -> list[str]:
    """Return the ids of the GPUs that Ray gave to this task: numbers, or ids such as those of MIG.

    Ray's own account is asked: a cluster may be told to set no variable, or another one.
    """
    import ray

    ids = ray.get_runtime_context().get_accelerator_ids().get("GPU", [])
    return sorted(ids, key=lambda one: (len(one), one))


def visible_to(devices: list[str]) -> dict[str, str]:
    """Return the variables with which a process sees these GPUs and no others.

    >>> visible_to(["0", "3"])["CUDA_VISIBLE_DEVICES"]
    '0,3'
    """
    return dict.fromkeys(VARIABLES, ",".join(devices))


def keep_devices() -> Iterator[list[str]]:
    """Tell this task's GPUs, and keep them until the task is cancelled; the body of a Ray task."""
    yield granted_devices()
    while True:
        time.sleep(POLL_S)  # short, so that cancelling interrupts it


class HeldDevices:
    """GPUs that tasks of our own keep from jobs."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._tasks: dict[tuple[str, str], Any] = {}

    def hold(self, node: str, device: str, *, most: int, options: dict[str, Any]) -> bool:
        """Take one GPU of a node; return False if it cannot be had soon.

        A task cannot ask for a certain GPU, so GPUs are taken until it is among them.

        Args:
            node: Id of the node.
            device: Id of the GPU.
            most: GPUs of the node.
            options: Options of a task on that node with one GPU.
        """
        import ray

        others: list[Any] = []
        try:
            for _ in range(most):
                task = ray.remote(max_retries=0)(keep_devices).options(**options).remote()
                others.append(task)
                ready, _ = ray.wait([task], timeout=HOLD_S)
                if not ready:
                    return False
                if device in ray.get(next(task)):
                    self._tasks[node, device] = others.pop()
                    return True
        except (ray.exceptions.RayError, StopIteration):
            return False
        finally:
            for task in others:
                cancel(task)
        return False

    def counts(self) -> dict[str, int]:
        """Return how many GPUs of each node are held."""
        return Counter(node for node, _ in self._tasks)

    def free(self, node: str, device: str) -> None:
        """Give a GPU that is held back."""
        if (task := self._tasks.pop((node, device), None)) is not None:
            cancel(task)

    def free_all(self) -> None:
        """Give all back."""
        for node, device in list(self._tasks):
            self.free(node, device)
