"""Everything that the store knows about one job: its settings, state, numbers and files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lsbench.core.errors import UsageError
from lsbench.core.record import Record
from lsbench.core.registry import suggest
from lsbench.store.earlier import earlier_results
from lsbench.store.job_files import CHECKPOINTS, EMA, WEIGHTS
from lsbench.store.results import LOG, ResultsFolder, facets_of
from lsbench.store.room import files_below, is_step_file, size_of
from lsbench.tables.job_changes import KnownJob, find_job, starts_id

MODEL = ("model", "mixer", "mixer_args", "model_args", "dataset")
PICTURES = (".png", ".svg")
UNMEASURED = "nothing could be measured"


@dataclass(frozen=True)
class Number:
    """One measured number of a job.

    Attributes:
        value: None if it could not be measured.
        reason: Why there is no value; None if there is one.
        is_of_a_part: Whether it belongs to one epoch or one corruption.
    """

    metric: str
    value: float | None
    unit: str
    n: int | None
    ci_low: float | None
    ci_high: float | None
    ci_method: str | None
    protocol: str
    dataset: str | None
    reason: str | None
    is_of_a_part: bool


@dataclass(frozen=True)
class JobFile:
    """A file in the folder of a job.

    Attributes:
        what: ``log``, ``weights``, ``checkpoint``, ``picture`` or ``other``.
        size: Its bytes.
    """

    what: str
    path: Path
    size: int


@dataclass(frozen=True)
class OneJob:
    """One job of a results folder.

    Attributes:
        line: Its last line of the journal, or what the job itself wrote; empty if it has not ended.
        model: Model, mixer, their arguments, and the data set.
        settings: Settings of the job; None if they are not known yet.
        needs: Name of a needed job -> its id.
        numbers: Its numbers of now: those of its last run.
    """

    known: KnownJob
    line: dict[str, Any]
    model: dict[str, Any]
    settings: dict[str, Any] | None
    needs: dict[str, Any]
    numbers: list[Number]
    files: list[JobFile]

    @property
    def variant(self) -> str:
        """The row of the suite that it belongs to."""
        return self.known.label.partition("/")[0]

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.known.folder.job_folder(self.known.id)


def find_shown(asked: str, jobs: Iterable[KnownJob]) -> tuple[KnownJob, ...]:
    """Return the job with a label, an id or the start of one, or the jobs of a variant or ``variant/job``.

    Raises:
        UsageError: If nothing matches, or several jobs or suites do; the message names the candidates.
    """
    known = list(jobs)
    exact = [one for one in known if asked in (one.id, one.label) and (one.is_current or asked == one.id)]
    group = exact or [one for one in known if one.is_current and asked in _groups(one.label)]
    if group:
        places = dict.fromkeys(one.place for one in group)
        if len(places) > 1:
            raise UsageError(
                f"{asked}: there are results in {', '.join(places)}; choose one with --suite and --preset"
            )
        return tuple(group[:1] if exact else group)
    if any(starts_id(one.id, asked) for one in known):
        return (find_job(asked, known),)
    names = {name for one in known for name in (one.label, one.id, *_groups(one.label)) if name}
    raise UsageError(
        f"{asked}: no job or variant has this name, and no id starts like this{suggest(asked, names)}; "
        "see `lsbench plan SUITE`"
    )


def _groups(label: str) -> set[str]:
    """Return the names that a job shares with others: its variant, and ``variant/job`` without the seed.

    >>> sorted(_groups("ls_conv/train/seed0"))
    ['ls_conv', 'ls_conv/train']
    """
    variant, _, rest = label.partition("/")
    return {variant, f"{variant}/{rest.rpartition('/seed')[0] or rest}"}


def read_job(known: KnownJob) -> OneJob:
    """Return everything about a job.

    Raises:
        StoreError: If a file of the store is damaged.
    """
    folder = known.folder
    result = folder.result(known.id) if known.id else None
    line = {**(result or {"job": {}})["job"], **folder.jobs().get(known.id, {})}
    records = result["records"] if result else _journalled(folder, known.id, line)
    model, settings = _settings(known, line)
    return OneJob(
        known=known,
        line=line,
        model=model,
        settings=settings,
        needs=dict(known.job.needs) if known.job else {},
        numbers=[_number(record) for record in records],
        files=list(_files(folder.job_folder(known.id))) if known.id else [],
    )


def _journalled(folder: ResultsFolder, job_id: str, line: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the records of a job whose folder is gone."""
    if line.get("status") != "ok":
        return []
    return [record for record in folder.records() if record["job_id"] == job_id]


