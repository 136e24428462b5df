"""TensorBoard event files, written by tensorboardX.

A training that resumes after a stop writes another file, which makes TensorBoard discard the earlier values
of the epochs that are trained again.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from pydantic import Field, field_validator

from lsbench.core.spec import StrictModel
from lsbench.loggers import Logger, LoggerKind, RunInfo

FOLDER = "tensorboard"

#: Event files are named after the second of their creation: two files of one process could collide.
_NUMBERS = itertools.count()


class TensorBoardSpec(StrictModel):
    """Options of the TensorBoard logger."""

    folder: str | None = Field(
        default=None,
        description="absolute folder for all runs, stored in it as suite/preset/variant/job/seed; "
        "default: tensorboard/ in each job's folder",
    )

    @field_validator("folder")
    @classmethod
    def _means_the_same_everywhere(cls, value: str | None) -> str | None:
        if value is not None and not PurePath(value).is_absolute():
            raise ValueError(
                f"expected an absolute path, as jobs run in folders of their own, found {value!r}"
            )
        return value


class EventFiles:
    """The event files of one run.

    Events are written and synced in the call that logs them: logged values survive any end of the training,
    and a full disk is noticed here and not in a thread.
    """

    def __init__(self, folder: Path, run: RunInfo) -> None:
        """Start an event file in `folder`."""
        self._folder, self._last = folder, run.start_epoch
        self._writer = self._create_writer(first_epoch=run.start_epoch + 1)
        if not run.start_epoch:
            from tensorboardX.summary import text

            self._write(0, text("settings", _as_table(run.settings)))

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Write one point per metric; an epoch that comes again replaces the points from there on."""
        from tensorboardX.summary import scalar

        if epoch <= self._last:
            self._writer.close()
            self._writer = self._create_writer(first_epoch=epoch)
        self._last = epoch
        for name, value in metrics.items():
            self._write(epoch, scalar(name, value))
        self._writer.flush()

    def close(self, ok: bool) -> None:
        """Close the file; event files do not record the end of a run."""
        self._writer.close()

    def _create_writer(self, first_epoch: int) -> Any:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        self._folder.mkdir(parents=True, exist_ok=True)
        writer = EventsWriter(str(self._folder / "events"), f".{os.getpid()}.{next(_NUMBERS)}")
        if first_epoch > 1:  # makes TensorBoard discard values of earlier files from there on
            started = SessionLog(status=SessionLog.START)
            writer.write_event(Event(step=first_epoch, wall_time=time.time(), session_log=started))
        writer.flush()
        return writer

    def _write(self, step: int, summary: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._writer.write_event(Event(step=step, wall_time=time.time(), summary=summary))


def open_run(spec: TensorBoardSpec, run: RunInfo) -> Logger:
    """Return the event files of a run."""
    shared = None if spec.folder is None else Path(spec.folder, run.suite, run.preset, *run.label.split("/"))
    return EventFiles(shared or run.folder / FOLDER, run)


def _as_table(settings: Mapping[str, Any]) -> str:
    rows = (f"| {name} | {str(value).replace('|', '/')} |" for name, value in settings.items())
    return "\n".join(["| setting | value |", "| --- | --- |", *rows])


LOGGER = LoggerKind(TensorBoardSpec, package="tensorboardX", install="tensorboardX", open=open_run)
