"""Check the data of jobs before the first of them runs, in a process that may import torch."""

from __future__ import annotations

from collections.abc import Sequence

from lsbench.core.errors import DataError
from lsbench.suite.splits import DataUse


def check_data_uses(uses: Sequence[DataUse]) -> list[str]:
    """Look at the data that jobs will read; return one line for each problem, with the first job it stops.

    A good data set is looked at once while nothing changes.
    """
    from lsbench.engine.open_data import OpenData

    problems: dict[str, str] = {}
    for use in uses:
        try:
            OpenData(use.settings, use.data_root).require(use.splits, masks=use.masks)
        except DataError as error:
            problems.setdefault("; ".join(str(error).splitlines()), use.label)
        except Exception as error:  # noqa: BLE001 - a data set of another package may raise any error
            name = use.settings["name"]
            problems.setdefault(f"data set '{name}': {type(error).__name__}: {error!s:.200}", use.label)
    return [f"{label}: {message}" for message, label in problems.items()]
