"""Records that are final before their job has ended, such as FLOPs before timings.

They lie in the job's folder, in the form of a result, until its result is there. So they are known of a job
that is running, was stopped, or failed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lsbench.core.atomic import write_json
from lsbench.core.errors import StoreError
from lsbench.core.record import Record
from lsbench.store.checks import check_result
from lsbench.store.results import ResultsFolder, read_json

EARLY = "early.json"


@contextmanager
def keeping(
    folder: Path, content: Callable[[Sequence[Record]], dict[str, Any]]
) -> Iterator[Callable[[Sequence[Record]], None]]:
    """Yield a function that keeps further records of a running job; they go when the job has ended well.

    Args:
        folder: The job's folder; what an earlier attempt kept there is removed.
        content: Returns the job's line and its records as they are stored.
    """
    path, kept = folder / EARLY, list[Record]()

    def keep(records: Sequence[Record]) -> None:
        if records:
            kept.extend(records)
            write_json(path, content(kept))

    path.unlink(missing_ok=True)
    yield keep
    path.unlink(missing_ok=True)


def read_early(folder: ResultsFolder, job_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return what jobs without a result have kept so far: id -> ``{"job": ..., "records": [...]}``.

    Most have kept nothing. A damaged file is left out with a warning: the next run writes it again.
    """
    found, begun = {}, folder.begun()
    for name in job_ids:
        if name in begun and (content := _read(folder, folder.job_folder(name) / EARLY)) is not None:
            found[name] = content
    return found


def _read(folder: ResultsFolder, path: Path) -> dict[str, Any] | None:
    try:
        content = read_json(path)
        if content is not None:
            check_result(content, str(path))
    except StoreError as error:
        folder.warn(str(error))
        return None
    return content
