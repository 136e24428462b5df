"""Turn checked YAML into a suite: fill in defaults, look up every name, and parse all settings."""

from __future__ import annotations

import graphlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from lsbench.core.catalog import unknown_model
from lsbench.core.errors import ConfigError
from lsbench.core.job import DEFAULT_RESOURCES, JobKind, Resources, Variant
from lsbench.core.model_sources import is_sourced, row_name
from lsbench.core.registry import DATASETS, JOBS, MIXERS, suggest
from lsbench.suite.entries import job_name, kind_and_settings, name_of
from lsbench.suite.gate import resolve_gate
from lsbench.suite.left_out import with_left_out
from lsbench.suite.marked_yaml import merge
from lsbench.suite.needs import names_by_kind, usual_need, with_settings_of_needs
from lsbench.suite.problems import Problems, bad_name
from lsbench.suite.published import check_published, published_rows
from lsbench.suite.schema import NAME, JobEntry, Suite
from lsbench.suite.search import resolve_search
from lsbench.suite.tasks import check_tasks

#: The largest number of jobs of a suite.
MAX_JOBS = 50_000
RESERVED = ("name", "needs", "resources")


def resolve_suite(
    data: dict[str, Any], problems: Problems, *, preset: str, limit: int | None
) -> Suite | None:
    """Return the suite, or None after noting the reasons in `problems`.

    Args:
        data: The file's content with preset, overrides and matrices applied. It may be malformed:
            problems that the schema check reported are skipped here.
        problems: Where problems are noted.
        preset: Name of this run's results folder.
        limit: As in :func:`lsbench.suite.loader.load_suite`.
    """
    variants = _variants(data, problems)
    jobs = _with_row_settings(_jobs(data, problems), data, problems)
    jobs = with_left_out(jobs, data, _names(data), problems)
    published_only = published_rows(data, problems)
    jobs = [_without_training(job, data, variants) for job in jobs]
    _check_needs(jobs, data, problems)
    jobs = with_settings_of_needs(jobs)
    _check_leavings(jobs, variants, problems)
    _check_other_variants(jobs, variants, problems)
    _check_rows(jobs, variants, problems)
    check_tasks(jobs, variants, problems)
    baseline = _baseline(data, variants, problems)
    search = resolve_search(data, jobs, problems)
    gate = resolve_gate(data, problems)
    seeds = data.get("seeds", [0])
    numbers = [seed for seed in seeds if isinstance(seed, int | float)] if isinstance(seeds, list) else []
    if len(set(numbers)) != len(numbers):
        problems.add(("seeds",), "a seed is given twice")
    _check_size(len(variants), len(jobs), seeds, problems)
    try:
        return Suite(
            name=data["name"],
            preset=preset,
            description=data.get("description") or "",
            tags=tuple(data.get("tags") or ()),
            baseline=baseline,
            variants=tuple(variants),
            jobs=tuple(jobs),
            seeds=tuple(seeds),
            limit=limit,
            source=data.get("source") or "",
            published_only=published_only,
            search=search,
            gate=gate,
        )
    except (KeyError, ValidationError, TypeError):
        return None  # the schema check has noted the reason


def _check_size(num_variants: int, num_jobs: int, seeds: Any, problems: Problems) -> None:
    count = num_variants * num_jobs * (len(seeds) if isinstance(seeds, list) else 1)
    if count > MAX_JOBS:
        problems.add((), f"{count} jobs (variants x jobs x seeds): a suite has at most {MAX_JOBS}")


def _variants(data: dict[str, Any], problems: Problems) -> list[Variant]:
    defaults = data.get("defaults") if isinstance(data.get("defaults"), dict) else {}
    found: list[Variant] = []
    names: dict[str, int] = {}
    for index, entry in enumerate(data.get("variants") or []):
        if not isinstance(entry, dict):
            continue
        for key in ("published", "published_logs"):
            check_published(entry.get(key), ("variants", index, key), problems)
        variant = _variant(entry, defaults or {}, ("variants", index), problems)
        if variant is None:
            continue
        if variant.name in names:
            reason = (
                f"duplicate variant name '{variant.name}', first given at variants[{names[variant.name]}]"
            )
            problems.add(("variants", index, "name"), reason)
        names.setdefault(variant.name, index)
        found.append(variant)
    return found


