"""Rehearse the rest of a run: which job starts when, if each takes the time that is expected of it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lsbench.scheduler.ledger import Ledger, ResourceRequest
from lsbench.scheduler.protocol import Node, Placement


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


#: The jobs that may start, by request, the one to start first at the top.
Ready = dict[ResourceRequest, list[tuple[float, str, JobLeft]]]


@dataclass
class _Stage:
    """The nodes and the jobs that run on them, at a moment of the rehearsal."""

    ledger: Ledger
    most: int | None
    now: float = 0.0
    running: list[tuple[float, int, str, Placement | None]] = field(default_factory=list)
    _count: int = 0

    @property
    def is_full(self) -> bool:
        return self.most is not None and len(self.running) >= self.most

    def start(self, part: JobLeft, placement: Placement | None) -> None:
        self._count += 1
        heapq.heappush(self.running, (self.now + part.seconds, self._count, part.name, placement))

    def end_next(self) -> str:
        self.now, _, name, placement = heapq.heappop(self.running)
        if placement is not None:
            self.ledger.release(placement)
        return name


def rehearse(nodes: Iterable[Node], parts: Sequence[JobLeft], most: int | None = None) -> float:
    """Return the seconds until the last job has ended, with the rules of the driver.

    Exclusive jobs start last and have their node to themselves; a job that fits on no node runs alone; one
    that needs a job which is neither done nor left never runs.

    Args:
        nodes: The nodes.
        parts: The jobs left; `needs` names only those that are not done.
        most: Maximum number of jobs at a time, or None.
    """
    stage = _Stage(Ledger(nodes), most)
    waiting_for = {part.name: set(part.needs) for part in parts}
    dependents: dict[str, list[JobLeft]] = {}
    for part in parts:
        for need in part.needs:
            dependents.setdefault(need, []).append(part)
    ready: Ready = {}
    for part in parts:
        if part.is_running:
            stage.start(part, stage.ledger.place(part.request))
        elif not part.needs:
            heapq.heappush(ready.setdefault(part.request, []), (-part.priority, part.name, part))
    while stage.running or any(ready.values()):
        _start_what_fits(stage, ready)
        ended = stage.end_next()
        for part in dependents.get(ended, ()):
            waiting_for[part.name].discard(ended)
            if not waiting_for[part.name]:
                heapq.heappush(ready.setdefault(part.request, []), (-part.priority, part.name, part))
    return stage.now


def _start_what_fits(stage: _Stage, ready: Ready) -> None:
    """Start jobs; those of the same request wait for each other, so that only the first is tried."""
    blocked: set[ResourceRequest] = set()
    while not stage.is_full:
        open_ = [request for request, queue in ready.items() if queue and request not in blocked]
        if not open_:
            break
        request = min(open_, key=lambda one: (one.wants_node, ready[one][0][:2]))
        placement = stage.ledger.place(request)
        if placement is None:
            blocked.add(request)
        else:
            stage.start(heapq.heappop(ready[request])[2], placement)
    if not stage.running:
        request = min((one for one in ready if ready[one]), key=lambda one: ready[one][0][:2])
        stage.start(heapq.heappop(ready[request])[2], None)
