"""Check what jobs need on this machine, without torch: the packages of their loggers and runtimes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lsbench.core.registry import RUNTIMES
from lsbench.loggers import missing_package
from lsbench.suite.schema import Suite


def missing_loggers(settings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one line for each logger whose package is not installed.

    Args:
        settings: The settings of jobs; those with ``loggers`` count.
    """
    lines = [missing_package(choice) for one in settings for choice in one.get("loggers") or ()]
    return list(dict.fromkeys(line for line in lines if line is not None))


def missing_runtimes(settings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one line for each runtime that cannot be used here as jobs ask for it.

    Several that are not installed share one line.

    Args:
        settings: The settings of jobs; those with a ``runtime`` count.
    """
    asked: dict[tuple[str, str, str], None] = {}
    for one in settings:
        name = "compile" if one.get("compiled") else one.get("runtime")
        if name is not None:
            asked[name, one.get("precision", "fp32"), one.get("quantisation", "static")] = None
    runtimes = {name: RUNTIMES.load(name) for name, _, _ in asked}
    absent = dict.fromkeys(
        (name, package)
        for name, precision, _ in asked
        if (package := runtimes[name].missing_package(precision)) is not None
    )
    together = dict.fromkeys(name for name, _ in absent)
    if len(together) == 1:
        together = {}
    lines = [
        runtimes[name].problem(name, precision, quantisation=quantisation)
        for name, precision, quantisation in asked
        if name not in together
    ]
    if together:
        modules = dict.fromkeys(f"'{package}'" for _, package in absent)
        extras = dict.fromkeys(f'"{runtimes[name].install}"' for name in together)
        lines.append(
            f"runtime: {', '.join(together)}: cannot be imported here (No module named "
            f"{', '.join(modules)}); install them with `pip install {' '.join(extras)}`, or choose others"
        )
    return list(dict.fromkeys(line for line in lines if line is not None))


def settings_of(suite: Suite) -> Iterator[Mapping[str, Any]]:
    """Yield the settings of every job of a suite."""
    for job in suite.jobs:
        yield from (job.spec, *job.spec_of.values())
