"""The verb `why`: which input made a job another one, and what became of it."""

from __future__ import annotations

from typing import Annotated

import typer

from lsbench.cli.options import RESULTS, ResultsOpt
from lsbench.core.errors import NothingMeasuredError


def why(
    job: Annotated[
        str, typer.Argument(metavar="JOB", help="An id, its start, or a label as ls_conv/train/seed0.")
    ],
    results: ResultsOpt = RESULTS,
    suite: Annotated[
        str | None, typer.Option(metavar="SUITE", help="Only in the results of this suite; default: all.")
    ] = None,
) -> None:
    """Show which input of a job changed since the job that its row had before, and what became of it."""
    from lsbench.store.results import find_results
    from lsbench.tables.job_changes import find_job, known_jobs, why_lines

    known = [one for folder in find_results(results.absolute(), suite) for one in known_jobs(folder)]
    if not known:
        raise NothingMeasuredError(f"{results}: no results{f' of {suite}' if suite else ''} to look at")
    found = find_job(job, known)
    own = [one for one in known if one.folder.root == found.folder.root]
    for line in why_lines(found, own):
        typer.echo(line)
