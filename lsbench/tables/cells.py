"""What a summary is made of: columns, cells and rows."""

from __future__ import annotations

from dataclasses import dataclass, field

from lsbench.core.facets import Facets
from lsbench.core.quantity import Quantity
from lsbench.stats.seeds import Estimate


@dataclass(frozen=True)
class Column:
    """A column of a summary: one metric under one protocol and on one data set, or something beside it.

    Attributes:
        key: Name in the pandas frame.
        quantity: What is shown.
        protocol: The one protocol of the column.
        dataset: The one data set, where images matter.
        jobs: Names of the jobs that measure it; empty where it does not matter which of its kind does.
        is_on_other_data: Whether the data set is another than the variants' own; the title then names it.
        is_delta: Whether it is the difference to the baseline.
        remark: What ends the title where other columns show the same metric in another way.
        is_published: Whether it holds what the suite's source published, and by how much ours differ.
        kind: The kind of job that measures it; empty where none does.
        panel: Which of the tables it stands in, by what is written behind the heading; empty: the main one.
        facets: How it was measured, field by field.
    """

    key: str
    quantity: Quantity
    protocol: str
    dataset: str | None = None
    jobs: frozenset[str] = frozenset()
    is_on_other_data: bool = False
    is_delta: bool = False
    remark: str = ""
    is_published: bool = False
    kind: str = ""
    panel: str = ""
    facets: Facets = field(default_factory=Facets)

    @property
    def title(self) -> str:
        """The header for people; it names data set and protocol where it has to."""
        return self._with_its_place(self.quantity.title)

    @property
    def short_title(self) -> str:
        """The header of narrow tables."""
        return self._with_its_place(self.quantity.short_title or self.quantity.title)

    def _with_its_place(self, title: str) -> str:
        if self.is_published:
            return f"published {title.split(',', 1)[0]}"
        where = f"{self.dataset} " if self.is_on_other_data else ""
        return f"{'Δ ' if self.is_delta else ''}{where}{title}{self.remark}"

    @property
    def published_as(self) -> str:
        """The metric as suites name what others published: of other data, with the data set before it."""
        return f"{self.dataset}_{self.quantity.name}" if self.is_on_other_data else self.quantity.name

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
        rank: 1 for the best value of its column and 2 for the second, as :mod:`lsbench.tables.ranking` says.
        of: The column whose quantity the cell shows, where it is not the one it stands in: in pivoted tables.
    """

    estimate: Estimate | None
    hole: str = ""
    expected: int = 1
    gap: float | None = None
    text: str = ""
    rank: int | None = None
    of: Column | None = None


@dataclass(frozen=True)
class Row:
    """One variant, or a row of the source that cannot be run here."""

    variant: str
    title: str
    is_baseline: bool
    cells: dict[str, Cell]
    is_published_only: bool = False
    #: In pivoted tables, the panel of the column that the row was.
    panel: str = ""
