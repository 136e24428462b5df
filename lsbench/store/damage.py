"""Read several results folders so that a damaged one hides only itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from lsbench.core.errors import LsbenchError, StoreError
from lsbench.core.next_command import place
from lsbench.core.plain_warnings import warn
from lsbench.store.lines import unreadable
from lsbench.store.results import ResultsFolder

T = TypeVar("T")


def read_each(folders: Iterable[ResultsFolder], read: Callable[[ResultsFolder], T]) -> list[T]:
    """Return what `read` makes of each folder; a damaged one is left out with a warning of one line.

    Raises:
        StoreError: If no folder can be read; the message has one line per folder.
    """
    found: list[T] = []
    problems: list[str] = []
    for folder in folders:
        try:
            with explained(folder.root):
                found.append(read(folder))
        except StoreError as error:
            problems.append(str(error))
    if problems and not found:
        raise StoreError("\n".join(problems))
    for problem in problems:
        warn(problem)
    return found


@contextmanager
def explained(root: Path) -> Iterator[None]:
    """Turn any error of reading the files of a results folder into a StoreError of one line.

    Other errors of lsbench, such as that nothing was measured, are passed on.
    """
    try:
        yield
    except LsbenchError:
        raise
    except OSError as error:
        raise unreadable(Path(error.filename or root), error) from error
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise StoreError(
            f"{place(root)}: cannot be read ({reason:.200}); restore its files from a copy, or remove "
            "jobs.jsonl and records.jsonl and run again; `lsbench --traceback VERB ...` shows where"
        ) from error
