"""What a suite leaves to the jobs that a job needs: their names, and settings that follow from theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lsbench.core.job import JobSpec
from lsbench.suite.entries import job_name, kind_and_settings
from lsbench.suite.schema import JobEntry


def names_by_kind(data: dict[str, Any]) -> dict[str, list[str]]:
    """Return kind -> the names of its jobs, as far as they have names."""
    found: dict[str, list[str]] = {}
    for entry in data.get("jobs") or []:
        kind, _ = kind_and_settings(entry)
        if kind is not None and isinstance(name := job_name(entry), str):
            found.setdefault(kind, []).append(name)
    return found


def usual_need(kind: str, names: Mapping[str, Sequence[str]]) -> str:
    """Return the name of the job of a kind that others need: the kind's name, else that of its only job."""
    there = names.get(kind, ())
    return there[0] if len(there) == 1 else kind


def with_settings_of_needs(jobs: list[JobEntry]) -> list[JobEntry]:
    """Return jobs with the settings that follow from those of the jobs that they need, row by row."""
    by_name = {job.name: job for job in jobs}

    def settled(job: JobEntry, row: str) -> dict[str, Any]:
        needs = {need: by_name[need].parsed(row) for need in job.needs if need in by_name}
        spec: JobSpec = job.parsed(row)
        found = spec.with_needs(needs)
        return job.settings_of(row) if found is spec else found.model_dump(mode="json")

    found = []
    for job in jobs:
        rows = {row for one in (job.name, *job.needs) if one in by_name for row in by_name[one].spec_of}
        usual = settled(job, "")
        of_rows = {row: settled(job, row) for row in sorted(rows)}
        kept = {row: spec for row, spec in of_rows.items() if row in job.spec_of or spec != usual}
        found.append(job.model_copy(update={"spec": usual, "spec_of": kept}))
    return found
