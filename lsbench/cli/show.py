"""The verb ``show``: everything about one job or variant."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lsbench.cli.completion import jobs_and_variants, offers
from lsbench.cli.options import RESULTS, JsonOpt, PresetOfJobOpt, ResultsOpt, SuiteOfJobOpt, results_folders


def show(
    job: Annotated[
        str,
        typer.Argument(
            metavar="JOB|VARIANT",
            help="An id, the start of an id, a label such as ls_conv/train/seed0, or a variant.",
            autocompletion=offers(jobs_and_variants),
        ),
    ],
    results: ResultsOpt = RESULTS,
    suite: SuiteOfJobOpt = None,
    preset: PresetOfJobOpt = None,
    as_json: JsonOpt = False,
) -> None:
    """Show settings, state, numbers and files of a job, or of all jobs of a variant."""
    from lsbench.rendering.console import fitted
    from lsbench.rendering.one_job import show_lines
    from lsbench.store.damage import read_each
    from lsbench.tables.job_changes import known_jobs
    from lsbench.tables.one_job import find_shown, read_job, to_fields

    known = [one for jobs in read_each(results_folders(suite, preset, results), known_jobs) for one in jobs]
    found = [read_job(one) for one in find_shown(job, known)]
    for line in (json.dumps(to_fields(one)) for one in found) if as_json else map(fitted, show_lines(found)):
        typer.echo(line)
