"""Every number of one class of detectors and segmenters, AP or IoU for example, as one pandas frame."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from lsbench.store.results import ResultsFolder
from lsbench.tables.frames.parts import OpenResults, part_frame, read_all
from lsbench.tables.frames.ways import Part

#: Columns of the frame of classes, with the pandas type of each.
CATEGORY_COLUMNS = {
    "suite": "string",
    "preset": "string",
    "job_id": "string",
    "variant": "string",
    "title": "string",
    "seed": "Int64",
    "dataset": "string",
    "protocol": "string",
    "category": "string",
    "metric": "string",
    "value": "Float64",
    "n": "Int64",
    "method": "string",
}


def load_categories(folders: Iterable[ResultsFolder]) -> pd.DataFrame:
    """Return every number of one class in `folders` as one row, in the order of the manifest.

    Returns:
        A frame with the columns of :data:`CATEGORY_COLUMNS`; `value` is null for a class without objects.
    """
    return read_all(folders, CATEGORY_COLUMNS, _frame_of)


def _frame_of(opened: OpenResults) -> pd.DataFrame:
    return part_frame(opened, Part.CATEGORY, list(CATEGORY_COLUMNS), {})
