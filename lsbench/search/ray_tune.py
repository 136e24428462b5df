"""Search with Ray Tune, which draws settings and decides which trials continue.

A trial is a function in a Ray worker that supervises the job's process, as for other jobs. Tune's own
restore is not used: the results of an interrupted search are in the folders of its trials, and are
reported again to a new scheduler.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import random
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, PopulationBasedTraining
from ray.tune.search import BasicVariantGenerator
from ray.tune.search import Searcher as TuneSuggestions

from lsbench.core.ids import canonical_json
from lsbench.scheduler.ray_tasks import run_job
from lsbench.search.book import ENDED, Trial
from lsbench.search.study import Study
from lsbench.search.trial import TrialRun, TrialWork
from lsbench.store.trials import read_schedule
from lsbench.suite.space import Asha, Dimension, Pbt, Search, Tpe
from lsbench.suite.trials import Settings

log = logging.getLogger(__name__)

MOST_DRAWS = 10_000
SOURCE = "source.json"


class TuneSearcher:
    """Draws settings with Ray Tune and runs trials on it."""

    def draw(self, search: Search) -> list[Settings]:
        """Return distinct random settings, a pure function of the search; none if Optuna suggests them."""
        if isinstance(search.algorithm, Tpe):
            return []
        random_state = np.random.RandomState(search.seed)
        domains = {name: _domain(dimension) for name, dimension in search.space.items()}
        found: dict[str, Settings] = {}
        for _ in range(MOST_DRAWS):
            values = {name: domain.sample(random_state=random_state) for name, domain in domains.items()}
            settings = _settled(search, values)
            found.setdefault(canonical_json(settings), settings)
            if len(found) == search.trials:
                break
        return list(found.values())

    def run(self, study: Study) -> None:
        """Run the remaining trials of a variant; ended trials only report their past epochs."""
        for left in study.book.folder.root.glob(".tune-*"):  # left by a killed run
            shutil.rmtree(left, ignore_errors=True)
        storage = Path(tempfile.mkdtemp(prefix=".tune-", dir=study.book.folder.root))
        try:
            tuner = _create_tuner(study, storage)
            with _silence(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tuner.fit()
        finally:
            shutil.rmtree(storage, ignore_errors=True)


def _domain(dimension: Dimension) -> Any:
    if dimension.uniform is not None:
        return tune.uniform(*dimension.uniform)
    if dimension.log_uniform is not None:
        return tune.loguniform(*dimension.log_uniform)
    if dimension.int_uniform is not None:
        low, high = dimension.int_uniform
        return tune.randint(low, high + 1)
    return tune.choice(dimension.choice)


def _settled(search: Search, values: dict[str, Any]) -> Settings:
    """Return sampled values as plain Python values, in range and rounded."""
    return {name: search.space[name].settle(_plain(value)) for name, value in values.items()}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def run_trial(config: dict[str, Any]) -> None:
    """Run one trial in this Ray worker and report its epochs; the trainable of all searches."""
    work = TrialWork(**config["common"], **config["trial"])
    trial = TrialRun(work)
    algorithm = trial.search.algorithm
    every = algorithm.every_epochs if isinstance(algorithm, Pbt) else 0
    goes_on = bool(every) and _take_over(trial)

    def start(request: dict[str, Any], timeout_s: float) -> Iterator[dict[str, Any]]:
        return run_job(request, config["token"], timeout_s, int(np.ceil(work.num_gpus)))

    with contextlib.closing(trial.epochs(start, tells_past=not goes_on)) as epochs:  # type: ignore[type-var]
        for figures in epochs:
            is_last = figures["event"]["epoch"] >= figures["event"]["epochs"]
            if trial.search.metric not in figures or (every and is_last):
                continue  # a finished trial is of no use to a population
            if every and figures["epoch"] % every == 0:
                _report_snapshot(trial, figures)
            else:
                tune.report(figures)


def _report_snapshot(trial: TrialRun, figures: dict[str, Any]) -> None:
    """Report an epoch with the folder of its weights, for other trials to copy."""
    if not (trial.folder / "checkpoints").is_dir():
        tune.report(figures)
        return
    snapshot = trial.keep_snapshot(figures["epoch"])
    with tempfile.TemporaryDirectory() as folder:
        source = {"snapshot": str(snapshot), "number": trial.work.number, "epoch": figures["epoch"]}
        (Path(folder) / SOURCE).write_text(json.dumps(source))
        tune.report(figures, checkpoint=tune.Checkpoint.from_directory(folder))


def _take_over(trial: TrialRun) -> bool:
    """Continue from the trial chosen by Tune; a trial that was only paused continues from its own end.

    Returns:
        Whether Tune knows the trial's progress.
    """
    checkpoint = tune.get_checkpoint()
    if checkpoint is None:
        return False
    with checkpoint.as_directory() as folder:
        source = json.loads((Path(folder) / SOURCE).read_text())
    snapshot = Path(source["snapshot"])
    if source["number"] != trial.work.number and snapshot.is_dir():
        trial.take_over(snapshot, source["number"], source["epoch"])
    return True


def _create_tuner(study: Study, storage: Path) -> Any:
    search = study.search
    trials = study.book.trials[study.variant]
    common = {
        "template": study.template.model_dump_json(),
        "search": search.model_dump(mode="json"),
        "root": str(study.book.folder.root),
        "num_gpus": study.num_gpus,
    }
    config: dict[str, Any] = {"common": common, "token": study.token}
    algorithm = search.algorithm
    scheduler: Any = FIFOScheduler()
    if isinstance(algorithm, Tpe):
        source: Any = _suggestions(study, config)
        samples = len(study.book.left(study.variant))
        config = {}
    else:
        grid = [_told(study, trial) for trial in trials if _is_of_use(trial, search)]
        config["trial"] = tune.grid_search(grid)
        source, samples = BasicVariantGenerator(), 1
        scheduler = _asha(search) if isinstance(algorithm, Asha) else _pbt(search)
    resources = tune.PlacementGroupFactory([{"CPU": study.num_cpus, "GPU": study.num_gpus}])
    return tune.Tuner(
        tune.with_resources(_fresh(run_trial), resources),
        param_space=config,
        tune_config=tune.TuneConfig(
            metric=search.metric,
            mode=search.mode,
            scheduler=scheduler,
            search_alg=source,
            num_samples=samples,
            max_concurrent_trials=study.max_parallel,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name=study.variant,
            storage_path=str(storage),
            verbose=0,
            callbacks=[_Teller(study)],
            checkpoint_config=tune.CheckpointConfig(num_to_keep=4),
        ),
    )


def _fresh(function: Any) -> Any:
    """Return a copy of a function: Tune stores the resources of one search on it."""

    def run(config: dict[str, Any]) -> None:
        function(config)

    return run


def _is_of_use(trial: Trial, search: Search) -> bool:
    """Return whether Tune needs a trial: ended trials count only if trials are ranked."""
    return trial.settings is not None and (search.is_early_stopping or trial.state not in ENDED)


def _told(study: Study, trial: Trial) -> dict[str, Any]:
    settings = trial.settings or {}
    if trial.job is not None:
        schedule = read_schedule(study.book.folder.job_folder(str(trial.job.id)))
        settings = schedule[-1]["settings"] if schedule else settings
    return {"number": trial.number, "settings": settings, "is_over": trial.state in ENDED}


def _asha(search: Search) -> Any:
    options = search.algorithm
    if not isinstance(options, Asha):
        raise TypeError(f"expected the options of asha, found {options!r}")
    return AsyncHyperBandScheduler(
        time_attr="epoch",
        max_t=search.epochs,
        grace_period=options.grace_epochs,
        reduction_factor=options.reduction_factor,
    )


def _pbt(search: Search) -> Any:
    options = search.algorithm
    if not isinstance(options, Pbt):
        raise TypeError(f"expected the options of pbt, found {options!r}")

    def explore(config: dict[str, Any]) -> dict[str, Any]:
        settings = _settled(search, config["trial"]["settings"])
        return {**config, "trial": {**config["trial"], "settings": settings}}

    random.seed(search.seed)  # Tune uses Python's global generator
    mutations = {
        name: dimension.choice if dimension.choice is not None else _domain(dimension)
        for name, dimension in search.space.items()
    }
    return _Population(
        time_attr="epoch",
        perturbation_interval=options.every_epochs,
        hyperparam_mutations={"trial": {"settings": mutations}},
        quantile_fraction=options.quantile,
        resample_probability=options.resample,
        custom_explore_fn=explore,
        require_attrs=False,
        log_config=False,
    )


class _Population(PopulationBasedTraining):  # type: ignore[misc]  # Ray has no types
    """Tune's PBT, with trials that keep their own numbers when they copy another trial's settings."""

    def _get_new_config(self, trial: Any, trial_to_clone: Any) -> Any:
        config, operations = super()._get_new_config(trial, trial_to_clone)
        config["trial"] = {**config["trial"], "number": trial.config["trial"]["number"]}
        return config, operations


def _suggestions(study: Study, config: dict[str, Any]) -> Any:
    """Return Optuna's sampler with the results so far; unfinished trials come first."""
    import optuna as optuna_package
    from ray.tune.search.optuna import OptunaSearch

    optuna_package.logging.set_verbosity(optuna_package.logging.ERROR)
    search, book = study.search, study.book
    trials = book.trials[study.variant]
    known = [(t.settings, book.value(t.job)) for t in trials if t.state == "ok" and t.settings and t.job]
    known = [(settings, value) for settings, value in known if value is not None]
    optuna = OptunaSearch(
        space=OptunaSearch.convert_search_space({n: _domain(d) for n, d in search.space.items()}),
        metric=search.metric,
        mode=search.mode,
        seed=(search.seed + len(known)) % 2**32,  # as much as NumPy takes
        points_to_evaluate=[settings for settings, _ in known] or None,
        evaluated_rewards=[value for _, value in known] or None,
    )
    return _Suggestions(study, optuna, config)


