"""The command line: verbs, parsing and printing. Everything heavy is imported when it is needed."""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lsbench import __version__
from lsbench.cli.analyze import analyze
from lsbench.cli.compare import compare, verify
from lsbench.cli.data import data_app
from lsbench.cli.gate import gate
from lsbench.cli.new import new
from lsbench.cli.options import (
    RESULTS,
    AddressOpt,
    DataOpt,
    JsonOpt,
    LimitOpt,
    Listing,
    MaxParallelOpt,
    OnlyOpt,
    PresetOpt,
    ResultsOpt,
    Scheduler,
    SchedulerOpt,
    SeedsOpt,
    SetOpt,
    SkipOpt,
    SuiteArg,
)
from lsbench.cli.profile import profile
from lsbench.cli.report import report
from lsbench.cli.run import create_graph, create_stderr, create_watcher, parse_seeds, run_jobs
from lsbench.cli.status import status
from lsbench.cli.validate import validate
from lsbench.cli.why import why
from lsbench.core.errors import ExitCode, LsbenchError, UsageError

if TYPE_CHECKING:
    from lsbench.scheduler.driver import Outcome
    from lsbench.scheduler.run import RunOptions
    from lsbench.search.study import Searcher
    from lsbench.suite.graph import JobGraph

app = typer.Typer(
    name="lsbench",
    help="Benchmark and ablation suites for lightweight vision backbones, built around LSNet.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command()(gate)

app.add_typer(data_app, name="data")

#: The base of typer's usage errors, whichever click it stands on.
CommandLineError: type[Exception] = typer.BadParameter.__bases__[0].__bases__[0]


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    show_traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where an error came from.")
    ] = False,
) -> None:
    if version:
        typer.echo(f"lsbench {__version__}")
        raise typer.Exit


app.command()(validate)


@app.command()
def schema() -> None:
    """Print the JSON Schema of suite files, for editors."""
    from lsbench.suite.json_schema import suite_json_schema

    typer.echo(json.dumps(suite_json_schema(), indent=1))


@app.command()
def plan(
    suite: SuiteArg,
    preset: PresetOpt = "default",
    results: ResultsOpt = RESULTS,
    data: DataOpt = None,
    only: OnlyOpt = None,
    skip: SkipOpt = None,
    seeds: SeedsOpt = None,
    limit: LimitOpt = None,
    overrides: SetOpt = None,
    as_json: JsonOpt = False,
) -> None:
    """Show what a run would do: every job, whether it is done, and what it costs."""
    from lsbench.scheduler.run import RunOptions, plan_run
    from lsbench.suite.listing import plan_lines, plan_rows

    graph = create_graph(suite, preset, overrides, limit, data)
    made = plan_run(graph, RunOptions(results, only or [], skip or [], parse_seeds(seeds)))
    for line in map(json.dumps, plan_rows(made)) if as_json else plan_lines(made):
        typer.echo(line)


@app.command()
def run(
    suite: SuiteArg,
    preset: PresetOpt = "default",
    results: ResultsOpt = RESULTS,
    data: DataOpt = None,
    only: OnlyOpt = None,
    skip: SkipOpt = None,
    seeds: SeedsOpt = None,
    limit: LimitOpt = None,
    overrides: SetOpt = None,
    address: AddressOpt = None,
    scheduler: SchedulerOpt = Scheduler.ray,
    max_parallel: MaxParallelOpt = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Start nothing more after a failed job.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("-n", "--dry-run", help="Show the plan and do nothing.")] = False,
    as_json: JsonOpt = False,
) -> None:
    """Run a suite; a suite that has results is continued."""
    from lsbench.scheduler.run import RunOptions

    if dry_run:
        plan(suite, preset, results, data, only, skip, seeds, limit, overrides, as_json)
        return
    graph = create_graph(suite, preset, overrides, limit, data)
    options = RunOptions(results, only or [], skip or [], parse_seeds(seeds), max_parallel, fail_fast)
    if graph.suite.search is not None:
        _search(graph, options, scheduler, address, data, as_json)
        return
    outcome = run_jobs(graph, options, scheduler, address, as_json=as_json)
    _conclude(graph, outcome, results, as_json)


