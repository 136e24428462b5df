"""Run one trial of a search on its node, epoch by epoch: an ordinary job in a child process.

It runs inside a Ray worker and imports neither torch nor Ray: the caller reports the epochs.
"""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsbench.core.atomic import copy_folder, write_json, write_text
from lsbench.core.job import Job, Resources
from lsbench.core.registry import JOBS
from lsbench.scheduler.driver import now
from lsbench.scheduler.retry import one_line, should_retry
from lsbench.store.job_files import CHECKPOINTS
from lsbench.store.results import RESULT, SPEC, ResultsFolder
from lsbench.store.trials import FAILURE, SNAPSHOTS, add_takeover, history, read_epochs
from lsbench.suite.space import Search
from lsbench.suite.trials import Settings, trial_job

KEPT_SNAPSHOTS = 3

#: Starts a request in a child and yields its events: (request, seconds until it is killed).
Start = Callable[[dict[str, Any], float], Iterator[dict[str, Any]]]


@dataclass(frozen=True)
class TrialWork:
    """The description of a trial for a worker; it can be sent to another node.

    Attributes:
        template: The variant's job at the suite's settings, as JSON.
        search: The search, as JSON values.
        root: The results folder.
        number: Number of the trial.
        settings: Settings that it changes; in a population they change during the training.
        is_over: Whether the trial was stopped before; if so, it only reports its past epochs.
        num_gpus: GPUs of the trial.
    """

    template: str
    search: dict[str, Any]
    root: str
    number: int
    settings: Settings
    is_over: bool = False
    num_gpus: float = 0.0

    def job(self) -> Job:
        """Return the trial as a job."""
        template = Job.model_validate_json(self.template)
        job = trial_job(template, Search.model_validate(self.search), self.number, self.settings)
        return job.model_copy(update={"resources": Resources(num_gpus=self.num_gpus).over(job.resources)})


class TrialRun:
    """One trial in its folder."""

    def __init__(self, work: TrialWork) -> None:
        """Prepare a trial; nothing is started."""
        self.work, self.job = work, work.job()
        self.search = Search.model_validate(work.search)
        self.folder = Path(work.root) / "jobs" / str(self.job.id)
        self.metric_key = JOBS.load(self.job.kind).epoch_metrics[self.search.metric]

    @property
    def is_done(self) -> bool:
        """True if the trial was trained to the end."""
        return (self.folder / RESULT).exists()

    def epochs(self, start: Start, *, tells_past: bool = True) -> Iterator[dict[str, Any]]:
        """Yield ``{"epoch", metric}`` of every finished epoch, past epochs first, at once.

        In a population only the newest past epoch is yielded.

        The last epoch is held back until the result is written, so that a trial stopped there loses nothing.
        A trial that fails leaves ``failure.json`` in its folder and ends.

        Args:
            start: Runs a request in a child.
            tells_past: Whether past epochs are reported.
        """
        past = read_epochs(self.folder)[-1:] if self.search.shares_training else history(self.folder)
        is_over = self.work.is_over or self.is_done
        told = past if tells_past else []
        yield from (self._figures(event) for event in told if is_over or not _is_last(event))
        if is_over:
            return
        (self.folder / FAILURE).unlink(missing_ok=True)
        write_text(self.folder / SPEC, self.job.model_dump_json(indent=1) + "\n")
        last = past[-1] if past and _is_last(past[-1]) else None
        with contextlib.closing(self._attempts(start)) as events:  # type: ignore[type-var]
            for event in events:
                if event["ev"] == "epoch" and not _is_last(event):
                    yield self._figures(event)
                elif event["ev"] == "epoch":
                    last = event
        if last is not None and self.is_done:
            yield self._figures(last)

    def _figures(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return epoch and metric for the scheduler; an epoch without the metric has only its number."""
        value = event.get(self.metric_key)
        is_known = value is not None and math.isfinite(value)
        figures = {self.search.metric: value} if is_known else {}
        return {"epoch": event["epoch"], **figures, "event": event}

    def _attempts(self, start: Start) -> Iterator[dict[str, Any]]:
        """Yield a child's events; a lost child is restarted from its checkpoint."""
        store = ResultsFolder(Path(self.work.root))
        request = {
            "action": "job",
            "folder": str(self.folder),
            "log": str(self.folder / "log.txt"),
            "keeps_epochs": True,
            "gpu_share": min(self.work.num_gpus, 1.0) or 1.0,
        }
        timeout_s = float(self.job.resources.timeout_min or 0) * 60
        failures: list[str] = []
        while True:
            end: dict[str, Any] = {}
            with contextlib.closing(start(request, timeout_s)) as events:  # type: ignore[type-var]
                for event in events:
                    end = event
                    yield event
            if self.is_done:
                return
            if end.get("ok") or "error_class" not in end:
                end = {"error_class": "worker_lost", "message": "the trial ended without a result"}
            failures.append(end["error_class"])
            retries = self.job.resources.max_retries or 0
            if not should_retry(
                end["error_class"], failures=failures, max_retries=retries, stays_in_place=True
            ):
                write_json(self.folder / FAILURE, {key: end.get(key) for key in ("error_class", "message")})
                return
            attempt = {**now(), "status": "failed", "error_class": end["error_class"]}
            store.add_attempt(str(self.job.id), {**attempt, "message": one_line(end)})

    def keep_snapshot(self, epoch: int) -> Path:
        """Copy the checkpoints, so that another trial can use them while this one continues.

        Returns:
            The folder of the copy.
        """
        target = self.folder / SNAPSHOTS / f"epoch-{epoch:05d}"
        if not target.exists():
            partial = target.with_name(f".{target.name}")
            shutil.rmtree(partial, ignore_errors=True)
            _copy(self.folder / CHECKPOINTS, partial)
            partial.replace(target)
        kept = sorted((self.folder / SNAPSHOTS).glob("epoch-*"))
        for old in kept[:-KEPT_SNAPSHOTS]:
            shutil.rmtree(old, ignore_errors=True)
        return target

    def take_over(self, snapshot: Path, number: int, epoch: int) -> None:
        """Continue from another trial's weights; its epochs become this trial's past.

        Args:
            snapshot: Copy of the other trial's checkpoints.
            number: Number of the other trial.
            epoch: Finished epochs of the other trial at that time.
        """
        if self.is_done:
            return
        own = self.folder / CHECKPOINTS
        shutil.rmtree(own, ignore_errors=True)
        _copy(snapshot, own)
        line = {"epoch": epoch, "from_trial": number, "settings": self.work.settings}
        add_takeover(self.folder, line)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder while files appear and disappear, with a second try for a consistent state."""
    try:
        copy_folder(source, target)
    except FileNotFoundError:
        shutil.rmtree(target, ignore_errors=True)
        copy_folder(source, target)


def _is_last(event: dict[str, Any]) -> bool:
    return bool(event["epoch"] >= event["epochs"])
