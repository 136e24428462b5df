"""Decide when a model is warm, and when its timing is precise enough."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lsbench.timing.quantiles import relative_noise
from lsbench.timing.request import Budget, WarmUp

WINDOW_S = 0.1
TOLERANCE = 0.02
FEWEST = 6
"""With fewer samples the median has no 95 % interval."""
GROWTH = 1.5
"""Factor by which the sample count must grow before the noise is computed again."""


def is_steady(windows: Sequence[Sequence[float]]) -> bool:
    """Return True if the last three windows of passes took the same time, from one to the next.

    The same means that the medians differ by at most 2 %, or by no more than passes within a window differ
    (half the interquartile range): on a noisy machine, waiting longer gains nothing.

    Args:
        windows: The seconds of the passes of each window.

    >>> is_steady([[9.0], [5.0], [5.05], [5.0]]), is_steady([[5.0], [4.8], [4.6]]), is_steady([[5.0], [5.0]])
    (True, False, False)
    """
    last = windows[-3:]
    if len(last) < 3:
        return False
    medians = [statistics.median(window) for window in last]
    first, third = np.quantile(last[-1], [0.25, 0.75])
    allowed = max(TOLERANCE, float(third - first) / 2 / medians[-1])
    return all(abs(after - before) <= allowed * before for before, after in itertools.pairwise(medians))


def warm_up(run: Callable[[], float], clock: Callable[[], float], *, most_s: float) -> WarmUp:
    """Run passes until they are steady, or for `most_s`.

    The first pass, which may compile code, is not limited.

    Args:
        run: Runs one pass and returns its seconds.
        clock: Seconds of a monotonic clock.
        most_s: Seconds after the first pass at which it ends, steady or not.
    """
    started, windows = clock(), [[run()]]
    warmed = clock()
    while not is_steady(windows[1:]) and clock() - warmed < most_s:
        opened, window = clock(), [run()]
        while clock() - opened < WINDOW_S:
            window.append(run())
        windows.append(window)
    return WarmUp(passes=sum(map(len, windows)), seconds=clock() - started, is_steady=is_steady(windows[1:]))


class StopRule:
    """Decides after each block of samples whether to continue; the noise is computed at growing intervals."""

    def __init__(self, budget: Budget) -> None:
        """Start without samples."""
        self.budget = budget
        self._next_look = 0.0

    def reason(
        self, samples: NDArray[np.float64], is_disturbed: NDArray[np.bool_], elapsed_s: float
    ) -> Literal["noise", "time", "samples"] | None:
        """Return the reason to stop now, or None.

        Args:
            samples: All samples so far, shape ``(n,)``.
            is_disturbed: The samples that do not count, shape ``(n,)``.
            elapsed_s: Seconds since the first.
        """
        budget, count = self.budget, len(samples)
        if self._is_known(samples, is_disturbed, elapsed_s):
            return "noise"
        if elapsed_s >= budget.max_s and count >= FEWEST:
            return "time"
        return "samples" if budget.max_samples is not None and count >= budget.max_samples else None

    def _is_known(
        self, samples: NDArray[np.float64], is_disturbed: NDArray[np.bool_], elapsed_s: float
    ) -> bool:
        budget, clean = self.budget, samples[~is_disturbed]
        if elapsed_s < budget.min_s or len(clean) < max(budget.min_samples, self._next_look):
            return False
        if is_disturbed.mean() > budget.max_disturbed:
            return False
        self._next_look = len(clean) * GROWTH
        return relative_noise(clean) <= budget.target_noise
