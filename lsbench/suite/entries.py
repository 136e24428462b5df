"""Read the entries of a suite's list of jobs: a kind alone, with settings, or in its short form.

A plain text in place of settings is the value of the kind's short field: ``analyze: erf`` means
``analyze: {kind: erf}``.
"""

from __future__ import annotations

from typing import Any

from lsbench.core.registry import JOBS
from lsbench.suite.marked_yaml import MarkedDict


def written_out(entry: Any) -> Any:
    """Return an entry with its short form expanded; any other entry unchanged."""
    if not (isinstance(entry, dict) and len(entry) == 1):
        return entry
    kind, text = next(iter(entry.items()))
    field = _short_field(kind)
    if not isinstance(text, str) or field is None:
        return entry
    line = getattr(entry, "lines", {}).get(kind, 0)
    settings, whole = MarkedDict({field: text}), MarkedDict()
    settings.lines, whole.lines = {field: line}, {kind: line}
    whole[kind] = settings
    return whole


def kind_and_settings(entry: Any) -> tuple[str | None, dict[str, Any]]:
    """Return kind and settings of an entry; the kind is None if the entry is malformed."""
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, dict) and len(entry) == 1:
        kind, settings = next(iter(written_out(entry).items()))
        if settings is None or isinstance(settings, dict):
            return str(kind), dict(settings or {})
    return None, {}


def job_name(entry: Any) -> str | None:
    """Return the name of an entry, or None if it is malformed.

    >>> job_name("train"), job_name({"evaluate": {"name": "hard"}}), job_name({"analyze": "erf"})
    ('train', 'hard', 'erf')
    """
    if isinstance(entry, dict) and len(entry) == 1:
        kind, settings = next(iter(written_out(entry).items()))
        return str(name_of(kind, settings if isinstance(settings, dict) else {}))
    return entry if isinstance(entry, str) else None


def name_of(kind: Any, settings: dict[str, Any]) -> Any:
    """Return the name of a job: its own, else the value of its kind's short field, else its kind."""
    return settings.get("name") or settings.get(_short_field(kind) or "") or kind


def _short_field(kind: Any) -> str | None:
    """Return the setting that a plain text in place of a kind's settings stands for."""
    if not isinstance(kind, str) or JOBS.problem(kind):
        return None
    field: str | None = JOBS.load(kind).spec.short_field
    return field
