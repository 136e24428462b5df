"""Show lsbench's own warnings as one plain line each, without Python's file, line and source."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class LsbenchWarning(UserWarning):
    """Something is wrong but the work goes on; the message says what and where."""


def warn(message: str) -> None:
    """Warn of something in one line; in Python a :class:`LsbenchWarning`, on the command line plain text."""
    warnings.warn(message, LsbenchWarning, stacklevel=2)


@contextmanager
def shown_plainly() -> Iterator[None]:
    """Show lsbench's own warnings as ``lsbench: warning: ...`` on stderr, each once; others as usual."""
    told: set[str] = set()
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if not issubclass(category, LsbenchWarning):
                usual(message, category, filename, lineno, file, line)
                return
            text = " ".join(str(message).split())
            if text not in told:
                told.add(text)
                print(f"lsbench: warning: {text}", file=file or sys.stderr)

        warnings.simplefilter("always", LsbenchWarning)
        warnings.showwarning = show
        yield
