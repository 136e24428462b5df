"""One job in several parts, one on each of its nodes: what each is asked, and how they end as one.

Nearly every job has a single part. A gang of ranks that no node holds has several, which live and die
together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lsbench.scheduler.protocol import Event, Placement

#: Seconds in which the other parts may say what went wrong with them, before they are stopped.
GRACE_S = 5.0
#: Seconds after which a part that was stopped is taken for dead.
GIVE_UP_S = 20.0

#: What explains least comes first: a lost node loses its ranks, and those are lost to all others.
EXPLAINS = ("worker_lost", "timeout", "node_lost")


def part_requests(request: Mapping[str, Any], placement: Placement) -> list[dict[str, Any]]:
    """Return what the child on each node is asked: the job itself, or to run ranks of it.

    Args:
        request: A request for the whole job.
        placement: Where the job has been placed.
    """
    if not placement.is_gang:
        return [dict(request)]
    parts = placement.parts
    return [
        {
            **request,
            "action": "ranks",
            "part": {"node_rank": number, "num_nodes": len(parts), "num_ranks": part.num_ranks},
        }
        for number, part in enumerate(parts)
    ]


class RunningGang:
    """The parts of a running job; their events are made into those of one job."""

    def __init__(self, job_id: str, placement: Placement) -> None:
        """Await the events of all parts."""
        self.job_id, self.placement = job_id, placement
        self.left = set(range(len(placement.parts)))
        self._ends: dict[int, dict[str, Any]] = {}
        self._failed_at: float | None = None
        self._is_stopped = False

    def take(self, number: int, data: dict[str, Any], now: float) -> list[Event]:
        """Take one event of a part and return what it means for the job.

        The first part, where the first rank is, speaks for the job; the job ends when all parts have.

        Args:
            number: Which part, from 0.
            data: The event.
            now: Seconds of a clock that never goes back.
        """
        if data["ev"] == "end":
            return self._end(number, data, now)
        if number > 0:
            return []
        if data["ev"] != "start":
            return [Event(self.job_id, "progress", data)]
        parts = self.placement.parts
        num_ranks = sum(part.num_ranks for part in parts)
        return [Event(self.job_id, "start", {**data, "num_ranks": num_ranks, "num_nodes": len(parts)})]

    def must_stop(self, now: float) -> bool:
        """Return whether what is left of the job is to be stopped now; said once."""
        if self._is_stopped or self._failed_at is None or now < self._failed_at + GRACE_S:
            return False
        self._is_stopped = True
        return True

    def give_up(self, now: float) -> list[Event]:
        """Return the end of the job if a part does not end though it was stopped."""
        if self._failed_at is None or now < self._failed_at + GIVE_UP_S:
            return []
        events: list[Event] = []
        for number in sorted(self.left):
            lost = {
                "ok": False,
                "error_class": "worker_lost",
                "message": "it did not end when it was stopped",
            }
            events += self._end(number, lost, now)
        return events

    def _end(self, number: int, end: dict[str, Any], now: float) -> list[Event]:
        self._ends[number] = end
        self.left.discard(number)
        if not end["ok"] and self._failed_at is None:
            self._failed_at = now
        return [] if self.left else [Event(self.job_id, "end", self._whole())]

    def _whole(self) -> dict[str, Any]:
        failed = {number: end for number, end in sorted(self._ends.items()) if not end["ok"]}
        if not failed:
            return {"ok": True}
        parts = self.placement.parts
        lost = [parts[n].node for n, end in failed.items() if end["error_class"] == "node_lost"]
        cause = max(failed.values(), key=_explains)
        return {**cause, "lost_nodes": lost}


def _explains(end: Mapping[str, Any]) -> tuple[int, bool]:
    """Return how much the end of one part explains of the end of all, to be compared with other parts'."""
    own = len(EXPLAINS)
    place = EXPLAINS.index(end["error_class"]) if end["error_class"] in EXPLAINS else own
    return place, end.get("was_killed", False)
