"""Run a resolved suite and write its results folder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lsbench.core.errors import InterruptedRunError, StoreError
from lsbench.core.job import Job
from lsbench.core.record import SCHEMA_VERSION
from lsbench.scheduler.driver import Driver, Outcome
from lsbench.scheduler.protocol import Executor, Watcher
from lsbench.scheduler.unfailing import UnfailingWatcher
from lsbench.store.again import inconclusive_jobs
from lsbench.store.earlier import set_aside
from lsbench.store.owned import owned
from lsbench.store.results import ResultsFolder
from lsbench.store.standing import PLUGINS, Standing, standing_now
from lsbench.suite.graph import JobGraph
from lsbench.suite.marked_yaml import to_yaml
from lsbench.suite.planner import Plan, make_plan, require_data


@dataclass(frozen=True)
class RunOptions:
    """Options of one run from the command line; none of them changes a result.

    Attributes:
        rerun: Globs of jobs to run again, with all jobs that need them.
        retry_inconclusive: Whether jobs with inconclusive timings are run again.
        retry_metrics: Only for timings of these metrics; empty: all.
        wait_for_nodes_s: Most seconds to wait for nodes of a cluster; None: without end.
    """

    results: Path
    only: list[str] = field(default_factory=list)
    skip: list[str] = field(default_factory=list)
    seeds: list[int] | None = None
    max_parallel: int | None = None
    fail_fast: bool = False
    rerun: list[str] = field(default_factory=list)
    retry_inconclusive: bool = False
    retry_metrics: frozenset[str] = frozenset()
    wait_for_nodes_s: float | None = None

    @property
    def to_continue(self) -> str:
        """The words for the command that continues this run."""
        return "run the same command" + (" without --rerun" if self.rerun else "")


def results_folder(graph: JobGraph, results: Path) -> ResultsFolder:
    """Return the folder of a suite and preset, or the one of an earlier lsbench with the same jobs."""
    beside = results.absolute() / graph.suite.name
    folder = ResultsFolder(beside / graph.suite.preset)
    if graph.suite.preset_before is None or folder.root.exists():
        return folder
    before = ResultsFolder(beside / graph.suite.preset_before)
    return before if _is_of(graph, before) else folder


def _is_of(graph: JobGraph, folder: ResultsFolder) -> bool:
    """Return whether a folder was made for the same suite and jobs, whatever its name."""
    try:
        found = folder.manifest() or {}
    except StoreError:
        return False
    return all(found.get(key) == value for key, value in _manifest(graph).items() if key != "preset")


def plan_run(graph: JobGraph, options: RunOptions) -> Plan:
    """Return the plan of a run with these options; nothing is written."""
    folder = results_folder(graph, options.results)
    if graph.suite.search is not None:
        return replace(_plan(graph, options, set()), due=_due_trials(folder))
    jobs = graph.by_id()
    finished = {name for name in folder.begun() & jobs.keys() if folder.is_done(name)}
    due = Standing(folder, {name: jobs[name].code for name in finished}).due()
    done = finished - due.keys()
    retried: set[str] = set()
    if options.retry_inconclusive:
        retried = inconclusive_jobs(folder, done, options.retry_metrics)
    return _plan(graph, options, done, due, retried)


def _plan(
    graph: JobGraph,
    options: RunOptions,
    done: set[str],
    due: Mapping[str, str] | None = None,
    inconclusive: Collection[str] = (),
) -> Plan:
    return make_plan(
        graph,
        done=done,
        due=due,
        only=options.only,
        skip=options.skip,
        seeds=options.seeds,
        rerun=options.rerun,
        inconclusive=inconclusive,
    )


def _due_trials(folder: ResultsFolder) -> dict[str, str]:
    """Return the trials of a search that earlier code trained, with the reason."""
    return standing_now(folder, folder.manifest() or {}).due(with_unfinished=True)


def run_suite(
    graph: JobGraph,
    options: RunOptions,
    *,
    create_executor: Callable[[], Executor],
    create_watcher: Callable[[Plan, ResultsFolder], Watcher],
    check: Callable[[Plan], None] = lambda plan: None,
) -> Outcome | None:
    """Run the remaining jobs; return the outcome, or None if nothing was left to do.

    Args:
        graph: The jobs of a suite.
        options: Options of this run.
        check: Called with the plan before anything is written; it raises if this machine cannot run the jobs.
        create_executor: Called only if there are jobs to run.
        create_watcher: Called with the plan and the folder just before the first job.

    Raises:
        UsageError: If the flags match no job.
        StoreError: If the results folder cannot be written, or another driver holds it.
        DataError: If data is missing.
        ConfigError: If a model cannot be built or a node cannot run jobs.
        InterruptedRunError: If the user stopped the run; finished jobs are kept.
    """
    first = plan_run(graph, options)  # flags and data are checked before anything is written
    check(first)
    require_data(first)
    folder = results_folder(graph, options.results)
    folder.create()
    with owned(folder, wait_s=0.5):
        folder.reconcile()
        # Another driver may have finished jobs meanwhile; where all had a result before, they still have.
        plan = plan_run(graph, options) if first.todo else first
        if not plan.todo:
            write_manifest(graph, folder)
            return None
        executor = create_executor()
        try:
            return _drive(plan, folder, executor, options, create_watcher)
        except KeyboardInterrupt as error:
            raise InterruptedRunError(
                f"interrupted; finished jobs are kept, {options.to_continue} to continue"
            ) from error
        finally:
            executor.close()


def _drive(
    plan: Plan,
    folder: ResultsFolder,
    executor: Executor,
    options: RunOptions,
    create_watcher: Callable[[Plan, ResultsFolder], Watcher],
) -> Outcome:
    executor.start()
    # The display is closed before the executor is, which may take seconds and says so.
    with contextlib.closing(UnfailingWatcher(create_watcher(plan, folder))) as watcher:
        driver = Driver(
            plan,
            folder,
            executor,
            watcher,
            fail_fast=options.fail_fast,
            max_parallel=options.max_parallel,
            wait_for_nodes_s=options.wait_for_nodes_s,
        )
        driver.preflight()
        put_aside(folder, plan)
        write_manifest(plan.graph, folder)
        return driver.run()


def put_aside(folder: ResultsFolder, plan: Plan) -> None:
    """Set aside the results to be measured again, and what earlier code left of jobs that will run.

    That is a result, or the checkpoints of half of one. A job comes before those that it needs: an
    interruption leaves no result whose needs have gone.
    """
    standing = Standing(folder, {str(job.id): job.code for job in plan.todo})
    again = {job.id for job in plan.again}
    names = reversed(plan.graph.by_id())
    set_aside(folder, [name for name in names if name in again or standing.changes(name)])


def write_manifest(graph: JobGraph, folder: ResultsFolder, *, more: dict[str, Any] | None = None) -> None:
    """Write all expected jobs up front, so that missing ones are visible.

    Args:
        graph: The jobs.
        folder: The results folder.
        more: Further entries of the manifest.
    """
    is_before = folder.root.name == graph.suite.preset_before
    preset = {"preset": graph.suite.preset_before} if is_before else {}
    plugins = {name: list(job.code) for name, job in graph.by_id().items()}
    manifest = {**_manifest(graph), **preset, PLUGINS: plugins, **(more or {})}
    if folder.manifest() != manifest:
        folder.write_manifest(manifest, to_yaml(graph.suite.model_dump(mode="json")))


def _manifest(graph: JobGraph) -> dict[str, Any]:
    """Return the description of a suite and its jobs."""
    suite = graph.suite
    logs = {v.name: v.published_logs for v in suite.variants if v.published_logs}
    without = {entry.name: entry.without for entry in suite.jobs if entry.without}
    return {
        "schema_version": SCHEMA_VERSION,
        "suite": suite.name,
        "preset": suite.preset,
        "description": suite.description,
        "tags": list(suite.tags),
        "baseline": suite.baseline,
        "limit": suite.limit,
        "seeds": list(suite.seeds),
        "source": suite.source,
        **({} if suite.published_preset == "default" else {"published_preset": suite.published_preset}),
        "published": {v.name: v.published for v in suite.variants if v.published},
        **({"published_logs": logs} if logs else {}),
        **({"without": without} if without else {}),
        "published_only": [row.model_dump(mode="json") for row in suite.published_only],
        "jobs": [_entry(job) for job in graph.jobs],
    }


def _entry(job: Job) -> dict[str, Any]:
    other = job.spec.get("on")
    on = other.get("name") if isinstance(other, dict) else other
    return {
        **({"on": on} if on else {}),
        "id": job.id,
        "label": job.label,
        "kind": job.kind,
        "name": job.name,
        "variant": job.variant.name,
        "title": job.variant.title,
        "model": job.variant.model,
        "mixer": job.variant.mixer,
        "dataset": job.variant.dataset["name"],
        "img_size": job.variant.dataset["img_size"],
        "seed": job.seed,
        "needs": job.needs,
    }
