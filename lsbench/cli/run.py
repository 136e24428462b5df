"""The verb ``run``: run or continue a suite."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lsbench.cli.options import (
    RESULTS,
    AddressOpt,
    DataOpt,
    JsonOpt,
    LimitOpt,
    MaxParallelOpt,
    OnlyOpt,
    PresetOpt,
    RerunOpt,
    ResultsOpt,
    RetryOpt,
    Scheduler,
    SchedulerOpt,
    SeedsOpt,
    SetOpt,
    SkipOpt,
    SuiteArg,
    WaitOpt,
)
from lsbench.cli.plan import show_plan
from lsbench.cli.running import (
    check_machine,
    check_rerun,
    check_wait,
    create_graph,
    create_stderr,
    create_watcher,
    needs_local_ray,
    parse_seeds,
    run_jobs,
)
from lsbench.core.errors import ExitCode, UsageError
from lsbench.core.next_command import near, next_command

if TYPE_CHECKING:
    from lsbench.scheduler.driver import Outcome
    from lsbench.scheduler.run import RunOptions
    from lsbench.search.study import Searcher
    from lsbench.suite.graph import JobGraph


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
    rerun: RerunOpt = None,
    retry_inconclusive: RetryOpt = False,
    address: AddressOpt = None,
    scheduler: SchedulerOpt = Scheduler.ray,
    max_parallel: MaxParallelOpt = None,
    wait_for_nodes: WaitOpt = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Start no more jobs after a failed one.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("-n", "--dry-run", help="Show the plan and do nothing.")] = False,
    as_json: JsonOpt = False,
) -> None:
    """Run a suite; a suite with results is continued."""
    from lsbench.scheduler.run import RunOptions

    graph = create_graph(suite, preset, overrides, limit, data, results)
    again = next_command(
        "run", suite, results=results, preset=preset, data=data, limit=limit, overrides=overrides
    )
    options = RunOptions(
        results,
        only or [],
        skip or [],
        parse_seeds(seeds),
        1 if scheduler is Scheduler.inline else max_parallel,
        fail_fast,
        rerun or [],
        retry_inconclusive,
        wait_for_nodes_s=None if wait_for_nodes is None else 60 * wait_for_nodes,
    )
    check_wait(graph, options, address)
    if dry_run:
        show_plan(graph, options, as_json=as_json, starts_ray=needs_local_ray(scheduler, address))
        return
    check_rerun(graph, options)
    if graph.suite.search is not None:
        _search(graph, options, scheduler, address, data, as_json)
        return
    outcome = run_jobs(graph, options, scheduler, address, as_json=as_json)
    _conclude(graph, outcome, options, as_json, again)


def _search(
    graph: JobGraph,
    options: RunOptions,
    scheduler: Scheduler,
    address: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Search settings, print the trials, and print the command that runs the best settings."""
    from lsbench.scheduler.ray_pool import RayExecutor
    from lsbench.search.run import SearchParts, outcome_lines, run_search

    if scheduler is Scheduler.inline:
        raise UsageError("--scheduler inline: a search needs Ray; omit the option")
    check_machine((job.spec for job in graph.jobs), starts_ray=address is None)
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
        remark = f"; left out: {', '.join(outcome.left_out)}" if outcome.left_out else ""
        console.print(f"{graph.suite.name} ({graph.suite.preset}): nothing left to search{remark}.")
    _print_next(graph, options.results)
    for line in outcome_lines(outcome, results=options.results, data=data, limit=graph.suite.limit):
        console.print(line, soft_wrap=True)
    if outcome.untuned:
        raise typer.Exit(ExitCode.JOBS_FAILED)


def _create_searcher() -> Searcher:
    from lsbench.search.ray_tune import TuneSearcher  # imports Ray, so only if there is something to search

    return TuneSearcher()


def _conclude(
    graph: JobGraph, outcome: Outcome | None, options: RunOptions, as_json: bool, again: str
) -> None:
    """Print the table, the folder of the results and the next command; exit with the code for the outcome.

    Args:
        graph: The jobs.
        outcome: What became of those that were to run; None if none was.
        options: Options of this run.
        as_json: Print the table as a JSON line.
        again: The command that runs all jobs of the suite.
    """
    from lsbench.cli.figures import tell_figures
    from lsbench.cli.thumbnails import tell_thumbnails
    from lsbench.scheduler.run import plan_run, results_folder

    console, name = create_stderr(), graph.suite.name
    left_out = ""
    if options.only or options.skip or options.seeds is not None:
        left_out = plan_run(graph, replace(options, rerun=[], retry_inconclusive=False)).left_out_text()
    if outcome is None:
        remark = f"; left out: {left_out}" if left_out else ", every job is done"
        console.print(f"{name} ({graph.suite.preset}): nothing left to do{remark}.")
        _print_next(graph, options.results)
        _remove_what_killed_runs_left()
        return
    _print_table(graph, options.results, as_json)
    folder = results_folder(graph, options.results)
    tell_thumbnails(folder)
    if any(job.kind == "analyze" for job in outcome.ok):
        tell_figures(folder)
    if left_out and (options.rerun or options.retry_inconclusive):
        console.print(f"jobs without a result left out: {left_out}; `{again}` runs them.", soft_wrap=True)
    if outcome.failed or outcome.skipped:
        counts = f"{len(outcome.ok)} ok, {len(outcome.failed)} failed, {len(outcome.skipped)} skipped"
        console.print(f"{counts}; {options.to_continue} to retry them.", style="bold red")
    _print_next(graph, options.results)
    if outcome.failed or outcome.skipped:
        raise typer.Exit(ExitCode.JOBS_FAILED)


def _print_next(graph: JobGraph, results: Path) -> None:
    """Say where the results lie, and the command that shows them as a page."""
    from lsbench.scheduler.run import results_folder

    folder, name = results_folder(graph, results).root, graph.suite.name
    page = next_command("report", name, "-o", f"{name}.html", results=results)
    for line in (f"Results: {near(folder)}", f"A page with charts: {page}"):
        create_stderr().print(line, soft_wrap=True, markup=False)


def _print_table(graph: JobGraph, results: Path, as_json: bool) -> None:
    from lsbench.core.registry import REPORTS
    from lsbench.scheduler.run import results_folder
    from lsbench.tables.summary import summarize

    summary = summarize(results_folder(graph, results))
    if summary is not None:
        text = REPORTS.load("json" if as_json else "console")([summary])
        typer.echo(json.dumps({"event": "report", **json.loads(text)}) if as_json else text, nl=as_json)


def _remove_what_killed_runs_left() -> None:
    """Remove the folders that killed runs of this user have left, as the start of a Ray does."""
    from lsbench.scheduler.local_ray import remove_dead_sessions

    def remove_more(token: str) -> None:
        from lsbench.scheduler.ray_tasks import stop_servers

        stop_servers(token)

    remove_dead_sessions(remove_more)
