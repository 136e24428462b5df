"""How names are chosen by a glob: in one way for every option and verb."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from lsbench.core.registry import suggest


def matches(name: str, glob: str) -> bool:
    """Return whether a name equals a glob or matches it; ``A`` and ``a`` differ.

    >>> matches("ls_conv", "ls_*"), matches("LS", "ls"), matches("top-1 [%]", "top-1 [%]")
    (True, False, True)
    """
    return name == glob or fnmatchcase(name, glob)


def suggest_glob(glob: str, names: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for a name that differs in case only, or else for the nearest name.

    >>> suggest_glob("ls", ["id", "LS"])
    " (did you mean 'LS'?)"
    """
    known = list(names)
    of_case = [name for name in known if name.casefold() == glob.casefold()]
    return f" (did you mean '{of_case[0]}'?)" if of_case else suggest(glob, known)
