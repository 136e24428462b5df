"""The jobs that wait: which of them starts next, and where.

Jobs that ask for the same stand in one line, so that a pass looks at the first of each line and not at all.
The order is that of priority, and exclusive jobs come last. A job that fits nowhere does not starve: the node
that it will fit on first is kept free for it, and until then only jobs start there that have ended by then.
"""

from __future__ import annotations

import bisect
import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lsbench.scheduler.ledger import Ledger, ResourceRequest
from lsbench.scheduler.protocol import Placement

#: Jobs behind the first of a line that are tried for a gap before a node that is kept free is needed.
LOOKS_BEHIND = 8


def unknown(name: str) -> None:
    """Return None: nothing is known of the duration of a job."""


@dataclass(frozen=True)
class WaitingJob:
    """A job whose needs are done.

    Attributes:
        priority: The higher, the earlier it starts.
        place: Decides between jobs of the same priority; the lower, the earlier.
    """

    name: str
    request: ResourceRequest
    priority: float = 0.0
    place: int = 0


#: Order among the jobs that ask for the same: priority, place, and arrival.
_Entry = tuple[float, int, int, WaitingJob]
#: Nodes that are kept free -> the request that they are for, and when that is expected to fit.
_Kept = dict[str, tuple[ResourceRequest, float]]


