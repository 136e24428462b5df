"""Shared parts of the verbs that start jobs: the graph of a suite, executor and watcher."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsbench.cli.options import Scheduler
from lsbench.core.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from lsbench.scheduler.driver import Outcome
    from lsbench.scheduler.progress import PlainWatcher
    from lsbench.scheduler.protocol import Executor
    from lsbench.scheduler.run import RunOptions
    from lsbench.store.results import ResultsFolder
    from lsbench.suite.graph import JobGraph
    from lsbench.suite.planner import Plan


def create_stderr() -> Console:
    """Return the console on stderr."""
    from lsbench.rendering.console import create_console

    return create_console()


def create_graph(
    suite: str,
    preset: str,
    overrides: list[str] | None,
    limit: int | None,
    data: Path | None,
    results: Path,
) -> JobGraph:
    """Return the job graph of a suite, changed by the flags of a verb, as its results folder continues it."""
    from lsbench.scheduler.before import graph_of_results
    from lsbench.suite.loader import load_suite

    resolved = load_suite(suite, preset=preset, overrides=overrides, limit=limit)
    return graph_of_results(resolved, results, data_root=None if data is None else data.absolute())


def check_machine(settings: Iterable[Mapping[str, Any]], *, starts_ray: bool) -> None:
    """Check without torch what jobs need on this machine, before any of them starts.

    Args:
        settings: Settings of the jobs.
        starts_ray: Whether a local Ray is started.

    Raises:
        ConfigError: With one line per problem.
    """
    from lsbench.scheduler.local_ray import folder_problem
    from lsbench.suite.installed import missing_loggers, missing_runtimes

    folder = folder_problem() if starts_ray else None
    settings = list(settings)
    problems = [*missing_loggers(settings), *missing_runtimes(settings), *([folder] if folder else [])]
    if problems:
        raise ConfigError(problems)


def needs_local_ray(scheduler: Scheduler, address: str | None) -> bool:
    """Return whether a run starts a Ray of its own on this machine."""
    return scheduler is Scheduler.ray and address is None


def parse_seeds(text: str | None) -> list[int] | None:
    """Return the seeds that ``--seeds`` names, or None for all.

    Raises:
        UsageError: If they are not whole numbers.
    """
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f"--seeds {text}: expected whole numbers separated by commas, e.g. 0,1,2") from error


def check_rerun(graph: JobGraph, options: RunOptions) -> None:
    """Raise a UsageError if trials of a search are to run again: later trials follow from earlier ones."""
    flags = {"--rerun": options.rerun, "--retry-inconclusive": options.retry_inconclusive}
    if graph.suite.search is not None and (asked := [flag for flag, value in flags.items() if value]):
        raise UsageError(
            f"{asked[0]}: '{graph.suite.name}' is a search, whose trials depend on each other; search anew "
            "in another folder with --results DIR, or run jobs of the tuned suite again"
        )


def check_wait(graph: JobGraph, options: RunOptions, address: str | None) -> None:
    """Raise a UsageError if the user would wait for nodes that cannot come."""
    if options.wait_for_nodes_s is None:
        return
    if address is None:
        raise UsageError("--wait-for-nodes: without --address there is this machine alone; omit the option")
    if graph.suite.search is not None:
        name = graph.suite.name
        raise UsageError(f"--wait-for-nodes: '{name}' is a search, which waits without end; omit the option")


def create_executor(scheduler: Scheduler, address: str | None) -> Executor:
    """Return the executor of the jobs."""
    if scheduler is Scheduler.inline:
        from lsbench.scheduler.inline import InlineExecutor

        return InlineExecutor()
    from lsbench.scheduler.ray_pool import RayExecutor

    return RayExecutor(address)


def create_watcher(made: Plan, folder: ResultsFolder, as_json: bool) -> PlainWatcher:
    """Return the watcher of a run: JSON lines, a live view on a terminal, or plain lines."""
    from lsbench.scheduler.progress import JsonWatcher, LiveWatcher, PlainWatcher

    console = create_stderr()
    if as_json:
        return JsonWatcher(made, folder, console, sys.stdout)
    return (LiveWatcher if console.is_terminal else PlainWatcher)(made, folder, console)


def run_jobs(
    graph: JobGraph, options: RunOptions, scheduler: Scheduler, address: str | None, *, as_json: bool = False
) -> Outcome | None:
    """Run the remaining jobs with progress; return the outcome, or None if nothing was left to do."""
    from lsbench.scheduler.run import run_suite

    def check(plan: Plan) -> None:
        if plan.todo:
            check_machine((job.spec for job in plan.todo), starts_ray=needs_local_ray(scheduler, address))

    return run_suite(
        graph,
        options,
        check=check,
        create_executor=lambda: create_executor(scheduler, address),
        create_watcher=lambda made, folder: create_watcher(made, folder, as_json),
    )
