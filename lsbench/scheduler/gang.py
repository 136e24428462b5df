"""One job in several parts, one on each of its nodes: their requests, and their events as one job.

Nearly every job has a single part. A gang of ranks that is too large for one node has several, which
live and die together.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from typing import Any

from lsbench.scheduler.causes import explains
from lsbench.scheduler.protocol import Event, Placement
from lsbench.scheduler.retry import LOSES_NODE

#: Seconds in which the other parts may report their errors, before they are stopped.
GRACE_S = 5.0
#: Seconds after which a stopped part is considered dead.
GIVE_UP_S = 20.0
#: Seconds in which all parts get their place, once the first one has; up to twice as long, drawn at random:
#: of two gangs of two runs that hold places which the other needs, one gives way first.
MEET_S = 30.0
CROWDED_OUT = {
    "ok": False,
    "error_class": "crowded_out",
    "message": "some of its nodes were taken by others before all its ranks had their place",
}


def part_requests(request: Mapping[str, Any], placement: Placement) -> list[dict[str, Any]]:
    """Return the request for the child on each node: the job itself, or some of its ranks.

    Args:
        request: A request for the whole job.
        placement: The placement of the job.
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
    """The parts of a running job, with their events merged into those of one job."""

    def __init__(self, job_id: str, placement: Placement) -> None:
        """Wait for the events of all parts."""
        self.job_id, self.placement = job_id, placement
        self.left = set(range(len(placement.parts)))
        self._ends: dict[int, dict[str, Any]] = {}
        self._failed_at: float | None = None
        self._placed: set[int] = set()
        self._must_meet_at = math.inf
        self._is_crowded_out = False
        self._is_stopped = False

    def take(self, number: int, data: dict[str, Any], now: float) -> list[Event]:
        """Take one event of a part and return the resulting events of the job.

        The first part, with the first rank, reports for the job; the job ends when all parts have ended.

        Args:
            number: Number of the part, from 0.
            data: The event.
            now: Seconds of a monotonic clock.
        """
        if data["ev"] == "end":
            return self._end(number, data, now)
        if data["ev"] == "placed":
            if not self._placed:
                self._must_meet_at = now + MEET_S * (1 + secrets.randbelow(1000) / 1000)
            self._placed.add(number)
            return []
        if number > 0:
            return []
        if data["ev"] != "start":
            return [Event(self.job_id, "progress", data)]
        parts = self.placement.parts
        num_ranks = sum(part.num_ranks for part in parts)
        return [Event(self.job_id, "start", {**data, "num_ranks": num_ranks, "num_nodes": len(parts)})]

    @property
    def is_broken(self) -> bool:
        """Whether a part has failed."""
        return self._failed_at is not None

    def must_stop(self, now: float) -> bool:
        """Return whether the rest of the job must be stopped now; True only once."""
        if now >= self._must_meet_at and self.left - self._placed and self._failed_at is None:
            self._is_crowded_out, self._failed_at = True, now
            self._is_stopped = True
            return True
        if self._is_stopped or self._failed_at is None or now < self._failed_at + GRACE_S:
            return False
        self._is_stopped = True
        return True

    def give_up(self, now: float) -> list[Event]:
        """Return the end of the job if a part did not end although it was stopped."""
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
        if self._is_crowded_out:
            return {**CROWDED_OUT, "lost_nodes": []}
        failed = {number: end for number, end in sorted(self._ends.items()) if not end["ok"]}
        if not failed:
            return {"ok": True}
        parts = self.placement.parts
        lost = [parts[n].node for n, end in failed.items() if end["error_class"] in LOSES_NODE]
        number, cause = max(failed.items(), key=lambda pair: _explains(pair[1]))
        return {**cause, "node": parts[number].node, "lost_nodes": lost}


def _explains(end: Mapping[str, Any]) -> tuple[int, float]:
    """Return how well the end of one part explains the end of the job, the first before others."""
    return explains(end["error_class"], was_killed=end.get("was_killed", False)), -end.get("at", math.inf)
