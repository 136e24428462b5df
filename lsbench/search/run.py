"""Search the settings of a job for each variant of a suite, and write the tuned suite.

The driver's side, without Ray: the trials, their states, and the remaining ones.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lsbench.core.atomic import write_text
from lsbench.core.errors import ConfigError, InterruptedRunError, UsageError
from lsbench.core.ids import canonical_json
from lsbench.core.job import Job
from lsbench.core.next_command import near, next_command
from lsbench.core.registry import DATASETS
from lsbench.core.waits import announce
from lsbench.data.cache import is_in_cache
from lsbench.scheduler.head_watch import while_head_answers
from lsbench.scheduler.headline import number_words
from lsbench.scheduler.ledger import Ledger
from lsbench.scheduler.node_needs import needs_of
from lsbench.scheduler.protocol import Watcher
from lsbench.scheduler.run import RunOptions, results_folder, write_manifest
from lsbench.scheduler.unfailing import UnfailingWatcher
from lsbench.search.book import TrialBook
from lsbench.search.study import RayLike, Searcher, Study
from lsbench.store.owned import owned
from lsbench.store.results import ResultsFolder
from lsbench.store.trials import TUNED
from lsbench.suite.graph import JobGraph
from lsbench.suite.parsed import parsed_once
from lsbench.suite.planner import Plan, make_plan, require_data
from lsbench.suite.space import Search, Tpe
from lsbench.suite.splits import data_uses
from lsbench.suite.trials import Found, templates, tuned_suite

#: Environment variables of Ray Tune: turn off its files, messages, checks and Ctrl-C handler.
TUNE_FLAGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
#: Rounds in which trials lost by Ray are resumed.
ROUNDS = 3


@dataclass
class SearchOutcome:
    """The state of a search.

    Attributes:
        metric: The metric that judges trials.
        best: Variant -> its best full trial.
        untuned: Searched variants without a full trial.
        states: Number of trials by state.
        epochs: Number of trained epochs, and of epochs of the full grid.
        tuned: File of the tuned suite; None if no variant was tuned.
        left_out: Variants with remaining trials that the flags leave out.
    """

    metric: str
    best: dict[str, Found]
    untuned: list[str]
    states: Counter[str]
    epochs: tuple[int, int]
    tuned: Path | None
    left_out: list[str]


@dataclass
class SearchParts:
    """Factories of the parts of a search, called only if there is something to do."""

    create_executor: Callable[[], RayLike]
    create_watcher: Callable[[Plan, ResultsFolder], Watcher]
    create_searcher: Callable[[], Searcher]


def require_packages(search: Search) -> None:
    """Raise if the algorithm needs a package that is not installed.

    Raises:
        ConfigError: With the package to install.
    """
    if isinstance(search.algorithm, Tpe) and importlib.util.find_spec("optuna") is None:
        raise ConfigError('search: algorithm tpe needs Optuna: pip install "lsbench[search]"')


def run_search(graph: JobGraph, options: RunOptions, parts: SearchParts) -> tuple[SearchOutcome, bool]:
    """Run the remaining trials; return the state of the search, and whether any trial was run.

    Args:
        graph: The jobs of a suite with a search.
        options: Options of this run.
        parts: Factories of executor, watcher and searcher.

    Raises:
        UsageError: If the flags leave no variant to search, or the suite has no search.
        ConfigError: If a model cannot be built, a node cannot run jobs, or a package is missing.
        DataError: If data is missing.
        StoreError: If the results folder cannot be written, or another driver holds it.
        ClusterError: If the head of the Ray cluster is gone.
        InterruptedRunError: If the user stopped it; the same command continues it.
    """
    search = graph.suite.search
    if search is None:
        raise UsageError(f"{graph.suite.name}: the suite has no search")
    require_packages(search)
    chosen = chosen_templates(graph, options)
    folder = results_folder(graph, options.results)
    folder.create()
    with owned(folder, wait_s=0.5):
        folder.reconcile()
        book = TrialBook(folder, search, templates(graph, _seed(graph, options)))
        book.open()
        if any(book.left(variant) for variant in chosen):
            _search(graph, options, parts, book, chosen)
            return conclude(graph, book, chosen), True
        return conclude(graph, book, chosen), False


def chosen_templates(graph: JobGraph, options: RunOptions) -> dict[str, Job]:
    """Return the jobs to search by variant, as selected by the flags.

    Raises:
        UsageError: If they select none.
        DataError: If data is missing.
    """
    plan = make_plan(graph, done=set(), only=options.only, skip=options.skip, seeds=options.seeds)
    require_data(plan)
    wanted = {job.id for job in plan.todo}
    found = templates(graph, _seed(graph, options))
    chosen = {variant: job for variant, job in found.items() if job.id in wanted}
    if not chosen:
        raise UsageError(f"--only and --skip leave no variant of suite '{graph.suite.name}' to search")
    return chosen


def _seed(graph: JobGraph, options: RunOptions) -> int:
    return (options.seeds or graph.suite.seeds)[0]


def _search(
    graph: JobGraph, options: RunOptions, parts: SearchParts, book: TrialBook, chosen: dict[str, Job]
) -> None:
    os.environ.update(TUNE_FLAGS)  # set before Ray's workers start, which read it too
    executor = parts.create_executor()
    try:
        executor.start()
        searcher = parts.create_searcher()
        if not book.is_drawn:
            book.draw(searcher.draw(book.search))
        jobs = chosen.values()
        ledger = Ledger(executor.nodes())
        wants_gpus = any(ledger.request(job.resources).num_gpus for job in jobs)
        parsed = parsed_once(jobs)
        needs = needs_of(parsed, wants_gpus=wants_gpus)
        models = [job.variant for job in jobs]
        problems = executor.preflight(models, book.folder.root, needs, data_uses(parsed))
        problems += [
            f"node {name}: cannot use {book.folder.root}, and trials of a search share its files; "
            "use a folder that all nodes share"
            for name in executor.blind_nodes
        ]
        if problems:
            raise ConfigError(problems)
        book.set_due_aside(chosen)
        _write_expected(graph, book)
        _announce_data(chosen.values())
        watcher = parts.create_watcher(book.plan(graph, list(chosen)), book.folder)
        with (
            while_head_answers(executor.nodes),
            contextlib.closing(UnfailingWatcher(watcher)) as unfailing,
        ):
            book.watcher = unfailing
            unfailing.nodes_changed(executor.nodes(), options.max_parallel)
            for study in _studies(chosen, options, executor, book):
                _run_study(study, searcher)
                _write_expected(graph, book)
    except KeyboardInterrupt as error:
        raise InterruptedRunError(
            "interrupted; finished trials and checkpoints are kept, run the same command to continue"
        ) from error
    finally:
        executor.close()


def _announce_data(jobs: Iterable[Job]) -> None:
    """Tell which images the first trials will write: what goes on inside of a trial is not heard."""
    for settings in {canonical_json(job.variant.dataset): job.variant.dataset for job in jobs}.values():
        plugin = DATASETS.load(settings["name"])
        if not getattr(plugin, "is_generated", False):
            continue
        fingerprint = plugin.fingerprint(plugin.spec.model_validate(settings), None)
        if not is_in_cache(settings["name"], fingerprint):
            announce(f"the first trials write the images of {settings['name']}, once on this machine")


def _studies(chosen: dict[str, Job], options: RunOptions, executor: RayLike, book: TrialBook) -> list[Study]:
    ledger = Ledger(executor.nodes())
    found = []
    for job in chosen.values():
        request = ledger.request(job.resources)
        ledger.check_fits(request, job.label)
        study = Study(
            template=job,
            search=book.search,
            book=book,
            num_cpus=request.num_cpus,
            num_gpus=request.num_gpus,
            token=executor.token,
            max_parallel=options.max_parallel,
            fail_fast=options.fail_fast,
        )
        found.append(study)
    return found


def _run_study(study: Study, searcher: Searcher) -> None:
    """Run one variant's trials; trials lost by Ray are resumed from their checkpoints."""
    for _ in range(ROUNDS):
        if not study.book.left(study.variant):
            return
        searcher.run(study)
        if study.fail_fast and "failed" in study.book.states([study.variant]):
            return


