"""The option ``--set``: change settings of a suite, and name the results folder after the changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from lsbench.core.errors import UsageError
from lsbench.core.ids import content_hash
from lsbench.core.plain_text import shown
from lsbench.core.registry import suggest
from lsbench.suite.entries import job_name
from lsbench.suite.marked_yaml import MarkedDict, MarkedList, merge, read_value
from lsbench.suite.overlay import merge_jobs
from lsbench.suite.schema import SuiteFile

MAX_FOLDER_NAME = 120
NOT_SETTABLE = ("version", "extends", "name", "presets", "variants", "source", "published_only")
#: What some file system cannot keep apart (capitals, accents), and what joins the parts of a folder's name.
_LOST_IN_NAMES = re.compile(r"[^ -~]|[A-Z/+~]|[ .]$")


def apply_overrides(merged: MarkedDict, texts: Sequence[str]) -> None:
    """Change a suite as ``key=value`` texts say; a mapping as value changes only the keys that it names.

    Args:
        merged: Content of the suite file, preset applied.
        texts: As given to ``--set``; values are YAML.

    Raises:
        UsageError: If a key does not exist, a value is not YAML, or a setting is given twice.
    """
    asked = [(text, *_parsed(text)) for text in texts]
    given: dict[tuple[str, ...], str] = {}
    for text, path, value in asked:
        for leaf in _leaves(path, value):
            for other, first in given.items():
                if leaf[: len(other)] == other or other[: len(leaf)] == leaf:
                    raise UsageError(
                        f"{_option(text)}: '{'.'.join(leaf)}' is given twice, first by {_option(first)}"
                    )
            given[leaf] = text
    for text, path, value in asked:
        _apply(merged, path, value, _option(text))


def folder_of_preset(preset: str, overrides: Sequence[str], limit: int | None) -> str:
    """Return the name of the results folder: each set of changes by ``--set`` and ``--limit`` has its own.

    >>> folder_of_preset("default", ["jobs.train.epochs=1"], 3)
    'default+limit=3+jobs.train.epochs=1'
    """
    marks = [*_limit_mark(limit), *sorted(overrides)]
    name = "+".join([preset, *(_LOST_IN_NAMES.sub(_readable, mark) for mark in marks)])
    if len(name) > MAX_FOLDER_NAME:
        return f"{preset}+{content_hash(marks)}"
    is_lossy = any(_LOST_IN_NAMES.search(mark) for mark in marks)
    return f"{name}~{content_hash(marks)}" if is_lossy else name


def folder_of_preset_before(preset: str, overrides: Sequence[str], limit: int | None) -> str:
    """Return the name under which an earlier lsbench kept these results; others may have had the same."""
    marks = [*_limit_mark(limit), *sorted(text.replace("/", "_") for text in overrides)]
    name = "+".join([preset, *marks])
    return name if len(name) <= MAX_FOLDER_NAME else f"{preset}+{content_hash(marks)}"


def _readable(found: re.Match[str]) -> str:
    letter = found[0]
    return letter if letter.isascii() and letter.isalpha() else "_"


def _limit_mark(limit: int | None) -> list[str]:
    return [] if limit is None else [f"limit={limit}"]


def _option(text: str) -> str:
    return f"--set {shown(text, 80)}"


def _parsed(text: str) -> tuple[list[str], Any]:
    key, separator, value = text.partition("=")
    path = [step.strip() for step in key.split(".")]
    if not separator or not all(path):
        raise UsageError(f"{_option(text)}: expected key=value, e.g. jobs.train.epochs=1")
    return path, read_value(value, _option(text))


def _leaves(path: Sequence[str], value: Any) -> Iterator[tuple[str, ...]]:
    """Yield the settings that an override changes."""
    if not (isinstance(value, MarkedDict) and value):
        yield tuple(path)
        return
    for key, inner in value.items():
        yield from _leaves([*path, key], inner)


def _apply(merged: MarkedDict, path: list[str], value: Any, option: str) -> None:
    head, *rest = path
    if head == "jobs" and rest:
        _apply_to_job(merged, rest, value, option)
        return
    known = [field for field in SuiteFile.model_fields if field not in NOT_SETTABLE]
    if head not in known:
        raise UsageError(f"{option}: cannot set '{head}'{suggest(head, known)}; one of: {', '.join(known)}")
    merged.update(merge(merged, _nested([head, *rest], value)))
    merged.lines[head] = 0


def _apply_to_job(merged: MarkedDict, path: list[str], value: Any, option: str) -> None:
    name, *rest = path
    kinds = {job_name(entry): _job_kind(entry) for entry in merged.get("jobs") or []}
    if name not in kinds:
        hint = suggest(name, [str(known) for known in kinds])
        raise UsageError(f"{option}: the suite has no job '{name}'{hint}")
    if rest[:1] == ["name"] or (isinstance(value, dict) and not rest and "name" in value):
        raise UsageError(f"{option}: the name of a job cannot be set: it tells which job is meant")
    if not rest and not isinstance(value, dict | str):
        raise UsageError(f"{option}: expected a mapping of settings, e.g. --set 'jobs.{name}={{lr: 0.01}}'")
    kind = str(kinds[name])
    override = _nested([kind, *rest], value)
    if name != kind and isinstance(override[kind], MarkedDict):
        override = merge(override, _nested([kind, "name"], name))
    entry = MarkedList([override])
    entry.lines = [0]
    merged["jobs"] = merge_jobs(merged["jobs"], entry)


def _job_kind(entry: Any) -> str | None:
    return next(iter(entry), None) if isinstance(entry, dict) else str(entry)


def _nested(path: list[str], value: Any) -> MarkedDict:
    head, *rest = path
    marked = MarkedDict({head: _nested(rest, value) if rest else value})
    marked.lines = {head: 0}
    return marked