def _variant(
    entry: dict[str, Any], defaults: dict[str, Any], where: tuple[str | int, ...], problems: Problems
) -> Variant | None:
    own = {key: entry[key] for key in ("model", "mixer", "dataset") if entry.get(key) is not None}
    merged = {**{key: defaults.get(key) for key in ("model", "mixer", "dataset")}, **own}
    model, mixer = merged["model"], merged["mixer"]
    merged["dataset"] = _merged_dataset(defaults.get("dataset"), merged["dataset"])
    place = {key: (*where, key) if key in own else ("defaults", key) for key in merged}
    for key in ("model", "dataset"):
        if merged[key] is None:
            problems.add(where, f"no {key}: give it here or under defaults")
    if isinstance(model, str) and (message := unknown_model(model)):
        problems.add(place["model"], message)
    if isinstance(mixer, str) and (message := MIXERS.problem(mixer)):
        problems.add(place["mixer"], message)
    dataset = _dataset(merged["dataset"], place["dataset"], problems)
    values = {
        "name": _variant_name(entry, defaults),
        "label": entry.get("label"),
        "model": model,
        "mixer": mixer,
        "mixer_args": _args(defaults, entry, "mixer"),
        "model_args": _args(defaults, entry, "model"),
        "dataset": dataset,
        "published": entry.get("published") or {},
        "published_logs": entry.get("published_logs") or {},
    }
    if dataset is None or model is None:
        return None
    try:
        return Variant(**values)
    except ValidationError as error:
        problems.add_validation(error, Variant, where)
    except TypeError:
        return None
    return None


def _names(data: dict[str, Any]) -> list[Any]:
    """Return the name of each entry of `variants`; None for one that is malformed."""
    defaults = data.get("defaults") if isinstance(data.get("defaults"), dict) else {}
    entries = data.get("variants") or []
    return [_variant_name(entry, defaults or {}) if isinstance(entry, dict) else None for entry in entries]


def _variant_name(entry: dict[str, Any], defaults: dict[str, Any]) -> Any:
    """Return the entry's name, else its mixer, else its model."""
    found = (entry.get("name"), *(entry.get(key) or defaults.get(key) for key in ("mixer", "model")))
    chosen = next((name for name in found if name), None)
    return row_name(chosen) if isinstance(chosen, str) and is_sourced(chosen) else chosen