def _search(
    graph: JobGraph,
    options: RunOptions,
    scheduler: Scheduler,
    address: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Search settings, print the trials, and say how to run what was found."""
    from lsbench.scheduler.ray_pool import RayExecutor
    from lsbench.search.run import SearchParts, outcome_lines, run_search

    if scheduler is Scheduler.inline:
        raise UsageError("--scheduler inline: a search needs Ray; leave the option out")
    parts = SearchParts(
        create_executor=lambda: RayExecutor(address),
        create_watcher=lambda made, folder: create_watcher(made, folder, as_json),
        create_searcher=_create_searcher,
    )
    outcome, has_run = run_search(graph, options, parts)
    console = create_stderr()
    if has_run:
        _print_table(graph, options.results, as_json)
    else:
        console.print(f"{graph.suite.name} ({graph.suite.preset}): nothing left to search.")
    for line in outcome_lines(outcome, results=options.results, data=data, limit=graph.suite.limit):
        console.print(line, soft_wrap=True)
    if outcome.untuned:
        raise typer.Exit(ExitCode.JOBS_FAILED)


def _create_searcher() -> Searcher:
    from lsbench.search.ray_tune import TuneSearcher  # only once there is something to search

    return TuneSearcher()


def _conclude(graph: JobGraph, outcome: Outcome | None, results: Path, as_json: bool) -> None:
    """Print the table and leave with the exit code that the outcome deserves."""
    console = create_stderr()
    if outcome is None:
        name = graph.suite.name
        console.print(f"{name} ({graph.suite.preset}): nothing left to do, every job is done.")
        console.print(f"See `lsbench report {name}`.")
        return
    _print_table(graph, results, as_json)
    if outcome.failed or outcome.skipped:
        counts = f"{len(outcome.ok)} ok, {len(outcome.failed)} failed, {len(outcome.skipped)} skipped"
        console.print(f"{counts}; the same command tries them again.", style="bold red")
        raise typer.Exit(ExitCode.JOBS_FAILED)


def _print_table(graph: JobGraph, results: Path, as_json: bool) -> None:
    from lsbench.core.registry import REPORTS
    from lsbench.scheduler.run import results_folder
    from lsbench.tables.summary import summarize

    summary = summarize(results_folder(graph, results))
    if summary is not None:
        text = REPORTS.load("json" if as_json else "console")([summary])
        typer.echo(json.dumps({"event": "report", **json.loads(text)}) if as_json else text, nl=as_json)


app.command()(status)

app.command()(report)


@app.command("list")
def list_names(
    what: Annotated[Listing, typer.Argument(help="What to list.")],
    glob: Annotated[
        str, typer.Argument(metavar="[GLOB]", help="Only names like this, e.g. 'repvit*'.")
    ] = "*",
    as_json: JsonOpt = False,
) -> None:
    """List what can be named in a suite."""
    from fnmatch import fnmatchcase

    from lsbench.suite.listing import named_things

    for name, title in named_things(what.value):
        if not fnmatchcase(name, glob):
            continue
        typer.echo(json.dumps({"name": name, "title": title}) if as_json else f"{name:24s}  {title}".rstrip())


app.command()(profile)
app.command()(compare)
app.command()(verify)
app.command()(why)
app.command()(analyze)
app.command()(new)


@app.command()
def doctor(results: ResultsOpt = RESULTS, data: DataOpt = None, as_json: JsonOpt = False) -> None:
    """Show what this machine has, and what is wrong with it."""
    from lsbench.cli.doctor import examine

    bad = 0
    for finding in examine(results, data):
        bad += not finding.is_good
        if as_json:
            typer.echo(json.dumps({"what": finding.what, "found": finding.found, "good": finding.is_good}))
        else:
            typer.echo(f"{'ok ' if finding.is_good else 'BAD'}  {finding.what}: {finding.found}")
    if bad:
        raise typer.Exit(ExitCode.USAGE)


def main() -> None:
    """Run the command line and exit; every expected error is one line on stderr."""
    code = run_command(sys.argv[1:])
    if code == ExitCode.INTERRUPTED:
        # Everything is closed; but Ray's native threads may crash at exit if its start was cut short.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run_command(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        code = app(args=arguments, prog_name="lsbench", standalone_mode=False)
    except LsbenchError as error:
        return _complain(error, str(error), int(error.exit_code), arguments)
    except CommandLineError as error:
        message = " ".join(error.format_message().split())  # type: ignore[attr-defined]
        return _complain(error, message, int(ExitCode.USAGE), arguments)
    except (KeyboardInterrupt, typer.Abort):
        return _complain(None, "interrupted", int(ExitCode.INTERRUPTED), arguments)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)
    return int(code or 0)


def _complain(error: BaseException | None, message: str, code: int, arguments: list[str]) -> int:
    if error is not None and "--traceback" in arguments:
        traceback.print_exception(error)
    for line in message.splitlines():
        print(f"lsbench: {line}", file=sys.stderr)
    return code
