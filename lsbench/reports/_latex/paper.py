"""The widths of a paper's text, as ``--width`` names them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lsbench.core.errors import UsageError

POINTS = {"pt": 1.0, "in": 72.27, "cm": 72.27 / 2.54, "mm": 72.27 / 25.4}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(pt|in|cm|mm)")
LEAST = 150.0
#: Widths in which usual papers have their text: the narrowest of them, so that a table fits in all.
NAMED = {"one-column": (345.0,), "two-column": (219.0, 452.0)}


@dataclass(frozen=True)
class Paper:
    """The widths of a table.

    Attributes:
        widths: In points, that of a column first, then that of the whole text if the paper has two columns.
    """

    widths: tuple[float, ...]

    def is_wide(self, width: float) -> bool:
        """Return whether a table of this width takes both columns."""
        return len(self.widths) > 1 and width > self.widths[0]


def parse_width(text: str) -> Paper:
    """Return the widths that a text names.

    >>> parse_width("two-column").widths, parse_width("250pt").widths
    ((219.0, 452.0), (250.0,))

    Args:
        text: ``one-column``, ``two-column``, the width of the text such as ``5.5in``, or those of a column
            and of the whole text such as ``3.25in,6.875in``.

    Raises:
        UsageError: If it names no width, or one too narrow for a table.
    """
    if text in NAMED:
        return Paper(NAMED[text])
    found = [_LENGTH.fullmatch(part.strip()) for part in text.split(",")]
    lengths = [float(one[1]) * POINTS[one[2]] for one in found if one is not None]
    if len(lengths) < len(found) or len(lengths) > 2 or lengths != sorted(lengths):
        raise UsageError(
            f"--width {text}: expected one-column, two-column, a width such as 5.5in, or those of a column "
            "and of the text such as 3.25in,6.875in (units: pt, in, cm, mm)"
        )
    if lengths[0] < LEAST:
        raise UsageError(f"--width {text}: too narrow for a table; the least is {LEAST:.0f}pt")
    return Paper(tuple(lengths))
