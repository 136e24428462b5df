"""The state of the code of plug-ins: the hash of every file that a plug-in's code reaches.

A plug-in is named by its kind and its name, as in ``mixer ls_conv``. Of another package, everything counts
that its module imports from its own top-level package. Of lsbench's own plug-ins, the folders that compute
numbers count: not those that plan, schedule, store and report. What a plug-in of another package imports of
those folders counts too, under a name of its own: as for lsbench's own plug-ins, it matters in a checkout
only. Data files and other packages (torch, timm) are not covered.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path

from lsbench.core import registry
from lsbench.core.entry_points import outside_plugins
from lsbench.core.ids import content_hash
from lsbench.core.imports import keep_facts
from lsbench.core.module_files import forget_changed, kept_while_files_stay, module_file, names_in
from lsbench.core.reach import ImportWalk, home_of, targets
from lsbench.core.registry import PACKAGE_ROOT, Registry

#: Name of each file -> hash of its code.
Files = dict[str, str]

#: The kinds of plug-ins that can change a number: not loggers, not reports.
KINDS = {
    kind.kind: kind
    for kind in (
        registry.MIXERS,
        registry.FAMILIES,
        registry.MODELS,
        registry.JOBS,
        registry.DATASETS,
        registry.METRICS,
        registry.PROBES,
        registry.ANALYSES,
        registry.RUNTIMES,
    )
}
#: Corruptions of other packages; lsbench's own belong to the jobs that use them.
CORRUPTION = "corruption"
GROUPS = {**{name: kind.group for name, kind in KINDS.items()}, CORRUPTION: "lsbench.corruptions"}
#: Begins the name of the code of lsbench that a plug-in of another package imports.
LENT = "lsbench for "
#: lsbench's folders whose code computes numbers.
NUMBERS = (
    *("analyses", "corruptions", "data", "detection", "engine", "jobs", "metrics", "models", "probes"),
    *("robustness", "runtimes", "stats", "timing"),
)
#: Modules of lsbench that run others by computed names or in a process of their own, and where those lie.
RUN_BY_NAME = {
    "lsbench.corruptions": "lsbench.corruptions",
    "lsbench.data.readers": "lsbench.data.readers",
    "lsbench.timing.launch": "lsbench.timing",
}


def plugin_name(kind: str, name: str) -> str:
    """Return the full name of a plug-in.

    >>> plugin_name("mixer", "ls_conv")
    'mixer ls_conv'
    """
    return f"{kind} {name}"


def is_own_file(file: str) -> bool:
    """Return whether a file belongs to lsbench itself.

    >>> is_own_file("lsbench/engine/trainer.py"), is_own_file("acme/shift.py")
    (True, False)
    """
    return file.startswith("lsbench/")


def files_hash(files: Files) -> str:
    """Return one hash of the code in all of a plug-in's files."""
    return content_hash(files)


def is_own(plugin: str) -> bool:
    """Return whether a plug-in is lsbench's own.

    >>> is_own("mixer ls_conv"), is_own("mixer acme_mixer")
    (True, False)
    """
    kind, _, name = plugin.rpartition(" ")
    return plugin.startswith(LENT) or (kind in KINDS and name in KINDS[kind].own_names())


def with_lent(plugins: Iterable[str]) -> set[str]:
    """Return plug-ins together with the code of lsbench that those of other packages import.

    >>> sorted(with_lent(["mixer ls_conv", "mixer acme_mixer"]))
    ['lsbench for mixer acme_mixer', 'mixer acme_mixer', 'mixer ls_conv']
    """
    known = set(plugins)
    return known | {f"{LENT}{plugin}" for plugin in known if not is_own(plugin)}


class CodeReader:
    """Reads the code of plug-ins as it is now, each plug-in once."""

    def __init__(self) -> None:
        """Start afresh where files may have changed since another reader read them."""
        forget_changed()
        self._known: dict[str, Files] = {}

    def files(self, plugin: str) -> Files:
        """Return the files that a plug-in's code reaches; empty if the plug-in is not installed here.

        Args:
            plugin: Kind and name.

        Raises:
            PluginError: If a file of it is not valid Python, or cannot be read.
        """
        if plugin not in self._known:
            self._known[plugin] = self._read(plugin)
        return self._known[plugin]

    def code(self, plugins: Iterable[str]) -> dict[str, Files]:
        """Return the files of each plug-in that is installed here."""
        found = {plugin: self.files(plugin) for plugin in plugins}
        return {plugin: files for plugin, files in found.items() if files}

    def close(self) -> None:
        """Keep what was parsed, for the next process."""
        keep_facts()

    def _read(self, plugin: str) -> Files:
        is_lent = plugin.startswith(LENT)
        kind, _, name = plugin.removeprefix(LENT).rpartition(" ")
        if kind not in GROUPS:
            return {}
        found = KINDS.get(kind)
        if found is not None and name in found.own_names():
            return _own_files(found, name)
        entries = outside_plugins(GROUPS[kind]).get(name, ())
        if not entries:
            return {}
        reach = _outside_reach(entries[0])
        return _lent_files(reach) if is_lent else reach.files


def _outside_reach(entry: EntryPoint) -> ImportWalk:
    home = home_of(entry.module, entry.attr or "")
    reach = ImportWalk(_homes(entry.module.partition(".")[0]) - {home})
    reach.follow(home)
    reach.follow(entry.module, passes_plugins=entry.module != home)
    return reach


def _lent_files(outside: ImportWalk) -> Files:
    """Return the files of lsbench that compute numbers and that a plug-in of another package imports."""
    reach = _own_walk()
    for one in outside.imports:
        for module in targets("lsbench", PACKAGE_ROOT / "__init__.py", one) if one.level == 0 else ():
            reach.follow(module)
    return reach.files


def _homes(top: str) -> frozenset[str]:
    """Return the modules of all plug-ins of a top-level package."""
    every = (
        entry for group in GROUPS.values() for found in outside_plugins(group).values() for entry in found
    )
    return frozenset(
        home_of(entry.module, entry.attr or "") for entry in every if entry.module.partition(".")[0] == top
    )


@kept_while_files_stay
def _own_files(kind: Registry, name: str) -> Files:
    reach = _own_walk()
    reach.follow(f"{kind.package}.{name}")
    return reach.files


def _own_walk() -> ImportWalk:
    return ImportWalk(_own_homes(), is_wanted=_computes_numbers, more=_run_by_name)


@cache
def _own_homes() -> frozenset[str]:
    return frozenset(f"{kind.package}.{name}" for kind in KINDS.values() for name in kind.own_names())


@cache
def _computes_numbers(module: str) -> bool:
    return module.split(".")[1:2] != [] and module.split(".")[1] in NUMBERS


def _run_by_name(module: str) -> list[str]:
    package = RUN_BY_NAME.get(module)
    if package is None:
        return []
    files = sorted(map(Path, names_in(PACKAGE_ROOT.joinpath(*package.split(".")[1:]))))
    return [f"{package}.{file.stem}" for file in files if file.suffix == ".py" and file.stem != "__init__"]


def own_module_files() -> Files:
    """Return every file of lsbench that computes numbers, with the hash of its code."""
    forget_changed()
    reach = ImportWalk(frozenset(), is_wanted=_computes_numbers)
    for folder in sorted(NUMBERS):
        for path in sorted((PACKAGE_ROOT / folder).rglob("*.py")):
            parts = path.relative_to(PACKAGE_ROOT.parent).with_suffix("").parts
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            if module_file(module) is not None:
                reach.follow(module)
    keep_facts()
    return reach.files
