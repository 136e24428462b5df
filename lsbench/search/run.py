"""Search the settings of a job for each variant of a suite, and write the suite that was found.

The driver's side, without Ray: which trials there are, what is left of them, what has become of each.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsbench.core.atomic import write_text
from lsbench.core.errors import ConfigError, InterruptedRunError, UsageError
from lsbench.core.job import Job
from lsbench.core.lock import locked
from lsbench.scheduler.driver import Watcher
from lsbench.scheduler.ledger import Ledger
from lsbench.scheduler.run import RunOptions, results_folder, write_manifest
from lsbench.search.book import TrialBook
from lsbench.search.study import RayLike, Searcher, Study
from lsbench.store.results import ResultsFolder
from lsbench.store.trials import TUNED
from lsbench.suite.graph import JobGraph
from lsbench.suite.planner import Plan, make_plan, require_data
from lsbench.suite.space import Search, Tpe
from lsbench.suite.trials import Found, templates, tuned_suite

#: Read by Ray Tune: its own files, messages, checks and handler of Ctrl-C are not wanted.
TUNE_FLAGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
#: Rounds in which trials that Ray has lost are taken up again.
ROUNDS = 3


@dataclass
class SearchOutcome:
    """How a search stands.

    Attributes:
        best: Variant -> its best full trial.
        untuned: Searched variants without one.
        states: Number of trials by state.
        epochs: Epochs trained, and those of the full grid.
        tuned: The suite that was written; None if there is nothing to put into it.
    """

    best: dict[str, Found]
    untuned: list[str]
    states: Counter[str]
    epochs: tuple[int, int]
    tuned: Path | None


@dataclass
class SearchParts:
    """What a search is built from; created when it is clear that there is something to do."""

    create_executor: Callable[[], RayLike]
    create_watcher: Callable[[Plan, ResultsFolder], Watcher]
    create_searcher: Callable[[], Searcher]


def require_packages(search: Search) -> None:
    """Raise if the algorithm needs a package that is not installed.

    Raises:
        ConfigError: With what to install.
    """
    if isinstance(search.algorithm, Tpe) and importlib.util.find_spec("optuna") is None:
        raise ConfigError('search: algorithm tpe needs Optuna: pip install "lsbench[search]"')


def run_search(graph: JobGraph, options: RunOptions, parts: SearchParts) -> tuple[SearchOutcome, bool]:
    """Run the trials that have not ended yet; return how the search stands, and whether any was run.

    Args:
        graph: The jobs of a suite with a search.
        options: Flags of this run.
        parts: Creates what is needed.

    Raises:
        UsageError: If the flags leave no variant to search, or the suite has no search.
        ConfigError: If a model cannot be built, a node is not fit, or a package is missing.
        DataError: If data is missing.
        StoreError: If the results folder cannot be written, or another driver holds it.
        InterruptedRunError: If the user stopped it; the same command continues.
    """
    search = graph.suite.search
    if search is None:
        raise UsageError(f"{graph.suite.name}: the suite has no search")
    require_packages(search)
    chosen = chosen_templates(graph, options)
    folder = results_folder(graph, options.results)
    folder.create()
    with locked(folder.lock_file, what=f"results folder {folder.root}", wait_s=0.5):
        folder.reconcile()
        book = TrialBook(folder, search, templates(graph, _seed(graph, options)))
        book.open()
        if any(book.left(variant) for variant in chosen):
            _search(graph, options, parts, book, chosen)
            return conclude(graph, book, chosen), True
        return conclude(graph, book, chosen), False


def chosen_templates(graph: JobGraph, options: RunOptions) -> dict[str, Job]:
    """Return variant -> job to search, as the flags choose them.

    Raises:
        UsageError: If they choose none.
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
    os.environ.update(TUNE_FLAGS)  # read by Ray's workers too, so before they start
    executor = parts.create_executor()
    try:
        executor.start()
        searcher = parts.create_searcher()
        if not book.is_drawn:
            book.draw(searcher.draw(book.search))
        problems = executor.preflight([job.variant for job in chosen.values()], book.folder.root)
        if problems:
            raise ConfigError(problems)
        _write_expected(graph, book)
        book.watcher = parts.create_watcher(book.plan(graph, list(chosen)), book.folder)
        with _watching(book.watcher):
            for study in _studies(chosen, options, executor, book):
                _run_study(study, searcher)
                _write_expected(graph, book)
    except KeyboardInterrupt as error:
        raise InterruptedRunError(
            "interrupted; finished trials and checkpoints are kept, the same command continues the search"
        ) from error
    finally:
        executor.close()


def _watching(watcher: Watcher) -> contextlib.AbstractContextManager[Any]:
    close = getattr(watcher, "close", None)
    return contextlib.ExitStack() if close is None else contextlib.closing(watcher)


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
    """Run one variant's trials; those that Ray loses are taken up again from their checkpoints."""
    for _ in range(ROUNDS):
        if not study.book.left(study.variant):
            return
        searcher.run(study)
        if study.fail_fast and "failed" in study.book.states([study.variant]):
            return


def _write_expected(graph: JobGraph, book: TrialBook) -> None:
    """Write what is searched and every trial up front, so that what is missing shows."""
    found = book.jobs_expected()
    write_manifest(
        book.trials_graph(graph, found),
        book.folder,
        more={"search": book.search.model_dump(mode="json")},
    )


def conclude(graph: JobGraph, book: TrialBook, chosen: dict[str, Job]) -> SearchOutcome:
    """Return how a search stands, after writing the suite that it has found."""
    best = book.best()
    tuned = None
    if best:
        tuned = book.folder.root / TUNED
        text = tuned_suite(graph.suite, best)
        if not tuned.exists() or tuned.read_text(encoding="utf-8") != text:
            write_text(tuned, text)
    return SearchOutcome(
        best=best,
        untuned=[variant for variant in chosen if variant not in best],
        states=book.states(list(chosen)),
        epochs=book.epochs(list(chosen)),
        tuned=tuned,
    )


def outcome_lines(
    outcome: SearchOutcome, *, results: Path, data: Path | None, limit: int | None
) -> Iterator[str]:
    """Yield how a search stands, for people: last, the command that runs what was found."""
    used, whole = outcome.epochs
    counts = ", ".join(f"{count} {state}" for state, count in outcome.states.items())
    yield f"trials: {counts}; {used} of the full grid's {whole} epochs ({100 * used / whole:.0f} %)"
    for name, found in outcome.best.items():
        settings = ", ".join(f"{key}={value}" for key, value in found.settings.items())
        yield f"best of {name}: trial {found.number}, {found.value:.4f} with {settings}"
    if outcome.untuned:
        names = ", ".join(outcome.untuned)
        yield f"no trial trained to its end: {names}; `lsbench status` shows the errors"
    if outcome.tuned is not None:
        flags = ["--results", str(results)] if results != Path("results") else []
        flags += ["--data", str(data)] if data is not None else []
        flags += ["--limit", str(limit)] if limit is not None else []
        yield f"run them with: {shlex.join(['lsbench', 'run', _near(outcome.tuned), *flags])}"


def _near(path: Path) -> str:
    """Return a path as short as it can be said from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
