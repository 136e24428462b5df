"""Read the streams of Ray tasks: what they tell, or how they were lost."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

#: The error class of a task that was cancelled, by us or by its node.
CANCELLED = "cancelled"


def next_items(streams: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the next item of each stream of a task, fetched together; a failed or empty stream ends."""
    import ray

    items: list[Any] = []
    for stream in streams:
        try:
            items.append(next(stream))
        except (StopIteration, ray.exceptions.RayError) as error:
            items.append(error)
    references = [item for item in items if not isinstance(item, Exception)]
    try:
        found = iter(ray.get(references))
    except ray.exceptions.RayError:
        found = map(_get, references)
    return [_as_end(got) for got in (item if isinstance(item, Exception) else next(found) for item in items)]


def _get(reference: Any) -> Any:
    """Return an object, or the error that is in its place."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        return error


def _as_end(item: Any) -> dict[str, Any]:
    if not isinstance(item, Exception):
        data: dict[str, Any] = item
        return data
    error_class, message = _failure(item)
    return {"ev": "end", "ok": False, "error_class": error_class, "message": message}


def _failure(error: Exception) -> tuple[str, str]:
    """Return the error class and message of a failed Ray task."""
    from ray import exceptions

    if isinstance(error, exceptions.TaskCancelledError):
        return CANCELLED, "the Ray task was cancelled"
    if isinstance(error, (exceptions.NodeDiedError, exceptions.TaskUnschedulableError)):
        return "node_lost", first_line(error)
    if isinstance(error, exceptions.OutOfMemoryError):
        return "oom", first_line(error)
    if isinstance(error, exceptions.RayTaskError):
        return "supervisor_error", first_line(error.cause or error)
    return "worker_lost", f"the Ray worker died ({type(error).__name__})"


def cancel(stream: Any) -> None:
    """Ask a task to stop, as if Ctrl-C had been pressed in it; one that has ended stays as it is."""
    import ray

    with contextlib.suppress(ray.exceptions.RayError, ValueError, TypeError):
        ray.cancel(stream, force=False)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its class."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
