"""Keep what Ray prints out of the output of a run."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

log = logging.getLogger(__name__)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide the warnings during the start of Ray."""
    logger = logging.getLogger("ray")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def silence() -> None:
    """Send the lines that Ray prints from a thread to our log; the hook is private and may be missing."""
    import ray

    with contextlib.suppress(AttributeError):
        ray._private.worker.print_to_stdstream = lambda data, ignore_prefix=False: log.debug(
            data.get("lines")
        )
