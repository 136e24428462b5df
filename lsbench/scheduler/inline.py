"""Run jobs one after another in this process, without Ray: for debugging and tests.

The ranks of a distributed job are processes of this machine.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lsbench.core.job import Variant
from lsbench.core.stopping import heeding_stop
from lsbench.scheduler.child import act, check_models
from lsbench.scheduler.data_checks import check_data_uses
from lsbench.scheduler.gang import part_requests
from lsbench.scheduler.node_check import check_node
from lsbench.scheduler.protocol import Event, Node, NodeNeeds, Placement
from lsbench.scheduler.torchrun import run_apart
from lsbench.store.results import LOG, begin_job
from lsbench.suite.splits import DataUse

DIED = {"error_class": "worker_lost", "message": "the process of its ranks died"}


class InlineExecutor:
    """An executor without processes: :meth:`poll` runs the submitted job."""

    def __init__(self) -> None:
        """Create an idle executor."""
        self._waiting: deque[tuple[str, Path, Placement]] = deque()
        self._announced: str | None = None

    def start(self) -> None:
        """Do nothing: this process is already running."""

    def nodes(self) -> list[Node]:
        """Return this machine as one node that runs one job at a time, with the GPUs that torch sees."""
        import torch

        gpus = torch.cuda.device_count()
        return [Node(id="inline", num_cpus=os.cpu_count() or 1, num_gpus=gpus, name="this process")]

    def preflight(
        self, variants: Sequence[Variant], results: Path, needs: NodeNeeds, data: Sequence[DataUse] = ()
    ) -> list[str]:
        """Check this machine, look at the data and build every model once; the results folder is local."""
        gpus = self.nodes()[0].num_gpus if needs.wants_gpus else 0
        return [*check_node(needs, gpus=gpus)["problems"], *check_data_uses(data), *check_models(variants)]

    def submit(self, job_id: str, folder: Path, spec: str, placement: Placement, timeout_s: float) -> None:
        """Queue a job; its timeout cannot be enforced inside this process."""
        begin_job(folder, spec)
        self._waiting.append((job_id, folder, placement))

    def poll(self, timeout_s: float) -> list[Event]:
        """Return the start of the next job; the following call runs it to its end and returns its events.

        Raises:
            KeyboardInterrupt: If this process, and so the job, was asked to stop.
        """
        if not self._waiting:
            return []
        job_id, folder, placement = self._waiting[0]
        if self._announced != job_id:
            self._announced = job_id
            return [Event(job_id, "start", {"node": "inline", "num_ranks": placement.num_ranks})]
        self._waiting.popleft()
        self._announced = None
        events: list[Event] = []
        failure: dict[str, Any] = {}

        def emit(event: dict[str, Any]) -> None:
            if event["ev"] == "error":
                failure.update(event)
            else:
                events.append(Event(job_id, "progress", event))

        asked = {"action": "job", "folder": str(folder), "gpu_share": placement.gpu_share}
        [request] = part_requests(asked, placement)
        with heeding_stop():
            if placement.is_gang:
                status = run_apart({**request, "log": str(folder / LOG)}, emit)
                failure = failure or DIED
            else:
                status = act(request, emit)
        if failure.get("error_class") == "preempted":
            raise KeyboardInterrupt
        end = {"ok": True} if status == 0 else {"ok": False, **failure}
        return [*events, Event(job_id, "end", end)]

    def hold_device(self, node: str, device: str) -> bool:
        """Return False: jobs of one process cannot be kept from one of its devices."""
        return False

    def free_device(self, node: str, device: str) -> None:
        """Do nothing: no device is held."""

    @property
    def can_grow(self) -> bool:
        """False: there is only this machine."""
        return False

    def ask_for(self, bundles: Sequence[dict[str, float]]) -> None:
        """Do nothing: no node is added."""

    def close(self) -> None:
        """Forget the jobs that have not started."""
        self._waiting.clear()
