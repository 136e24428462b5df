"""Rehearse the rest of a run: which job starts when, if each takes the time that is expected of it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from lsbench.scheduler.ledger import Ledger, ResourceRequest
from lsbench.scheduler.protocol import Node, Placement
from lsbench.scheduler.queue import JobQueue, WaitingJob


@dataclass(frozen=True)
class JobLeft:
    """A job that is left.

    Attributes:
        seconds: Expected duration; of a running job, what is left of it.
        needs: Those of the jobs left that must end before.
        priority: The higher, the earlier it starts.
        is_running: Whether it has started.
    """

    name: str
    seconds: float
    request: ResourceRequest
    needs: frozenset[str] = frozenset()
    priority: float = 0.0
    is_running: bool = False


@dataclass
class _Stage:
    """The nodes, the jobs that wait and the jobs that run, at a moment of the rehearsal."""

    queue: JobQueue
    parts: Mapping[str, JobLeft]
    now: float = 0.0
    running: list[tuple[float, int, str, Placement | None]] = field(default_factory=list)
    _count: int = 0

    def wait(self, part: JobLeft) -> None:
        self.queue.add(WaitingJob(part.name, part.request, part.priority))

    def start_what_fits(self, room: float) -> None:
        """Start what fits; what fits nowhere runs when nothing else does."""
        for job, placement in self.queue.starts(self.now, room):
            self.start(self.parts[job.name], placement)
        if not self.running:
            self.start(self.parts[self.queue.pop().name], None)

    def start(self, part: JobLeft, placement: Placement | None) -> None:
        self._count += 1
        heapq.heappush(self.running, (self.now + part.seconds, self._count, part.name, placement))

    def end_next(self) -> str:
        self.now, _, name, placement = heapq.heappop(self.running)
        if placement is not None:
            self.queue.end(name, placement)
        return name


def rehearse(nodes: Iterable[Node], parts: Sequence[JobLeft], most: int | None = None) -> float:
    """Return the seconds until the last job has ended, with the rules of the driver.

    Exclusive jobs start last and have their node to themselves; a job that fits on no node runs alone; one
    that needs a job which is neither done nor left never runs. No node is kept free for large jobs, which
    matters little for the end and would take long to foresee.

    Args:
        nodes: The nodes.
        parts: The jobs left; `needs` names only those that are not done.
        most: Maximum number of jobs at a time, or None.
    """
    stage = _Stage(JobQueue(Ledger(nodes), keeps_free=False), {part.name: part for part in parts})
    dependents: dict[str, list[JobLeft]] = {}
    for part in parts:
        for need in part.needs:
            dependents.setdefault(need, []).append(part)
    waiting_for = {part.name: set(part.needs) for part in parts}
    for part in sorted(parts, key=lambda one: one.name):
        if part.is_running:
            stage.start(part, stage.queue.ledger.place(part.request))
        elif not part.needs:
            stage.wait(part)
    while stage.running or len(stage.queue):
        stage.start_what_fits(inf if most is None else most - len(stage.running))
        ended = stage.end_next()
        for part in dependents.get(ended, ()):
            waiting_for[part.name].discard(ended)
            if not waiting_for[part.name]:
                stage.wait(part)
    return stage.now
