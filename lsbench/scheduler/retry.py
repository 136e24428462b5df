"""The failures that are retried, and the number of retries."""

from __future__ import annotations

from typing import Any

from lsbench.core.plain_text import limited

#: Failures of the machine rather than of the job; a job's own error repeats and is not retried.
RETRIED = {
    "worker_lost": "the process that ran the job died",
    "node_lost": "the node that ran the job is gone",
    "timeout": "the job ran longer than its timeout",
    "oom": "memory ran out",
}


def should_retry(error_class: str, *, failures: list[str], max_retries: int) -> bool:
    """Return whether a job that failed with `error_class` is run again.

    Args:
        error_class: Error class of the attempt that has just failed.
        failures: Error classes of the attempts of this run, including the last one.
        max_retries: Number of retries allowed by the job's resources.
    """
    if error_class not in RETRIED:
        return False
    if error_class == "oom" and failures.count("oom") > 1:
        return False
    # A lost node is not the job's fault, and each node can be lost only once.
    return error_class == "node_lost" or len([f for f in failures if f != "node_lost"]) <= max_retries


def needs_node_alone(failures: list[str]) -> bool:
    """Return whether the next attempt should have its node to itself, as memory ran out before."""
    return "oom" in failures


def one_line(end: dict[str, Any]) -> str:
    """Return the end of an attempt as one line, of a length that can be stored."""
    message = str(end.get("message") or RETRIED.get(end["error_class"], "failed")).strip()
    return limited(f"{end['error_class']}: {message.splitlines()[0] if message else 'no message'}")
