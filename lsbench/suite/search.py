"""Check the section `search` of a suite against the job whose settings it searches."""

from __future__ import annotations

import math
from typing import Any

from pydantic import ValidationError

from lsbench.core.counted import counted
from lsbench.core.job import JobKind
from lsbench.core.quantity import quantity
from lsbench.core.registry import JOBS, suggest
from lsbench.core.validation import reason_of
from lsbench.suite.problems import Problems, known_fields
from lsbench.suite.schema import JobEntry
from lsbench.suite.space import ALGORITHMS, Asha, Dimension, Mode, Pbt, Search, SearchEntry, Tpe
from lsbench.suite.trials import with_settings

#: Settings that a search may not change, and the reasons.
FIXED = {
    "epochs": "is the budget of every trial: give it under jobs",
    "threads": "is the same for every row: give it under jobs",
    "validate_every": "says how often a trial is judged: give it under jobs",
}


def resolve_search(data: dict[str, Any], jobs: list[JobEntry], problems: Problems) -> Search | None:
    """Return the search of a suite; None if it has none, or after noting the reasons in `problems`.

    Args:
        data: The file's content, presets and overrides applied; it may be malformed.
        jobs: The jobs of the suite, as far as they could be resolved.
        problems: Where problems are noted.
    """
    if data.get("search") is None:
        return None
    try:
        asked = SearchEntry.model_validate(data["search"])
    except ValidationError:
        return None  # the schema check has noted the reason
    entry = _job(asked, jobs, data, problems)
    algorithm = _algorithm(asked.algorithm, problems)
    if entry is None:
        return None
    kind: JobKind = JOBS.load(entry.kind)
    mode = _mode(asked, entry, kind, problems)
    for name, dimension in asked.space.items():
        _check_dimension(name, dimension, entry, kind, problems)
    _check_size(asked, problems)
    if (entry.resources.num_ranks or 1) > 1:
        reason = f"a trial is one process, but job '{entry.name}' requests {entry.resources.num_ranks} ranks"
        problems.add(("search",), f"{reason}: search with one, then train the suite that it writes with more")
    if algorithm is None or mode is None:
        return None
    _check_algorithm(algorithm, asked, entry, kind, problems)
    return Search(
        job=entry.name,
        space=asked.space,
        metric=asked.metric,
        mode=mode,
        trials=asked.budget.trials,
        epochs=entry.spec["epochs"],
        algorithm=algorithm,
        seed=asked.seed,
    )


def _job(
    asked: SearchEntry, jobs: list[JobEntry], data: dict[str, Any], problems: Problems
) -> JobEntry | None:
    """Return the job to search: the one named, or the first that reports a metric after each epoch."""
    able = {job.name: job for job in jobs if JOBS.load(job.kind).epoch_metrics}
    if asked.job is None:
        if able:
            return next(iter(able.values()))
        if len(jobs) == len(data.get("jobs") or []):  # else a job with a noted problem may be the one
            problems.add(("search",), "the suite has no train job whose settings could be searched")
        return None
    where = ("search", "job")
    found = {job.name: job for job in jobs}.get(asked.job)
    if found is None:
        if len(jobs) == len(data.get("jobs") or []):
            names = [job.name for job in jobs]
            problems.add(where, f"the suite has no job '{asked.job}'{suggest(asked.job, names)}")
        return None
    if found.name not in able:
        problems.add(where, f"job '{found.name}' reports nothing after an epoch: it cannot be searched")
        return None
    if found.needs:
        problems.add(where, f"job '{found.name}' needs {', '.join(found.needs)}: it cannot be searched")
    return found


def _algorithm(asked: str | dict[str, Any], problems: Problems) -> Asha | Pbt | Tpe | None:
    where = ("search", "algorithm")
    settings = {"name": asked} if isinstance(asked, str) else asked
    name = settings.get("name")
    if name not in ALGORITHMS:
        hint = suggest(str(name), ALGORITHMS) or f"; there are: {', '.join(ALGORITHMS)}"
        found = "this key is required: name" if name is None else f"unknown algorithm '{name}'"
        problems.add(where, found + hint)
        return None
    try:
        return ALGORITHMS[name].model_validate(settings)
    except ValidationError as error:
        problems.add_validation(error, ALGORITHMS[name], where)
        return None


