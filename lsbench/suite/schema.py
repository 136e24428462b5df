"""The format of suite files. The same classes give the JSON Schema for editors."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field

from lsbench.core.job import Published, Resources, Variant
from lsbench.core.plain_text import Label
from lsbench.core.registry import JOBS
from lsbench.core.spec import MAX_INT, StrictModel
from lsbench.suite.gate import GateEntry, GateRule
from lsbench.suite.space import Search, SearchEntry

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
NAME_LENGTH = 60

Seed = Annotated[int, Field(ge=0, le=MAX_INT)]


class Defaults(StrictModel):
    """Defaults for variants."""

    model: str | None = Field(default=None, description="see `lsbench list models`")
    mixer: str | None = Field(default=None, description="token mixer, for models that take one")
    mixer_args: dict[str, Any] = Field(default_factory=dict, description="arguments of the mixer")
    model_args: dict[str, Any] = Field(default_factory=dict, description="arguments of the model")
    dataset: str | dict[str, Any] | None = Field(
        default=None, description="a data set's name, or a mapping with `name` and its options"
    )


class VariantEntry(StrictModel):
    """One row of the suite or, with `matrix`, all combinations of the listed values."""

    name: str | None = Field(
        default=None, description="with a matrix: a template such as '{mixer}-k{kernel_large}'"
    )
    label: Label | None = Field(default=None, description="title of the row in reports; default: the name")
    model: str | None = None
    mixer: str | None = None
    mixer_args: dict[str, Any] = Field(default_factory=dict)
    model_args: dict[str, Any] = Field(default_factory=dict)
    dataset: str | dict[str, Any] | None = None
    jobs: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="job name -> settings that differ in this row"
    )
    without: dict[str, Label] = Field(
        default_factory=dict, description="job name -> why this row is left out of the job"
    )
    published: Published = Field(default_factory=dict, description="metric -> published value, in SI units")
    published_logs: Published = Field(
        default_factory=dict,
        description="metric -> value in the log of a published model, where it differs",
    )
    matrix: dict[str, list[Any]] | None = Field(
        default=None, description="axis -> values; an axis may be dotted, e.g. mixer_args.kernel_large"
    )
    exclude: list[dict[str, Any]] = Field(default_factory=list, description="combinations to leave out")


class PublishedRow(StrictModel):
    """A row of a published table that lsbench cannot run: shown, with holes in place of our numbers."""

    name: Label = Field(min_length=1, max_length=80, description="title of the row")
    published: Published = Field(description="metric -> published value, in SI units")
    reason: Label = Field(min_length=1, description="why it cannot be run here")


class Overlay(StrictModel):
    """A preset: the same suite at another scale. Mappings are merged, lists of variants replaced."""

    extends: str | None = Field(
        default=None, description="a file beside this one that the preset changes, instead of this suite"
    )
    without: list[str] = Field(default_factory=list, description="names of jobs that the preset leaves out")
    description: str | None = None
    source: str | None = None
    tags: list[Label] | None = None
    baseline: str | None = None
    defaults: Defaults | None = None
    variants: list[VariantEntry] | None = None
    published_only: list[PublishedRow] | None = None
    jobs: list[str | dict[str, Any]] | None = Field(
        default=None, description="settings that override those of the jobs of the same name"
    )
    search: dict[str, Any] | None = Field(
        default=None, description="settings that override those of the suite's search"
    )
    gate: list[GateEntry] | None = None
    seeds: list[Seed] | None = None
    resources: Resources | None = None


class SuiteFile(StrictModel):
    """A suite file: the variants, the jobs on each, and the seeds."""

    version: Literal[1] = Field(description="version of this format")
    extends: str | None = Field(
        default=None, description="a file beside this one that this one changes, as a preset does"
    )
    name: str = Field(
        pattern=NAME, max_length=NAME_LENGTH, description="name of the suite and of its results folder"
    )
    description: str = Field(default="", description="a sentence about the suite, shown by `plan`")
    source: str = Field(default="", description="source of the published numbers")
    tags: list[Label] = Field(
        default_factory=list, description="`smoke`: reports leave it out unless it is named"
    )
    baseline: str | None = Field(default=None, description="the variant that the others are compared with")
    defaults: Defaults = Field(
        default=Defaults(), description="settings of variants that do not set their own"
    )
    variants: list[VariantEntry] = Field(min_length=1, description="rows of the table")
    published_only: list[PublishedRow] = Field(
        default_factory=list, description="rows of a published table that cannot be run"
    )
    jobs: list[str | dict[str, Any]] = Field(
        min_length=1,
        description="job kinds, each a name or `{kind: {its settings, name, needs, resources}}`",
    )
    search: SearchEntry | None = Field(
        default=None, description="settings of a job to search for each variant, instead of running the jobs"
    )
    gate: list[GateEntry] = Field(
        default_factory=list, description="rules for comparing results with a baseline in `lsbench gate`"
    )
    seeds: list[Seed] = Field(
        default=[0], min_length=1, description="each job runs once per seed, profiles once in all"
    )
    resources: Resources = Field(
        default=Resources(), description="resources of jobs that do not set their own"
    )
    presets: dict[Annotated[str, Field(pattern=NAME)], Overlay] = Field(
        default_factory=dict, description="name -> changes to the suite, chosen with `--preset NAME`"
    )


class JobEntry(StrictModel):
    """One entry of `jobs`, resolved.

    Attributes:
        spec: Settings of all rows, except for those in `spec_of`.
        spec_of: Variant name -> settings, for the rows that change some.
        without: Variant name -> why it is left out of the job.
        needs_training: False if the rows' checkpoints hold what the job would need from a training.
    """

    kind: str
    name: str
    needs: tuple[str, ...]
    needs_training: bool = Field(default=True, exclude=True)
    spec: dict[str, Any]
    spec_of: dict[str, dict[str, Any]] = Field(default_factory=dict)
    without: dict[str, str] = Field(default_factory=dict)
    resources: Resources

    def settings_of(self, row: str) -> dict[str, Any]:
        """Return the settings of the job on a row."""
        return self.spec_of.get(row, self.spec)

    def parsed(self, row: str) -> Any:
        """Return the settings of the job on a row as its kind parses them; rows share what they can."""
        settings = self.settings_of(row)
        known = self.parsed_settings.get(id(settings))
        if known is None:
            known = settings, JOBS.load(self.kind).spec.model_validate(settings)
            self.parsed_settings[id(settings)] = known
        return known[1]

    @cached_property
    def parsed_settings(self) -> dict[int, tuple[dict[str, Any], Any]]:
        """What is parsed so far: settings, which stay unchanged, and their parsed form, by identity."""
        return {}

    def variants_of(self, variants: Iterable[Variant]) -> list[Variant]:
        """Return the variants that the job is done on."""
        return [variant for variant in variants if variant.name not in self.without]


class Suite(StrictModel):
    """A suite as resolved for one run: preset and overrides applied, matrices expanded.

    Attributes:
        published_preset: The preset that the published numbers refer to.
        preset_before: Name under which an earlier lsbench kept the results of these overrides.
    """

    name: str
    preset: str
    description: str
    tags: tuple[str, ...]
    baseline: str
    variants: tuple[Variant, ...]
    jobs: tuple[JobEntry, ...]
    seeds: tuple[int, ...]
    limit: int | None = None
    source: str = ""
    published_preset: str = "default"
    preset_before: str | None = Field(default=None, exclude=True)
    published_only: tuple[PublishedRow, ...] = ()
    search: Search | None = None
    gate: tuple[GateRule, ...] = ()

    @property
    def is_smoke(self) -> bool:
        """True if the numbers only show that the machinery works."""
        return "smoke" in self.tags
