"""The verb ``plan``: all jobs of a suite, done or to run."""

from __future__ import annotations

import json

import typer

from lsbench.cli.options import (
    RESULTS,
    DataOpt,
    JsonOpt,
    LimitOpt,
    OnlyOpt,
    PresetOpt,
    ResultsOpt,
    SeedsOpt,
    SetOpt,
    SkipOpt,
    SuiteArg,
)
from lsbench.cli.running import create_graph, parse_seeds


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
    """Show the plan of a run: every job, whether it is done, and its estimated cost."""
    from lsbench.scheduler.run import RunOptions, plan_run
    from lsbench.suite.listing import plan_lines, plan_rows

    graph = create_graph(suite, preset, overrides, limit, data)
    made = plan_run(graph, RunOptions(results, only or [], skip or [], parse_seeds(seeds)))
    for line in map(json.dumps, plan_rows(made)) if as_json else plan_lines(made):
        typer.echo(line)
