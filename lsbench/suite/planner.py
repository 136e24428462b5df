"""Say what a run would do: which jobs are done, to run or blocked, and what they would cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Literal

from lsbench.core.errors import DataError, UsageError
from lsbench.core.job import Job
from lsbench.core.registry import suggest
from lsbench.suite.graph import JobGraph, selected

State = Literal["done", "to run", "no data"]


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Attributes:
        graph: The whole suite.
        todo: Jobs to run, in the order of the suite.
        done: Chosen jobs that have a result already.
        pending: Chosen jobs whose data is not there.
    """

    graph: JobGraph
    todo: tuple[Job, ...]
    done: tuple[Job, ...]
    pending: tuple[Job, ...]

    def state(self, job: Job) -> State | None:
        """Return what the plan holds for `job`, or None if it is not chosen.

        Rows that share a job share its state.
        """
        return self._states.get(job.id or job.label)

    @cached_property
    def _states(self) -> dict[str, State]:
        groups: Mapping[State, tuple[Job, ...]] = {
            "done": self.done,
            "to run": self.todo,
            "no data": self.pending,
        }
        return {job.id or job.label: state for state, jobs in groups.items() for job in jobs}

    def macs(self, kind: str) -> float:
        """Return the estimated MACs of the jobs of one kind that are left to run."""
        left = (*self.todo, *self.pending)
        return sum(self.graph.cost[job.label] for job in left if job.kind == kind)

    def counts(self) -> Counter[str]:
        """Return the number of jobs left to run, by kind."""
        return Counter(job.kind for job in (*self.todo, *self.pending))


def make_plan(
    graph: JobGraph, *, done: set[str], only: list[str], skip: list[str], seeds: list[int] | None
) -> Plan:
    """Return what a run with these flags would do.

    Args:
        graph: The whole suite.
        done: Ids of the jobs that have a result.
        only: Globs on job labels, variants or job names; empty means all.
        skip: Globs of what to leave out.
        seeds: Seeds to keep, or None for all.

    Raises:
        UsageError: If a seed is not one of the suite's, or nothing matches.
    """
    unknown = sorted(set(seeds or ()) - set(graph.suite.seeds))
    if unknown:
        raise UsageError(f"--seeds: {unknown} not in the suite, which has {list(graph.suite.seeds)}")
    jobs = selected(graph, only=only, skip=skip, seeds=seeds, matches=fnmatchcase)
    if not jobs:
        names = [name for job in graph.jobs for name in (job.variant.name, job.name)]
        hint = next((text for glob in only if (text := suggest(glob, names))), "")
        flags = " ".join([*(f"--only {g}" for g in only), *(f"--skip {g}" for g in skip)])
        raise UsageError(f"{flags}: matches no job of suite '{graph.suite.name}'{hint}; see `lsbench plan`")
    known = {job.id: job for job in jobs if job.id is not None}
    return Plan(
        graph,
        todo=tuple(job for name, job in known.items() if name not in done),
        done=tuple(job for name, job in known.items() if name in done),
        pending=tuple(job for job in jobs if job.id is None),
    )


def require_data(plan: Plan) -> None:
    """Raise if a chosen job cannot start for want of its data.

    Raises:
        DataError: With one line per missing data set.
    """
    if plan.pending:
        raise DataError("\n".join(plan.graph.missing_data))
