"""Find plug-ins by file name, import them only when used, and suggest the nearest name.

A plug-in is one Python file in the folder of its kind. The file name is the name in YAML, and the
file assigns the plug-in to one constant named after the kind, e.g. ``MIXER = LSConv``. Packages
outside lsbench add plug-ins through the entry point group of the same name (``lsbench.mixers``): an
entry point names a module with that constant, or the object itself. Outside plug-ins are checked when
they are loaded, and refused with a message of one line.
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import EntryPoint
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from lsbench.core import promises
from lsbench.core.entry_points import (
    describe_entry,
    first_docstring_line,
    import_module,
    load_object,
    outside_plugins,
    package_of,
)
from lsbench.core.entry_shapes import shape_problem
from lsbench.core.errors import ConfigError, PluginError, UnknownNameError

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
        promise: The requirements on that constant.
        is_light: Whether the files can be imported without torch, and so checked together with a suite.
        measures: Whether the files declare ``QUANTITIES``.
        own: lsbench's own names, if they are not the names of the folder's files.
    """

    kind: str
    package: str
    attribute: str
    promise: promises.Promise
    is_light: bool = True
    measures: bool = False
    own: tuple[str, ...] | None = None

    @property
    def group(self) -> str:
        """The entry point group through which other packages add plug-ins of this kind."""
        return f"lsbench.{self.package.rsplit('.', 1)[-1]}"

    def names(self) -> list[str]:
        """Return all names, sorted, without importing any plug-in."""
        return sorted({*self.own_names(), *outside_plugins(self.group)})

    def own_names(self) -> list[str]:
        """Return the names of lsbench's own plug-ins, sorted."""
        return sorted(self._files() if self.own is None else self.own)

    def outside_names(self) -> list[str]:
        """Return the names that other packages offer, sorted."""
        return sorted(outside_plugins(self.group))

    def load(self, name: str) -> Any:
        """Import the plug-in `name` and return its object.

        Raises:
            UnknownNameError: If there is no such plug-in; the message names the nearest one.
            PluginError: If it is from another package and cannot be imported, breaks the contract of its
                kind, or has the name of another plug-in.
        """
        entry = self._entry(name)
        if entry is None:
            return getattr(self.module(name), self.attribute)
        found = load_object(entry, self.kind, self.attribute)
        broken = self.promise.broken_by(found)
        if broken is None and self.measures:
            broken = promises.broken_quantities(self.module(name))
        if broken is not None:
            raise PluginError(f"{self.kind} '{name}' ({describe_entry(entry)}): {broken}")
        return found

    def module(self, name: str) -> ModuleType:
        """Import and return the module of the plug-in `name`; lsbench's own comes first.

        Raises:
            UnknownNameError: If there is no such plug-in; the message names the nearest one.
            PluginError: If it cannot be imported, or several other packages offer it.
        """
        if name in self._files():
            return importlib.import_module(f"{self.package}.{name}")
        entry = self._entry(name)
        if entry is None:
            raise UnknownNameError(self.unknown(name))
        return import_module(entry, self.kind)

    def unknown(self, name: str) -> str:
        """Return the one-line message for an unknown name."""
        names = self.names()
        hint = suggest(name, names) or f"; there are: {', '.join(names)}"
        return f"unknown {self.kind} '{name}'{hint}"

    def problem(self, name: str) -> str | None:
        """Return one line that says why a suite cannot use `name`, or None if it can.

        Of plug-ins that need torch only the source is read, so that planning stays quick;
        :func:`lsbench.suite.outside.check_torch_plugins` imports them.
        """
        try:
            if name not in self.names():
                return self.unknown(name)
            entry = self._entry(name)
            if entry is not None and self.is_light:
                self.load(name)
            elif entry is not None:
                return shape_problem(entry, self.kind, self.attribute if self.own is None else "")
        except ConfigError as error:
            return str(error)
        return None

    def usable_names(self) -> list[str]:
        """Return the names of all usable plug-ins, sorted; only those of other packages can be unusable."""
        return [name for name in self.names() if self.problem(name) is None]

    def check(self, names: Iterable[str]) -> None:
        """Raise a ValueError with the reason if one of `names` cannot be used; for validators."""
        for name in names:
            if message := self.problem(name):
                raise ValueError(message)

    def title(self, name: str) -> str:
        """Return the first line of the plug-in's docstring, read without importing it."""
        if name not in self._files():
            return first_docstring_line(outside_plugins(self.group)[name][0])
        text = self._files()[name].read_text(encoding="utf-8")
        found = re.match(r'\s*"""(.+?)(?:"""|\n)', text)
        return found.group(1).strip() if found else ""

    def package_of(self, name: str) -> str | None:
        """Return name and version of the package of an outside plug-in; None for lsbench's own."""
        outside = outside_plugins(self.group)
        return package_of(outside[name][0]) if name in outside and name not in self.own_names() else None

    def _entry(self, name: str) -> EntryPoint | None:
        """Return the only entry point of `name`, or None if it is lsbench's own or unknown."""
        entries = outside_plugins(self.group).get(name, ())
        if not entries:
            return None
        owners = [describe_entry(entry) for entry in entries]
        if name in self.own_names():
            owners.insert(0, "lsbench itself")
        if len(owners) > 1:
            raise PluginError(
                f"{self.kind} '{name}' is offered twice: by {' and by '.join(owners)}; "
                "rename one, or uninstall its package"
            )
        return entries[0]

    def _files(self) -> Mapping[str, Path]:
        """Return the plug-in files of the folder by name, sorted; one that is added later is found."""
        if self.own is not None:
            return {}
        return _listed(self._folder, os.stat(self._folder).st_mtime_ns)

    @cached_property
    def _folder(self) -> str:
        return str(PACKAGE_ROOT.joinpath(*self.package.split(".")[1:]))


@lru_cache(maxsize=64)
def _listed(folder: str, changed_at: int) -> Mapping[str, Path]:
    """Return the Python files of a folder by name, sorted, as long as the folder's time of change is this."""
    names = sorted(name for name in os.listdir(folder) if name.endswith(".py") and not name.startswith("_"))
    return MappingProxyType({name.removesuffix(".py"): Path(folder) / name for name in names})


MIXERS = Registry("mixer", "lsbench.models.mixers", "MIXER", promises.MIXER, is_light=False)
FAMILIES = Registry("model family", "lsbench.models.families", "MODELS", promises.FAMILY, is_light=False)
JOBS = Registry("job kind", "lsbench.jobs", "JOB", promises.JOB, measures=True)
DATASETS = Registry("data set", "lsbench.data.datasets", "DATASET", promises.DATASET, measures=True)
METRICS = Registry("metric", "lsbench.metrics", "METRIC", promises.METRIC, measures=True)
PROBES = Registry("probe", "lsbench.probes", "PROBE", promises.PROBE, measures=True)
ANALYSES = Registry("analysis", "lsbench.analyses", "ANALYSIS", promises.ANALYSIS, measures=True)
RUNTIMES = Registry("runtime", "lsbench.runtimes", "RUNTIME", promises.RUNTIME)
LOGGERS = Registry("logger", "lsbench.loggers", "LOGGER", promises.LOGGER)
REPORTS = Registry("report format", "lsbench.reports", "REPORT", promises.REPORT)
#: Models that other packages register with timm, and corruptions beside lsbench's own: only from outside.
MODELS = Registry("model", "lsbench.models", "MODEL", promises.MODEL, is_light=False, own=())
