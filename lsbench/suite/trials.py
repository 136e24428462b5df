"""The trials of a search as ordinary jobs, and the suite with the settings that a search found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import to_jsonable_python

from lsbench.core.counted import counted
from lsbench.core.ids import content_hash
from lsbench.core.job import DEFAULT_RESOURCES, Job, JobKind, Resources
from lsbench.core.quantity import quantity
from lsbench.core.registry import JOBS
from lsbench.suite.graph import JobGraph, with_spec
from lsbench.suite.marked_yaml import to_yaml
from lsbench.suite.schema import NAME_LENGTH, JobEntry, Suite
from lsbench.suite.space import Asha, Search

Settings = dict[str, Any]


def with_settings(spec: Mapping[str, Any], settings: Mapping[str, Any]) -> Settings:
    """Return a copy of a spec with changed settings; a dotted name addresses a nested setting.

    >>> with_settings({"lr": 1.0, "augment": {"flip": 0.5}}, {"augment.erase": 0.25})
    {'lr': 1.0, 'augment': {'flip': 0.5, 'erase': 0.25}}
    """
    changed = dict(spec)
    for name, value in settings.items():
        head, _, rest = name.partition(".")
        if rest:
            inner = changed.get(head)
            changed[head] = with_settings(inner if isinstance(inner, Mapping) else {}, {rest: value})
        else:
            changed[head] = value
    return changed


def templates(graph: JobGraph, seed: int) -> dict[str, Job]:
    """Return the job that a search changes, at the suite's settings, by variant."""
    name = graph.suite.search.job if graph.suite.search else ""
    return {job.variant.name: job for job in graph.jobs if job.name == name and job.seed == seed}


def trial_job(template: Job, search: Search, number: int, settings: Mapping[str, Any]) -> Job:
    """Return one trial as a job.

    With fixed settings it is identical to the job of a suite with these settings. In a population, whose
    trials copy each other's weights, it has an id that no plain training shares.

    Args:
        template: The variant's job at the suite's settings.
        search: The search.
        number: The trial's number within its variant, from 0.
        settings: Settings that it changes; in a population: the settings that it starts with.
    """
    kind: JobKind = JOBS.load(template.kind)
    spec = kind.spec.model_validate(with_settings(template.spec, settings)).model_dump(mode="json")
    job = with_spec(template, spec).model_copy(update={"name": f"{template.name}/trial{number}"})
    if search.shares_training and job.id is not None:
        member = content_hash({"search": search_id(search, template), "number": number})
        job = job.model_copy(update={"id": f"{job.kind}-{member}"})
    return job


def search_id(search: Search, template: Job) -> str:
    """Return the id of the search of one variant; results with another id do not belong to it."""
    return content_hash({"search": search.model_dump(mode="json"), "job": template.id})


def trials_graph(graph: JobGraph, jobs: list[Job]) -> JobGraph:
    """Return a graph with the trials of a search instead of the suite's own jobs."""
    usual = {job.variant.name: graph.cost[job.label] for job in graph.jobs if job.name == _searched(graph)}
    guessed = {job.variant.name for job in graph.jobs if job.label in graph.guessed}
    return replace(
        graph,
        jobs=tuple(jobs),
        cost={job.label: usual[job.variant.name] for job in jobs},
        guessed=frozenset(job.label for job in jobs if job.variant.name in guessed),
    )


def _searched(graph: JobGraph) -> str:
    return graph.suite.search.job if graph.suite.search else ""


def search_rows(graph: JobGraph) -> Iterator[dict[str, Any]]:
    """Yield the work of a search per variant, as a flat mapping."""
    search = graph.suite.search
    if search is None:
        return
    for variant in graph.suite.variants:
        trials, epochs = search.trials, search.epochs
        row = {"variant": variant.name, "algorithm": search.algorithm.name, "trials": trials}
        yield {**row, "epochs": epochs, "most_epochs": trials * epochs}


def search_lines(graph: JobGraph) -> Iterator[str]:
    """Yield the plan of a search for display: trials times epochs."""
    suite, search = graph.suite, graph.suite.search
    if search is None:
        return
    variants = len(suite.variants)
    whole = variants * search.trials * search.epochs
    yield f"{suite.name} ({suite.preset}): {counted(variants, 'variant')}, search with seed {suite.seeds[0]}"
    if suite.description:
        yield f"  {suite.description.strip()}"
    yield f"  search of {', '.join(search.space)} of '{search.job}' by {search.metric} ({search.mode})"
    yield (
        f"  {counted(search.trials, 'trial')} x at most {counted(search.epochs, 'epoch')} x "
        f"{counted(variants, 'variant')} = at most {counted(whole, 'epoch')}"
    )
    if isinstance(search.algorithm, Asha):
        rungs = ", ".join(str(rung) for rung in rungs_of(search))
        yield f"  asha: judged after epoch {rungs}; about {expected_epochs(search) * variants:.0f} epochs"
    yield from (f"  data: {line}" for message in graph.missing_data for line in message.splitlines())


