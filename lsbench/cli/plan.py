"""The verb ``plan``: all jobs of a suite, done or to run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from lsbench.cli.options import (
    RESULTS,
    AddressOpt,
    DataOpt,
    JsonOpt,
    LimitOpt,
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
)
from lsbench.cli.running import check_machine, check_rerun, create_graph, needs_local_ray, parse_seeds

if TYPE_CHECKING:
    from lsbench.scheduler.run import RunOptions
    from lsbench.suite.graph import JobGraph
    from lsbench.suite.planner import Plan


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
    rerun: RerunOpt = None,
    retry_inconclusive: RetryOpt = False,
    address: AddressOpt = None,
    scheduler: SchedulerOpt = Scheduler.ray,
    as_json: JsonOpt = False,
) -> None:
    """Show the plan of a run: every job, whether it is done, and its estimated cost."""
    from lsbench.scheduler.run import RunOptions

    graph = create_graph(suite, preset, overrides, limit, data, results)
    options = RunOptions(
        results,
        only or [],
        skip or [],
        parse_seeds(seeds),
        max_parallel=1 if scheduler is Scheduler.inline else None,
        rerun=rerun or [],
        retry_inconclusive=retry_inconclusive,
    )
    show_plan(graph, options, as_json=as_json, starts_ray=needs_local_ray(scheduler, address))


def show_plan(graph: JobGraph, options: RunOptions, *, as_json: bool, starts_ray: bool) -> None:
    """Print the plan of a run.

    Args:
        graph: The jobs.
        options: Those of the run.
        as_json: Print one JSON line per job.
        starts_ray: Whether the run would start a local Ray.

    Raises:
        ConfigError: After the plan, if this machine cannot run the jobs; one line per problem.
        DataError: After the plan, if a data set lacks a split that a job reads; one line per split.
    """
    from lsbench.rendering.console import fitted
    from lsbench.scheduler.run import plan_run
    from lsbench.suite.listing import plan_lines, plan_rows
    from lsbench.suite.planner import require_splits

    check_rerun(graph, options)
    made = plan_run(graph, options)
    for line in map(json.dumps, plan_rows(made)) if as_json else map(fitted, plan_lines(made)):
        typer.echo(line)
    require_splits(made)
    left = (*made.todo, *made.pending)
    if left and not as_json:
        typer.echo(fitted(f"  time: {_time_text(made, options)}"))
    if left:
        check_machine((job.spec for job in left), starts_ray=starts_ray)


def _time_text(made: Plan, options: RunOptions) -> str:
    """Return the time that the jobs left are expected to take on this machine."""
    from lsbench.scheduler.run import results_folder
    from lsbench.scheduler.time_left import TimeLeft
    from lsbench.search.book import TrialBook
    from lsbench.search.run import chosen_templates

    if made.pending:
        return "unknown while data is missing"
    folder, search = results_folder(made.graph, options.results), made.graph.suite.search
    if search is not None:
        chosen = chosen_templates(made.graph, options)
        book = TrialBook(folder, search, chosen)
        book.look()
        made = book.plan(made.graph, list(chosen))
    estimate = TimeLeft(made, folder, most=options.max_parallel).estimate()
    return estimate.text("on this machine") if made.todo else "nothing left to do"
