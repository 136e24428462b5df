"""trackio: a local database, your own server, or a Hugging Face Space.

trackio finds a run by its name, so the name contains the job's id: a training that is stopped and resumed is
one run. An epoch that is trained again adds a second point at its step.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any

from pydantic import Field

from lsbench.core.spec import StrictModel
from lsbench.loggers import Logger, LoggerKind, RunInfo


class TrackioSpec(StrictModel):
    """Options of the trackio logger."""

    project: str | None = Field(default=None, description="default: the suite's name")
    group: str | None = Field(default=None, description="default: suite/preset")
    space: str | None = Field(default=None, description="a Hugging Face Space, as user/name")
    url: str | None = Field(default=None, description="your own server")


class TrackioRun:
    """One trackio run."""

    def __init__(self, run: Any) -> None:
        """Take over an open run."""
        self._run = run

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Send one epoch; trackio writes in the background."""
        self._run.log(dict(metrics), step=epoch)

    def close(self, ok: bool) -> None:
        """Finish the run; trackio has no failed runs, so a failure is logged as a metric."""
        if not ok:
            self._run.log({"failed": 1})
        with redirect_stdout(sys.stderr):
            self._run.finish()


def open_run(spec: TrackioSpec, run: RunInfo) -> Logger:
    """Start or continue the trackio run of a job."""
    import trackio

    where = {"space_id": spec.space, "server_url": spec.url}
    with redirect_stdout(sys.stderr):  # stdout may be read by a program
        opened = trackio.init(
            project=spec.project or run.suite,
            name=f"{run.label} {run.job_id}",
            group=spec.group or run.group,
            config=dict(run.settings),
            resume="allow",
            embed=False,
            **{name: value for name, value in where.items() if value is not None},
        )
    return TrackioRun(opened)


LOGGER = LoggerKind(TrackioSpec, package="trackio", install="lsbench[trackio]", open=open_run)
