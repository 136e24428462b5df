"""The accuracy of each class and the confusion matrix of each evaluation, as comma-separated values."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lsbench.core.errors import NothingMeasuredError
from lsbench.reports._frame import to_csv
from lsbench.tables.frames.classes import load_classes, load_confusions
from lsbench.tables.summary import Summary


def classes_csv(summaries: Sequence[Summary], *, table: str = "accuracy") -> str:
    """Return the classes of the evaluations of all rows of `summaries` as one CSV.

    Args:
        summaries: The summaries; their rows name the variants.
        table: ``accuracy``: one line per evaluation and class; ``confusion``: the confusion matrices, one
            line per cell that is not zero.

    Raises:
        NothingMeasuredError: If no evaluation keeps its answers.
        StoreError: If a file is damaged.
    """
    load = load_confusions if table == "confusion" else load_classes
    frames = [
        load([summary.folder], [row.variant for row in summary.rows])
        for summary in summaries
        if summary.folder
    ]
    kept = [frame for frame in frames if len(frame)]
    if not kept:
        names = ", ".join(dict.fromkeys(summary.suite for summary in summaries))
        raise NothingMeasuredError(f"{names}: no evaluation has kept its answers; run an `evaluate` job")
    return to_csv(pd.concat(kept, ignore_index=True))
