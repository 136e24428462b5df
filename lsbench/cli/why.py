"""The verb ``why``: the changed input of a job, and its outcome."""

from __future__ import annotations

from typing import Annotated

import typer

from lsbench.cli.options import RESULTS, ResultsOpt
from lsbench.core.errors import NothingMeasuredError


def why(
    job: Annotated[
        str,
        typer.Argument(
            metavar="JOB", help="An id, the start of an id, or a label such as ls_conv/train/seed0."
        ),
    ],
    results: ResultsOpt = RESULTS,
    suite: Annotated[
        str | None, typer.Option(metavar="SUITE", help="Search only the results of this suite; default: all.")
    ] = None,
) -> None:
    """Show the input that changed since the row's previous job, and the outcome of the job."""
    from lsbench.store.results import find_results
    from lsbench.tables.job_changes import find_job, known_jobs, why_lines

    known = [one for folder in find_results(results.absolute(), suite) for one in known_jobs(folder)]
    if not known:
        raise NothingMeasuredError(f"{results}: no results{f' of {suite}' if suite else ''}")
    found = find_job(job, known)
    own = [one for one in known if one.folder.root == found.folder.root]
    for line in why_lines(found, own):
        typer.echo(line)
