"""Columns, cells and rows of a summary."""

from __future__ import annotations

from dataclasses import dataclass, field

from lsbench.core.facets import Facets
from lsbench.core.quantity import Quantity
from lsbench.stats.seeds import Estimate


@dataclass(frozen=True)
class Column:
    """A column of a summary: one metric under one protocol and on one data set, or values derived from it.

    Attributes:
        key: Name in the pandas frame.
        quantity: The quantity in the column.
        protocol: The protocol of all values.
        dataset: The data set of all values; None where no images are involved.
        jobs: Names of the jobs that measure it; empty if any job of its kind may.
        is_on_other_data: True for a data set other than the variants' own; the title then names it.
        is_delta: True for differences to the baseline.
        remark: End of the title, where several columns show the same metric.
        is_published: True for published values with their gap to ours.
        kind: Kind of the job that measures it; empty if no job does.
        panel: Name of the table that holds it, as in the table's heading; empty for the main table.
        facets: Facets of the measurement.
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
        """The column's title, with data set and protocol where needed."""
        return self._with_its_place(self.quantity.title, "published")

    @property
    def short_title(self) -> str:
        """The title in narrow tables."""
        return self._with_its_place(self.quantity.short_title or self.quantity.title, "publ.")

    def _with_its_place(self, title: str, published: str) -> str:
        if self.is_published:
            return f"{published} {title.split(',', 1)[0]}"
        where = f"{self.dataset} " if self.is_on_other_data else ""
        return f"{'Δ ' if self.is_delta else ''}{where}{title}{self.remark}"

    @property
    def published_as(self) -> str:
        """The metric's name in `published:` of a suite; for other data it starts with the data set."""
        return f"{self.dataset}_{self.quantity.name}" if self.is_on_other_data else self.quantity.name

    @property
    def way(self) -> str:
        """Data set and protocol of the values."""
        return f"{self.dataset}|{self.protocol}" if self.dataset else self.protocol


@dataclass(frozen=True)
class Cell:
    """One cell: an estimate, or the reason why there is none.

    Attributes:
        estimate: The value with its interval; None if not measured.
        hole: ``"running"``, ``"waiting"``, ``"missing"``, ``"failed"``, ``"due"``, ``"inconclusive"``,
            ``"withheld"`` or ``""``.
        expected: Number of seeds in the manifest; reports mark an estimate from fewer.
        text: Text to show instead of the formatted value; empty for most cells.
        gap: In a published column, ours minus the published value; None if the two cannot be compared.
        rank: 1 for the best value of its column, 2 for the second best; see :mod:`lsbench.tables.ranking`.
        of: In pivoted tables, the column whose quantity the cell shows.
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
    """One variant, or a published row that cannot be run here."""

    variant: str
    title: str
    is_baseline: bool
    cells: dict[str, Cell]
    is_published_only: bool = False
    #: In pivoted tables, the panel of the original column.
    panel: str = ""
