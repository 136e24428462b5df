"""What a summary is made of: columns, cells and rows."""

from __future__ import annotations

from dataclasses import dataclass

from lsbench.core.units import Quantity
from lsbench.tables.statistics import Estimate


@dataclass(frozen=True)
class Column:
    """A column of a summary: one metric under one protocol and on one data set, or something beside it.

    Attributes:
        key: Name in the pandas frame.
        quantity: What is shown.
        protocol: The one protocol of the column.
        dataset: The one data set, where images matter.
        is_delta: Whether it is the difference to the baseline.
        is_one_of_several: Whether other columns show the same metric in another way.
        is_published: Whether it holds what the suite's source published, and by how much ours differ.
    """

    key: str
    quantity: Quantity
    protocol: str
    dataset: str | None = None
    is_delta: bool = False
    is_one_of_several: bool = False
    is_published: bool = False

    @property
    def title(self) -> str:
        """The header for people; it names data set and protocol where it has to."""
        if self.is_published:
            return f"published {self.quantity.title.split(',', 1)[0]}"
        way = f" [{self.way}]" if self.is_one_of_several else ""
        return f"{'Δ ' if self.is_delta else ''}{self.quantity.title}{way}"

    @property
    def way(self) -> str:
        """How the numbers were measured: data set and protocol."""
        return f"{self.dataset}|{self.protocol}" if self.dataset else self.protocol


@dataclass(frozen=True)
class Cell:
    """One cell: an estimate, or why there is none.

    Attributes:
        estimate: The number with its interval; None if it was not measured.
        hole: ``"missing"``, ``"failed"``, ``"inconclusive"`` or ``""``.
        expected: Seeds that the manifest expects; fewer in the estimate is shown.
        text: How people are shown the cell, where not as a number with the digits of its column.
        gap: In a published column, ours minus the published value; None where the two are no comparison.
    """

    estimate: Estimate | None
    hole: str = ""
    expected: int = 1
    gap: float | None = None
    text: str = ""


@dataclass(frozen=True)
class Row:
    """One variant, or a row of the source that cannot be run here."""

    variant: str
    title: str
    is_baseline: bool
    cells: dict[str, Cell]
    is_published_only: bool = False
