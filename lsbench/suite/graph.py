"""Build the job graph of a suite: every job of every variant and seed, with its id and needs."""

from __future__ import annotations

import graphlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsbench.core.catalog import UNKNOWN_MACS, known_macs
from lsbench.core.errors import ConfigError, DataError
from lsbench.core.globs import matches
from lsbench.core.ids import canonical_json
from lsbench.core.job import Job, JobKind, Variant, job_id
from lsbench.core.model_sources import is_sourced, weights_content
from lsbench.core.registry import DATASETS, JOBS
from lsbench.core.weight_sources import CHECKPOINT
from lsbench.suite.schema import JobEntry, Suite
from lsbench.suite.used_plugins import UsedPlugins

#: Separates the name of a needed job from the other variant that it belongs to.
OF = "@"
#: Settings that name a model.
MODEL = "model"
NAMES_A_MODEL = (MODEL, "control", "teacher")

#: A data set's plug-in, its spec, and the fingerprint of its files, or None if they are absent.
_Found = tuple[Any, Any, str | None]


@dataclass(frozen=True)
class JobGraph:
    """All jobs of a suite, each after the jobs that it needs.

    Attributes:
        suite: The suite as resolved.
        jobs: Every job of every variant and seed.
        cost: Estimated MACs of a job by label, for order and planning only.
        guessed: Labels of the jobs whose cost is only a guess: the catalog does not know the model, or
            a limit cuts the work short.
        missing_data: One message per data set or checkpoint that is absent.
        seconds: Label -> seconds of the jobs whose kind declares them.
    """

    suite: Suite
    jobs: tuple[Job, ...]
    cost: dict[str, float]
    guessed: frozenset[str]
    missing_data: tuple[str, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)

    def by_id(self) -> dict[str, Job]:
        """Return the jobs by id, without the jobs whose data is absent, as they have no id.

        Two rows with the same settings share one job, which runs once.
        """
        return {job.id: job for job in self.jobs if job.id is not None}


@dataclass
class _Datasets:
    """Fingerprints, looked up once per data set."""

    data_root: Path | None
    missing: dict[str, None] = field(default_factory=dict)
    _known: dict[str, _Found] = field(default_factory=dict)
    _contents: dict[str, str | None] = field(default_factory=dict)

    def look_up(self, settings: dict[str, Any]) -> _Found:
        """Return (plug-in, spec, fingerprint or None if the data is absent)."""
        key = canonical_json(settings)
        if key not in self._known:
            plugin = DATASETS.load(settings["name"])
            spec = plugin.spec.model_validate(settings)
            try:
                fingerprint = plugin.fingerprint(spec, self.data_root)
            except DataError as error:
                fingerprint = None
                self.missing[str(error)] = None
            self._known[key] = plugin, spec, fingerprint
        return self._known[key]

    def contents(self, places: Sequence[str]) -> dict[str, str] | None:
        """Return the content of each checkpoint, or None if one is absent."""
        for place in places:
            if place not in self._contents:
                try:
                    self._contents[place] = weights_content(place)
                except DataError as error:
                    self._contents[place] = None
                    self.missing[str(error)] = None
        found = {place: self._contents[place] for place in places}
        known = {place: content for place, content in found.items() if content is not None}
        return known if len(known) == len(found) else None


