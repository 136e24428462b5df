"""Plan a run: jobs done, to run or blocked, and their cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Literal

from lsbench.core.errors import DataError, UsageError
from lsbench.core.job import Job
from lsbench.core.registry import suggest
from lsbench.suite.graph import JobGraph, names_of, selected

State = Literal["done", "to run", "no data"]


@dataclass(frozen=True)
class Plan:
    """The plan of a run.

    Attributes:
        graph: The whole suite.
        todo: Jobs to run, in the order of the suite.
        done: Selected jobs that already have a result.
        pending: Selected jobs whose data is absent.
        due: Id of a job that has a result which does not stand -> the reason.
    """

    graph: JobGraph
    todo: tuple[Job, ...]
    done: tuple[Job, ...]
    pending: tuple[Job, ...]
    due: Mapping[str, str] = field(default_factory=dict)

    def state(self, job: Job) -> State | None:
        """Return the state of `job` in the plan, or None if it is not selected.

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
        """Return the estimated MACs of the remaining jobs of one kind, as far as known."""
        left = (*self.todo, *self.pending)
        return sum(self.cost(job) or 0.0 for job in left if job.kind == kind)

    def cost(self, job: Job) -> float | None:
        """Return the estimated MACs of a job, or None if unknown."""
        return None if job.label in self.graph.guessed else self.graph.cost[job.label]

    def counts(self) -> Counter[str]:
        """Return the number of remaining jobs by kind."""
        return Counter(job.kind for job in (*self.todo, *self.pending))


def make_plan(
    graph: JobGraph,
    *,
    done: set[str],
    only: list[str],
    skip: list[str],
    seeds: list[int] | None,
    due: Mapping[str, str] | None = None,
) -> Plan:
    """Return the plan of a run with these flags.

    Args:
        graph: The whole suite.
        done: Ids of the jobs that have a result which stands.
        only: Globs on job labels, variants or job names; empty means all.
        skip: Globs of jobs to leave out.
        seeds: Seeds to keep, or None for all.
        due: Id of a job that has a result which does not stand -> the reason.

    Raises:
        UsageError: If a seed is not in the suite, or nothing matches.
    """
    unknown = sorted(set(seeds or ()) - set(graph.suite.seeds))
    if unknown:
        raise UsageError(f"--seeds: {unknown} not in the suite, which has {list(graph.suite.seeds)}")
    _check_globs(graph, {"--only": only, "--skip": skip})
    jobs = selected(graph, only=only, skip=skip, seeds=seeds, matches=fnmatchcase)
    if not jobs:
        raise UsageError(f"--only and --skip leave no job of suite '{graph.suite.name}'; see `lsbench plan`")
    known = {job.id: job for job in jobs if job.id is not None}
    return Plan(
        graph,
        todo=tuple(job for name, job in known.items() if name not in done),
        done=tuple(job for name, job in known.items() if name in done),
        pending=tuple(job for job in jobs if job.id is None),
        due={name: reason for name, reason in (due or {}).items() if name in known},
    )


def _check_globs(graph: JobGraph, flags: Mapping[str, list[str]]) -> None:
    """Raise if a glob matches no job: a typo must not run or leave out something else."""
    names = {name for job in graph.jobs for name in names_of(job)}
    for flag, globs in flags.items():
        for glob in globs:
            if not any(fnmatchcase(name, glob) for name in names):
                hint = suggest(glob.strip("*"), names)
                suite = graph.suite.name
                raise UsageError(
                    f"{flag} {glob}: matches no job of suite '{suite}'{hint}; see `lsbench plan`"
                )


def require_data(plan: Plan) -> None:
    """Raise if the data of a selected job is missing.

    Raises:
        DataError: With one line per missing data set.
    """
    if plan.pending:
        raise DataError("\n".join(plan.graph.missing_data))
