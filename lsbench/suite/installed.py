"""Check what jobs need on this machine, without torch: the packages of their loggers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lsbench.loggers import missing_package
from lsbench.suite.schema import Suite


def missing_loggers(settings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one line for each logger whose package is not installed.

    Args:
        settings: The settings of jobs; those with ``loggers`` count.
    """
    lines = [missing_package(choice) for one in settings for choice in one.get("loggers") or ()]
    return list(dict.fromkeys(line for line in lines if line is not None))


def settings_of(suite: Suite) -> Iterator[Mapping[str, Any]]:
    """Yield the settings of every job of a suite."""
    for job in suite.jobs:
        yield from (job.spec, *job.spec_of.values())