def build_graph(
    suite: Suite, *, data_root: Path | None = None, ids_by_path: Collection[str] | None = ()
) -> JobGraph:
    """Return the graph of `suite`; data and checkpoints that are absent leave their jobs without an id.

    Args:
        suite: A resolved suite, without circular needs.
        data_root: Folder of the large data sets.
        ids_by_path: Ids to use although they cover only the paths of checkpoints, as those of earlier
            results do, not the content; None: all such ids.
    """
    datasets, used = _Datasets(data_root), UsedPlugins()
    order = _ordered(suite.jobs)
    jobs: dict[str, Job] = {}
    by_id: dict[str, Job] = {}
    cost: dict[str, float] = {}
    pairs = [
        (variant, entry) for variant in suite.variants for entry in order if variant.name not in entry.without
    ]
    # Jobs that need another variant's jobs come last; no other job needs them.
    pairs.sort(key=lambda pair: _other_variant(pair[1], pair[0]) is not None)
    for variant, entry in pairs:
        for seed in suite.seeds if JOBS.load(entry.kind).per_seed else (None,):
            job = _with_id(_job(entry, variant, seed, suite, jobs, datasets), datasets, ids_by_path)
            needed = [by_id[need] for need in _known_needs(job)]
            job = job.model_copy(update={"code": used.code(job, JOBS.load(entry.kind), needed)})
            by_id[str(job.id)] = job
            jobs[job.label] = job
            cost[job.label] = _cost(job, datasets)
    used.close()
    guessed = frozenset(label for label, job in jobs.items() if suite.limit or _macs(job, datasets) is None)
    seconds = {label: found for label, job in jobs.items() if (found := _seconds(job, datasets)) is not None}
    return JobGraph(suite, tuple(jobs.values()), cost, guessed, tuple(datasets.missing), seconds)


def _ordered(entries: tuple[JobEntry, ...]) -> list[JobEntry]:
    by_name = {entry.name: entry for entry in entries}
    sorter = graphlib.TopologicalSorter({entry.name: entry.needs for entry in entries})
    return [by_name[name] for name in sorter.static_order()]


def _other_variant(entry: JobEntry, variant: Variant) -> str | None:
    settings = entry.spec_of.get(variant.name, entry.spec)
    other: str | None = JOBS.load(entry.kind).spec.model_validate(settings).other_variant()
    return other


def _needs(
    entry: JobEntry, variant: Variant, seed: int | None, jobs: dict[str, Job]
) -> dict[str, str | None]:
    """Return the ids of the needed jobs by name; those of another variant are called ``job@variant``."""
    needs = {need: _need(jobs, variant.name, need, seed) for need in entry.needs}
    other = _other_variant(entry, variant)
    if other is not None:
        needs |= {f"{need}{OF}{other}": _need(jobs, other, need, seed) for need in entry.needs}
    return needs


def _job(
    entry: JobEntry,
    variant: Variant,
    seed: int | None,
    suite: Suite,
    jobs: dict[str, Job],
    datasets: _Datasets,
) -> Job:
    kind: JobKind = JOBS.load(entry.kind)
    settings = entry.spec_of.get(variant.name, entry.spec)
    (_, _, fingerprint), *_ = read = _read_data(kind, settings, variant, datasets)
    draft = Job(
        id=None,
        kind=entry.kind,
        name=entry.name,
        variant=variant,
        seed=seed,
        spec=settings,
        needs=_needs(entry, variant, seed, jobs),
        resources=entry.resources,
        dataset_fingerprint=fingerprint if kind.uses_data else None,
        protocol_version=kind.version + kind.spec.model_validate(settings).raised_by(variant),
        limit=suite.limit,
        data_root=None if datasets.data_root is None else str(datasets.data_root),
    )
    if kind.uses_data:
        _check_classes(draft.label, read, datasets)
    return draft


def _with_id(draft: Job, datasets: _Datasets, ids_by_path: Collection[str] | None) -> Job:
    """Return a job with its id, which covers the content of checkpoints unless an earlier one is given."""
    kind: JobKind = JOBS.load(draft.kind)
    if kind.uses_data:
        (_, spec, fingerprint), *other = _read_data(kind, draft.spec, draft.variant, datasets)
        seen = _pixels(spec, fingerprint, other)
    else:
        plugin, spec, _ = _read_data(kind, draft.spec, draft.variant, datasets)[-1]
        seen = _shape(plugin, spec, datasets.data_root)
    by_path = job_id(draft, dataset=seen, settings=kind.spec)
    places = named_checkpoints(draft)
    if not places or ids_by_path is None or by_path in ids_by_path:
        return draft.model_copy(update={"id": by_path})
    contents = datasets.contents(places)
    if contents is None:
        return draft
    draft = draft.model_copy(update={"contents": contents})
    return draft.model_copy(update={"id": job_id(draft, dataset=seen, settings=kind.spec)})