def _args(defaults: dict[str, Any], entry: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the default arguments, overridden by the entry's own.

    An entry with another model or mixer than `defaults` does not get the default arguments.
    """
    usual, chosen = defaults.get(key), entry.get(key)
    shared = {} if usual is not None and chosen not in (None, usual) else defaults.get(f"{key}_args")
    return {**(shared or {}), **(entry.get(f"{key}_args") or {})}


def _merged_dataset(usual: Any, chosen: Any) -> Any:
    """Return the entry's data set; a mapping without a name changes settings of the default one."""
    if not isinstance(chosen, dict) or "name" in chosen or usual is None:
        return chosen
    return {**(usual if isinstance(usual, dict) else {"name": usual}), **chosen}


def _dataset(value: Any, where: tuple[str | int, ...], problems: Problems) -> dict[str, Any] | None:
    settings = {"name": value} if isinstance(value, str) else value
    if not isinstance(settings, dict):
        return None
    name = settings.get("name")
    if not isinstance(name, str):
        problems.add(where, "this key is required: name")
        return None
    try:
        spec = DATASETS.load(name).spec
    except ConfigError as error:
        problems.add((*where, "name") if isinstance(value, dict) else where, str(error))
        return None
    try:
        parsed: dict[str, Any] = spec.model_validate(dict(settings)).model_dump(mode="json")
        return parsed
    except ValidationError as error:
        problems.add_validation(error, spec, where)
        return None


def _jobs(data: dict[str, Any], problems: Problems) -> list[JobEntry]:
    found: list[JobEntry] = []
    suite_resources, names = data.get("resources"), names_by_kind(data)
    for index, entry in enumerate(data.get("jobs") or []):
        where: tuple[str | int, ...] = ("jobs", index)
        kind_name, settings = kind_and_settings(entry)
        if kind_name is None:
            problems.add(where, "expected a job kind, or a mapping of one job kind to its settings")
            continue
        if message := JOBS.problem(kind_name):
            problems.add((*where, kind_name) if isinstance(entry, dict) else where, message)
            continue
        place = (*where, kind_name) if isinstance(entry, dict) else where
        job = _job(kind_name, settings, names, suite_resources, place, problems)
        if job is None:
            continue
        if job.name in {other.name for other in found}:
            problems.add(place, f"duplicate job name '{job.name}': give one of them a `name`")
        found.append(job)
    return found


def _job(
    kind_name: str,
    settings: dict[str, Any],
    names: Mapping[str, Sequence[str]],
    suite_resources: Any,
    where: tuple[str | int, ...],
    problems: Problems,
) -> JobEntry | None:
    kind: JobKind = JOBS.load(kind_name)
    own = {key: value for key, value in settings.items() if key not in RESERVED}
    usual = [usual_need(needed, names) for needed in kind.spec.needed_kinds(own, kind.needs)]
    needs = settings.get("needs", usual)
    name = name_of(kind_name, settings)
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        problems.add((*where, "name"), bad_name(str(name)))
        return None
    if not isinstance(needs, (list, tuple)) or not all(isinstance(need, str) for need in needs):
        problems.add((*where, "needs"), "expected a list of job names")
        needs = kind.needs
    try:
        spec = kind.spec.model_validate(_with_named(kind, own)).model_dump(mode="json")
    except ValidationError as error:
        problems.add_validation(error, kind.spec, where)
        spec = None
    if spec is not None and not _names_data(kind, spec, where, problems):
        spec = None
    resources = _resources(settings.get("resources"), (*where, "resources"), problems)
    shared = _resources(suite_resources, ("resources",), problems)
    if spec is None:
        return None
    asked = resources.over(shared).over(kind.resources).over(DEFAULT_RESOURCES)
    if (resources.num_ranks or 1) > 1 and not kind.can_be_distributed:
        problems.add(
            (*where, "resources", "num_ranks"), f"a {kind_name} job runs in one process: leave it out"
        )
    try:
        parsed = kind.spec.model_validate(spec)
        asked = _on(asked, parsed.devices())
        asked = asked.settled(threads=int(spec["threads"]), can_be_distributed=kind.can_be_distributed)
        parsed.check_ranks(asked.num_ranks or 1)
    except ValueError as error:
        problems.add((*where, "resources"), str(error))
    return JobEntry(kind=kind_name, name=name, needs=tuple(needs), spec=spec, resources=asked)


def _on(asked: Resources, devices: Sequence[str]) -> Resources:
    """Return the resources of a job that may run on one kind of device alone.

    Raises:
        ValueError: If the GPUs asked for, or none, do not fit.
    """
    if "cpu" in devices and "cuda" in devices:
        return asked
    wanted = 1.0 if "cuda" in devices else 0.0
    if asked.num_gpus in ("auto", None):
        return asked.model_copy(update={"num_gpus": wanted})
    if bool(asked.num_gpus) != bool(wanted):
        kind = "a GPU" if wanted else "CPUs"
        raise ValueError(f"num_gpus: with these settings the job runs on {kind} alone; set {wanted:g}")
    return asked


def _names_data(
    kind: JobKind, spec: dict[str, Any], where: tuple[str | int, ...], problems: Problems
) -> bool:
    """Return whether every data set named in a job's settings exists and accepts the given settings."""
    named = [(field, spec[field]) for field in kind.spec.data_fields if spec[field] is not None]
    return None not in [_dataset(value, (*where, field), problems) for field, value in named]


def _with_named(kind: JobKind, own: dict[str, Any]) -> dict[str, Any]:
    """Return the named settings that `own` refers to, overridden by `own`; mappings key by key."""
    named = kind.spec.named_settings(own)
    laid = {
        key: {**named[key], **value}
        if isinstance(value, dict) and isinstance(named.get(key), dict)
        else value
        for key, value in own.items()
    }
    return {**named, **laid}


def _with_row_settings(jobs: list[JobEntry], data: dict[str, Any], problems: Problems) -> list[JobEntry]:
    """Return `jobs` with the settings that single rows change."""
    written = {job_name(entry): kind_and_settings(entry)[1] for entry in data.get("jobs") or []}
    defaults = data.get("defaults") if isinstance(data.get("defaults"), dict) else {}
    changed: dict[str, dict[str, dict[str, Any]]] = {job.name: {} for job in jobs}
    kinds = {job.name: job.kind for job in jobs}
    for index, entry in enumerate(data.get("variants") or []):
        asked = entry.get("jobs") if isinstance(entry, dict) else None
        for name, settings in asked.items() if isinstance(asked, dict) else ():
            where = ("variants", index, "jobs", name)
            if name not in kinds:
                if name not in written:
                    problems.add(where, f"the suite has no job '{name}'{suggest(name, kinds)}")
                continue
            spec = _row_spec(kinds[name], written[name], settings, where, problems)
            if spec is not None:
                changed[name][_variant_name(entry, defaults or {})] = spec
    return [job.model_copy(update={"spec_of": changed[job.name]}) for job in jobs]


def _row_spec(
    kind_name: str, usual: dict[str, Any], settings: Any, where: tuple[str | int, ...], problems: Problems
) -> dict[str, Any] | None:
    kind: JobKind = JOBS.load(kind_name)
    reserved = [key for key in ("threads", *RESERVED) if isinstance(settings, dict) and key in settings]
    for key in reserved:
        problems.add((*where, key), "is the same for every row: give it under jobs")
    if reserved or not isinstance(settings, dict):
        return None
    own = {key: value for key, value in usual.items() if key not in RESERVED}
    merged = {key: merge(own.get(key), value) for key, value in settings.items()}
    try:
        row = _with_named(kind, {**own, **merged})
        spec: dict[str, Any] = kind.spec.model_validate(row).model_dump(mode="json")
    except ValidationError as error:
        problems.add_validation(error, kind.spec, where)
        return None
    return spec if _names_data(kind, spec, where, problems) else None


def _resources(value: Any, where: tuple[str | int, ...], problems: Problems) -> Resources:
    try:
        return Resources.model_validate(value or {})
    except ValidationError as error:
        problems.add_validation(error, Resources, where)
        return Resources()


def _check_needs(jobs: list[JobEntry], data: dict[str, Any], problems: Problems) -> None:
    by_name = {job.name: job for job in jobs}
    written = {job_name(entry) for entry in data.get("jobs") or []}
    for index, entry in enumerate(data.get("jobs") or []):
        kind_name, _ = kind_and_settings(entry)
        job = by_name.get(job_name(entry) or "")
        for need in job.needs if job else ():
            where = ("jobs", index, str(kind_name), "needs")
            if need not in by_name:
                if need in written:
                    continue  # it exists, and its problems have been noted
                same = [one.name for one in jobs if one.kind == need]
                hint = f"; name one of: {', '.join(same)}" if same else suggest(need, by_name)
                problems.add(
                    where,
                    f"job '{job.name if job else ''}' needs '{need}', which the suite does not have{hint}",
                )
            elif job and not JOBS.load(job.kind).per_seed and JOBS.load(by_name[need].kind).per_seed:
                problems.add(
                    where, f"'{job.name}' runs once per variant and cannot need '{need}', which runs per seed"
                )
    for index, job in enumerate(jobs):
        kind = JOBS.load(job.kind)
        required = kind.spec.needed_kinds(job.spec, kind.needs) if job.needs_training else ()
        missing = [name for name in required if not _has_need(job, name, by_name)]
        if missing and all(need in by_name for need in job.needs):
            problems.add(("jobs", index, job.kind, "needs"), f"'{job.name}' needs a job of kind {missing[0]}")
    cycle = _cycle({job.name: job.needs for job in jobs})
    if cycle:
        problems.add(("jobs",), f"the jobs need each other in a circle: {' -> '.join(cycle)}")


def _without_training(job: JobEntry, data: dict[str, Any], variants: list[Variant]) -> JobEntry:
    """Return a job that needs no other, if the suite has none and every row has what the job uses instead."""
    kind: JobKind = JOBS.load(job.kind)
    written = {job_name(entry) for entry in data.get("jobs") or []}
    can_do = variants and all(
        kind.spec.needs_nothing(job.settings_of(row.name), row.model_args)
        for row in job.variants_of(variants)
    )
    if not can_do or written & {*job.needs}:
        return job
    return job.model_copy(update={"needs": (), "needs_training": False})


def _check_leavings(jobs: list[JobEntry], variants: list[Variant], problems: Problems) -> None:
    """Note each needed job that does not produce what another job needs, and the rows concerned."""
    by_name = {job.name: job for job in jobs}
    for index, job in enumerate(jobs):
        for need in (by_name[name] for name in job.needs if name in by_name):
            rows: dict[str, list[str]] = {}
            for row in (variant.name for variant in job.variants_of(variants)):
                own, left = job.parsed(row), need.parsed(row)
                try:
                    own.check_need(left)
                except ValueError as error:
                    rows.setdefault(str(error), []).append(row)
            for reason, names in rows.items():
                which = "" if len(names) == len(variants) else f" of {', '.join(names)}"
                problems.add(("jobs", index, job.kind), f"needs '{need.name}'{which}: {reason}")


def _check_other_variants(jobs: list[JobEntry], variants: list[Variant], problems: Problems) -> None:
    """Note each second variant of a job that the suite does not have."""
    names = dict.fromkeys(variant.name for variant in variants)
    for index, job in enumerate(jobs):
        for row in dict.fromkeys(("", *job.spec_of)):
            other = job.parsed(row).other_variant()
            if other is not None and other not in names:
                problems.add(("jobs", index, job.kind), f"no variant '{other}'{suggest(other, names)}")


def _check_rows(jobs: list[JobEntry], variants: list[Variant], problems: Problems) -> None:
    """Note each job that cannot be done on a row."""
    for index, job in enumerate(jobs):
        for variant in job.variants_of(variants):
            spec = job.parsed(variant.name)
            try:
                spec.check_row(variant)
            except ValueError as error:
                problems.add(("jobs", index, job.kind), f"row '{variant.name}': {error}")


def _has_need(job: JobEntry, wanted: str, by_name: dict[str, JobEntry]) -> bool:
    """Return whether a job needs one of this kind, or of this name."""
    return any(need in by_name and wanted in (need, by_name[need].kind) for need in job.needs)


def _cycle(needs: dict[str, tuple[str, ...]]) -> list[str]:
    """Return jobs of which each needs the next, from the one that the suite names first back to itself."""
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        # graphlib lists each needed job before the one that needs it, and repeats the first at the end.
        circle = error.args[1][:0:-1]
        start = circle.index(next(name for name in needs if name in circle))
        return [*circle[start:], *circle[: start + 1]]
    return []


def _baseline(data: dict[str, Any], variants: list[Variant], problems: Problems) -> str:
    names = [variant.name for variant in variants]
    baseline = data.get("baseline")
    if isinstance(baseline, str) and names and baseline not in names:
        problems.add(("baseline",), f"no variant '{baseline}'{suggest(baseline, names)}")
    return baseline if isinstance(baseline, str) else (names[0] if names else "")
