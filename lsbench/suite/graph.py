"""Build the job graph of a suite: every job of every variant and seed, with its id and needs."""

from __future__ import annotations

import graphlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
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
    _absent: dict[str, str] = field(default_factory=dict)
    _contents: dict[str, str | None] = field(default_factory=dict)
    _macs: dict[tuple[str, int], float | None] = field(default_factory=dict)

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
                self._absent[key] = str(error)
            self._known[key] = plugin, spec, fingerprint
        return self._known[key]

    def note_absent(self, settings: dict[str, Any]) -> None:
        """Note a data set as missing if it is absent; one of which a job needs the shape alone is not."""
        if (message := self._absent.get(canonical_json(settings))) is not None:
            self.missing[message] = None

    def macs(self, variant: Variant, img_size: int) -> float | None:
        """Return the approximate MACs of a variant on one image, or None if nothing similar is known."""
        key = variant.name, img_size
        if key not in self._macs:
            self._macs[key] = known_macs(variant.model_identity(), img_size)
        return self._macs[key]

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


@dataclass(frozen=True)
class _Row:
    """An entry of `jobs` on a variant: what the jobs of all its seeds share, found once.

    Attributes:
        spec: Its settings, parsed.
        read: The data sets that it reads: the variant's own first, unless others are read instead.
        macs: Approximate MACs of the model on one image, or None if the catalog does not know it.
    """

    entry: JobEntry
    variant: Variant
    kind: JobKind
    spec: Any
    read: list[_Found]
    macs: float | None

    @property
    def other_variant(self) -> str | None:
        """The second variant whose jobs it needs too."""
        other: str | None = self.spec.other_variant()
        return other

    @cached_property
    def cost(self) -> float:
        """Estimated MACs."""
        plugin, data, _ = self.read[-1]

        def images(split: str) -> int:
            return plugin.num_images(data, split) or 0

        return self.kind.cost(self.spec, UNKNOWN_MACS if self.macs is None else self.macs, images)

    def seconds(self, limit: int | None) -> float | None:
        """Return the seconds that the kind declares, or None."""
        if self.kind.seconds is None:
            return None
        return self.kind.seconds(self.spec, UNKNOWN_MACS if self.macs is None else self.macs, limit)

    def seen(self, data_root: Path | None) -> dict[str, Any] | None:
        """Return the identity of the data that it sees, or None if it is absent."""
        _, data, fingerprint = self.read[0]
        if self.kind.uses_data:
            return _pixels(data, fingerprint, self.read[1:])
        return _shape(*self.read[-1][:2], data_root)


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
    rows = [
        _row(variant, entry, datasets)
        for variant in suite.variants
        for entry in order
        if variant.name not in entry.without
    ]
    # Jobs that need another variant's jobs come last; no other job needs them.
    rows.sort(key=lambda row: row.other_variant is not None)
    jobs: dict[str, Job] = {}
    rows_of: dict[str, _Row] = {}
    for row in rows:
        for job in _jobs_of_row(row, suite, jobs, datasets, used, ids_by_path):
            jobs[job.label] = job
            rows_of[job.label] = row
    used.close()
    limit = suite.limit
    guessed = frozenset(label for label, row in rows_of.items() if limit or row.macs is None)
    seconds = {label: row.seconds(limit) for label, row in rows_of.items()}
    return JobGraph(
        suite,
        tuple(jobs.values()),
        {label: row.cost for label, row in rows_of.items()},
        guessed,
        tuple(datasets.missing),
        {label: found for label, found in seconds.items() if found is not None},
    )


def _ordered(entries: tuple[JobEntry, ...]) -> list[JobEntry]:
    by_name = {entry.name: entry for entry in entries}
    sorter = graphlib.TopologicalSorter({entry.name: entry.needs for entry in entries})
    return [by_name[name] for name in sorter.static_order()]


def _row(variant: Variant, entry: JobEntry, datasets: _Datasets) -> _Row:
    kind: JobKind = JOBS.load(entry.kind)
    spec = entry.parsed(variant.name)
    named = spec.read_data(variant.dataset)
    read = [datasets.look_up(data) for data in named]
    if kind.uses_data or _shape(*read[-1][:2], datasets.data_root) is None:
        for data in named:
            datasets.note_absent(data)
    _, sized, _ = read[-1] if kind.spec.reads_instead else datasets.look_up(variant.dataset)
    shown = spec.shown(variant)
    size = sized.img_size if shown is None else shown.size
    return _Row(entry, variant, kind, spec, read, datasets.macs(variant, size))


