"""Number the groups of a frame's rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def group_numbers(frame: pd.DataFrame, keys: Sequence[str]) -> NDArray[np.int64]:
    """Return the group number of each row, counted from 0 in order of appearance; null is its own value.

    >>> group_numbers(pd.DataFrame({"a": ["y", "x", "y"], "b": [1, 1, None]}), ["a", "b"]).tolist()
    [0, 1, 2]
    """
    number = np.zeros(len(frame), np.int64)
    for key in keys:
        codes, found = pd.factorize(frame[key], use_na_sentinel=False)
        number = pd.factorize(number * (len(found) + 1) + codes)[0]
    return number
