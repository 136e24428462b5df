"""Fakes of what a driver works with: an executor of jobs, and a watcher of a run."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lsbench.core.atomic import write_json
from lsbench.core.job import Job
from lsbench.scheduler.protocol import Event, Node, Placement
from lsbench.store.results import RESULT, begin_job

from .stored_lines import ok_line, tiny_records


class FakeExecutor:
    """Executes nothing: every job ends as the test has written down, one per poll, in a seeded order.

    Attributes:
        ends: Job label -> how its attempts end, in order (``ok``, or an error class); then all are ok.
        log: ``("submit" | "end", label, placement)`` in the order of events.
        check: Called with all running placements after every submission.
    """

    def __init__(self, nodes: list[Node], ends: dict[str, list[str]] | None = None, seed: int = 0) -> None:
        self._nodes, self.ends = nodes, ends or {}
        self.running: dict[str, tuple[Job, Path, Placement]] = {}
        self.log: list[tuple[str, str, Placement]] = []
        self.most_running = 0
        self.events: list[str] = []
        self.problems: list[str] = []
        self.can_grow = False
        self.asked_for: list[list[dict[str, float]]] = []
        self.held: list[tuple[str, str]] = []
        self._random = random.Random(seed)

    def start(self) -> None:
        self.events.append("start")

    def nodes(self) -> list[Node]:
        return self._nodes

    def preflight(self, variants: Any, results: Path, needs: Any, data: Any = ()) -> list[str]:
        self.events.append("preflight")
        return self.problems

    def submit(self, job_id: str, folder: Path, spec: str, placement: Placement, timeout_s: float) -> None:
        begin_job(folder, spec)
        job = Job.model_validate_json(spec)
        self.running[job_id] = job, folder, placement
        self.most_running = max(self.most_running, len(self.running))
        self.log.append(("submit", job.label, placement))

    def poll(self, timeout_s: float) -> list[Event]:
        if not self.running:
            return []
        job_id = self._random.choice(sorted(self.running))
        job, folder, placement = self.running.pop(job_id)
        self.log.append(("end", job.label, placement))
        queue = self.ends.get(job.label, [])
        end = queue.pop(0) if queue else "ok"
        started = Event(job_id, "start", {"node": placement.node})
        if end == "interrupt":
            raise KeyboardInterrupt
        if end != "ok":
            failed = {"ok": False, "error_class": end, "message": "as written down", "device": "0"}
            return [started, Event(job_id, "end", failed)]
        write_json(folder / RESULT, {"job": ok_line(job), "records": tiny_records(job)})
        return [started, Event(job_id, "end", {"ok": True})]

    def hold_device(self, node: str, device: str) -> bool:
        self.held.append((node, device))
        return True

    def free_device(self, node: str, device: str) -> None:
        self.held.remove((node, device))

    def ask_for(self, bundles: Sequence[dict[str, float]]) -> None:
        self.asked_for.append(list(bundles))

    def close(self) -> None:
        self.events.append("close")

    def submitted(self) -> list[str]:
        """Return the labels of all submissions, in order."""
        return [label for what, label, _ in self.log if what == "submit"]


class SilentWatcher:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str, str]] = []
        self.started: list[str] = []
        self.progress: list[dict[str, Any]] = []

    def nodes_changed(self, nodes: Sequence[Node], most: int | None) -> None:
        pass

    def job_started(self, job: Job, event: dict[str, Any]) -> None:
        self.started.append(job.label)

    def job_progressed(self, job: Job, event: dict[str, Any]) -> None:
        self.progress.append(event)

    def job_ended(self, job: Job, state: str, message: str) -> None:
        self.ended.append((job.label, state, message))

    def tick(self) -> None:
        pass

    def close(self) -> None:
        pass
