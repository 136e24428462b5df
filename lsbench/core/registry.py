"""Find plug-ins by file name, import them only when used, and suggest the nearest name.

A plug-in is one Python file in the folder of its kind. The file name is the name in YAML, and the
file assigns what it offers to one constant named after the kind, e.g. ``MIXER = LSConv``. Packages
outside lsbench add plug-ins through the entry point group of the same name (``lsbench.mixers``).
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from lsbench.core.errors import UnknownNameError

PACKAGE_ROOT = Path(__file__).resolve().parents[1]


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the nearest of `known`, or an empty string.

    >>> suggest("involuton", ["involution", "identity"])
    " (did you mean 'involution'?)"
    """
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{nearest[0]}'?)" if nearest else ""


@dataclass(frozen=True)
class Registry:
    """The plug-ins of one kind.

    Attributes:
        kind: Singular name for messages, e.g. ``"mixer"``.
        package: Dotted path of the folder that holds the files.
        attribute: The constant that a plug-in file assigns.
    """

    kind: str
    package: str
    attribute: str

    @property
    def group(self) -> str:
        """The entry point group through which other packages add plug-ins of this kind."""
        return f"lsbench.{self.package.rsplit('.', 1)[-1]}"

    def names(self) -> list[str]:
        """Return all names, sorted, without importing any plug-in."""
        return sorted({*self._files(), *_entry_points(self.group)})

    def own_names(self) -> list[str]:
        """Return the names of lsbench's own plug-ins, sorted."""
        return sorted(self._files())

    def load(self, name: str) -> Any:
        """Import the plug-in `name` and return what its file offers.

        Raises:
            UnknownNameError: If there is no such plug-in; the message names the nearest one.
        """
        if name not in self._files() and name in _entry_points(self.group):
            return _entry_points(self.group)[name].load()
        return getattr(self.module(name), self.attribute)

    def module(self, name: str) -> ModuleType:
        """Import the file of the plug-in `name` and return it as a module.

        Raises:
            UnknownNameError: If there is no such plug-in; the message names the nearest one.
        """
        if name in self._files():
            return importlib.import_module(f"{self.package}.{name}")
        if name in _entry_points(self.group):
            return importlib.import_module(_entry_points(self.group)[name].module)
        raise UnknownNameError(self.unknown(name))

    def unknown(self, name: str) -> str:
        """Return the one-line message for a name that does not exist."""
        names = self.names()
        hint = suggest(name, names) or f"; there are: {', '.join(names)}"
        return f"unknown {self.kind} '{name}'{hint}"

    def check(self, names: Iterable[str]) -> None:
        """Raise ValueError with a suggestion if one of `names` does not exist; for validators."""
        known = self.names()
        for name in names:
            if name not in known:
                raise ValueError(self.unknown(name))

    def title(self, name: str) -> str:
        """Return the first line of the plug-in's docstring, read without importing it."""
        if name not in self._files():
            return f"from {_entry_points(self.group)[name].value}"
        text = self._files()[name].read_text(encoding="utf-8")
        found = re.match(r'\s*"""(.+?)(?:"""|\n)', text)
        return found.group(1).strip() if found else ""

    def _files(self) -> dict[str, Path]:
        folder = PACKAGE_ROOT.joinpath(*self.package.split(".")[1:])
        return {p.stem: p for p in folder.glob("*.py") if not p.stem.startswith("_")}


@cache
def _entry_points(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


MIXERS = Registry("mixer", "lsbench.models.mixers", "MIXER")
JOBS = Registry("job kind", "lsbench.jobs", "JOB")
DATASETS = Registry("data set", "lsbench.data.datasets", "DATASET")
METRICS = Registry("metric", "lsbench.metrics", "METRIC")
PROBES = Registry("probe", "lsbench.probes", "PROBE")
ANALYSES = Registry("analysis", "lsbench.analyses", "ANALYSIS")
LOGGERS = Registry("logger", "lsbench.loggers", "LOGGER")
REPORTS = Registry("report format", "lsbench.reports", "REPORT")
