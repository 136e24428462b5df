"""Keep the display of a run from ending the run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from lsbench.core.job import Job
from lsbench.scheduler.protocol import Node, Watcher

log = logging.getLogger(__name__)


class UnfailingWatcher:
    """Passes everything on to another watcher until that fails, and nothing from then on."""

    def __init__(self, watcher: Watcher) -> None:
        """Take the watcher that may fail."""
        self._watcher = watcher
        self._has_failed = False

    def nodes_changed(self, nodes: Sequence[Node], most: int | None) -> None:
        """Pass it on."""
        self._pass_on(lambda watcher: watcher.nodes_changed(nodes, most))

    def job_started(self, job: Job, event: dict[str, Any]) -> None:
        """Pass it on."""
        self._pass_on(lambda watcher: watcher.job_started(job, event))

    def job_progressed(self, job: Job, event: dict[str, Any]) -> None:
        """Pass it on."""
        self._pass_on(lambda watcher: watcher.job_progressed(job, event))

    def job_ended(self, job: Job, state: str, message: str) -> None:
        """Pass it on."""
        self._pass_on(lambda watcher: watcher.job_ended(job, state, message))

    def tick(self) -> None:
        """Pass it on."""
        self._pass_on(lambda watcher: watcher.tick())

    def close(self) -> None:
        """Close the other watcher, if it can be closed, even after a failure: it may hold a terminal."""
        close = getattr(self._watcher, "close", None)
        if close is not None:
            with suppress(Exception, SystemExit):
                close()

    def _pass_on(self, tell: Callable[[Watcher], None]) -> None:
        if self._has_failed:
            return
        try:
            tell(self._watcher)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - rich leaves by SystemExit when a pipe is closed
            self._has_failed = True
            log.warning("the run goes on, but is no longer shown: %s: %s", type(error).__name__, error)
