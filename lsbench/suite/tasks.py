"""Check that the data sets of every job serve the task that it works on."""

from __future__ import annotations

from collections.abc import Sequence

from lsbench.core.job import JobKind, Variant
from lsbench.core.registry import DATASETS, JOBS
from lsbench.core.tasks import task_of
from lsbench.suite.problems import Problems
from lsbench.suite.schema import JobEntry


def check_tasks(jobs: Sequence[JobEntry], variants: Sequence[Variant], problems: Problems) -> None:
    """Note each data set of another task that a job would read, once for all variants that name it."""
    for index, job in enumerate(jobs):
        kind: JobKind = JOBS.load(job.kind)
        for variant in job.variants_of(variants) if kind.uses_data else ():
            spec = job.parsed(variant.name)
            expected = spec.data_task(kind.task)
            for data in spec.read_data(variant.dataset):
                found = task_of(DATASETS.load(data["name"]))
                if found != expected:
                    problems.add(
                        ("jobs", index, job.kind),
                        f"expected a data set for {expected}, found '{data['name']}', which is for {found}; "
                        f"name one of: {', '.join(_names_for(expected))}",
                    )


def _names_for(task: str) -> list[str]:
    """Return the data sets that serve a task, or a sentence that there are none."""
    names = [name for name in DATASETS.usable_names() if task_of(DATASETS.load(name)) == task]
    return names or [f"there is none for {task}"]
