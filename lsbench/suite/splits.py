"""Look for the splits that jobs will read, before any job starts: in data of the user's that is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lsbench.core.errors import DataError
from lsbench.core.ids import canonical_json
from lsbench.core.job import JobSpec
from lsbench.core.registry import DATASETS, JOBS
from lsbench.core.spec import StrictModel
from lsbench.suite.parsed import ParsedJob
from lsbench.suite.schema import Suite


class Use(NamedTuple):
    """The use of a data set by a job.

    Attributes:
        label: The job's name, for messages.
        kind: Its kind.
        settings: Its settings.
        dataset: The settings of the variant's own data set.
    """

    label: str
    kind: str
    settings: Mapping[str, Any]
    dataset: Mapping[str, Any]


class DataUse(StrictModel):
    """A data set of the user's that jobs read, to be checked before the first of them.

    Attributes:
        label: The first job that reads it so, for messages.
        settings: The settings of the data set.
        splits: The splits that are read.
        masks: Whether masks of objects are needed.
        data_root: Folder under which large data sets live.
    """

    label: str
    settings: dict[str, Any]
    splits: tuple[str, ...]
    masks: bool = False
    data_root: str | None = None


def data_uses(jobs: Iterable[ParsedJob]) -> list[DataUse]:
    """Return the data sets of the user's that jobs read, each way of reading once."""
    found: dict[str, DataUse] = {}
    for job, spec in jobs:
        for settings, splits in _reads(spec, job.variant.dataset):
            if splits and _is_of_user(settings):
                masks = spec.reads_masks()
                found.setdefault(
                    canonical_json([settings, splits, masks]),
                    DataUse(
                        label=job.label,
                        settings=settings,
                        splits=splits,
                        masks=masks,
                        data_root=job.data_root,
                    ),
                )
    return list(found.values())


def uses_of(suite: Suite) -> Iterator[Use]:
    """Yield the uses of data by the jobs of a suite."""
    for variant in suite.variants:
        for entry in suite.jobs:
            if variant.name not in entry.without:
                settings = entry.settings_of(variant.name)
                yield Use(f"{variant.name}/{entry.name}", entry.kind, settings, variant.dataset)


def missing_splits(uses: Iterable[Use], data_root: Path | None) -> list[str]:
    """Return one line for each split that a job reads and that its data set lacks.

    Data sets that are absent or broken are told elsewhere, and those that lsbench generates have all their
    splits.

    Args:
        uses: The jobs.
        data_root: Folder under which large data sets live.
    """
    opened: dict[str, Any] = {}
    found: dict[str, str] = {}
    firsts: dict[str, Use] = {}
    for use in uses:
        firsts.setdefault(canonical_json([use.kind, use.settings, use.dataset]), use)
    for use in firsts.values():
        spec = JOBS.load(use.kind).spec.model_validate(use.settings)
        for settings, splits in _reads(spec, use.dataset):
            key = canonical_json(settings)
            if splits and key not in opened:
                opened[key] = _open(settings, data_root)
            for split in splits if opened.get(key) else ():
                try:
                    opened[key].split(split)
                except DataError as error:
                    found.setdefault(str(error), use.label)
    return [f"{label}: {message}" for message, label in found.items()]


def _reads(spec: JobSpec, own: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """Yield the settings of each data set that a job reads, with the splits.

    Args:
        spec: The job's settings.
        own: The settings of the variant's own data set.
    """
    read, others = spec.read_data(own), len(spec.other_data())
    for place, settings in enumerate(read, others - len(read)):
        yield settings, spec.own_splits() if place < 0 else spec.other_splits()


def _open(settings: Mapping[str, Any], data_root: Path | None) -> Any:
    """Return a data set of the user's, or None if it is generated, absent or broken."""
    if not _is_of_user(settings):
        return None
    plugin = DATASETS.load(settings["name"])
    try:
        return plugin.prepare(plugin.spec.model_validate(settings), data_root)
    except DataError:
        return None


def _is_of_user(settings: Mapping[str, Any]) -> bool:
    """Return whether a data set is in files of the user's; others are generated."""
    return "root" in DATASETS.load(settings["name"]).spec.model_fields
