"""Completion in the shell: names for arguments, and the requests that typer answers and then exits."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

#: The variable by which a shell asks for completions.
ASKED = "_LSBENCH_COMPLETE"
OPTIONS = ("--install-completion", "--show-completion")


def is_completion(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> bool:
    """Return True if typer answers this command line itself, for a shell, and leaves with SystemExit.

    >>> is_completion(["--show-completion"], {})
    True
    """
    return ASKED in environ or any(one.partition("=")[0] in OPTIONS for one in arguments)


def suite_names(incomplete: str) -> Iterator[str]:
    """Yield the shipped suites that start with a text; for other texts the shell completes names of files."""
    from lsbench.suite.loader import shipped_suites

    yield from (name for name in shipped_suites() if name.startswith(incomplete))
