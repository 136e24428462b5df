"""How long jobs are expected to run: from jobs like them, of this run and of earlier ones of this machine."""

from __future__ import annotations

from lsbench.scheduler.pace import Likeness, Pace, work_of
from lsbench.store.durations import Duration, durations_here
from lsbench.store.results import ResultsFolder
from lsbench.suite.planner import Plan


class ExpectedDurations:
    """The expected durations of the jobs of a plan."""

    def __init__(self, plan: Plan, folder: ResultsFolder) -> None:
        """Learn from the jobs of before.

        Args:
            plan: The plan of a run.
            folder: Folder for results.
        """
        self._graph = plan.graph
        self._jobs = {str(job.id): job for job in plan.todo}
        self._likeness = Likeness()
        self._known: dict[str, tuple[tuple[str, ...], float, bool]] = {}
        self._pace = Pace(durations_here(folder) if plan.todo else ())

    def of(self, name: str) -> float | None:
        """Return the seconds that a job is expected to take from its start, or None if nothing is known."""
        keys, work, is_timed = self._look_up(name)
        pace = self._pace.of(keys)
        if pace is None:
            return work if is_timed else None
        return work * pace + (self._pace.start_s(keys) or 0.0)

    def learn(self, name: str, seconds: float) -> None:
        """Learn from a job that has ended."""
        keys, work, _ = self._look_up(name)
        self._pace.learn(Duration(keys, work, 0.0, seconds))

    def _look_up(self, name: str) -> tuple[tuple[str, ...], float, bool]:
        if name not in self._known:
            job = self._jobs[name]
            self._known[name] = self._likeness.of(job), *work_of(job, self._graph)
        return self._known[name]
