"""Find a suite file, apply preset and overrides, and return the suite or report every problem."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from lsbench.core.errors import UsageError
from lsbench.core.plain_text import shown
from lsbench.core.registry import suggest
from lsbench.core.spec import MAX_INT
from lsbench.suite.marked_yaml import MarkedDict
from lsbench.suite.matrix import expand_variants
from lsbench.suite.overlay import SHIPPED, apply_preset, published_preset, read_suite
from lsbench.suite.overrides import apply_overrides, folder_of_preset, folder_of_preset_before
from lsbench.suite.problems import Problems
from lsbench.suite.resolve import resolve_suite
from lsbench.suite.schema import Suite, SuiteFile
from lsbench.suite.weight_sources import check_weight_sources


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
    with suppress(OSError, ValueError):  # a name too long for any file
        if path.is_file():
            return path
    shipped = shipped_suites()
    for shipped_name, file in shipped.items():
        if name in (shipped_name, folder_name(shipped_name)):
            return file
    with suppress(OSError, ValueError):
        if path.is_dir():
            raise UsageError(
                f"{name}: is a folder; name the file of a suite, and the folder of its results with "
                "--results DIR"
            )
    hint = suggest(path.stem, shipped) or suggest(name, shipped) or f"; shipped suites: {', '.join(shipped)}"
    raise UsageError(f"{shown(name, 200)}: no such suite file{hint}")


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
        UsageError: If the file, the preset or the key of an override does not exist, or the limit has more
            than 64 bits.
        ConfigError: With every problem of the file, one per line: ``file:line: field: reason``.
    """
    check_limit(limit)
    path = find_suite(name)
    data = read_suite(path)
    problems = Problems(str(path), data)
    _check_structure(data, problems)
    check_weight_sources(data, problems)
    _check_preset_names(data, problems)
    folder = folder_of_preset(preset, overrides or [], limit)
    try:
        merged = apply_preset(data, preset, path)
        apply_overrides(merged, overrides or [])
        suite = _resolve(merged, problems, preset=folder, limit=limit)
    except (TypeError, AttributeError, ValueError):
        problems.raise_if_any()  # something has the wrong shape, and the schema check has noted it
        raise
    problems.raise_if_any()
    if suite is None:
        raise UsageError(f"{path}: cannot be resolved")
    before = folder_of_preset_before(preset, overrides or [], limit)
    return suite.model_copy(
        update={
            "published_preset": published_preset(data, preset),
            "preset_before": None if before == folder else before,
        }
    )


def check_limit(limit: int | None) -> None:
    """Raise a UsageError if a limit is no positive number of at most 64 bits."""
    if limit is not None and not 1 <= limit <= MAX_INT:
        raise UsageError(f"--limit {limit}: expected a number from 1 to {MAX_INT}")


def _resolve(merged: MarkedDict, problems: Problems, *, preset: str, limit: int | None) -> Suite | None:
    problems.data = merged
    _check_structure(merged, problems)
    if not problems:
        check_weight_sources(merged, problems)  # what a preset extends, and overrides
    known = len(problems)
    rows = expand_variants(merged.get("variants") or [], problems)
    if len(problems) > known:
        problems.raise_if_any()  # rows are missing, about which nothing more can be said
    merged["variants"] = rows
    if not problems:
        _check_structure(merged, problems)  # a matrix may name an axis that does not exist
    return resolve_suite(merged, problems, preset=preset, limit=limit)


def preset_names(name: str) -> list[str]:
    """Return ``"default"`` and the presets of a suite file."""
    presets = read_suite(find_suite(name)).get("presets")
    return ["default", *(presets if isinstance(presets, dict) else ())]


def _check_preset_names(data: MarkedDict, problems: Problems) -> None:
    first = {"default": "default"}
    for name in data["presets"] if isinstance(data.get("presets"), dict) else ():
        if name == "default":
            problems.add(("presets", name), "'default' names the suite itself; choose another name")
        elif (other := first.setdefault(name.lower(), name)) != name:
            problems.add(
                ("presets", name),
                f"differs from '{other}' in capitals only, and some file systems would keep their results in "
                "one folder; choose another name",
            )


def _check_structure(data: MarkedDict, problems: Problems) -> None:
    try:
        SuiteFile.model_validate(data)
    except ValidationError as error:
        problems.add_validation(error, SuiteFile)