def named_checkpoints(job: Job) -> list[str]:
    """Return the files, addresses, folders and hubs of weights that the settings of a job name, sorted."""
    variant, own = job.variant, JOBS.load(job.kind).spec.weights_files(job.spec)
    return sorted({*_checkpoints([{MODEL: variant.model}, variant.model_args, job.spec]), *own})


def _checkpoints(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str) and (key == CHECKPOINT or (key in NAMES_A_MODEL and is_sourced(inner))):
                yield inner
            else:
                yield from _checkpoints(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _checkpoints(inner)


def _read_data(
    kind: JobKind, settings: dict[str, Any], variant: Variant, datasets: _Datasets
) -> list[_Found]:
    """Return the data sets that a job reads: the variant's own first, unless others are read instead."""
    named = kind.spec.model_validate(settings).read_data(variant.dataset)
    return [datasets.look_up(data) for data in named]


def _check_classes(label: str, read: Sequence[_Found], datasets: _Datasets) -> None:
    """Check the number of classes before any training; the job itself compares their names."""
    (mine, own, _), *other = read
    for plugin, spec, _ in other:
        try:
            counts = [
                each.num_classes(settings, datasets.data_root)
                for each, settings in ((mine, own), (plugin, spec))
            ]
        except DataError:
            continue  # the number is known from the data alone, which is missing
        if counts[0] != counts[1]:
            raise ConfigError(
                f"{label}: expected a data set with the {counts[0]} classes of '{own.name}', found "
                f"'{spec.name}' with {counts[1]}; test on a data set with the classes that the model knows"
            )


def with_spec(job: Job, spec: dict[str, Any]) -> Job:
    """Return `job` with other settings and the matching id.

    Args:
        job: A job whose kind reads images.
        spec: All settings, as JSON values.
    """
    fingerprint = job.dataset_fingerprint
    seen = None if fingerprint is None else _seen(job.variant.dataset["img_size"], fingerprint)
    draft = job.model_copy(update={"spec": spec, "id": None})
    return draft.model_copy(update={"id": job_id(draft, dataset=seen, settings=JOBS.load(job.kind).spec)})


def _seen(img_size: int, fingerprint: str) -> dict[str, Any]:
    return {"fingerprint": fingerprint, "img_size": img_size}


def _pixels(spec: Any, fingerprint: str | None, other: Sequence[_Found] = ()) -> dict[str, Any] | None:
    """Return the identity of the data of a job that reads images: the files and their image size.

    Args:
        spec: The variant's own data set.
        fingerprint: Fingerprint of its files.
        other: The data sets that the job reads beside it.
    """
    if fingerprint is None or any(found is None for _, _, found in other):
        return None
    beside = [{"name": one.name, **_seen(one.img_size, str(found))} for _, one, found in other]
    return {**_seen(spec.img_size, fingerprint), **({"other": beside} if beside else {})}


def _shape(plugin: Any, spec: Any, data_root: Path | None) -> dict[str, Any] | None:
    """Return the identity of the data of a job that reads no images: image size and classes."""
    try:
        return {"img_size": spec.img_size, "num_classes": plugin.num_classes(spec, data_root)}
    except DataError:
        return None


def _need(jobs: dict[str, Job], variant: str, need: str, seed: int | None) -> str | None:
    per_variant, per_seed = f"{variant}/{need}", f"{variant}/{need}/seed{seed}"
    return (jobs.get(per_seed) or jobs[per_variant]).id


def _cost(job: Job, datasets: _Datasets) -> float:
    kind: JobKind = JOBS.load(job.kind)
    settings = kind.spec.model_validate(job.spec)
    plugin, spec, _ = _read_data(kind, job.spec, job.variant, datasets)[-1]
    macs = _macs(job, datasets)

    def images(split: str) -> int:
        return plugin.num_images(spec, split) or 0

    return kind.cost(settings, UNKNOWN_MACS if macs is None else macs, images)


def _seconds(job: Job, datasets: _Datasets) -> float | None:
    """Return the seconds that a job's kind declares, or None."""
    kind: JobKind = JOBS.load(job.kind)
    if kind.seconds is None:
        return None
    macs = _macs(job, datasets)
    return kind.seconds(kind.spec.model_validate(job.spec), UNKNOWN_MACS if macs is None else macs, job.limit)


def _macs(job: Job, datasets: _Datasets) -> float | None:
    kind: JobKind = JOBS.load(job.kind)
    _, spec, _ = datasets.look_up(job.variant.dataset)
    if kind.spec.reads_instead:
        _, spec, _ = _read_data(kind, job.spec, job.variant, datasets)[-1]
    return known_macs(job.variant.model_identity(), spec.img_size)


def critical_path(graph: JobGraph) -> dict[str, float]:
    """Return the cost of the longest chain of jobs that starts with each job, by job id."""
    jobs = graph.by_id()
    waiting: dict[str, list[str]] = {name: [] for name in jobs}
    for job in jobs.values():
        for need in _known_needs(job):
            waiting[need].append(str(job.id))
    length: dict[str, float] = {}
    sorter = graphlib.TopologicalSorter(waiting)  # predecessors here: the waiting jobs
    for name in sorter.static_order():
        longest = max((length[next_name] for next_name in waiting[name]), default=0.0)
        length[name] = graph.cost[jobs[name].label] + longest
    return length


def _known_needs(job: Job) -> Iterator[str]:
    return (need for need in job.needs.values() if need is not None)


def names_of(job: Job) -> tuple[str, ...]:
    """Return the names by which ``--only``, ``--skip`` and ``--rerun`` find a job."""
    own = (job.label, f"{job.variant.name}/{job.name}", job.variant.name, job.name)
    return own if job.id is None else (*own, job.id)


def found_by(graph: JobGraph, glob: str) -> set[str]:
    """Return the labels of the jobs that a glob matches by a name or id or, if there is none, by kind."""
    found = {job.label for job in graph.jobs if any(matches(name, glob) for name in names_of(job))}
    return found or {job.label for job in graph.jobs if matches(job.kind, glob)}


def chosen(
    graph: JobGraph, *, only: Sequence[str], skip: Sequence[str], seeds: Sequence[int] | None
) -> dict[str, str]:
    """Return the label of every job with the flag that leaves it out, or an empty text if it is chosen.

    Args:
        graph: The whole suite.
        only: Globs as in :func:`found_by`; empty means all.
        skip: Globs of jobs to leave out.
        seeds: Seeds to keep, or None for all; jobs without a seed are kept.
    """
    wanted = {label for glob in only for label in found_by(graph, glob)}
    unwanted = {label for glob in skip for label in found_by(graph, glob)}

    def flag(job: Job) -> str:
        if only and job.label not in wanted:
            return "--only"
        if job.label in unwanted:
            return "--skip"
        return "" if seeds is None or job.seed is None or job.seed in seeds else "--seeds"

    return {job.label: flag(job) for job in graph.jobs}


def with_needs(graph: JobGraph, wanted: Collection[str]) -> list[Job]:
    """Return the jobs with these labels and everything that they need, in the order of the graph."""
    labels = {job.label for job in graph.jobs}
    kept: list[Job] = []
    needed: set[str] = set()
    for job in reversed(graph.jobs):
        if job.label in wanted or job.label in needed:
            kept.append(job)
            needed.update(_need_labels(job) & labels)
    return kept[::-1]


def with_dependents(graph: JobGraph, job_ids: Collection[str]) -> set[str]:
    """Return the ids of jobs and of all that need them, directly or not."""
    found = set(job_ids)
    for job in graph.jobs:  # each after the jobs that it needs
        if job.id is not None and not found.isdisjoint(_known_needs(job)):
            found.add(job.id)
    return found


def _need_labels(job: Job) -> set[str]:
    """Return the labels that the needed jobs have with a seed and without."""
    parts = [need.partition(OF) for need in job.needs]
    names = {f"{variant or job.variant.name}/{need}" for need, _, variant in parts}
    return names | {f"{name}/seed{job.seed}" for name in names}
