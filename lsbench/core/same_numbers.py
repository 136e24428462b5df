"""Which states of lsbench's own code give the same numbers, as declared by whoever changed it.

``lsbench/core/same_numbers.json`` lists, per file, groups of hashes: all hashes of a group give the same
numbers. The first group began when results first kept hashes, and is the one of results without a hash.
``python -m lsbench.cli.same_numbers`` adds to it.

Only a checkout (an editable install) asks: a release changes the version of a job kind when numbers change.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from lsbench.core.registry import PACKAGE_ROOT

FILE = PACKAGE_ROOT / "core" / "same_numbers.json"
#: File -> groups of hashes.
Groups = dict[str, list[list[str]]]


@cache
def is_checkout(package: Path = PACKAGE_ROOT) -> bool:
    """Return whether lsbench runs from its repository, where its code may change under one version."""
    try:
        project = tomllib.loads((package.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    except (OSError, ValueError, KeyError):
        return False
    return isinstance(project, dict) and project.get("name") == "lsbench"


def read_groups(path: Path = FILE) -> Groups:
    """Return the declared groups of hashes per file."""
    groups: Groups = json.loads(path.read_text(encoding="utf-8"))
    return groups


def write_groups(groups: Groups, path: Path = FILE) -> None:
    """Write the groups, one file a line, so that changes of two branches can be merged."""
    lines = (f" {json.dumps(file)}: {json.dumps(groups[file])}" for file in sorted(groups))
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def gives_same_numbers(groups: Mapping[str, list[list[str]]], file: str, then: str | None, now: str) -> bool:
    """Return whether a result stands although a file had another hash when it was made.

    Args:
        groups: The declared groups.
        file: The file.
        then: Its hash at that time; None if it is unknown or the file was not used: as in the first group.
        now: Its hash now.

    >>> groups = {"a.py": [["1", "2"], ["3"]]}
    >>> [gives_same_numbers(groups, "a.py", then, "2") for then in ("1", "2", "3", None)]
    [True, True, False, True]
    """
    known = groups.get(file, [])
    if then is None:
        return now in (known[0] if known else [])
    return then == now or any(then in group and now in group for group in known)


def declare(groups: Groups, files: Mapping[str, str], *, are_same: bool) -> Groups:
    """Return the groups after a declaration for files.

    Args:
        groups: The groups so far.
        files: File -> its hash now.
        are_same: Whether the numbers are those of before; otherwise a new group begins.

    >>> declare({"a": [["1"]]}, {"a": "2", "b": "5"}, are_same=True)
    {'a': [['1', '2']], 'b': [['5']]}
    >>> declare({"a": [["1"]]}, {"a": "2"}, are_same=False)
    {'a': [['1'], ['2']]}
    """
    found = {file: [list(group) for group in known] for file, known in groups.items()}
    for file, digest in files.items():
        known = found.setdefault(file, [])
        if known and digest in known[-1]:
            continue
        if known and are_same:
            known[-1].append(digest)
        else:
            known.append([digest])
    return found


def undeclared(groups: Groups, files: Mapping[str, str]) -> dict[str, str]:
    """Return the files, with their hashes, whose code of now is not declared as the latest."""
    return {file: digest for file, digest in files.items() if digest not in (groups.get(file) or [[]])[-1]}
