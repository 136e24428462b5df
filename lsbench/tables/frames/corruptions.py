"""Every number under one corruption, of classifiers, detectors and segmenters, as one pandas frame."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from lsbench.store.results import ResultsFolder
from lsbench.tables.frames.parts import OpenResults, part_frame, read_all
from lsbench.tables.frames.ways import Part

#: Columns of the frame of corruptions, with the pandas type of each.
CORRUPTION_COLUMNS = {
    "suite": "string",
    "preset": "string",
    "job_id": "string",
    "variant": "string",
    "title": "string",
    "seed": "Int64",
    "dataset": "string",
    "protocol": "string",
    "corruption": "string",
    "severity": "Int64",
    "metric": "string",
    "value": "Float64",
    "n": "Int64",
    "method": "string",
}


def load_corruptions(folders: Iterable[ResultsFolder]) -> pd.DataFrame:
    """Return every per-corruption value in `folders` as one row, in the order of the manifest.

    Returns:
        A frame with the columns of :data:`CORRUPTION_COLUMNS`. `severity` is null for a value over all
        severities; `value` is null if a part could not be measured.
    """
    return read_all(folders, CORRUPTION_COLUMNS, corruptions_frame)


def corruptions_frame(opened: OpenResults) -> pd.DataFrame:
    """Return the corruptions of one results folder as a frame; text columns are categorical."""
    return part_frame(opened, Part.CORRUPTION, list(CORRUPTION_COLUMNS), {})