def rungs_of(search: Search) -> list[int]:
    """Return the epochs after which successive halving stops trials, in ascending order."""
    algorithm = search.algorithm
    found: list[int] = []
    if isinstance(algorithm, Asha):
        rung = float(algorithm.grace_epochs)
        while rung < search.epochs:
            found.append(int(-(-rung // 1)))
            rung *= algorithm.reduction_factor
    return found


def expected_epochs(search: Search) -> float:
    """Return the expected epochs of all trials of a variant, if each rung lets its share pass."""
    left, total, before = float(search.trials), 0.0, 0
    for rung in [*rungs_of(search), search.epochs]:
        total += left * (rung - before)
        before = rung
        if isinstance(search.algorithm, Asha):
            left = max(1.0, left / search.algorithm.reduction_factor)
    return total


def expected_share(search: Search, share: float) -> float:
    """Return the share of a full training after which a trial is expected to end.

    Successive halving stops a trial at the next rung, unless it is among the best there.

    Args:
        search: The search.
        share: Share of a full training that the trial has done.
    """
    if not isinstance(search.algorithm, Asha):
        return 1.0
    ends = [rung / search.epochs for rung in rungs_of(search) if rung / search.epochs > share] + [1.0]
    expected, chance, before = share, 1.0, share
    for end in ends:
        expected += chance * (end - before)
        chance, before = chance / search.algorithm.reduction_factor, end
    return expected


@dataclass(frozen=True)
class Found:
    """The best trial of a variant: its job and metric."""

    number: int
    settings: Settings
    job: Job
    value: float


def tuned_name(suite: Suite) -> str:
    """Return the name of the suite with the settings found."""
    return f"{suite.name[: NAME_LENGTH - len('_tuned')]}_tuned"


def tuned_suite(suite: Suite, best: Mapping[str, Found]) -> str:
    """Return an ordinary suite, as YAML, in which every row uses the settings of its best trial.

    Args:
        suite: The suite that was searched.
        best: Variant -> its best trial; rows without one are left out.
    """
    rows = [_row(variant.name, suite, best) for variant in suite.variants if variant.name in best]
    content: dict[str, Any] = {
        "version": 1,
        "name": tuned_name(suite),
        "description": _description(suite, best),
        "source": suite.source,
        "tags": list(suite.tags),
        "baseline": suite.baseline if suite.baseline in best else None,
        "variants": rows,
        "jobs": [_job(entry) for entry in suite.jobs],
        "seeds": list(suite.seeds),
        "published_only": [row.model_dump(mode="json") for row in suite.published_only],
    }
    content = {key: value for key, value in content.items() if value not in (None, "", [])}
    return to_yaml(content, width=100)


def _description(suite: Suite, best: Mapping[str, Found]) -> str:
    search = suite.search
    if search is None:
        return suite.description
    shown = quantity(search.metric)
    found = ", ".join(f"{name} {one.value * shown.scale:.{shown.digits}f}" for name, one in best.items())
    text = (
        f"{suite.name} with the settings that {search.algorithm.name} found in {search.trials} trials per "
        f"row ({shown.title} at seed {suite.seeds[0]}: {found})."
    )
    if search.shares_training:
        text += " Population based training changed them during the training: these are the last ones."
    return text


def _row(name: str, suite: Suite, best: Mapping[str, Found]) -> dict[str, Any]:
    variant = next(variant for variant in suite.variants if variant.name == name)
    row = variant.model_dump(mode="json", exclude_defaults=True)
    row["dataset"] = variant.dataset
    jobs = {}
    for entry in suite.jobs:
        is_searched = suite.search is not None and entry.name == suite.search.job
        spec = best[name].job.spec if is_searched else entry.settings_of(name)
        changed = {key: value for key, value in spec.items() if value != entry.spec.get(key)}
        if changed:
            jobs[entry.name] = changed
    return {**row, **({"jobs": jobs} if jobs else {})}


def _job(entry: JobEntry) -> dict[str, Any]:
    """Return a job as written in a suite file, without the defaults of its kind."""
    kind: JobKind = JOBS.load(entry.kind)
    fields = kind.spec.model_fields
    usual = {name: to_jsonable_python(fields[name].get_default(call_default_factory=True)) for name in fields}
    # A named recipe would fill in the missing settings.
    is_plain = not kind.spec.named_settings(entry.spec)
    settings = {k: v for k, v in entry.spec.items() if v != usual.get(k) or not is_plain}
    if entry.name != entry.kind:
        settings["name"] = entry.name
    if entry.needs != kind.needs:
        settings["needs"] = list(entry.needs)
    resources = entry.resources.model_dump(mode="json", exclude_none=True)
    own = kind.resources.over(DEFAULT_RESOURCES)
    default = Resources(num_cpus=entry.spec["threads"]).over(own).model_dump(mode="json")
    changed = {key: value for key, value in resources.items() if value != default.get(key)}
    if changed:
        settings["resources"] = changed
    return {entry.kind: settings}
