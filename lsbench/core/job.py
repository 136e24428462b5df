"""The types of a suite: variant, job, job kind, and the context of a running job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, field_validator
from pydantic_core import to_jsonable_python

from lsbench.core.facets import drawn_by
from lsbench.core.ids import canonical_json, content_hash
from lsbench.core.plain_text import Label
from lsbench.core.record import Record
from lsbench.core.spec import StrictModel
from lsbench.core.tasks import Task

Exclusive = Literal["no", "device", "node"]
GPU_FRACTIONS = (0.125, 0.25, 0.5)


class Resources(StrictModel):
    """The resources that a job requests. Never part of a job's id, as they do not change a result.

    A field left out takes the suite's value, then the job kind's default.
    """

    num_cpus: int | None = Field(
        default=None, ge=1, description="CPUs of the whole job; default: its threads, for each rank"
    )
    num_gpus: Annotated[float, Field(ge=0)] | Literal["auto"] | None = Field(
        default=None,
        description="GPUs: 0, 0.125, 0.25, 0.5, a whole number, or auto (1 where there is one)",
    )
    num_ranks: int | None = Field(
        default=None,
        ge=1,
        description="processes that train one model together, on one node or several; default: one for "
        "each of several GPUs",
    )
    exclusive: Exclusive | None = Field(
        default=None, description="device: alone on it; node: alone on the node"
    )
    timeout_min: float | None = Field(default=None, gt=0, description="minutes until a job is stopped")
    max_retries: int | None = Field(default=None, ge=0, description="retries after a lost worker or timeout")

    @field_validator("num_gpus")
    @classmethod
    def _packs_on_devices(cls, value: float | str | None) -> float | str | None:
        if isinstance(value, float) and value not in GPU_FRACTIONS and value != int(value):
            raise ValueError("expected 0, 0.125, 0.25, 0.5, a whole number or auto")
        return value

    def over(self, base: Resources) -> Resources:
        """Return these resources, with missing fields taken from `base`."""
        return Resources(**{**base.model_dump(exclude_none=True), **self.model_dump(exclude_none=True)})

    def settled(self, *, threads: int, can_be_distributed: bool) -> Resources:
        """Return these resources with ranks and CPUs filled in.

        A job kind that cannot be distributed has one rank, which sees all of the job's GPUs.

        Args:
            threads: CPU threads of each rank.
            can_be_distributed: Whether several ranks can share the job.

        Raises:
            ValueError: If ranks would share a GPU, or have several each.
        """
        gpus = self.num_gpus if isinstance(self.num_gpus, float) else None
        ranks = self.num_ranks or max(1, int(gpus or 0))
        ranks = ranks if can_be_distributed else 1
        if ranks > 1 and gpus not in (None, 0, ranks):
            raise ValueError(f"num_ranks: {ranks} needs num_gpus: {ranks} (one for each), 0 or auto")
        cpus = self.num_cpus or threads * ranks
        return self.model_copy(update={"num_ranks": ranks, "num_cpus": cpus})


DEFAULT_RESOURCES = Resources(num_gpus="auto", exclusive="no", timeout_min=7 * 24 * 60, max_retries=2)


#: Settings of a data set that do not change its images.
WHERE_DATA_LIES = frozenset({"root", "reader"})


def data_settings(data: str | dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a data set that is given by name, or by name and settings.

    >>> data_settings("imagenet_a")
    {'name': 'imagenet_a'}
    """
    return {"name": data} if isinstance(data, str) else data


class ShownSize(NamedTuple):
    """The side in pixels of the images that a job shows to a model.

    Attributes:
        size: That of the images.
        built_for: The size that the model is built for.
        has_weights: Whether weights that the variant names are loaded into it.
    """

    size: int
    built_for: int
    has_weights: bool = False


