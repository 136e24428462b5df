"""Estimate the time until a run has ended.

Known are the durations of like jobs (of this run, and of earlier ones of this machine), the seconds that
kinds declare, the progress of running jobs, and the rules by which jobs are placed. What is not known is
said.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any

from lsbench.core.env import usable_cpus
from lsbench.core.job import Job
from lsbench.scheduler.ledger import Ledger
from lsbench.scheduler.pace import Likeness, Pace, Sums, keys_of, work_of
from lsbench.scheduler.protocol import Node
from lsbench.scheduler.rehearsal import JobLeft, rehearse
from lsbench.store.durations import DURATIONS, Duration, Remaining, add_duration, durations_here
from lsbench.store.results import ResultsFolder
from lsbench.suite.graph import critical_path
from lsbench.suite.planner import Plan
from lsbench.suite.trials import expected_share

#: Seconds until a job begins with its work, before one has been seen.
START_S = 1.0
#: Share of its work that a job has done before its own pace is used.
MIN_SHARE = 0.05
#: Jobs that what was known before counts as, when some have ended: one job does not tell everything.
PRIOR = 0.5
#: Share of what was left of a job that stays while it takes longer than expected.
OVERDUE = 0.05
#: As long as anything is left, so much is.
LEAST_S = 1.0
#: An estimate is used for this many times as long as it took: it shares the machine with jobs.
REST = 100


def this_machine() -> Node:
    """Return this machine as the one node of a local run."""
    gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    return Node("here", usable_cpus(), gpus)


@dataclass
class _Known:
    """What is known of a job before it starts.

    Attributes:
        work: Its work, in seconds of this machine if `is_timed`.
        is_declared: Whether its kind declares seconds, which it will not exceed.
    """

    job: Job
    keys: tuple[str, ...]
    work: float
    is_timed: bool
    is_declared: bool
    base: float


@dataclass
class _Running:
    """The progress of a running job.

    Attributes:
        started: When it started.
        at: When it reported last.
        share: Share of the work done then.
        part: Share of the part that it is at, if known.
        begun: When it first reported, and the share then.
        most_s: The least that its declared seconds have come down to.
    """

    started: float
    at: float
    share: float = 0.0
    part: float = 0.0
    begun: tuple[float, float] | None = None
    most_s: float = field(default=float("inf"))

    @property
    def pace(self) -> float | None:
        """Seconds of the whole work at the pace seen so far, without the start; None if too early to tell."""
        if self.begun is None or self.share - self.begun[1] < MIN_SHARE:
            return None
        return (self.at - self.begun[0]) / (self.share - self.begun[1])


class TimeLeft:
    """The estimate of one run."""

    def __init__(
        self,
        plan: Plan,
        folder: ResultsFolder,
        *,
        nodes: Sequence[Node] = (),
        most: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Learn from the jobs of before.

        Args:
            plan: The plan of the run.
            folder: Folder for results.
            nodes: Nodes that jobs can run on; default: this machine.
            most: Maximum number of jobs at a time, or None.
            clock: Seconds of a monotonic clock.
        """
        self._folder, self._clock, self._search = folder, clock, plan.graph.suite.search
        self.nodes_changed(nodes or [this_machine()], most)
        before = Pace([*durations_here(folder), *_of_journal(plan, folder)]) if plan.todo else Pace()
        self._pace, self._starts = Pace(), before
        likeness = Likeness()
        self._known = {str(job.id): _known(job, likeness.of(job), plan, before) for job in plan.todo}
        self._priority = critical_path(plan.graph)
        self._waiting = set(self._known)
        self._running: dict[str, _Running] = {}
        self._done = {str(job.id) for job in plan.done}
        self._last: tuple[float, float, Remaining] | None = None

    def nodes_changed(self, nodes: Sequence[Node], most: int | None) -> None:
        """Take the nodes that jobs can run on, and how many may run at a time."""
        self._nodes, self._most = list(nodes), most

    def started(self, job_id: str) -> None:
        """A job has started."""
        now = self._clock()
        self._waiting.discard(job_id)
        self._running[job_id] = _Running(now, now)

    def progressed(self, job_id: str, state: Mapping[str, Any]) -> None:
        """A job has reported its progress."""
        one, share, now = self._running.get(job_id), share_done(state), self._clock()
        if one is None or share < one.share or (one.begun is not None and share == one.share):
            return
        one.at, one.share, one.part = now, share, float(state.get("part") or 0.0)
        if one.begun is None:
            one.begun = now, share

    def waits(self, job_id: str) -> None:
        """A job does what only the first job of a machine does; its pace counts from its next report."""
        if job_id in self._running:
            self._running[job_id].begun = None

    def ended(self, job_id: str, state: str) -> None:
        """A job has ended; ``retry`` means that it will start again."""
        one, now = self._running.pop(job_id, None), self._clock()
        self._waiting.discard(job_id)
        if state == "retry":
            self._waiting.add(job_id)
            return
        self._done |= {job_id} if state == "ok" else set()
        if one is None or state not in ("ok", "stopped"):
            return
        begun, before = one.begun or (one.started, 0.0)
        reached = 1.0 if state == "ok" else one.share
        if reached > before:
            known = self._known[job_id]
            took = Duration(known.keys, (reached - before) * known.work, begun - one.started, now - begun)
            add_duration(self._folder, took)
            self._pace.learn(took._replace(work=(reached - before) * known.base))
            self._starts.learn(took)

    def estimate(self) -> Remaining:
        """Return the time until the last job has ended."""
        now = self._clock()
        if self._last is not None:
            at, until, found = self._last
            if now < until:
                return _aged(found, now - at)
        began = time.perf_counter()
        found = self._estimate(now)
        self._last = now, now + REST * (time.perf_counter() - began), found
        return found

    def _estimate(self, now: float) -> Remaining:
        left = self._waiting | self._running.keys()
        if not left:
            return Remaining(0.0)
        ledger = Ledger(self._nodes)
        running, unknown, parts = self._paces(), dict[str, None](), []
        for name in left:
            known, one = self._known.get(name), self._running.get(name)
            if known is None:
                continue
            seconds = self._rest(known, one, now) if one else self._expected(known, running)
            if seconds is None:
                unknown[known.job.kind] = None
            needs = {str(need) for need in known.job.needs.values()} - self._done
            if one is None and not needs <= left:
                continue  # what it needs has failed
            parts.append(
                JobLeft(
                    name,
                    seconds or 0.0,
                    ledger.request(known.job.resources),
                    frozenset() if one else frozenset(needs),
                    self._priority.get(name, 0.0),
                    is_running=one is not None,
                )
            )
        seconds = rehearse(self._nodes, parts, self._most)
        return Remaining(max(LEAST_S, seconds) if seconds else None, tuple(sorted(unknown)))

    def _whole(self, known: _Known, running: Mapping[str, Sums] | None = None) -> float | None:
        """Return the seconds of the whole work of a job."""
        pace = self._pace.of(known.keys, running, prior=PRIOR * known.base if known.is_timed else 0.0)
        if pace is not None:
            return known.base * pace
        return known.base if known.is_timed else None

    def _start_s(self, known: _Known) -> float:
        found = self._starts.start_s(known.keys)
        return START_S if found is None else found

    def _expected(self, known: _Known, running: Mapping[str, Sums]) -> float | None:
        """Return the seconds of a job that waits."""
        whole = self._whole(known, running)
        if whole is None:
            return None
        share = 1.0 if self._search is None else expected_share(self._search, 0.0)
        return self._start_s(known) + share * whole

    def _rest(self, known: _Known, one: _Running, now: float) -> float | None:
        """Return the seconds left of a running job; between two reports they only fall."""
        whole, seen = self._whole(known), one.pace
        if whole is None and seen is None:
            return None
        if seen is not None and not known.is_declared:
            weight = 1.0 if whole is None else sqrt(one.share)
            whole = weight * seen + (1 - weight) * (whole or 0.0)
        goal = 1.0 if self._search is None else expected_share(self._search, one.share)
        rest = (goal - one.share) * (whole or 0.0)
        if known.is_declared and one.begun is None:
            return max(0.0, self._start_s(known) - (now - one.started)) + rest
        start = self._start_s(known) if one.begun is None else 0.0
        later = max(0.0, goal - one.share - one.part) * (whole or 0.0) if one.part else 0.0
        return max(start + rest - (now - one.at), later, OVERDUE * rest)

    def _paces(self) -> dict[str, Sums]:
        """Return the foreseen seconds and the work of running jobs by key, for jobs like them that wait."""
        sums: dict[str, Sums] = {}
        for name, one in self._running.items():
            known = self._known.get(name)
            seconds = None if known is None else self._foreseen(known, one)
            if known is not None and seconds is not None:
                for key in known.keys:
                    total, work = sums.get(key, (0.0, 0.0))
                    sums[key] = total + seconds, work + known.base
        return sums

    def _foreseen(self, known: _Known, one: _Running) -> float | None:
        """Return the seconds of the whole work of a running job as they look now."""
        if not known.is_declared:
            return one.pace
        whole = self._whole(known)
        if one.begun is None or whole is None or one.share < MIN_SHARE:
            return None
        one.most_s = min(one.most_s, whole, one.at - one.begun[0] + (1 - one.share) * whole)
        return one.most_s


