"""Leave single rows out of jobs that cannot be done on them, for a reason that is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lsbench.core.registry import suggest
from lsbench.suite.entries import job_name
from lsbench.suite.problems import Problems
from lsbench.suite.schema import JobEntry


def with_left_out(
    jobs: Sequence[JobEntry], data: dict[str, Any], names: Sequence[Any], problems: Problems
) -> list[JobEntry]:
    """Return `jobs` with the rows that are left out of each.

    Args:
        jobs: All jobs of the suite.
        data: The file's content.
        names: Name of each entry of `variants`.
        problems: Where unknown jobs are noted, rows without a job, and jobs that need what a row leaves out.
    """
    known = [job.name for job in jobs]
    written = {job_name(entry) for entry in data.get("jobs") or []}
    reasons: dict[str, dict[str, str]] = {name: {} for name in known}
    for index, name in enumerate(names):
        asked = _asked(data["variants"][index])
        where = ("variants", index, "without")
        if asked and data.get("search"):
            problems.add(where, "the rows of a search have all jobs: leave it out")
        for job, reason in asked.items():
            if job in reasons:
                reasons[job][name] = reason
            elif job not in written:
                problems.add((*where, job), f"the suite has no job '{job}'{suggest(job, known)}")
        if known and {*known} <= asked.keys():
            problems.add(where, "expected at least one job that the row is not left out of")
    found = [job.model_copy(update={"without": reasons[job.name]}) for job in jobs]
    for index, name in enumerate(names):
        _check_needs(found, name, ("variants", index, "without"), problems)
    return found


def _asked(entry: Any) -> dict[str, str]:
    """Return the jobs that a row is left out of; what is malformed is left to the schema check."""
    asked = entry.get("without") if isinstance(entry, dict) else None
    pairs = asked.items() if isinstance(asked, dict) else ()
    return {job: reason for job, reason in pairs if isinstance(job, str) and isinstance(reason, str)}


def _check_needs(
    jobs: Sequence[JobEntry], name: Any, where: tuple[str | int, ...], problems: Problems
) -> None:
    """Note each job of a row that needs a job which this row, or the other row that it reads, is without."""
    by_name = {job.name: job for job in jobs}
    for job in jobs:
        if name in job.without:
            continue
        rows = [name, *filter(None, [job.parsed(name).other_variant()])]
        for need in (by_name[need] for need in job.needs if need in by_name):
            if lacking := [row for row in rows if row in need.without]:
                problems.add(where, f"'{job.name}' needs '{need.name}', and '{lacking[0]}' is left out of it")
