"""Find results folders: below a folder of all results, or wherever a user says that they are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from lsbench.core.errors import NothingMeasuredError
from lsbench.core.plain_warnings import warn
from lsbench.store.lines import unreadable
from lsbench.store.owned import results_at
from lsbench.store.reference import reference_folder
from lsbench.store.results import MANIFEST, ResultsFolder

#: Presets lie two levels below the folder of all results.
DEPTH = 2


def find_results(results: Path, suite: str | None = None) -> list[ResultsFolder]:
    """Return the results folders of all suites below `results`, or of one, sorted by name.

    Args:
        results: The folder of all results; the folder of one suite or preset gives its own.
        suite: Name of the suite's folder in `results`.
    """
    return shown_apart(_below(results.absolute() / suite, DEPTH - 1) if suite else results_in(results))


def results_in(folder: Path) -> list[ResultsFolder]:
    """Return the results in a folder: of one preset, of one suite, or of several suites, sorted by name."""
    return shown_apart(_below(folder.absolute(), DEPTH))


def find_asked(asked: str | Path, results: Path) -> list[ResultsFolder] | None:
    """Return the results that a user asks for by the name of a suite or by a path.

    A plain word is first a suite with results, a path is first a folder.

    Args:
        asked: A suite's name; a results folder or its address, of one preset, of a suite or of several; name
            and folder may be given as a path below `results` too. ``reference:SUITE`` names shipped results.
        results: The folder of all results.

    Returns:
        Nothing for the folder of a suite without results; None if `asked` is neither.

    Raises:
        NothingMeasuredError: If it is the path of a folder without results.
    """
    text = str(asked)
    if (reference := reference_folder(text)) is not None:
        return results_in(reference)
    if "://" in text:
        return results_in(results_at(text)) or _none_in(text)
    is_word = isinstance(asked, str) and Path(text).name == text
    folders = [results / text, Path(text)] if is_word else [Path(text), results / text]
    there = [folder for folder in folders if folder.is_dir()]
    for folder in there:
        if found := results_in(folder):
            return found
    if is_word and folders[0] in there:
        return []
    if is_word or not there:
        return None
    return _none_in(text)


def _none_in(place: str) -> NoReturn:
    raise NothingMeasuredError(
        f"{place}: no results in this folder: expected a {MANIFEST} in it, or one or two levels below"
    )


def of_preset(folders: Sequence[ResultsFolder], preset: str | None) -> list[ResultsFolder]:
    """Return the folders of one preset, by the folder's name or its manifest; all of them for None."""
    return [folder for folder in folders if preset is None or preset in (folder.root.name, folder.names[1])]


def shown_apart(folders: Iterable[ResultsFolder]) -> list[ResultsFolder]:
    """Return the folders; of several that hold the same suite and preset, each is named after its folder too.

    A copied or renamed results folder keeps the name of its suite.
    """
    of_names: dict[tuple[str, str], list[ResultsFolder]] = {}
    kept = list({folder.root: folder for folder in folders}.values())
    for folder in kept:
        of_names.setdefault(ResultsFolder(folder.root).names, []).append(folder)
    for (suite, _), same in of_names.items():
        if len(same) > 1:
            for folder, place in zip(same, _distinct([one.root.parts for one in same]), strict=True):
                folder.shown_as = f"{suite} in {place}"
    return kept


def _distinct(paths: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the parts of paths in which they differ.

    >>> _distinct([("/", "results", "g", "default"), ("/", "results", "old", "default")])
    ['g', 'old']
    """
    while len({path[0] for path in paths}) == 1 and min(map(len, paths)) > 1:
        paths = [path[1:] for path in paths]
    while len({path[-1] for path in paths}) == 1 and min(map(len, paths)) > 1:
        paths = [path[:-1] for path in paths]
    return [str(Path(*path)) for path in paths]


def _below(folder: Path, depth: int) -> list[ResultsFolder]:
    if (folder / MANIFEST).exists():
        return [ResultsFolder(folder)]
    if not depth:
        return []
    return [found for inner in _subfolders(folder) for found in _below(inner, depth - 1)]


def _subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted by name; one that cannot be read has none, with a warning."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        warn(str(unreadable(folder, error)))
        return []
