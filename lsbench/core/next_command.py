"""Commands that a user may type next, with the flags without which they would not find the same results."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

#: The folder of all results, unless a user names another.
RESULTS = Path("results")
PRESET = "default"
#: Folders that are shown under other names.
_shown: dict[Path, str] = {}


def next_command(
    verb: str,
    *words: str,
    results: Path = RESULTS,
    preset: str | None = None,
    data: Path | None = None,
    limit: int | None = None,
    overrides: Sequence[str] | None = None,
) -> str:
    """Return a command as typed in a shell; flags that say what is usual anyway are left out.

    >>> next_command("report", "smoke", "-o", "smoke.html", results=Path("my results"))
    "lsbench report smoke -o smoke.html --results 'my results'"
    >>> next_command("run", "smoke", preset="default", limit=2, overrides=["seeds=[0]"])
    "lsbench run smoke --limit 2 --set 'seeds=[0]'"

    Args:
        verb: The verb.
        words: Its arguments and further flags.
        results: Folder of all results.
        preset: Preset of the suite.
        data: Folder of large data sets.
        limit: Value of ``--limit``.
        overrides: Values of ``--set``.
    """
    flags = ["--preset", preset] if preset not in (None, PRESET) else []
    flags += ["--results", near(results)] if results.absolute() != RESULTS.absolute() else []
    flags += ["--data", near(data)] if data is not None else []
    flags += ["--limit", str(limit)] if limit is not None else []
    flags += [word for override in overrides or () for word in ("--set", override)]
    return shlex.join(["lsbench", verb, *words, *map(str, flags)])


def near(path: Path) -> str:
    """Return a path relative to the working directory if it is below it, or as :func:`show_as` says."""
    shown, here = place(path), Path.cwd()
    return str(path.relative_to(here)) if shown == str(path) and path.is_relative_to(here) else shown


def place(path: Path) -> str:
    """Return a path as it is, or as :func:`show_as` says."""
    for folder, text in _shown.items():
        if path.is_relative_to(folder):
            return "/".join([text, *path.relative_to(folder).parts])
    return str(path)


def show_as(folder: Path, text: str) -> None:
    """Show a folder and what is in it under another name: the address of which it is a copy."""
    _shown[folder] = text
