"""Python's garbage collection, which looks at objects in three generations."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def collect_seldom() -> None:
    """Let a process look for garbage seldom: most of what a command makes, such as jobs, stays to its end.

    Not for a process that trains: a cycle of references may hold much memory of a device.
    """
    gc.set_threshold(50_000, 50, 100)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Collect no garbage in the block, unless it asks for that itself.

    All that the block makes stays in the youngest generation, so that ``gc.collect(0)`` finds every cycle of
    references among it; a collection of all objects takes seconds where a program holds millions.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
