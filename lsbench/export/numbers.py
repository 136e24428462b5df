"""What is known of a model: its cost, and what the jobs of its suite measured with its weights."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from lsbench.core.job import JobContext
from lsbench.core.registry import PROBES
from lsbench.export.downstream import WholeToExport
from lsbench.export.subject import ModelToExport
from lsbench.probes import as_probe
from lsbench.tables.job_changes import KnownJob, known_jobs
from lsbench.tables.one_job import Number, read_job, to_number

#: Exact costs: their probes look at nothing but the model.
COSTS = {"params": ("params", "params_fused"), "macs": ("macs", "macs_paper")}


@dataclass(frozen=True)
class Known:
    """A number of a model.

    Attributes:
        number: The number.
        job: Label of the job that measured it; empty: counted while exporting.
    """

    number: Number
    job: str = ""


def known_numbers(subject: ModelToExport) -> list[Known]:
    """Return the cost of a model, and what finished jobs measured with its weights."""
    return [*_costs(subject), *_tests(subject)]


def _costs(subject: ModelToExport) -> Iterator[Known]:
    whole = subject.whole if isinstance(subject, WholeToExport) else None
    size = subject.img_size if whole is None else whole.size
    no_job = cast(JobContext, None)  # these probes look at the model alone
    for probe, metrics in COSTS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch warns about its own code
            records = as_probe(PROBES.load(probe))(subject.model, size, no_job)
        wanted = [record for record in records if record.metric in metrics]
        yield from (Known(to_number(whole.record(one) if whole else one)) for one in wanted)


def _tests(subject: ModelToExport) -> Iterator[Known]:
    if subject.training is None:
        return
    known = subject.training.known
    if isinstance(subject, WholeToExport):
        own = (number for number in subject.training.numbers if not number.is_of_a_part)
        yield from (Known(number, known.label) for number in own)
        return
    wanted = "ema" if subject.is_ema else "last"
    for one in known_jobs(known.folder):
        is_measured = one.is_current and one.folder.is_done(one.id) and not one.due
        if is_measured and _uses(one, known.id, wanted):
            numbers = read_job(one).numbers
            yield from (Known(number, one.label) for number in numbers if not number.is_of_a_part)


def _uses(one: KnownJob, training: str, weights: str) -> bool:
    """Return whether a job measured these weights of a training, and of no other."""
    if one.job is None:
        return False
    return tuple(one.job.needs.values()) == (training,) and one.job.spec.get("weights", "last") == weights
