"""The models that jobs build, each to be tried once before the first job. No torch here."""

from __future__ import annotations

from collections.abc import Iterable

from lsbench.core.job import Job, JobKind, Variant
from lsbench.core.registry import JOBS

NAME_LENGTH = 80


def models_of(jobs: Iterable[Job]) -> list[Variant]:
    """Return the variants of jobs, and a variant for each further model that their settings name.

    A further model, such as the control of a profile, is named ``<variant>.<job>.<role>``; one that a job
    builds on the variant's, such as a detector, has the variant's name.
    """
    found: dict[str, Variant] = {}
    for job in jobs:
        found[job.variant.name] = job.variant
        kind: JobKind = JOBS.load(job.kind)
        spec = kind.spec.model_validate(job.spec)
        if (built := spec.built_on(job.variant)) is not None:
            found[f"{job.variant.name}/{job.name}"] = built
        for role, model in spec.other_models().items():
            name = f"{job.variant.name}.{job.name}.{role}"[:NAME_LENGTH]
            found[name] = Variant(name=name, dataset=job.variant.dataset, **model)
    return list(found.values())