def _jobs_of_row(
    row: _Row,
    suite: Suite,
    jobs: dict[str, Job],
    datasets: _Datasets,
    used: UsedPlugins,
    ids_by_path: Collection[str] | None,
) -> Iterator[Job]:
    """Yield the jobs of a row, one per seed; `jobs` holds those that they need."""
    entry, variant, kind = row.entry, row.variant, row.kind
    seen, places = row.seen(datasets.data_root), None
    own: Mapping[str, Any] | None = None
    for seed in suite.seeds if kind.per_seed else (None,):
        needed = _needed(row, seed, jobs)
        draft = Job(
            id=None,
            kind=entry.kind,
            name=entry.name,
            variant=variant,
            seed=seed,
            spec=entry.settings_of(variant.name),
            needs={name: need.id for name, need in needed.items()},
            resources=entry.resources,
            dataset_fingerprint=row.read[0][2] if kind.uses_data else None,
            protocol_version=kind.version + row.spec.raised_by(variant),
            limit=suite.limit,
            data_root=None if datasets.data_root is None else str(datasets.data_root),
        )
        if places is None or own is None:
            if kind.uses_data:
                _check_classes(draft.label, row.read, datasets)
            places, own = named_checkpoints(draft), used.own_code(draft, kind)
        name, contents = _id_of(draft, kind, seen, places, datasets, ids_by_path)
        code = used.with_needs(own, [need for need in needed.values() if need.id is not None])
        yield draft.model_copy(update={"id": name, "contents": contents, "code": code})


def _needed(row: _Row, seed: int | None, jobs: Mapping[str, Job]) -> dict[str, Job]:
    """Return the needed jobs by name; those of another variant are called ``job@variant``."""
    names, other = row.entry.needs, row.other_variant
    needs = {name: _need(jobs, row.variant.name, name, seed) for name in names}
    if other is not None:
        needs |= {f"{name}{OF}{other}": _need(jobs, other, name, seed) for name in names}
    return needs


def _id_of(
    draft: Job,
    kind: JobKind,
    seen: dict[str, Any] | None,
    places: Sequence[str],
    datasets: _Datasets,
    ids_by_path: Collection[str] | None,
) -> tuple[str | None, dict[str, str]]:
    """Return a job's id and the content of its checkpoints, which it covers unless an earlier id is given."""
    by_path = job_id(draft, dataset=seen, settings=kind.spec)
    if not places or ids_by_path is None or by_path in ids_by_path:
        return by_path, {}
    contents = datasets.contents(places)
    if contents is None:
        return None, {}
    whole = draft.model_copy(update={"contents": contents})
    return job_id(whole, dataset=seen, settings=kind.spec), contents


def named_checkpoints(job: Job) -> list[str]:
    """Return the files, addresses, folders and hubs of weights that the settings of a job name, sorted."""
    variant, own = job.variant, JOBS.load(job.kind).spec.weights_files(job.spec)
    return sorted({*_checkpoints([{MODEL: variant.model}, variant.model_args, job.spec]), *own})


def _checkpoints(values: Mapping[str, Any] | Sequence[Any]) -> Iterator[str]:
    """Yield the places of weights in JSON values; a large suite has hundreds of thousands of them."""
    for key, value in values.items() if isinstance(values, dict) else enumerate(values):
        if isinstance(value, str):
            if key == CHECKPOINT or (key in NAMES_A_MODEL and is_sourced(value)):
                yield value
        elif isinstance(value, (dict, list, tuple)):
            yield from _checkpoints(value)


def check_classes(suite: Suite, data_root: Path | None) -> None:
    """Raise as :func:`build_graph` does if a job is tested on data of other classes; nothing is fetched.

    Raises:
        ConfigError: With the numbers of classes.
    """
    datasets = _Datasets(data_root)
    for variant in suite.variants:
        for entry in suite.jobs:
            if JOBS.load(entry.kind).uses_data and variant.name not in entry.without:
                named = entry.parsed(variant.name).read_data(variant.dataset)
                read = [datasets.look_up(data) for data in named]
                _check_classes(f"{variant.name}/{entry.name}", read, datasets)


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


def _need(jobs: Mapping[str, Job], variant: str, need: str, seed: int | None) -> Job:
    per_variant, per_seed = f"{variant}/{need}", f"{variant}/{need}/seed{seed}"
    return jobs.get(per_seed) or jobs[per_variant]


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
