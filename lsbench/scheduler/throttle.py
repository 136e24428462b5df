"""Progress that is worth sending: thousands of small steps tell no more than one now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

#: Seconds between two steps that a job's process tells.
STEP_S = 1.0
#: Steps that a driver takes each second; the more jobs run, the more rarely each tells one.
JOBS_PER_S = 16


class Throttle:
    """Lets a step pass now and then; ends of epochs, warnings and whatever else is no step always pass.

    The first step passes, the last one (``step`` equals ``steps``), and the first of each part (``what``).
    """

    def __init__(self, period_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Let everything pass at first.

        Args:
            period_s: Seconds between two steps.
            clock: Seconds of a monotonic clock.
        """
        self.period_s, self._clock = period_s, clock
        self._passed_at: float | None = None
        self._part: Any = None

    def passes(self, event: dict[str, Any]) -> bool:
        """Return whether an event is worth sending."""
        if event["ev"] != "step":
            return True
        now, part = self._clock(), event.get("what")
        is_last = event.get("steps") is not None and event.get("step") == event["steps"]
        is_due = self._passed_at is None or now - self._passed_at >= self.period_s
        if not (is_due or is_last or part != self._part):
            return False
        self._passed_at, self._part = now, part
        return True


def throttled(emit: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """Return an `emit` for a job's process that sends what is worth it."""
    throttle = Throttle(STEP_S)

    def send(event: dict[str, Any]) -> None:
        if throttle.passes(event):
            emit(event)

    return send


def period_s(num_running: int) -> float:
    """Return the seconds between two steps of a job when so many run, so that the driver keeps up."""
    return max(STEP_S, num_running / JOBS_PER_S)


def newest(events: list[Any]) -> list[Any]:
    """Return events without the steps of a job that a later step follows: of a backlog, the end counts."""
    kept, later = [], set[str]()
    for event in reversed(events):
        is_step = event.kind == "progress" and event.data["ev"] == "step"
        if not (is_step and event.job_id in later):
            kept.append(event)
        if is_step:
            later.add(event.job_id)
        else:
            later.discard(event.job_id)
    return kept[::-1]
