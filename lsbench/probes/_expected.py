"""Approximate image counts of timings, for planning; imports neither numpy nor torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LATENCY_PASSES, THROUGHPUT_PASSES = 500, 40
#: The batch size of "max" on most machines.
USUAL_MAX = 256
#: Seconds in which the process of a timing starts, builds its models and warms them up.
PROCESS_S = 4.0
#: Seconds in which a model is brought into a runtime other than PyTorch, and checked there.
BUILD_S = 30.0
#: Share of the time of a measurement in which the largest batch is searched for.
SEARCH_SHARE = 0.25
#: A timing of few passes: those that warm up, the least seconds, and the MACs that a thread does in a second.
WARM_UP_PASSES, LIMITED_S, MACS_PER_S = 6, 1.0, 1e10


def latency_images(spec: Any) -> int:
    """Return the approximate image count of a timing of single images."""
    return LATENCY_PASSES


def throughput_images(spec: Any) -> int:
    """Return the approximate image count of a timing of full batches, given a profile's settings."""
    return THROUGHPUT_PASSES * (USUAL_MAX if spec.batch_size == "max" else int(spec.batch_size))


def latency_seconds(spec: Any, macs: float, limit: int | None) -> float:
    """Return the most seconds that a timing of single images takes; arguments as for a probe's `seconds`."""
    return _seconds(spec, macs, limit)


def throughput_seconds(spec: Any, macs: float, limit: int | None) -> float:
    """Return the most seconds that a timing of full batches takes; arguments as for a probe's `seconds`."""
    if spec.batch_size == "max":
        search = PROCESS_S + SEARCH_SHARE * float(spec.max_s)
        return search + _seconds(spec, macs * USUAL_MAX, limit)
    return _seconds(spec, macs * spec.batch_size, limit)


def with_control(
    seconds: Callable[[Any, float, int | None], float],
) -> Callable[[Any, float, int | None], float]:
    """Return the seconds of a comparison, in which few passes are those of two models."""

    def of_both(spec: Any, macs: float, limit: int | None) -> float:
        return seconds(spec, 2 * macs, limit)

    return of_both


def _seconds(spec: Any, macs: float, limit: int | None) -> float:
    """Return the seconds of one measurement: processes one after another, and the time that they share."""
    most: float = spec.max_s
    if limit is not None:
        passes = spec.processes * WARM_UP_PASSES + limit
        most = min(most, LIMITED_S * spec.processes + passes * macs / (MACS_PER_S * spec.threads))
    processes: int = spec.processes
    build = 0.0 if spec.setting().runtime == "eager" else PROCESS_S + BUILD_S
    return build + processes * PROCESS_S + most