class JobQueue:
    """The jobs that are ready to start on the nodes of a ledger.

    Attributes:
        ledger: The account of the nodes.
        passes: Number of passes over the queue so far.
    """

    def __init__(
        self, ledger: Ledger, seconds: Callable[[str], float | None] = unknown, *, keeps_free: bool = True
    ) -> None:
        """Start empty.

        Args:
            ledger: The account of the nodes.
            seconds: Returns the expected duration of a job, or None if it is unknown.
            keeps_free: Whether nodes are kept free for jobs that fit nowhere.
        """
        self.ledger, self.keeps_free, self.passes = ledger, keeps_free, 0
        self._seconds = seconds
        #: The jobs that ask for the same, in their order.
        self._lines: dict[ResourceRequest, list[_Entry]] = {}
        self._count = self._size = 0
        self._held: dict[str, ResourceRequest] = {}
        self._stays: dict[ResourceRequest, list[str]] = {}
        #: Node -> job -> its part there, when it is expected to end, and when it started.
        self._running: dict[str, dict[str, tuple[Placement, float, float]]] = {}
        #: What is known of a node until a job starts or ends there: ranks that it holds, and :meth:`_fits`.
        self._ranks_on: dict[str, dict[ResourceRequest, int]] = {}
        self._fits_on: dict[str, dict[ResourceRequest, tuple[float, float]]] = {}

    def __len__(self) -> int:
        """Return the number of jobs that wait."""
        return self._size

    def add(self, job: WaitingJob) -> None:
        """Add a job that may start."""
        self._count += 1
        self._size += 1
        line = self._lines.setdefault(job.request, [])
        bisect.insort(line, (-job.priority, job.place, self._count, job))

    def in_order(self) -> Iterator[WaitingJob]:
        """Yield the jobs in the order in which they are tried."""
        yield from (entry[-1] for entry in heapq.merge(*self._lines.values(), key=_rank))

    def clear(self) -> list[WaitingJob]:
        """Take all jobs from the queue, in their order."""
        jobs = [*self.in_order()]
        self._lines.clear()
        self._size = 0
        return jobs

    def pop(self) -> WaitingJob:
        """Take the job with the highest priority from the queue, whether it fits or not."""
        return self._take(min(line[0] for line in self._lines.values())[-1].request, 0)

    def starts(self, now: float, most: float = math.inf) -> Iterator[tuple[WaitingJob, Placement]]:
        """Take the jobs that start now from the queue, with their places.

        Args:
            now: Seconds of the clock by which jobs start and end.
            most: Maximum number of jobs.
        """
        self.passes += 1
        self._stays = {}
        for node, request in reversed(self._held.items()):
            self._stays.setdefault(request, []).append(node)
        kept: _Kept = {}
        #: In each line, the jobs before this place fit nowhere now.
        at = dict.fromkeys(self._lines, 0)
        order = [_rank(line[0]) for line in self._lines.values()]
        heapq.heapify(order)
        while order and most > 0:
            job = heapq.heappop(order)[-1]
            request, placement, closed = job.request, None, self._closed_to(job, kept, now)
            if at[request] == 0:
                placement = self.ledger.place(request, avoid=closed)
            elif len(closed) < len(kept):  # the first of the line has tried all others
                gaps = kept.keys() - closed
                placement = self.ledger.place(request, avoid=self.ledger.node_ids() - gaps)
            if placement is not None:
                most -= 1
                self._take(request, at[request])
                self.note_start(job, placement, now)
                yield job, placement
            elif self.keeps_free and (
                self._keep_free(request, kept, now) or (kept and at[request] < LOOKS_BEHIND)
            ):
                at[request] += 1
            else:
                continue
            line = self._lines.get(request, [])
            if at[request] < len(line):
                heapq.heappush(order, _rank(line[at[request]]))
        self._held = {node: request for node, (request, _) in kept.items()}

    def note_start(self, job: WaitingJob, placement: Placement, now: float) -> None:
        """Note that a job runs."""
        end = self._end_of(job, now)
        for part in placement.parts:
            self._running.setdefault(part.node, {})[job.name] = part, end, now
            self.forget(part.node)
            if self._held.get(part.node) == job.request:
                del self._held[part.node]  # what it was kept free for has come

    def end(self, name: str, placement: Placement) -> None:
        """Give back what a job had."""
        self.ledger.release(placement)
        for part in placement.parts:
            self._running.get(part.node, {}).pop(name, None)
            self.forget(part.node)

    def forget(self, node: str) -> None:
        """Forget what was known of a node, as something has changed there."""
        self._ranks_on.pop(node, None)
        self._fits_on.pop(node, None)

    def _end_of(self, job: WaitingJob, now: float) -> float:
        seconds = self._seconds(job.name)
        return math.inf if seconds is None else now + seconds

    def _closed_to(self, job: WaitingJob, kept: _Kept, now: float) -> set[str]:
        """Return the nodes that are kept free for other jobs, and would not be free again in time."""
        if not kept:
            return set()
        end = self._end_of(job, now)
        return {node for node, (_, free_at) in kept.items() if end > free_at or end == math.inf}

    def _take(self, request: ResourceRequest, place: int) -> WaitingJob:
        job = self._lines[request].pop(place)[-1]
        self._size -= 1
        if not self._lines[request]:
            del self._lines[request]
        return job

    def _keep_free(self, request: ResourceRequest, kept: _Kept, now: float) -> bool:
        """Keep one node more free for a request, or several for its ranks; return whether there were any.

        Exclusive jobs have none: they come last anyway.
        """
        if request.wants_node or len(kept) >= self.ledger.num_nodes:
            return False
        nodes = self._nodes_for(request, kept)
        free_at = max((self._fits(node, self._share(node, request))[0] for node in nodes), default=now)
        kept.update(dict.fromkeys(nodes, (request, max(free_at, now))))
        return bool(nodes)

    def _nodes_for(self, request: ResourceRequest, kept: _Kept) -> list[str]:
        """Return the node on which a request will fit first, or several if its ranks fit on none alone.

        The choice of the last pass stays as long as it can.
        """
        ids, stays = self.ledger.node_ids(), self._stays.get(request, [])
        while stays:
            node = stays.pop()
            is_free = self._held.get(node) == request and node in ids and node not in kept
            if is_free and self._ranks(node, request) == request.num_ranks:
                return [node]
        ranks = {node: self._ranks(node, request) for node in ids if node not in kept}
        alone = [node for node, count in ranks.items() if count == request.num_ranks]
        open_ = alone or [node for node, count in ranks.items() if count]

        def place(node: str) -> tuple[bool, float, float, str]:
            return self._held.get(node) != request, *self._fits(node, self._share(node, request)), node

        if alone:
            return [min(alone, key=place)]
        chosen, left = [], request.num_ranks
        for node in sorted(open_, key=place):
            if left > 0:
                chosen.append(node)
                left -= ranks[node]
        return chosen if left <= 0 else []

    def _ranks(self, node: str, request: ResourceRequest) -> int:
        """Return how many ranks of a request the idle node holds."""
        known = self._ranks_on.setdefault(node, {})
        if request not in known:
            known[request] = self.ledger.ranks_when_idle(node, request)
        return known[request]

    def _share(self, node: str, request: ResourceRequest) -> ResourceRequest:
        return request.for_ranks(self._ranks(node, request))

    def _fits(self, node: str, request: ResourceRequest) -> tuple[float, float]:
        """Return when a request will fit on a node and, as durations may be unknown, how new its jobs are."""
        known = self._fits_on.setdefault(node, {})
        if request not in known:
            running = sorted(self._running.get(node, {}).values(), key=lambda one: one[1])
            free_at = self.ledger.free_at(node, request, [(end, part) for part, end, _ in running])
            known[request] = free_at, sum(started for *_, started in running)
        return known[request]


def _rank(entry: _Entry) -> tuple[bool, float, int, int, WaitingJob]:
    """Return the order of a job among those of all requests: exclusive ones last."""
    return entry[-1].request.wants_node, *entry
