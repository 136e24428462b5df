"""Plan a run: jobs done, to run or blocked, and their cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from lsbench.core.errors import DataError, UsageError
from lsbench.core.globs import suggest_glob
from lsbench.core.job import Job
from lsbench.suite.graph import JobGraph, chosen, found_by, names_of, with_dependents, with_needs
from lsbench.suite.splits import Use, missing_splits

State = Literal["done", "to run", "to rerun", "no data"]


@dataclass(frozen=True)
class Plan:
    """The plan of a run.

    Attributes:
        graph: The whole suite.
        todo: Jobs to run, in the order of the suite.
        done: Selected jobs that already have a result.
        pending: Selected jobs whose data is absent.
        due: Id of a job that has a result which does not stand -> the reason.
        again: Jobs whose result no longer counts, as they or a job that they need are run again. Some may
            not be selected; a later run will run them.
        left_out: Flag -> number of jobs without a result that it leaves out.
    """

    graph: JobGraph
    todo: tuple[Job, ...]
    done: tuple[Job, ...]
    pending: tuple[Job, ...]
    due: Mapping[str, str] = field(default_factory=dict)
    again: tuple[Job, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)

    def state(self, job: Job) -> State | None:
        """Return the state of `job` in the plan, or None if it is not selected.

        Rows that share a job share its state.
        """
        return self._states.get(job.id or job.label)

    @cached_property
    def _states(self) -> dict[str, State]:
        again = {job.id for job in self.again}
        groups: Mapping[State, Iterable[Job]] = {
            "done": self.done,
            "to run": self.todo,
            "to rerun": (job for job in self.todo if job.id in again),
            "no data": self.pending,
        }
        return {job.id or job.label: state for state, jobs in groups.items() for job in jobs}

    def left_out_text(self) -> str:
        """Return how many jobs without a result each flag leaves out, or an empty text."""
        return ", ".join(f"{count} by {flag}" for flag, count in self.left_out.items())

    def macs(self, kind: str) -> tuple[float, int]:
        """Return the estimated MACs of the remaining jobs of one kind, and of how many they are unknown."""
        costs = [self.cost(job) for job in (*self.todo, *self.pending) if job.kind == kind]
        return sum(cost for cost in costs if cost is not None), costs.count(None)

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
    rerun: Sequence[str] = (),
    inconclusive: Collection[str] = (),
) -> Plan:
    """Return the plan of a run with these flags.

    Args:
        graph: The whole suite.
        done: Ids of the jobs that have a result which stands.
        only: Globs on labels, ids, variants, job names or kinds; empty means all.
        skip: Globs of jobs to leave out.
        seeds: Seeds to keep, or None for all.
        due: Id of a job that has a result which does not stand -> the reason.
        rerun: Globs of selected jobs to run again, together with all jobs that need them.
        inconclusive: Ids of jobs to run again in the same way, if they are selected.

    Raises:
        UsageError: If a seed is not in the suite, or nothing matches.
    """
    unknown = sorted(set(seeds or ()) - set(graph.suite.seeds))
    if unknown:
        raise UsageError(f"--seeds: {unknown} not in the suite, which has {list(graph.suite.seeds)}")
    _check_globs(graph, {"--only": only, "--skip": skip, "--rerun": rerun})
    flags = chosen(graph, only=only, skip=skip, seeds=seeds)
    jobs = with_needs(graph, {label for label, flag in flags.items() if not flag})
    if not jobs:
        raise UsageError(f"--only and --skip leave no job of suite '{graph.suite.name}'; see `lsbench plan`")
    known = {job.id: job for job in jobs if job.id is not None}
    named = _named(graph, jobs, rerun) | (known.keys() & inconclusive)
    again = with_dependents(graph, named) & done
    standing = done - again
    return Plan(
        graph,
        todo=tuple(job for name, job in known.items() if name not in standing),
        done=tuple(job for name, job in known.items() if name in standing),
        pending=tuple(job for job in jobs if job.id is None),
        due={name: reason for name, reason in (due or {}).items() if name in known},
        again=tuple(job for name, job in graph.by_id().items() if name in again),
        left_out=_left_out(graph, jobs, flags, standing),
    )


def _named(graph: JobGraph, jobs: Sequence[Job], rerun: Sequence[str]) -> set[str]:
    """Return the ids of the selected jobs that `rerun` names.

    Raises:
        UsageError: If a glob names only jobs that the other flags leave out.
    """
    found: set[str] = set()
    for glob in rerun:
        labels = found_by(graph, glob)
        own = [job for job in jobs if job.label in labels]
        if not own:
            raise UsageError(f"--rerun {glob}: the other flags leave out all jobs that it matches")
        found |= {job.id for job in own if job.id is not None}
    return found


def _left_out(
    graph: JobGraph, jobs: Sequence[Job], flags: Mapping[str, str], standing: Collection[str]
) -> dict[str, int]:
    """Return how many jobs without a result each flag leaves out; rows that share a job count once."""
    taken = {job.id or job.label for job in jobs} | set(standing)
    order = ("--only", "--skip", "--seeds")
    left: dict[str, str] = {}
    for job in sorted(graph.jobs, key=lambda job: order.index(flags[job.label] or order[0])):
        left[job.id or job.label] = flags[job.label]
    counts = Counter(flag for name, flag in left.items() if name not in taken)
    return {flag: counts[flag] for flag in order if counts[flag]}


def _check_globs(graph: JobGraph, flags: Mapping[str, Sequence[str]]) -> None:
    """Raise if a glob matches no job: a typo must not run or leave out something else."""
    for flag, glob in ((flag, glob) for flag, globs in flags.items() for glob in globs):
        if not found_by(graph, glob):
            names = {name for job in graph.jobs for name in (*names_of(job), job.kind)}
            hint = suggest_glob(glob.strip("*"), names)
            raise UsageError(
                f"{flag} {glob}: matches no job of suite '{graph.suite.name}'{hint}; see `lsbench plan`"
            )


def require_data(plan: Plan) -> None:
    """Raise if the data of a selected job, or a split of it that a job to run reads, is missing.

    Raises:
        DataError: With one line per missing data set or split.
    """
    if plan.pending:
        raise DataError("\n".join(plan.graph.missing_data))
    require_splits(plan)


def require_splits(plan: Plan) -> None:
    """Raise if a job to run reads a split that its data set, which is there, does not have.

    Raises:
        DataError: With one line per missing split.
    """
    uses = (Use(job.label, job.kind, job.spec, job.variant.dataset) for job in plan.todo)
    root = next((job.data_root for job in plan.todo), None)
    if missing := missing_splits(uses, None if root is None else Path(root)):
        raise DataError("\n".join(missing))
