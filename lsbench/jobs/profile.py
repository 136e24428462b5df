"""Measure the cost of a variant: parameters, MACs, latency and throughput, memory and energy.

It is the cost of the variant's model, or of a whole detector or segmenter on it, at its padded images' size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from lsbench.core.catalog import UNKNOWN_MACS, WEIGHTS, known_macs, may_be_folded, unknown_model
from lsbench.core.job import BuiltOn, JobContext, JobKind, JobSpec, Resources, Variant
from lsbench.core.quantity import Quantity, quantity
from lsbench.core.record import Record
from lsbench.core.registry import DATASETS, MIXERS, PROBES, RUNTIMES
from lsbench.core.tasks import task_of
from lsbench.detection.costs import DATA, cost_quantity, estimated_macs, size_for
from lsbench.detection.settings import SETTINGS, Task, parse_sizes
from lsbench.probes import Probe, as_probe
from lsbench.probes._programs import check_runtime, remove_programs
from lsbench.runtimes import Quantisation, Runtime
from lsbench.timing.request import Budget, Precision, Setting, TimedModel

if TYPE_CHECKING:
    from torch import nn

    from lsbench.timing.image_size import ImageSize

Emit = Callable[[dict[str, Any]], None]


class Control(TimedModel):
    """The pinned model that is timed in turns with every variant."""

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if message := unknown_model(self.model):
            raise ValueError(message)
        if self.mixer is not None:
            MIXERS.check([self.mixer])
        return self


class ProfileSpec(JobSpec):
    """Settings of a profile; it runs once per variant, since cost does not depend on the seed.

    All other settings are about timings: the form in which the model runs, and the precision of the timing.
    """

    later_fields: ClassVar[frozenset[str]] = JobSpec.later_fields | {
        *("processes", "of", "head", "dataset", "runtime", "quantisation")
    }
    data_fields: ClassVar[tuple[str, ...]] = ("dataset",)
    reads_instead: ClassVar[bool] = True

    of: Literal["backbone", "retinanet", "maskrcnn", "semantic_fpn"] = Field(
        default="backbone",
        description="the variant's model, or a whole detector or segmenter on it, at its padded images' size",
    )
    head: dict[str, Any] = Field(
        default_factory=dict,
        description="of a detector or segmenter: sizes of neck and head that differ from the published ones",
    )
    dataset: str | dict[str, Any] | None = Field(
        default=None,
        description="of a detector or segmenter: the data set whose classes and image sizes it has; default: "
        "the variant's if it is for that task, else as of COCO (80 classes, 800x1344 pixels) or ADE20K "
        "(150, 512x2048); no image is read",
    )
    probes: tuple[str, ...] = Field(
        default=("params", "macs", "latency", "throughput"),
        min_length=1,
        description="see `lsbench list probes`",
    )
    batch_size: Annotated[int, Field(ge=1)] | Literal["max"] = Field(
        default=64,
        description="images per batch of throughput; max: the power of two up to which it fits and is "
        "faster; default of a detector or segmenter: 1",
    )
    precision: Precision = Field(default="fp32", description="of weights and activations while timed")
    fused: bool = Field(default=False, description="time the model fused for evaluation")
    channels_last: bool = Field(default=False, description="memory layout of images and weights")
    runtime: str = Field(
        default="eager",
        description="what runs the model, see `lsbench list runtimes`; it is compared with PyTorch on real "
        "images first",
    )
    quantisation: Quantisation = Field(
        default="static",
        description="of precision int8: ranges of activations from images of the training split, or "
        "found anew in each pass",
    )
    compiled: bool = Field(default=False, description="the same as `runtime: compile`")
    cuda_graphs: bool = Field(default=False, description="replay one CUDA graph per pass; only on a GPU")
    control: str | Control | None = Field(
        default=None,
        description="a pinned model, timed in turns with each variant for latency_ratio, throughput_ratio",
    )
    target_noise: float = Field(
        default=0.01,
        gt=0,
        lt=1,
        description="relative half width of the median's interval to reach",
    )
    min_s: float = Field(default=1.0, ge=0, description="seconds timed at least, per measurement")
    max_s: float = Field(default=20.0, gt=0, description="seconds timed at most, however noisy")
    processes: int = Field(
        default=1, ge=1, description="fresh processes that share the time of each measurement"
    )
    max_disturbed: float = Field(
        default=0.25, ge=0, le=1, description="fraction of disturbed samples above which no value is given"
    )
    max_other_cpus: float = Field(
        default=0.25, gt=0, description="CPUs that others may use before a sample counts as disturbed"
    )

    @field_validator("probes")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        PROBES.check(value)
        return value

    @field_validator("control")
    @classmethod
    def _control_is_known(cls, value: str | Control | None) -> str | Control | None:
        if isinstance(value, str) and (message := unknown_model(value)):
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _fits_what_it_is_of(self) -> Self:
        if self.of != "backbone":
            parse_sizes(self.of, self.head)
            for data in self.other_data():
                _check_task(self.of, data)
        elif self.head or self.dataset is not None:
            key = "head" if self.head else "dataset"
            raise ValueError(f"{key}: is of a detector or segmenter; give `of`, or leave it out")
        return self

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        ratios = [name for name in self.probes if _probe(name).has_control]
        if ratios and self.control is None:
            raise ValueError(f"probe '{ratios[0]}' compares with a control model: give `control`")
        if self.min_s > self.max_s:
            raise ValueError(f"min_s: expected at most max_s ({self.max_s:g}), found {self.min_s:g}")
        return self

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        if message := RUNTIMES.problem(self.runtime):
            raise ValueError(f"runtime: {message}")
        if self.compiled and self.runtime not in ("eager", "compile"):
            raise ValueError(
                f"compiled: is `runtime: compile`, found `runtime: {self.runtime}`; leave one out"
            )
        name = self.setting().runtime
        runtime: Runtime = RUNTIMES.load(name)
        if message := runtime.cannot(name, self.precision, self.quantisation):
            raise ValueError(message)
        if self.quantisation != "static" and self.precision != "int8":
            raise ValueError("quantisation: is of `precision: int8`; leave it out")
        if not runtime.runs_code:
            self._check_program(name)
        return self

    def _check_program(self, name: str) -> None:
        """Raise a ValueError for a setting that is of the model's own code, which a program is without."""
        wrong = {
            "of": (self.of != "backbone", "a detector or segmenter runs in eager or compile"),
            "batch_size": (self.batch_size == "max", "a program has one batch size; give a number"),
            "channels_last": (self.channels_last, "it chooses the layout itself; leave it out"),
            "cuda_graphs": (self.cuda_graphs, "are of PyTorch; leave it out"),
        }
        for field, (is_wrong, reason) in wrong.items():
            if is_wrong:
                raise ValueError(f"{field}: with `runtime: {name}`: {reason}")

    @classmethod
    def identity_of(cls, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings that can change the result; torch.compile is told in its earlier way."""
        is_compiled = spec.get("runtime") == "compile"
        told = {**spec, "runtime": "eager", "compiled": True} if is_compiled else spec
        return super().identity_of(told)

    def devices(self) -> tuple[str, ...]:
        """Return the kinds of devices on which the runtime can do the precision."""
        setting = self.setting()
        precisions = RUNTIMES.load(setting.runtime).precisions
        return tuple(device for device, can in precisions.items() if setting.precision in can)

    @classmethod
    def named_settings(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return batches of one for detectors and segmenters, whose images are large."""
        return {"batch_size": 1} if settings.get("of", "backbone") != "backbone" else {}

    def built_on(self, variant: Variant) -> BuiltOn | None:
        """Return the detector or segmenter on a variant's model, if the profile is of one."""
        if self.of == "backbone":
            return None
        own = {name: value for name, value in variant.model_args.items() if name not in WEIGHTS}
        return BuiltOn(**variant.model_dump() | {"model_args": own}, built_as=self.of, sizes=self.head)

    def macs(self, backbone: float) -> float:
        """Return the approximate MACs of one image, from those of the variant's model on 224 x 224 pixels."""
        if self.of == "backbone":
            return backbone
        specs = [DATASETS.load(data["name"]).spec.model_validate(data) for data in self.other_data()]
        sizes = [size_for(spec) for spec in specs]
        return estimated_macs(self.of, backbone, size=next(iter(sizes), None), head=self.head)

    def control_model(self) -> TimedModel | None:
        """Return the control as a model, whichever way it was written."""
        if self.control is None or isinstance(self.control, Control):
            return self.control
        return Control(model=self.control)

    def other_models(self) -> dict[str, dict[str, Any]]:
        """Return the control."""
        control = self.control_model()
        return {} if control is None else {"control": control.model_dump()}

    def raised_by(self, variant: Variant) -> int:
        """Return 1 if batch normalisations are folded pair by pair in a fused model that is counted or timed.

        Version 2 left those that the model's own code does not fuse.
        """
        times = self.fused and any(_probe(name).images(self) for name in self.all_probes())
        models = [variant.model_identity()] if times or "macs" in self.probes else []
        models += self.other_models().values() if times else []
        # Then the head of Semantic FPN was folded too.
        is_of_head = self.of == "semantic_fpn" and bool({"params", "macs"} & {*self.probes} or times)
        return int(any(map(may_be_folded, models))) + is_of_head

    def setting(self) -> Setting:
        """Return the form in which models are timed."""
        form = self.model_dump(include=set(Setting.model_fields))
        return Setting.model_validate({**form, "runtime": "compile"} if self.compiled else form)

    def budget(self, min_samples: int) -> Budget:
        """Return the budget of a timing that should take at least `min_samples` samples."""
        fields = self.model_dump(include=set(Budget.model_fields))
        return Budget.model_validate({**fields, "min_samples": min_samples})

    def all_probes(self) -> tuple[str, ...]:
        """Return the probes; with a control, each timing is followed by its comparison."""
        found: dict[str, None] = {}
        for name in self.probes:
            found[name] = None
            companion = _probe(name).companion
            if self.control is not None and companion is not None:
                found[companion] = None
        return tuple(found)


def _probe(name: str) -> Probe:
    return as_probe(PROBES.load(name))


def _check_task(of: Task, data: Mapping[str, Any]) -> None:
    """Raise a ValueError if a data set is for another task; one that nobody knows is noted elsewhere."""
    if DATASETS.problem(data["name"]):
        return
    wanted, found = DATA[of][0], task_of(DATASETS.load(data["name"]))
    if found != wanted:
        raise ValueError(
            f"dataset: expected one for {wanted}, found '{data['name']}', which is for {found}; name another"
        )


def run(context: JobContext) -> Sequence[Record]:
    """Run the probes one after another, those that time nothing first; exact figures are kept at once.

    Each timing builds its model in a fresh process. This process does not touch the GPU: it would hold memory
    that a timing may need.
    """
    spec: ProfileSpec = context.spec
    check_runtime(spec.setting(), context.device)
    remove_programs(context)
    try:
        return _run_probes(context)
    finally:
        remove_programs(context)


def _run_probes(context: JobContext) -> Sequence[Record]:
    spec: ProfileSpec = context.spec
    model, size, to_record = _subject(context)
    probes = sorted(spec.all_probes(), key=lambda name: _probe(name).images(spec) > 0)
    side = context.job.variant.dataset["img_size"]
    macs = spec.macs(known_macs(context.job.variant.model_identity(), side) or UNKNOWN_MACS)
    lengths = [_probe(name).seconds(spec, macs, context.job.limit) for name in probes]
    records: list[Record] = []
    for number, name in enumerate(probes):
        share, part = sum(lengths[:number]) / sum(lengths), lengths[number] / sum(lengths)
        where = {"step": number, "steps": len(probes), "share": share, "part": part}
        emit = _numbered(context.emit, where, probe=name)
        emit({"ev": "step"})
        found = [to_record(one) for one in _probe(name)(model, size, replace(context, emit=emit))]
        context.keep([record for record in found if _is_exact(record)])
        records += found
    return records


def warn_of_other_size(context: JobContext, img_size: int) -> None:
    """Warn if the published weights of a variant are evaluated on images of another size than its cost."""
    from lsbench.engine.preprocessing import size_of_weights

    wanted = size_of_weights(context.job)
    if wanted not in (None, img_size):
        message = (
            f"cost is measured on images of {img_size} px, and its published weights are evaluated on "
            f"{wanted} px; give the row `dataset: {{img_size: {wanted}}}`"
        )
        context.emit({"ev": "warning", "message": message})


def _subject(context: JobContext) -> tuple[nn.Module, ImageSize, Callable[[Record], Record]]:
    """Return the measured model, the size of its images, and the function that names it in a record."""
    from lsbench.engine.classify import create_variant
    from lsbench.engine.open_data import open_data
    from lsbench.timing.passes import create_timed
    from lsbench.timing.records import whole_of

    whole = whole_of(context)
    if whole is None:
        data = open_data(context)
        warn_of_other_size(context, data.img_size)
        return create_variant(context, data).eval(), data.img_size, lambda record: record
    backbone = TimedModel(**context.job.variant.model_identity())
    shape: dict[str, Any] = {"num_classes": whole.num_classes, "img_size": whole.size, "head": whole.head}
    model = create_timed(backbone, whole.task, **shape)
    return model.eval(), whole.size, whole.record


def _numbered(emit: Emit, where: Mapping[str, float], *, probe: str) -> Emit:
    """Return an `emit` that adds to each event which of the probes it is from, and its share of the time."""

    def tell(event: dict[str, Any]) -> None:
        what = f"{probe}, {event['what']}" if "what" in event else probe
        emit({**event, **where, "what": what})

    return tell


def _is_exact(record: Record) -> bool:
    """Return whether a record is counted, so that measuring again would give the same."""
    return quantity(record.metric).is_counted


def cost(spec: ProfileSpec, macs: float, images: Callable[[str], int]) -> float:
    """Return the approximate MACs of a profile; the length of a timing depends on the machine's noise."""
    return spec.macs(macs) * (1 + sum(_probe(name).images(spec) for name in spec.all_probes()))


def seconds(spec: ProfileSpec, macs: float, limit: int | None) -> float:
    """Return the most seconds that the probes take one after another."""
    return sum(_probe(name).seconds(spec, spec.macs(macs), limit) for name in spec.all_probes())


def _of_wholes() -> Iterator[Quantity]:
    """Yield each quantity of lsbench's own probes as one of each detector and segmenter."""
    named = {one.name: one for name in PROBES.own_names() for one in PROBES.module(name).QUANTITIES}
    for task in SETTINGS:
        yield from (cost_quantity(task, one) for one in named.values())


QUANTITIES = tuple(_of_wholes())

JOB = JobKind(
    spec=ProfileSpec,
    run=run,
    version=2,
    cost=cost,
    seconds=seconds,
    per_seed=False,
    uses_data=False,
    resources=Resources(num_gpus="auto", exclusive="device", timeout_min=60),
    usual=("params", "macs", "latency_ms", "throughput"),
    place=20,
)
