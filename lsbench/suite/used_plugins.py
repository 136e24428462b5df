"""The plug-ins that a job uses and whose code can change its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from lsbench.core.catalog import DEFAULT_MIXER, outside_family_models, read_catalog
from lsbench.core.entry_points import outside_plugins
from lsbench.core.job import Job, JobKind
from lsbench.core.model_sources import architecture_of
from lsbench.core.plugin_code import CORRUPTION, GROUPS, CodeReader, Files, plugin_name, with_lent
from lsbench.core.registry import (
    ANALYSES,
    DATASETS,
    FAMILIES,
    JOBS,
    METRICS,
    MIXERS,
    MODELS,
    PROBES,
    RUNTIMES,
)

#: Kinds of plug-ins that settings name, in whatever field.
NAMED = (MIXERS, METRICS, PROBES, ANALYSES, RUNTIMES)


class UsedPlugins:
    """Finds the plug-ins of jobs, and reads their code; each name is looked up once."""

    def __init__(self) -> None:
        """Read no code yet."""
        self._reader = CodeReader()
        self._own: dict[frozenset[str], dict[str, Files]] = {}
        self._shared: dict[tuple[str, ...], dict[str, Files]] = {}

    def own_code(self, job: Job, kind: JobKind) -> dict[str, Files]:
        """Return the code of the plug-ins that a job itself uses, which is the same for every seed.

        Raises:
            PluginError: If a file of a plug-in is not valid Python.
        """
        plugins = frozenset(self._of_job(job, kind))
        if plugins not in self._own:
            self._own[plugins] = self._reader.code(sorted(with_lent(plugins)))
        return self._own[plugins]

    def with_needs(self, own: Mapping[str, Files], needed: Iterable[Job]) -> dict[str, Files]:
        """Return the code of a job together with that of the jobs that it needs.

        Jobs with the same plug-ins share one mapping.
        """
        code = {**{plugin: files for need in needed for plugin, files in need.code.items()}, **own}
        plugins = tuple(sorted(code))
        if plugins not in self._shared:
            self._shared[plugins] = {plugin: code[plugin] for plugin in plugins}
        return self._shared[plugins]

    def close(self) -> None:
        """Keep what was parsed, for the next process."""
        self._reader.close()

    def _of_job(self, job: Job, kind: JobKind) -> Iterator[str]:
        variant = job.variant
        yield plugin_name(JOBS.kind, job.kind)
        if kind.uses_data:
            named = kind.spec.model_validate(job.spec).read_data(variant.dataset)
            yield from (plugin_name(DATASETS.kind, str(data["name"])) for data in named)
        yield from self._of_model(variant.model, variant.mixer)
        settings = kind.spec.naming_plugins(job.spec)
        for word in _words([variant.mixer, variant.mixer_args, variant.model_args, settings]):
            yield from self._by_word.get(word, ())
            yield from self._of_model(word, None)

    def _of_model(self, model: str, mixer: str | None) -> Iterator[str]:
        """Yield the plug-ins of a model; of timm's own models there are none."""
        model = architecture_of(model)
        if model in MODELS.outside_names():
            yield plugin_name(MODELS.kind, model)
        if family := self._families.get(model):
            yield plugin_name(FAMILIES.kind, family)
        if mixer is None and model in read_catalog()["pluggable"]:
            yield plugin_name(MIXERS.kind, DEFAULT_MIXER)

    @cached_property
    def _families(self) -> Mapping[str, str]:
        """The family of each model that takes a token mixer; lsbench's own models start with its name."""
        own = {
            model: family
            for model in read_catalog()["pluggable"]
            for family in FAMILIES.own_names()
            if model.startswith(family)
        }
        return {**outside_family_models(), **own}

    @cached_property
    def _by_word(self) -> Mapping[str, list[str]]:
        """The plug-ins of each name that settings may hold."""
        found: dict[str, list[str]] = {}
        for kind in NAMED:
            for name in kind.names():
                found.setdefault(name, []).append(plugin_name(kind.kind, name))
        for name in outside_plugins(GROUPS[CORRUPTION]):
            found.setdefault(name, []).append(plugin_name(CORRUPTION, name))
        return found


def _words(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value."""
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, str):
            yield part
        elif isinstance(part, (dict, list, tuple)):
            yield from _words(part)