def _write_expected(graph: JobGraph, book: TrialBook) -> None:
    """Write the search and all expected trials up front, so that missing ones are visible."""
    found = book.jobs_expected()
    write_manifest(
        book.trials_graph(graph, found),
        book.folder,
        more={"search": book.search.model_dump(mode="json")},
    )


def conclude(graph: JobGraph, book: TrialBook, chosen: dict[str, Job]) -> SearchOutcome:
    """Write the tuned suite and return the state of the search."""
    best = book.best()
    tuned = None
    if best:
        tuned = book.folder.root / TUNED
        text = tuned_suite(graph.suite, best)
        if not tuned.exists() or tuned.read_text(encoding="utf-8") != text:
            write_text(tuned, text)
    return SearchOutcome(
        metric=book.search.metric,
        best=best,
        untuned=[variant for variant in chosen if variant not in best],
        states=book.states(list(chosen)),
        epochs=book.epochs(list(chosen)),
        tuned=tuned,
        left_out=[name for name in book.templates if name not in chosen and book.left(name)],
    )


def outcome_lines(
    outcome: SearchOutcome, *, results: Path, data: Path | None, limit: int | None
) -> Iterator[str]:
    """Yield the state of a search for display; the last line is the command that runs the tuned suite."""
    used, whole = outcome.epochs
    counts = ", ".join(f"{count} {state}" for state, count in outcome.states.items())
    yield f"trials: {counts}; {used} of the full grid's {whole} epochs ({100 * used / whole:.0f} %)"
    for name, found in outcome.best.items():
        settings = ", ".join(f"{key}={value}" for key, value in found.settings.items())
        figure = number_words(outcome.metric, found.value)
        yield f"best of {name}: {found.job.label}, {figure} with {settings}"
    if outcome.untuned:
        names = ", ".join(outcome.untuned)
        yield f"no trial finished: {names}; `{next_command('status', results=results)}` shows the errors"
    if outcome.tuned is not None:
        command = next_command("run", near(outcome.tuned), results=results, data=data, limit=limit)
        yield f"run them with: {command}"