class _StaysHere:
    """An object of the driver only: Tune pickles everything for a restore that is not used."""

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __deepcopy__(self, memo: Any) -> Any:
        return self


class _Suggestions(_StaysHere, TuneSuggestions):  # type: ignore[misc]  # Ray has no types
    """Unfinished trials first, then Optuna's suggestions."""

    def __init__(self, study: Study, optuna: Any, config: dict[str, Any]) -> None:
        super().__init__(metric=study.search.metric, mode=study.search.mode)
        self._study, self._optuna, self._config = study, optuna, config
        left = study.book.left(study.variant)
        self._queue = sorted(left, key=lambda trial: (trial.settings is None, trial.number))
        self._running: dict[str, Trial] = {}

    def set_search_properties(self, metric: Any, mode: Any, config: Any, **spec: Any) -> bool:
        """Do nothing: everything is already set."""
        return True

    def suggest(self, trial_id: str) -> Any:
        """Return the configuration of the next trial."""
        if not self._queue:
            return TuneSuggestions.FINISHED
        trial = self._queue.pop(0)
        settings = trial.settings
        if settings is None:
            settings = _settled(self._study.search, _flat(self._optuna.suggest(trial_id)))
        self._running[trial_id] = trial
        return {**self._config, "trial": {"number": trial.number, "settings": settings, "is_over": False}}

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Report a trial's metric to Optuna; failed trials are not part of its model."""
        trial = self._running.pop(trial_id)
        self._study.book.ended(self._study.variant, trial.number, is_lost=True)
        value = self._study.book.value(trial.job) if trial.job and trial.state == "ok" else None
        if trial_id in self._optuna._ot_trials:
            told = None if value is None else {self._study.search.metric: value}
            self._optuna.on_trial_complete(trial_id, told, error=value is None)
        elif value is not None:
            self._optuna.add_evaluated_point(trial.settings, value)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: everything is in the folders of the trials."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing."""


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in values.items()}


class _Teller(_StaysHere, tune.Callback):  # type: ignore[misc]  # Ray has no types
    """Reports the progress of trials to the driver's book; runs in the driver."""

    def __init__(self, study: Study) -> None:
        self._book, self._variant = study.book, study.variant
        self._is_early_stopping = study.search.is_early_stopping

    def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
        """Let the watcher redraw."""
        self._book.tick()

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """A worker has started the trial."""
        told = trial.config["trial"]
        self._book.started(self._variant, told["number"], told["settings"], {"node": str(trial.node_ip)})

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        """An epoch is finished."""
        self._book.progressed(self._variant, trial.config["trial"]["number"], result["event"])

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """The trial has ended or was stopped."""
        number = trial.config["trial"]["number"]
        self._book.ended(self._variant, number, is_lost=not self._is_early_stopping)

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """The worker has died."""
        self._book.ended(self._variant, trial.config["trial"]["number"], is_lost=True)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Redirect the output and logs of Tune to our own log."""
    logger = logging.getLogger("ray.tune")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    finally:
        logger.setLevel(level)
        log.debug("%s", printed.getvalue())
