"""Corruption errors of a model from its errors per corruption and severity.

All values are means over complete sets: if a part was not measured, the result is None, never a mean of the
rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from lsbench.corruptions import BENCHMARK, SEVERITIES
from lsbench.robustness.reference import Reference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_EXCESS = 0.02
"""Smallest excess error of the reference, a fraction: a smaller one cannot normalise an error."""

Condition = tuple[str, int]
"""A corruption and a severity."""

Errors = TypeVar("Errors", float, "NDArray[np.float64]")
"""A fraction of wrong images; or, for each image, whether it was wrong, and sums of these."""


def whole_mean(values: Iterable[Errors | None]) -> Errors | None:
    """Return the mean of `values`, or None if one of them is missing.

    >>> whole_mean([0.25, 0.75]), whole_mean([0.25, None])
    (0.5, None)
    """
    total: Errors | None = None
    count = 0
    for value in values:
        if value is None:
            return None
        total = value if total is None else total + value
        count += 1
    return None if total is None else total / count


@dataclass(frozen=True)
class ErrorTable(Generic[Errors]):
    """A model's top-1 errors: fractions, or values per image, whose mean is the fraction.

    Attributes:
        errors: Error of each condition that was measured.
        clean: Error on the images without corruption.
        conditions: All conditions that were requested.
        reference: The reference that errors are divided by; None if there is none, then ratios are None.

    Source:
        Hendrycks and Dietterich, ICLR 2019, arXiv:1903.12261, section 4.
    """

    errors: Mapping[Condition, Errors]
    clean: Errors
    conditions: Sequence[Condition]
    reference: Reference | None = None

    def mean_error(self, corruption: str | None = None) -> Errors | None:
        """Return the mean error over the conditions of one corruption, or over all; not normalised."""
        asked = [condition for condition in self.conditions if corruption in (None, condition[0])]
        return whole_mean(self.errors.get(condition) for condition in asked)

    def ce(self, corruption: str) -> Errors | None:
        """Return the corruption error: the error over all severities as a ratio to the reference's."""
        error = self._benchmark_error(corruption)
        if error is None or self.reference is None:
            return None
        return error / self.reference.errors[corruption]

    def relative_ce(self, corruption: str) -> Errors | None:
        """Return the excess over the clean error, divided by the same excess of the reference.

        None also where the corruption raises the reference's error by less than :data:`LEAST_EXCESS`.
        """
        error = self._benchmark_error(corruption)
        if error is None or self.reference is None:
            return None
        excess = self.reference.errors[corruption] - self.reference.clean_error
        return (error - self.clean) / excess if excess >= LEAST_EXCESS else None

    def mce(self) -> Errors | None:
        """Return the mean corruption error over the 15 corruptions of the benchmark."""
        return whole_mean(self.ce(corruption) for corruption in BENCHMARK)

    def relative_mce(self) -> Errors | None:
        """Return the mean relative corruption error over the 15 corruptions of the benchmark."""
        return whole_mean(self.relative_ce(corruption) for corruption in BENCHMARK)

    def _benchmark_error(self, corruption: str) -> Errors | None:
        """Return the mean error over all five severities, requested or not: the reference has no other."""
        if self.reference is None or corruption not in self.reference.errors:
            return None
        return whole_mean(self.errors.get((corruption, severity)) for severity in SEVERITIES)
