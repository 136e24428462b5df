"""The verb ``why``: the changed input of a job, and its outcome."""

from __future__ import annotations

from typing import Annotated

import typer

from lsbench.cli.completion import jobs, offers
from lsbench.cli.options import RESULTS, ResultsOpt, SuiteOfJobOpt, results_folders


def why(
    job: Annotated[
        str,
        typer.Argument(
            metavar="JOB",
            help="An id, the start of an id, or a label such as ls_conv/train/seed0.",
            autocompletion=offers(jobs),
        ),
    ],
    results: ResultsOpt = RESULTS,
    suite: SuiteOfJobOpt = None,
) -> None:
    """Show the input that changed since the row's previous job, and the outcome of the job."""
    from lsbench.rendering.console import fitted
    from lsbench.store.damage import read_each
    from lsbench.tables.job_changes import find_job, known_jobs, why_lines

    known = [one for jobs in read_each(results_folders(suite, None, results), known_jobs) for one in jobs]
    found = find_job(job, known)
    own = [one for one in known if one.folder.root == found.folder.root]
    for line in why_lines(found, own):
        typer.echo(fitted(line))
