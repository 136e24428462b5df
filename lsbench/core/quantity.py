"""Quantities: name, unit and direction of every measurement, declared where it is measured.

The module of a metric, probe, analysis, job kind or data set assigns the quantities that it measures, or
that published numbers use, to ``QUANTITIES``: in lsbench or in another package, without importing torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from lsbench.core.errors import PluginError
from lsbench.core.facets import Facets
from lsbench.core.plain_warnings import warn
from lsbench.core.registry import ANALYSES, DATASETS, JOBS, METRICS, PROBES, Registry

#: The plug-ins that declare quantities; if two declare the same name, the first one counts.
DECLARING = (METRICS, PROBES, JOBS, ANALYSES, DATASETS)
#: Modules outside of plug-in folders that declare quantities.
MODULES = ("lsbench.detection",)


@dataclass(frozen=True)
class Quantity:
    """A measured quantity.

    Attributes:
        name: The metric's name in records.
        unit: Unit in records: SI or a fraction; any other unit is part of the name.
        higher_is_better: Direction; None where neither is better.
        title: Column header.
        scale: Factor from the stored value to the shown one (0.714 -> 71.4 %).
        digits: Decimals shown.
        depends_on_machine: Whether numbers from two machines cannot be compared.
        short_title: Column header in narrow tables; empty: the title.
        is_headline: Whether it has a column in the main table, not only among the further measurements.
        is_compared: Whether it has a column of differences to the baseline beside it.
        is_per_image: Whether it is the share of correctly classified images, so that two models are compared
            image by image.
        is_resampled: Whether its jobs keep it over resampled images, as it is no mean over images, so that
            two models are compared on the same ones.
        is_paired: Whether it is itself a difference over the same images, so that the interval over these is
            shown where there is one seed.
        is_relative_timing: Whether it is a ratio to a control that was timed in turns, so that two nights or
            machines can be compared.
        hole: The word in a table for a job that ended without a value; empty: the word for a job not run.
        tolerance: Largest difference to a published number that still counts as reproduced.
        published_under: Facets of published numbers; results under other facets are not compared with them.
        note: Returns lines to show below the table, from the settings of its records.
    """

    name: str
    unit: str
    higher_is_better: bool | None
    title: str
    scale: float = 1.0
    digits: int = 2
    depends_on_machine: bool = False
    short_title: str = ""
    is_headline: bool = False
    is_compared: bool = False
    is_per_image: bool = False
    is_resampled: bool = False
    is_paired: bool = False
    is_relative_timing: bool = False
    hole: str = ""
    tolerance: float = 0.005
    published_under: Facets = field(default_factory=Facets)
    note: Callable[[Iterable[Mapping[str, Any]]], list[str]] | None = None

    @property
    def is_counted(self) -> bool:
        """True if it is counted, not measured, so that any difference counts."""
        return self.unit in ("count", "MAC")

    @property
    def is_share(self) -> bool:
        """True if it is a share of a whole, between 0 and 1."""
        return self.unit == "fraction"


def percentage(name: str, what: str, **more: Any) -> Quantity:
    """Return a quantity that is a share, better when higher, shown in percent.

    >>> percentage("top1", "top-1").title
    'top-1 (%)'
    """
    return Quantity(name, "fraction", True, f"{what} (%)", 100.0, **more)


@dataclass(frozen=True)
class Declaration:
    """A quantity, the module that declares it, and its place among the quantities of that module."""

    quantity: Quantity
    module: str
    place: int


@cache
def declarations() -> Mapping[str, Declaration]:
    """Return every declared quantity by name, lsbench's own before those of other packages.

    A plug-in of another package that cannot be imported is skipped with a warning.
    """
    found: dict[str, Declaration] = {}
    for module in [*_own_modules(), *_outside_modules()]:
        for place, one in enumerate(getattr(module, "QUANTITIES", ())):
            found.setdefault(one.name, Declaration(one, module.__name__, place))
    return found


def _own_modules() -> Iterator[Any]:
    for registry in DECLARING:
        yield from (registry.module(name) for name in registry.own_names())
    yield from map(import_module, MODULES)


def _outside_modules() -> Iterator[Any]:
    for registry in DECLARING:
        for name in registry.names():
            if name not in registry.own_names():
                yield from _imported(registry, name)


def _imported(registry: Registry, name: str) -> Iterator[Any]:
    try:
        yield registry.module(name)
    except PluginError as error:
        warn(f"{error}; its numbers are shown without titles")


def quantity(name: str) -> Quantity:
    """Return the quantity called `name`; an undeclared one has no unit and no direction."""
    found = declarations().get(name)
    return Quantity(name, "", None, name, digits=4) if found is None else found.quantity


def is_declared(name: str) -> bool:
    """Return whether a quantity of that name is declared."""
    return name in declarations()


def published_text(shown: Quantity, value: float) -> str:
    """Return a published value for display, without digits that its source does not give.

    >>> [published_text(quantity("top1"), share) for share in (0.716, 0.75)]
    ['71.6', '75.0']
    >>> published_text(quantity("macs"), 3.1e8), published_text(quantity("throughput"), 14708)
    ('0.31', '14708')
    """
    whole, point, decimals = f"{value * shown.scale:.{shown.digits}f}".partition(".")
    return f"{whole}{point}{decimals[:1]}{decimals[1:].rstrip('0')}"


def from_duration(seconds: float) -> str:
    """Return a duration for display; ``duration`` in ``web/static/base.js`` does the same.

    >>> [from_duration(s) for s in (0.42, 5, 14.6, 61, 7322)]
    ['0.4 s', '5 s', '15 s', '1 min 01 s', '2 h 02 min']
    """
    if round(seconds) < 60:
        return f"{seconds:.{int(seconds < 9.95)}f} s".replace(".0 ", " ")
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def from_bytes(count: float) -> str:
    """Return a number of bytes for display.

    >>> [from_bytes(count) for count in (0, 1536, 4549693, 5 * 2**40)]
    ['0 B', '1.5 KiB', '4.3 MiB', '5120.0 GiB']
    """
    if count < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB"):
        count /= 1024
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} GiB"
