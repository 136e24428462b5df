"""Provenance of every number: its records, the jobs behind them, and their full configuration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from lsbench.core.counted import counted
from lsbench.store.results import SPEC, ResultsFolder

#: Most records, and bytes of configurations, that a page holds; a note names the place of the rest.
MOST_RECORDS, MOST_SPEC_BYTES = 400_000, 40_000_000
RECORD = ("metric", "protocol", "dataset", "value", "ci_low", "ci_high", "ci_method", "n", "setting")
JOB = (
    "job_id",
    "job",
    "kind",
    "variant",
    "seed",
    "status",
    "error",
    "attempt",
    "started_at",
    "wall_s",
    "provenance",
)


class Texts:
    """Distinct texts, each stored once and referenced by number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, text: str | None) -> int | None:
        """Return the number of a text, adding it on first use; None stays None."""
        return None if text is None else self.numbers.setdefault(text, len(self.numbers))


def detail_data(table: pd.DataFrame, folder: ResultsFolder | None) -> dict[str, Any]:
    """Return the jobs and records behind a summary.

    Args:
        table: The suite's long table.
        folder: Its results folder, which holds the configurations; None leaves them out.

    Returns:
        ``texts``, referenced by number; ``jobs``: per job a list of :data:`JOB` and its configuration;
        ``records``: variant -> lists of job number and :data:`RECORD`; ``notes``.
    """
    texts = Texts()
    notes: list[str] = []
    kept = table.head(MOST_RECORDS)
    if len(kept) < len(table):
        notes.append(
            f"This page holds the first {MOST_RECORDS} of {len(table)} records; the Parquet report has all."
        )
    jobs, numbers = _jobs(kept, texts)
    _add_specs(jobs, folder, texts, notes)
    records: dict[str, list[list[Any]]] = {}
    columns = [plain(kept[name]) for name in ("variant", "job_id", "job", *RECORD)]
    texts_of = [name in {"metric", "protocol", "dataset", "ci_method", "setting"} for name in RECORD]
    for variant, job_id, job, *fields in zip(*columns, strict=True):
        if fields[0] is None:
            continue
        shown = [texts.number(f) if is_text else f for f, is_text in zip(fields, texts_of, strict=True)]
        records.setdefault(variant, []).append([numbers[job_id, variant, job], *shown])
    return {"texts": list(texts.numbers), "jobs": jobs, "records": records, "notes": notes}


def plain(column: pd.Series[Any]) -> list[Any]:
    """Return a column's values as plain Python objects; null becomes None."""
    return list(column.astype(object).where(column.notna(), None))


Key = tuple[str | None, str, str]


def _jobs(table: pd.DataFrame, texts: Texts) -> tuple[list[list[Any]], dict[Key, int]]:
    """Return the distinct jobs, and the number of each by id, variant and name."""
    first = table.drop_duplicates(["job_id", "variant", "job", "seed"])
    jobs: list[list[Any]] = []
    numbers: dict[Key, int] = {}
    for *fields, where in zip(*(plain(first[name]) for name in JOB), strict=True):
        numbers[fields[0], fields[3], fields[1]] = len(jobs)
        jobs.append([*fields, texts.number(where)])
    return jobs, numbers


def _add_specs(
    jobs: Sequence[list[Any]], folder: ResultsFolder | None, texts: Texts, notes: list[str]
) -> None:
    """Append to each job the number of its configuration's text, or None without one."""
    left = MOST_SPEC_BYTES
    left_out = 0
    for job, text in zip(jobs, _specs([job[0] for job in jobs], folder), strict=True):
        left -= len(text or "")
        left_out += left < 0 and text is not None
        job.append(texts.number(text) if left >= 0 else None)
    if left_out:
        notes.append(
            f"The configurations of {counted(left_out, 'job')} are too large for this page: see "
            f"jobs/<id>/{SPEC} in the results folder."
        )


def _specs(ids: Iterable[str | None], folder: ResultsFolder | None) -> Iterable[str | None]:
    for name in ids:
        try:
            path = None if folder is None or name is None else folder.job_folder(name) / SPEC
            yield None if path is None else path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            yield None