def _number(record: dict[str, Any]) -> Number:
    value = record["value"]
    reason = None if value is not None else (record["setting"].get("inconclusive") or UNMEASURED)
    told = {name: record[name] for name in Number.__dataclass_fields__ if name in record}
    return Number(**told, reason=reason, is_of_a_part=facets_of(record).is_of_a_part)


def to_number(record: Record) -> Number:
    """Return a record that no store holds as a number."""
    told = {name: getattr(record, name) for name in Number.__dataclass_fields__ if hasattr(record, name)}
    reason = None if record.value is not None else (record.setting.get("inconclusive") or UNMEASURED)
    return Number(**told, reason=reason, is_of_a_part=record.facets.is_of_a_part)


def _settings(known: KnownJob, line: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the settings of the model and of the job: of its folder, the journal, or the suite."""
    if known.job is not None:
        return known.job.variant.model_dump(mode="json", include=set(MODEL)), dict(known.job.spec)
    variant, entry = _planned(known)
    model = {name: variant[name] for name in MODEL if name in variant}
    if "setting" in line:
        spec = {name: value for name, value in line["setting"].items() if name not in ("dataset", "limit")}
        return model, spec
    return model, None if not entry else entry.get("spec_of", {}).get(variant["name"], entry["spec"])


def _planned(known: KnownJob) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the variant and the job as the resolved suite has them; empty if it does not."""
    try:
        suite = yaml.safe_load((known.folder.root / "suite.yaml").read_text(encoding="utf-8"))
        name, _, rest = known.label.partition("/")
        variant: dict[str, Any] = next((one for one in suite["variants"] if one["name"] == name), {})
        job = rest.rpartition("/seed")[0] or rest
        return variant, next((one for one in suite["jobs"] if variant and one["name"] == job), {})
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError):
        return {}, {}


def _files(folder: Path) -> Iterator[JobFile]:
    for entry in files_below(folder):
        path = Path(entry.path)
        if not path.name.startswith("."):
            yield JobFile(_what(path.relative_to(folder)), path, size_of(entry))


def _what(path: Path) -> str:
    if path.as_posix() in (WEIGHTS, EMA):
        return "weights"
    if path.parent.name == CHECKPOINTS and is_step_file(path.name):
        return "checkpoint"
    if path.suffix in PICTURES:
        return "picture"
    return "log" if path.as_posix() == LOG else "other"


def to_fields(one: OneJob) -> dict[str, Any]:
    """Return a job as JSON values."""
    known, line = one.known, one.line
    return {
        "job": known.label,
        "id": known.id or None,
        "suite": known.folder.shown_as or known.folder.root.parent.name,
        "preset": known.folder.root.name,
        "variant": one.variant,
        "state": known.state(),
        "is_current": known.is_current,
        "due": known.due or None,
        **{name: line.get(name) for name in ("status", "error", "attempts", "started_at", "wall_s")},
        "model": one.model,
        "settings": one.settings,
        "needs": one.needs,
        "numbers": [vars(number) for number in one.numbers],
        "folder": str(one.path) if known.id else None,
        "earlier": [str(path) for path in earlier_results(known.folder, known.id)],
        "files": [{"what": file.what, "path": str(file.path), "bytes": file.size} for file in one.files],
        "provenance": line.get("provenance", {}),
    }