class JobSpec(StrictModel):
    """Settings shared by all jobs; each kind adds its own.

    Attributes:
        runtime_fields: Settings that do not change a result, and so are not part of a job's id.
        later_fields: Settings that were added after the first results. At their defaults they are not part of
            a job's id either, so that those results stay valid.
        data_fields: Settings that each name a data set, as ``dataset`` of a variant does, to read beside or
            instead of the variant's own.
        reads_instead: Whether the data sets that `data_fields` name are read instead of the variant's own,
            which may then serve another task.
        short_field: The setting that a plain text stands for, as in ``analyze: erf``; a job without a name is
            named after its value.
    """

    data_fields: ClassVar[tuple[str, ...]] = ()
    runtime_fields: ClassVar[frozenset[str]] = frozenset()
    later_fields: ClassVar[frozenset[str]] = frozenset()
    reads_instead: ClassVar[bool] = False
    short_field: ClassVar[str | None] = None

    threads: int = Field(default=1, ge=1, description="CPU threads of the job; part of its identity")

    @classmethod
    def named_settings(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the named settings that `settings` refers to and overrides; by default none."""
        return {}

    @classmethod
    def needed_kinds(cls, settings: Mapping[str, Any], usual: tuple[str, ...]) -> tuple[str, ...]:
        """Return the kinds or names of jobs that one with `settings`, as written, needs; usually `usual`."""
        return usual

    @classmethod
    def needs_nothing(cls, settings: Mapping[str, Any], model_args: Mapping[str, Any]) -> bool:
        """Return whether a job can do without the jobs it needs if the suite has none; by default False.

        Args:
            settings: Its settings.
            model_args: Arguments of a variant's model.
        """
        return False

    @classmethod
    def naming_plugins(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return those settings whose plug-ins, if they name any, a job uses; by default all of them."""
        return settings

    @classmethod
    def weights_files(cls, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the files and addresses of weights that settings name other than as ``checkpoint``.

        Args:
            settings: All settings, as JSON values.
        """
        return ()

    def with_needs(self, needs: Mapping[str, JobSpec]) -> JobSpec:
        """Return these settings with those that follow from the needed jobs, by name; by default none do."""
        return self

    def check_need(self, need: JobSpec) -> None:
        """Raise a ValueError if a job with the settings `need` does not produce what this job needs."""

    def raised_by(self, variant: Variant) -> int:
        """Return by how much the version of the kind is raised for a variant; by default 0.

        For a change of numbers that does not touch all models: the results of the others stay valid.
        """
        return 0

    def shown(self, variant: Variant) -> ShownSize | None:
        """Return the size of the images that the variant's model sees; by default that of the data set.

        None if it is unknown before the job, or if the model takes any size, as a backbone does.
        """
        size = variant.dataset.get("img_size")
        return None if self.reads_instead or size is None else ShownSize(int(size), int(size))

    def check_row(self, variant: Variant) -> None:
        """Raise a ValueError, in one line, if the job cannot be done on a variant."""

    def tested(self, variant: Variant, *, is_trained: bool) -> Variant:
        """Return a variant with the arguments that the job gives its model; by default those of the row.

        Args:
            variant: The row.
            is_trained: Whether the job tests weights of another job.
        """
        return variant

    def other_variant(self) -> str | None:
        """Return the name of a second variant whose jobs this job needs too; by default None."""
        return None

    def other_models(self) -> dict[str, dict[str, Any]]:
        """Return the models that a job builds beside the variant's: role -> model, mixer, their arguments."""
        return {}

    def built_on(self, variant: Variant) -> BuiltOn | None:
        """Return the model that a job builds on a variant's, if it does; by default it does not."""
        return None

    def other_data(self) -> tuple[dict[str, Any], ...]:
        """Return the settings of the data sets that `data_fields` name."""
        named = (getattr(self, name) for name in self.data_fields)
        return tuple(data_settings(data) for data in named if data is not None)

    def read_data(self, own: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
        """Return the settings of every data set whose images the job reads.

        Args:
            own: The settings of the variant's own data set; those that are read beside it have its image size
                by default.
        """
        if self.reads_instead:
            return self.other_data() or (dict(own),)
        return (dict(own), *({"img_size": own["img_size"], **data} for data in self.other_data()))

    def data_task(self, usual: Task) -> Task:
        """Return the task of the data sets that the job reads; by default `usual`, that of its kind."""
        return usual

    def own_splits(self) -> tuple[str, ...]:
        """Return the splits that a job reads of the variant's own data set; by default none is known."""
        return ()

    def other_splits(self) -> tuple[str, ...]:
        """Return the splits that a job reads of each other data set; by default none is known."""
        return ()

    def reads_masks(self) -> bool:
        """Return whether the job needs masks of objects, which data may lack; by default it does not."""
        return False

    def devices(self) -> tuple[str, ...]:
        """Return the kinds of devices that a job with these settings can run on, of ``cpu`` and ``cuda``."""
        return ("cpu", "cuda")

    def check_ranks(self, ranks: int) -> None:
        """Raise a ValueError if a job with these settings cannot be shared by `ranks` processes."""

    @classmethod
    def identity_of(cls, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of a resolved spec that can change the job's result.

        Args:
            spec: All settings, as JSON values.
        """
        left_out = {name for name in cls.later_fields if spec.get(name) == cls._json_default(name)}
        kept = {name: value for name, value in spec.items() if name not in cls.runtime_fields | left_out}
        for name in cls.data_fields:
            if kept.get(name) is not None:
                data = data_settings(kept[name])
                kept[name] = {key: value for key, value in data.items() if key not in WHERE_DATA_LIES}
        return kept

    @classmethod
    def identity_beside(cls, job: Job) -> dict[str, Any]:
        """Return what, beside the settings alone, changes a job's result; by default nothing.

        Args:
            job: The job, with its variant.
        """
        return {}

    @classmethod
    @cache
    def _json_default(cls, name: str) -> Any:
        default = cls.model_fields[name].get_default(call_default_factory=True)
        return to_jsonable_python(default)


#: Metric -> value in the unit of records (fractions, counts, MACs).
Published = dict[str, Annotated[float, Field(ge=0)]]


class Variant(StrictModel):
    """One model configuration of a suite: model, token mixer, overrides and data set."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+=,-]*$", max_length=80)
    model: str
    mixer: str | None = None
    mixer_args: dict[str, Any] = Field(default_factory=dict)
    model_args: dict[str, Any] = Field(default_factory=dict)
    dataset: dict[str, Any]
    label: Label | None = Field(default=None, description="name in reports; default: the name")
    published: Published = Field(
        default_factory=dict, description="published numbers: metric -> value; they do not change a result"
    )
    published_logs: Published = Field(
        default_factory=dict,
        description="numbers in the logs of published models, where they differ from those in `published`",
    )

    @field_validator("mixer_args", "model_args")
    @classmethod
    def _can_be_hashed(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            canonical_json(value)
        except (TypeError, ValueError) as error:
            raise ValueError("expected finite numbers, texts, lists and mappings of them") from error
        return value

    @property
    def title(self) -> str:
        """The name of the variant in reports."""
        return self.label or self.name

    def model_identity(self) -> dict[str, Any]:
        """Return the fields that define the model: all but names, data and published numbers."""
        return self.model_dump(include={"model", "mixer", "mixer_args", "model_args"})


class BuiltOn(Variant):
    """A model that a job builds on a variant's, such as a detector on a backbone.

    Attributes:
        built_as: The kind of model, a key of :data:`lsbench.detection.settings.SETTINGS`.
        sizes: Its sizes that differ from the published ones.
        checkpoint: File or address of all its weights; None: it has none of a file.
        num_classes: Classes that it knows.
    """

    built_as: str
    sizes: dict[str, Any] = Field(default_factory=dict)
    checkpoint: str | None = None
    num_classes: int = 10


class OtherSize(Variant):
    """A variant whose model sees images of another size than that of its data set.

    Attributes:
        shown: Their side in pixels; that of the data set is the size that the model is built for.
    """

    shown: int


class Job(StrictModel):
    """One unit of work, fully resolved; written as ``spec.json`` into the job's folder.

    Attributes:
        id: ``<kind>-<hash>`` of everything that can change the result; None while the data is absent.
        needs: Name of each needed job -> its id.
        dataset_root: Folder where this run found the data (not part of the id).
        contents: Each checkpoint that the settings name -> its content (part of the id).
        code: The plug-ins that the job and its needs use: kind and name -> file -> hash of its code. Not part
            of the id, but a change of it makes the job due.
    """

    id: str | None
    kind: str
    name: str
    variant: Variant
    seed: int | None
    spec: dict[str, Any]
    needs: dict[str, str | None]
    resources: Resources
    dataset_fingerprint: str | None
    protocol_version: int
    limit: int | None = None
    data_root: str | None = None
    contents: dict[str, str] = Field(default_factory=dict)
    code: dict[str, dict[str, str]] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """Readable name, unique within a suite: ``variant/job``, with the seed if there is one."""
        seed = "" if self.seed is None else f"/seed{self.seed}"
        return f"{self.variant.name}/{self.name}{seed}"


def _keep_nothing(records: Sequence[Record]) -> None:
    """Keep nothing until the job ends."""


@dataclass(frozen=True)
class JobContext:
    """The context of a running job.

    Attributes:
        job: The job; `spec` is its settings, parsed by the kind's own class.
        folder: The job's folder, for artifacts and checkpoints.
        needs: Folders of the finished jobs that this one needs, by job name.
        device: ``"cpu"`` or ``"cuda"`` (the first visible device).
        emit: Sends one progress event (a flat dict) to the watcher.
        keep: Stores records that are final before the job ends, so that they are known even if it is stopped.
    """

    job: Job
    spec: Any
    folder: Path
    needs: Mapping[str, Path]
    device: str
    emit: Callable[[dict[str, Any]], None]
    keep: Callable[[Sequence[Record]], None] = _keep_nothing


@dataclass(frozen=True)
class JobKind:
    """A job kind, as a file in ``lsbench/jobs`` offers it.

    Attributes:
        spec: Pydantic class of the kind's settings.
        run: Does the work and returns the records; imports torch only when called.
        needs: Names of the jobs needed by default, of the same variant and seed.
        per_seed: Whether it runs once per seed rather than once per variant.
        task: The task of every data set that it reads, unless its settings say otherwise.
        uses_data: Whether the images themselves, not only their size, change the result.
        version: Raised whenever the same settings would give another number.
        cost: Estimates the work in MACs from (spec, MACs per image, image count of a split by name).
        seconds: Most seconds that the work takes, from (spec, MACs per image, limit of the run or None), if
            the settings bound them; the time left of a run is estimated from them instead of the MACs.
        resources: Defaults for the kind.
        can_be_distributed: Whether several processes can share one job of the kind.
        epoch_metrics: Metric of its records -> its key in the events of finished epochs, which searches
            optimize. A kind with epoch metrics has a setting ``epochs``.
        adjustable: Settings that may change during the job, as in population based training.
        usual: Metrics measured under any settings, the most important first. They have a column as soon as a
            suite has such a job, even before one has finished.
        panel: Heading of the table that shows its numbers; empty: the main table.
        place: Order of its columns among those of other kinds; the lowest first.
        is_result: Whether its numbers are results to be compared, rather than intermediate values.
    """

    spec: type[JobSpec]
    run: Callable[[JobContext], Sequence[Record]]
    version: int
    cost: Callable[[Any, float, Callable[[str], int]], float]
    needs: tuple[str, ...] = ()
    per_seed: bool = True
    uses_data: bool = True
    resources: Resources = DEFAULT_RESOURCES
    can_be_distributed: bool = False
    seconds: Callable[[Any, float, int | None], float] | None = None
    epoch_metrics: Mapping[str, str] = field(default_factory=dict)
    adjustable: tuple[str, ...] = ()
    usual: tuple[str, ...] = ()
    panel: str = ""
    place: int = 60
    is_result: bool = True
    task: Task = "classification"


def job_identity(job: Job, *, dataset: Any, settings: type[JobSpec] = JobSpec) -> dict[str, Any]:
    """Return everything that can change a job's result, from an explicit allow-list.

    Args:
        job: The job; its id is not set yet.
        dataset: The fingerprint of the data, or image size and classes for kinds that read no images.
        settings: The class of the job's spec, which knows the settings that do not change a result.
    """
    return {
        "kind": job.kind,
        "protocol_version": job.protocol_version,
        "model": job.variant.model_identity(),
        "dataset": dataset,
        "spec": settings.identity_of(job.spec),
        "seed": job.seed,
        "limit": job.limit,
        **({} if job.limit is None else {"drawn": drawn_by(job.limit)}),
        "needs": sorted(str(need) for need in job.needs.values()),
        **({"contents": job.contents} if job.contents else {}),
        **settings.identity_beside(job),
    }


def job_id(job: Job, *, dataset: Any, settings: type[JobSpec] = JobSpec) -> str | None:
    """Return the job's id, or None while an input (the data, a needed job) is missing."""
    if dataset is None or None in job.needs.values():
        return None
    return f"{job.kind}-{content_hash(job_identity(job, dataset=dataset, settings=settings))}"
