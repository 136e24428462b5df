"""The failures that are retried, and the number of retries."""

from __future__ import annotations

from typing import Any

from lsbench.core.job import Resources
from lsbench.core.plain_text import limited

#: Failures of the machine rather than of the job; a job's own error repeats and is not retried.
RETRIED = {
    "worker_lost": "the process that ran the job died",
    "node_lost": "the node that ran the job is gone",
    "preempted": "the job was asked to stop, as its node goes away",
    "crowded_out": "others took the place of some of its ranks",
    "timeout": "the job ran longer than its timeout",
    "oom": "memory ran out",
    "share_oom": "the job's share of its device's memory ran out",
    "device_lost": "the job did not see the device that it was granted",
    "device_error": "the device failed",
    "shared_memory": "shared memory ran out",
    "communication": "the ranks could not reach each other",
}
#: Those after which the node gets no more jobs: it is gone, or does not show its devices. A job is not to
#: blame, and each node can be lost only once.
LOSES_NODE = frozenset({"node_lost", "device_lost"})
#: Those that use up no retry: they come from outside.
FREE = LOSES_NODE | {"preempted", "crowded_out"}
#: Those that repeat where the job is: it needs another node, or more of the device.
ELSEWHERE = LOSES_NODE | {"share_oom"}
#: Memory that is not enough with more of it will not be enough later.
ONCE = frozenset({"oom", "share_oom"})


def should_retry(
    error_class: str, *, failures: list[str], max_retries: int, stays_in_place: bool = False
) -> bool:
    """Return whether a job that failed with `error_class` is run again.

    Args:
        error_class: Error class of the attempt that has just failed.
        failures: Error classes of the attempts of this run, including the last one.
        max_retries: Number of retries allowed by the job's resources.
        stays_in_place: Whether the next attempt would run in the same place, with the same resources.
    """
    if error_class not in RETRIED or (stays_in_place and error_class in ELSEWHERE):
        return False
    if error_class in ONCE and failures.count(error_class) > 1:
        return False
    return error_class in FREE or len([f for f in failures if f not in FREE]) <= max_retries


def resources_again(failures: list[str]) -> Resources:
    """Return what the next attempt should have beside what the job asks for: more of what ran out."""
    return Resources(
        exclusive="node" if "oom" in failures else None, num_gpus=1.0 if "share_oom" in failures else None
    )


def one_line(end: dict[str, Any]) -> str:
    """Return the end of an attempt as one line, of a length that can be stored."""
    message = str(end.get("message") or RETRIED.get(end["error_class"], "failed")).strip()
    return limited(f"{end['error_class']}: {message.splitlines()[0] if message else 'no message'}")
