"""Performance under corruption: its mean over corruptions and severities, and relative to that without.

A mean over an incomplete set is withheld: it is None, never the mean of the rest.

Source:
    Michaelis et al., Benchmarking Robustness in Object Detection, 2019, arXiv:1907.07484, section 2.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: A corruption and a severity.
Condition = tuple[str, int]
#: A performance, such as AP; or its values over resampled images, shape ``(R,)``.
Performance = TypeVar("Performance", float, "NDArray[np.float64]")


def mean_performance(
    of_conditions: Mapping[Condition, Performance | None], wanted: Iterable[Condition]
) -> Performance | None:
    """Return the mean performance under corruption (mPC): over all severities of all corruptions.

    Args:
        of_conditions: Performance under each condition; None where it has no value.
        wanted: The complete set of conditions.

    >>> mean_performance({("fog", 1): 0.5, ("fog", 2): 0.25}, [("fog", 1), ("fog", 2)])
    0.375
    >>> mean_performance({("fog", 1): 0.5}, [("fog", 1), ("fog", 2)])
    """
    total: Performance | None = None
    count = 0
    for condition in wanted:
        value = of_conditions.get(condition)
        if value is None:
            return None
        total = value if total is None else total + value
        count += 1
    return None if total is None else total / count


def relative_performance(mean: Performance | None, clean: Performance | None) -> Performance | None:
    """Return the relative performance under corruption (rPC): mPC as a share of the clean performance.

    >>> relative_performance(0.2, 0.4), relative_performance(0.2, 0.0), relative_performance(None, 0.4)
    (0.5, None, None)
    """
    if mean is None or clean is None or (isinstance(clean, float) and clean == 0):
        return None
    return mean / clean