def _of_journal(plan: Plan, folder: ResultsFolder) -> Iterator[Duration]:
    """Yield the durations in the journal of a folder that only an earlier lsbench has filled."""
    if (folder.root / DURATIONS).exists():
        return
    jobs = plan.graph.by_id()
    for name, line in folder.jobs().items():
        if name in jobs and line["status"] == "ok" and line.get("wall_s"):
            yield Duration(
                keys_of(jobs[name]), work_of(jobs[name], plan.graph)[0], 0.0, float(line["wall_s"])
            )


def _known(job: Job, keys: tuple[str, ...], plan: Plan, before: Pace) -> _Known:
    work, is_declared = work_of(job, plan.graph)
    pace = before.of(keys)
    base = work if pace is None else work * pace
    return _Known(job, keys, work, is_declared or pace is not None, is_declared, base)


def _aged(found: Remaining, seconds: float) -> Remaining:
    """Return an estimate some seconds later."""
    if not found.seconds:
        return found
    return found._replace(seconds=max(LEAST_S, found.seconds - seconds))


def share_done(state: Mapping[str, Any]) -> float:
    """Return the share of a job that is done, 0 to 1, according to its events.

    Epochs count from 1: ``step`` events name the running epoch, ``epoch`` events the finished one.

    >>> share_done({"ev": "step", "epoch": 2, "epochs": 4, "step": 5, "steps": 10})
    0.375
    """
    if state.get("share") is not None:
        return float(state["share"])
    within = state.get("step", 0) / state["steps"] if state.get("steps") else 0.0
    if not state.get("epochs"):
        return float(min(1.0, within))
    done = state["epoch"] if state.get("ev") == "epoch" else state.get("epoch", 1) - 1 + within
    return float(min(1.0, done / state["epochs"]))
