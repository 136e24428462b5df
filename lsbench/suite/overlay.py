"""Merge suite files and presets."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

from lsbench.core.errors import ConfigError, UsageError
from lsbench.core.plain_text import shown
from lsbench.core.registry import PACKAGE_ROOT, suggest
from lsbench.suite.entries import job_name, written_out
from lsbench.suite.marked_yaml import MarkedDict, MarkedList, line_of, merge, read_yaml

#: Folders of the shipped suites: of an installation, and of a checkout.
SHIPPED = (PACKAGE_ROOT / "shipped_suites", PACKAGE_ROOT.parent / "suites")
#: Environment variable with further folders whose files a suite may extend.
ALLOWED = "LSBENCH_EXTENDS"
MAX_FILES = 20


def read_suite(path: Path, above: tuple[Path, ...] = ()) -> MarkedDict:
    """Return the content of a suite file, merged over the file that it extends.

    Args:
        path: A suite file.
        above: The files that extend this one, the suite first.

    Raises:
        ConfigError: If a file cannot be read or lies elsewhere, or files extend each other in a circle.
    """
    data = read_yaml(path)
    if not isinstance(data.get("extends"), str):
        return data
    return _laid_over(_extended(data, ["extends"], path, above), data)


def _extended(data: MarkedDict, where: list[str], path: Path, above: tuple[Path, ...] = ()) -> MarkedDict:
    """Return the content of the file named at `where` in `data`, read for the suite file `path`."""
    name: Any = data
    for step in where:
        name = name[step]
    file, chain = path.parent / name, (*above, path)
    if reason := _problem(file, chain):
        raise ConfigError(f"{path}:{line_of(data, where)}: {'.'.join(where)}: {reason}")
    return read_suite(file, chain)


def _problem(file: Path, chain: tuple[Path, ...]) -> str | None:
    """Return why a file cannot be extended by the last one of `chain`, or None."""
    try:
        place = file.resolve()
        if not any(place.is_relative_to(folder.resolve()) for folder in _folders(chain[0])):
            return (
                f"{shown(str(file), 200)} is neither below the suite's folder nor a shipped suite; "
                f"move it there, or allow its folder with the environment variable {ALLOWED}=DIR"
            )
        if not place.is_file():
            return f"there is no file {shown(str(file), 200)}"
    except (OSError, ValueError, RuntimeError) as error:
        return f"{shown(str(file))} cannot be read ({shown(str(error), 200)})"
    if place in [other.resolve() for other in chain]:
        return "the files extend each other in a circle"
    return f"more than {MAX_FILES} files extend each other" if len(chain) >= MAX_FILES else None


def _folders(suite: Path) -> list[Path]:
    """Return the folders below which a suite's files may lie."""
    allowed = [Path(name).expanduser() for name in os.environ.get(ALLOWED, "").split(os.pathsep) if name]
    return [suite.parent, *SHIPPED, *allowed]


def _laid_over(base: MarkedDict, over: Any) -> MarkedDict:
    merged: MarkedDict = merge(base, over)
    if isinstance(over, MarkedDict) and "jobs" in over:
        merged["jobs"] = merge_jobs(base.get("jobs"), over["jobs"])
    return merged


def apply_preset(data: MarkedDict, preset: str, path: Path) -> MarkedDict:
    """Return the suite under a preset.

    Args:
        data: Content of the suite file.
        preset: ``"default"`` or the name of a preset.
        path: The suite file.

    Raises:
        UsageError: If there is no such preset.
        ConfigError: If it extends a file that cannot be read, or leaves out an unknown job.
    """
    presets = data.get("presets") or {}
    base = MarkedDict({key: value for key, value in data.items() if key != "presets"})
    base.lines = dict(data.lines)
    if preset == "default":
        return base
    if preset not in presets:
        known = ["default", *presets]
        raise UsageError(
            f"{path}: presets: no preset '{preset}'{suggest(preset, known)}; there are: {', '.join(known)}"
        )
    own = presets[preset]
    if not isinstance(own, MarkedDict):
        return base  # the schema check has noted it
    if isinstance(own.get("extends"), str):
        extended = _extended(data, ["presets", preset, "extends"], path)
        base = _laid_over(_only(extended, extended.keys() - {"presets"}), _only(base, ("version", "name")))
    merged = _laid_over(base, _only(own, own.keys() - {"extends", "without"}))
    for index, name in enumerate(own.get("without") or ()):
        _leave_out(merged, name, f"{path}:{line_of(own, ['without', index])}: presets.{preset}.without")
    return merged


def _only(data: MarkedDict, keys: Collection[str]) -> MarkedDict:
    kept = MarkedDict({key: value for key, value in data.items() if key in keys})
    kept.line, kept.lines = data.line, dict(data.lines)
    return kept


def _leave_out(merged: MarkedDict, name: str, where: str) -> None:
    """Remove a job, and the settings of single rows for it, from a suite."""
    names = [job_name(entry) for entry in merged["jobs"]]
    if name not in names:
        known = [str(known) for known in names]
        hint = suggest(str(name), known) or f"; there are: {', '.join(known)}"
        raise ConfigError(f"{where}: no job '{name}'{hint}")
    jobs, lines = merged["jobs"], merged["jobs"].lines
    left = [(entry, line) for entry, line in zip(jobs, lines, strict=True) if job_name(entry) != name]
    merged["jobs"] = MarkedList([entry for entry, _ in left])
    merged["jobs"].lines = [line for _, line in left]
    rows = MarkedList(map(partial(_row_without, name), merged["variants"]))
    rows.lines = list(merged["variants"].lines)
    merged["variants"] = rows


def _row_without(name: str, row: Any) -> Any:
    if not isinstance(row, MarkedDict) or name not in (row.get("jobs") or {}):
        return row
    kept = MarkedDict(row)
    kept.line, kept.lines = row.line, row.lines
    kept["jobs"] = _only(row["jobs"], row["jobs"].keys() - {name})
    return kept


def published_preset(data: MarkedDict, preset: str) -> str:
    """Return the preset that published numbers refer to: `preset` if it has its own rows."""
    own = (data.get("presets") or {}).get(preset) or {}
    return preset if own.keys() & {"extends", "variants"} else "default"


def merge_jobs(base: Any, over: Any) -> Any:
    """Return the jobs of `base`, with settings overridden by jobs of the same name in `over`."""
    if not (isinstance(base, MarkedList) and isinstance(over, MarkedList)):
        return over
    merged = MarkedList(base)
    merged.lines = list(base.lines)
    names = [job_name(entry) for entry in base]
    for entry, line in zip(over, over.lines, strict=True):
        name = job_name(entry)
        if name in names:
            place = names.index(name)
            merged[place] = _merge_job(merged[place], entry)
            merged.lines[place] = line
        else:
            merged.append(entry)
            merged.lines.append(line)
    return merged


def _merge_job(base: Any, over: Any) -> Any:
    if isinstance(over, str) or (isinstance(over, dict) and list(over.values()) == [None]):
        return base  # it names the job and changes nothing
    if isinstance(base, str):
        return over
    return merge(written_out(base), written_out(over))
