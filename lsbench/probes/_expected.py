"""Approximate image counts of timings, for planning; imports neither numpy nor torch."""

from __future__ import annotations

from typing import Any

LATENCY_PASSES, THROUGHPUT_PASSES = 500, 40
#: The batch size of "max" on most machines.
USUAL_MAX = 256


def latency_images(spec: Any) -> int:
    """Return the approximate image count of a timing of single images."""
    return LATENCY_PASSES


def throughput_images(spec: Any) -> int:
    """Return the approximate image count of a timing of full batches, given a profile's settings."""
    return THROUGHPUT_PASSES * (USUAL_MAX if spec.batch_size == "max" else int(spec.batch_size))