def _mode(asked: SearchEntry, entry: JobEntry, kind: JobKind, problems: Problems) -> Mode | None:
    metrics = list(kind.epoch_metrics)
    if asked.metric not in metrics:
        hint = suggest(asked.metric, metrics)
        problems.add(
            ("search", "metric"),
            f"job '{entry.name}' does not report '{asked.metric}'{hint}; it reports {', '.join(metrics)}",
        )
        return None
    if asked.mode is not None:
        return asked.mode
    is_higher_better = quantity(asked.metric).higher_is_better
    if is_higher_better is None:
        problems.add(("search", "metric"), f"'{asked.metric}' has no better direction: give mode, max or min")
        return None
    return "max" if is_higher_better else "min"


def _check_dimension(
    name: str, dimension: Dimension, entry: JobEntry, kind: JobKind, problems: Problems
) -> None:
    where = ("search", "space", name)
    head, *rest = name.split(".")
    if head in FIXED:
        problems.add(where, FIXED[head])
        return
    if head in kind.spec.runtime_fields:
        problems.add(where, "does not change a result: there is nothing to search")
        return
    above: list[str] = []
    for step in (head, *rest):
        known = known_fields(kind.spec, above)
        if step not in known and (known or not above):
            whole = ".".join((*above, step))
            problems.add(where, f"job '{entry.name}' has no setting '{whole}'{suggest(step, known)}")
            return
        above.append(step)
    for value in dimension.samples_to_check():
        try:
            kind.spec.model_validate(with_settings(entry.spec, {name: value}))
        except ValidationError as error:
            for item in error.errors(include_url=False):
                problems.add(where, reason_of(item))


def _check_size(asked: SearchEntry, problems: Problems) -> None:
    sizes = [dimension.size for dimension in asked.space.values()]
    finite = [size for size in sizes if size is not None]
    if len(finite) == len(sizes) and math.prod(finite) < asked.budget.trials:
        problems.add(
            ("search", "budget", "trials"),
            f"the space holds only {counted(math.prod(finite), 'setting')}, found {asked.budget.trials}",
        )


def _check_algorithm(
    algorithm: Asha | Pbt | Tpe, asked: SearchEntry, entry: JobEntry, kind: JobKind, problems: Problems
) -> None:
    epochs = entry.spec["epochs"]
    where = ("search", "algorithm")
    if isinstance(algorithm, Asha) and algorithm.grace_epochs > epochs:
        problems.add(
            (*where, "grace_epochs"),
            f"a trial has only {counted(epochs, 'epoch')}, found {algorithm.grace_epochs}",
        )
    is_judged_on_the_way = not isinstance(algorithm, Tpe) and kind.epoch_metrics[asked.metric] == asked.metric
    if is_judged_on_the_way and entry.spec.get("validate_every") == 0:
        problems.add(
            where,
            f"{algorithm.name} judges trials on the way: set validate_every to 1 in job '{entry.name}'",
        )
    if asked.metric.startswith("ema_") and entry.spec.get("ema_decay") is None:
        problems.add(
            ("search", "metric"), f"'{asked.metric}' needs averaged weights: set ema_decay in the job"
        )
    if isinstance(algorithm, Pbt):
        _check_population(asked, entry, kind, problems)


def _check_population(asked: SearchEntry, entry: JobEntry, kind: JobKind, problems: Problems) -> None:
    if entry.spec.get("checkpoint_url") is not None:
        problems.add(
            ("search", "algorithm"),
            f"pbt copies checkpoints: leave checkpoint_url out of job '{entry.name}'",
        )
    decay = asked.space.get("weight_decay")
    if decay is not None and 0 in decay.samples_to_check():
        problems.add(
            ("search", "space", "weight_decay"),
            "pbt cannot change between no weight decay and some: keep it above 0",
        )
    for name in asked.space:
        if name.split(".")[0] not in kind.adjustable:
            problems.add(
                ("search", "space", name),
                f"pbt changes settings during a training, which works only for {', '.join(kind.adjustable)}",
            )
    if asked.budget.trials < 2:
        problems.add(("search", "budget", "trials"), "pbt needs a population of at least 2, found 1")
