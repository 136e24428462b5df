"""A run watcher that shows nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lsbench.core.job import Job


class Silent:
    """Receives the events of a run and ignores them."""

    def nodes_changed(self, nodes: Sequence[Any], most: int | None) -> None:
        """The nodes that jobs can run on have changed."""

    def job_started(self, job: Job, event: dict[str, Any]) -> None:
        """A job has started."""

    def job_progressed(self, job: Job, event: dict[str, Any]) -> None:
        """A job has sent an event."""

    def job_ended(self, job: Job, state: str, message: str) -> None:
        """A job has ended."""

    def tick(self) -> None:
        """Some time has passed."""
