"""How many images timings take, about: for plans, which import neither numpy nor torch."""

from __future__ import annotations

from typing import Any

LATENCY_PASSES, THROUGHPUT_PASSES = 500, 40
#: The batch that "max" comes to on most machines.
USUAL_MAX = 256


def latency_images(spec: Any) -> int:
    """Return about how many images a timing of single images takes."""
    return LATENCY_PASSES


def throughput_images(spec: Any) -> int:
    """Return about how many images a timing of full batches takes, under the settings of a profile."""
    return THROUGHPUT_PASSES * (USUAL_MAX if spec.batch_size == "max" else int(spec.batch_size))
