"""The pace of jobs: seconds per work, learned from jobs that are alike.

The work of a kind that declares its seconds is those seconds; of all others, it is the MACs that a job is
expected to take.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lsbench.core.ids import content_hash
from lsbench.core.job import Job, JobKind
from lsbench.core.registry import JOBS
from lsbench.store.durations import Duration
from lsbench.suite.graph import JobGraph

#: Key of all jobs whose work is counted in MACs.
MACS = "macs"

#: Seconds and work of some jobs.
Sums = tuple[float, float]


def keys_of(job: Job) -> tuple[str, ...]:
    """Return what a job is like, from the most alike to the least: row, settings, kind, and unit of work.

    The MACs of a limited job are not known, so only jobs of its kind with the same limit tell its pace.
    """
    kind: JobKind = JOBS.load(job.kind)
    limited = f"{job.kind} --limit {job.limit}" if job.limit else job.kind
    settings = content_hash([job.kind, job.spec, job.variant.dataset, job.limit])
    row = content_hash([settings, job.variant.model_identity()])
    return (row, settings, limited, *([MACS] if kind.seconds is None and not job.limit else []))


class Likeness:
    """What the jobs of one plan are like: as :func:`keys_of`, once for all seeds of a job."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._found: dict[tuple[str, str], tuple[str, ...]] = {}

    def of(self, job: Job) -> tuple[str, ...]:
        """Return what a job is like; seeds, which its label names, do not change it."""
        name = job.variant.name, job.name
        if name not in self._found:
            self._found[name] = keys_of(job)
        return self._found[name]


def work_of(job: Job, graph: JobGraph) -> tuple[float, bool]:
    """Return the work of a job, and whether it is in seconds."""
    if job.label in graph.seconds:
        return graph.seconds[job.label], True
    return graph.cost[job.label] or 1.0, False


class Pace:
    """Seconds per work, by what jobs are like."""

    def __init__(self, known: Iterable[Duration] = ()) -> None:
        """Learn from jobs that have ended."""
        self._sums: dict[str, Sums] = {}
        self._starts: dict[str, float] = {}
        for one in known:
            self.learn(one)

    def learn(self, one: Duration) -> None:
        """Learn from a job; the shortest start counts, as the first jobs compile loops and write images."""
        for key in one.keys:
            seconds, work = self._sums.get(key, (0.0, 0.0))
            self._sums[key] = seconds + one.work_s, work + one.work
            self._starts[key] = min(one.start_s, self._starts.get(key, one.start_s))

    def of(
        self, keys: Iterable[str], running: Mapping[str, Sums] | None = None, *, prior: float = 0.0
    ) -> float | None:
        """Return the seconds per work of the most alike jobs, or None if nothing is known.

        Args:
            keys: Those of a job.
            running: Seconds and work of jobs that still run, by key; one that has ended tells more.
            prior: Work that is taken to have had the pace 1, so that one job does not tell everything; the
                less of it, the farther off the pace is, as on a machine that others use.
        """
        for key in keys:
            seconds, work = self._sums.get(key) or (running or {}).get(key) or (0.0, 0.0)
            if work > 0:
                far = max(seconds / work, work / seconds) if seconds > 0 else 1.0
                weight = prior / far**2
                return (seconds + weight) / (work + weight)
        return None

    def start_s(self, keys: Iterable[str]) -> float | None:
        """Return the seconds until the most alike jobs began with their work, or None if unknown."""
        return next((self._starts[key] for key in keys if key in self._starts), None)
