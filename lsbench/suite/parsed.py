"""The settings of jobs, parsed once for all seeds: they differ in nothing that a job reads or builds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lsbench.core.job import Job, JobKind, JobSpec
from lsbench.core.registry import JOBS


class ParsedJob(NamedTuple):
    """A job with its settings."""

    job: Job
    spec: JobSpec


def parsed_once(jobs: Iterable[Job]) -> list[ParsedJob]:
    """Return the first job of each row and name, with its settings as its kind parses them."""
    firsts: dict[tuple[str, str, str], Job] = {}
    for job in jobs:
        firsts.setdefault((job.kind, job.variant.name, job.name), job)
    return [ParsedJob(job, _spec(job)) for job in firsts.values()]


def _spec(job: Job) -> JobSpec:
    kind: JobKind = JOBS.load(job.kind)
    return kind.spec.model_validate(job.spec)
