"""The verb ``status``: the progress of suites, once on the terminal or live in the browser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from lsbench.cli.options import RESULTS, JsonOpt, ResultsOpt, SuitesArg, results_folders
from lsbench.core.errors import UsageError

if TYPE_CHECKING:
    from lsbench.store.results import ResultsFolder
    from lsbench.store.room import Room
    from lsbench.tables.status import SuiteStatus


def status(
    suite: SuitesArg = None,
    results: ResultsOpt = RESULTS,
    as_json: JsonOpt = False,
    is_served: Annotated[
        bool, typer.Option("--serve", help="Show the progress live in the browser; Ctrl-C ends it.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, metavar="N", help="Port of --serve; 0: any free port."),
    ] = None,
) -> None:
    """Show the progress of suites and their trainings, the last errors, and the room that results take."""
    if is_served:
        from lsbench.live.server import PORT, serve
        from lsbench.live.snapshot import Snapshots

        snapshots = Snapshots(lambda: results_folders(suite, None, results))
        serve(snapshots, PORT if port is None else port, lambda line: typer.echo(line, err=as_json))
        return
    if port is not None:
        raise UsageError("--port: only together with --serve")
    from lsbench.rendering.console import fitted
    from lsbench.store.damage import read_each
    from lsbench.store.room import room_by_class
    from lsbench.tables.status import read_status, room_line, status_lines

    def read(folder: ResultsFolder) -> tuple[SuiteStatus | None, dict[Room, int]]:
        return read_status(folder), room_by_class(folder.root)

    for found, room in read_each(results_folders(suite, None, results), read):
        if found is None:
            continue
        if as_json:
            fields = {"suite": found.suite, "preset": found.preset, "running": found.is_running}
            epochs = {label: training._asdict() for label, training in found.trainings.items()}
            fields |= {"jobs": found.counts, "epochs": epochs, "errors": found.errors}
            fields |= {"due": found.due, "running_jobs": found.running}
            fields["time_left"] = None if found.time_left is None else found.time_left._asdict()
            fields["bytes"] = {
                "total": sum(room.values()),
                **{name.value: size for name, size in room.items()},
            }
            typer.echo(json.dumps(fields))
            continue
        for line in status_lines(found):
            typer.echo(fitted(line))
        typer.echo(fitted(room_line(room)))
