"""Find a suite file, apply preset and overrides, and return the suite or report every problem."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lsbench.core.errors import UsageError
from lsbench.core.ids import content_hash
from lsbench.core.registry import PACKAGE_ROOT, suggest
from lsbench.suite.entries import job_name
from lsbench.suite.marked_yaml import MarkedDict, MarkedList, merge
from lsbench.suite.matrix import expand_variants
from lsbench.suite.overlay import apply_preset, merge_jobs, published_preset, read_suite
from lsbench.suite.problems import Problems
from lsbench.suite.resolve import resolve_suite
from lsbench.suite.schema import Suite, SuiteFile
from lsbench.suite.weight_sources import check_weight_sources

MAX_FOLDER_NAME = 120
NOT_SETTABLE = ("version", "extends", "name", "presets", "variants", "source", "published_only")
SHIPPED = (PACKAGE_ROOT / "shipped_suites", PACKAGE_ROOT.parent / "suites")


def shipped_suites() -> dict[str, Path]:
    """Return the shipped suites: path below their folder, without ``.yaml`` -> file.

    A file whose name starts with ``_`` is not a suite: others extend it.
    """
    for folder in SHIPPED:
        if folder.is_dir():
            files = [path for path in sorted(folder.rglob("*.yaml")) if not path.name.startswith("_")]
            return {path.relative_to(folder).with_suffix("").as_posix(): path for path in files}
    return {}


def folder_name(name: str) -> str:
    """Return the one-word name of a shipped suite and of its results folder.

    >>> folder_name("paper/table5")
    'paper_table5'
    """
    return name.replace("/", "_")


def find_suite(name: str) -> Path:
    """Return the file of a suite given as a path, or by the name of a shipped suite or its results.

    Raises:
        UsageError: If there is neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = shipped_suites()
    for shipped_name, file in shipped.items():
        if name in (shipped_name, folder_name(shipped_name)):
            return file
    hint = suggest(path.stem, shipped) or suggest(name, shipped) or f"; shipped suites: {', '.join(shipped)}"
    raise UsageError(f"{name}: no such suite file{hint}")


def load_suite(
    name: str, *, preset: str = "default", overrides: list[str] | None = None, limit: int | None = None
) -> Suite:
    """Return the suite as it is going to run.

    Args:
        name: Path of a suite file, or the name of a shipped suite.
        preset: ``"default"`` or a key of the file's ``presets``.
        overrides: ``key=value`` texts as given to ``--set``; values are YAML.
        limit: Steps per training and batches per evaluation, or None for no limit.

    Raises:
        UsageError: If the file, the preset or the key of an override does not exist.
        ConfigError: With every problem of the file, one per line: ``file:line: field: reason``.
    """
    path = find_suite(name)
    data = read_suite(path)
    problems = Problems(str(path), data)
    _check_structure(data, problems)
    check_weight_sources(data, problems)
    if isinstance(data.get("presets"), dict) and "default" in data["presets"]:
        problems.add(("presets", "default"), "'default' names the suite itself; choose another name")
    folder = _preset_name(preset, overrides, limit)
    try:
        merged = apply_preset(data, preset, path)
        for text in overrides or []:
            _apply_override(merged, text)
        suite = _resolve(merged, problems, preset=folder, limit=limit)
    except (TypeError, AttributeError, ValueError):
        problems.raise_if_any()  # something has the wrong shape, and the schema check has noted it
        raise
    problems.raise_if_any()
    if suite is None:
        raise UsageError(f"{path}: cannot be resolved")
    return suite.model_copy(update={"published_preset": published_preset(data, preset)})


def _resolve(merged: MarkedDict, problems: Problems, *, preset: str, limit: int | None) -> Suite | None:
    problems.data = merged
    _check_structure(merged, problems)
    if not problems:
        check_weight_sources(merged, problems)  # what a preset extends, and overrides
    merged["variants"] = expand_variants(merged.get("variants") or [])
    if not problems:
        _check_structure(merged, problems)  # a matrix may name an axis that does not exist
    return resolve_suite(merged, problems, preset=preset, limit=limit)


def preset_names(name: str) -> list[str]:
    """Return ``"default"`` and the presets of a suite file."""
    presets = read_suite(find_suite(name)).get("presets")
    return ["default", *(presets if isinstance(presets, dict) else ())]


def _preset_name(preset: str, overrides: list[str] | None, limit: int | None) -> str:
    """Return the name of the results folder: ``--set`` and ``--limit`` have folders of their own."""
    marks = [f"limit={limit}"] if limit is not None else []
    marks += sorted(text.replace("/", "_") for text in overrides or [])
    name = "+".join([preset, *marks])
    return name if len(name) <= MAX_FOLDER_NAME else f"{preset}+{content_hash(marks)}"


def _check_structure(data: MarkedDict, problems: Problems) -> None:
    try:
        SuiteFile.model_validate(data)
    except ValidationError as error:
        problems.add_validation(error, SuiteFile)


def _job_kind(entry: Any) -> str | None:
    return next(iter(entry), None) if isinstance(entry, dict) else str(entry)


def _apply_override(merged: MarkedDict, text: str) -> None:
    key, separator, value_text = text.partition("=")
    if not separator or not key:
        raise UsageError(f"--set {text}: expected key=value, e.g. jobs.train.epochs=1")
    try:
        value = yaml.safe_load(value_text)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {text}: the value is not valid YAML") from error
    head, *rest = key.split(".")
    if head == "jobs" and rest:
        kinds = {job_name(entry): _job_kind(entry) for entry in merged.get("jobs") or []}
        if rest[0] not in kinds:
            hint = suggest(rest[0], [str(name) for name in kinds])
            raise UsageError(f"--set {text}: the suite has no job '{rest[0]}'{hint}")
        override = _override([str(kinds[rest[0]]), *rest[1:]], value)
        if rest[1:] and rest[0] != kinds[rest[0]]:
            override = merge(override, _override([str(kinds[rest[0]]), "name"], rest[0]))
        entry = MarkedList([override])
        entry.lines = [0]
        merged["jobs"] = merge_jobs(merged["jobs"], entry)
        return
    known = [field for field in SuiteFile.model_fields if field not in NOT_SETTABLE]
    if head not in known:
        raise UsageError(
            f"--set {text}: cannot set '{head}'{suggest(head, known)}; one of: {', '.join(known)}"
        )
    merged.update(merge(merged, _override([head, *rest], value)))
    merged.lines[head] = 0


def _override(path: list[str], value: Any) -> MarkedDict:
    head, *rest = path
    marked = MarkedDict({head: _override(rest, value) if rest else value})
    marked.lines = {head: 0}
    return marked
