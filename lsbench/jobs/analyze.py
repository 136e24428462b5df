"""Analyse a model: receptive field, aggregation weights, feature maps, Fourier spectrum, alignment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from lsbench.core.facets import Facets
from lsbench.core.job import Job, JobContext, JobKind, Resources
from lsbench.core.panel import ModelPanel, has_random_weights
from lsbench.core.record import Record, measured
from lsbench.core.registry import ANALYSES
from lsbench.engine.evaluation import PreprocessSpec
from lsbench.rendering.pictures import FORMATS, create_pictures

if TYPE_CHECKING:
    from torch import nn

    from lsbench.analyses import Analysis, Findings, Subject
    from lsbench.engine.open_data import OpenData
    from lsbench.engine.preprocessing import JobImages

UNTRAINED = "has random weights: picture and numbers are of an untrained model"
#: What a suite's job draws; a model alone is drawn in every format.
PICTURES = ("png", "svg")
#: Costly analyses run the model forward and backward.
USUAL_PASSES = 3


class AnalyzeSpec(PreprocessSpec):
    """Settings of an analysis."""

    runtime_fields: ClassVar[frozenset[str]] = frozenset({"other"})  # the id covers what is used of it
    short_field: ClassVar[str | None] = "kind"

    kind: str = Field(default="erf", description="see `lsbench list analyses`")
    num_images: int = Field(default=50, ge=1, description="evenly spaced over the split")
    split: Literal["train", "val", "test"] = Field(
        default="test", description="split of the data set that is used"
    )
    batch_size: int = Field(default=10, ge=1, description="images per batch")
    other: str | None = Field(
        default=None, description="second variant of the suite to compare with; for cka"
    )

    @field_validator("kind")
    @classmethod
    def _is_known(cls, value: str) -> str:
        ANALYSES.check([value])
        return value

    @model_validator(mode="after")
    def _has_two_trainings(self) -> Self:
        if self.other is not None and self.weights not in ("last", "ema"):
            raise ValueError("other: two variants are compared after training; set weights to last or ema")
        if self.other is not None and not ANALYSES.load(self.kind).is_of_two:
            raise ValueError(
                f"other: expected an analysis of two models, found {self.kind}, which takes one model"
            )
        return self

    def own_splits(self) -> tuple[str, ...]:
        """Return the split of the images."""
        return (self.split,)

    def other_variant(self) -> str | None:
        """Return the second variant."""
        return self.other


def run(context: JobContext) -> Sequence[Record]:
    """Analyse the model, write ``<kind>.npz`` and its picture, and return the numbers.

    For a model that lacks the module which the analysis needs, no files are written, and the records have a
    reason instead of a value.
    """
    from lsbench.analyses import NotApplicableError
    from lsbench.engine.open_data import open_data
    from lsbench.engine.preprocessing import images_of

    analysis: Analysis = ANALYSES.load(context.spec.kind)
    data = open_data(context)
    images = images_of(context, data)
    subject = _subject(context, data, images)
    try:
        found = analysis.analyse(subject)
    except NotApplicableError as error:
        if context.job.id is None:
            raise
        context.emit({"ev": "warning", "message": str(error)})
        where = {
            **_where(context, data, images, analysis, subject.model, 0),
            "setting": {"missing": str(error)},
        }
        return [measured(one.name, None, n=0, **where) for one in analysis.quantities]
    formats = FORMATS if context.job.id is None else PICTURES
    label = _label(context, subject.title)
    write_findings(context.folder, context.spec.kind, label, analysis, found, formats)
    return _records(found, _where(context, data, images, analysis, subject.model, len(subject.images)))


def _label(context: JobContext, title: str) -> str:
    """Return the title of the picture, and say so if it is one of random weights."""
    is_random = has_random_weights(context.spec.weights, context.job.variant.model_args)
    if is_random:
        context.emit({"ev": "warning", "message": f"{context.spec.kind}: {title} {UNTRAINED}"})
    return ModelPanel(title, {}, is_random).label


def _subject(context: JobContext, data: OpenData, images: JobImages) -> Subject:
    from lsbench.analyses import Subject
    from lsbench.engine.sample import read_sample

    spec: AnalyzeSpec = context.spec
    sample = read_sample(data, spec.split, spec.num_images, images.chosen)
    other = _other_job(context)
    return Subject(
        model=_model(context, data, images),
        images=sample.images.to(context.device),
        pictures=sample.pictures,
        masks=sample.masks,
        batch_size=spec.batch_size,
        other=None if other is None else _other_model(context, *other),
        title=context.job.variant.title,
        other_title="" if other is None else other[0].variant.title,
        on_step=_progress(context),
    )


def _model(context: JobContext, data: OpenData, images: JobImages) -> nn.Module:
    from lsbench.engine.classify import create_tested

    size = None if images.chosen is None else images.chosen.img_size
    model = create_tested(context, data, context.spec.weights, img_size=size)
    return model.to(context.device).eval()


def _other_job(context: JobContext) -> tuple[Job, Path] | None:
    """Return the training job of the second variant and its folder, with its weights and its own job."""
    if context.spec.other is None:
        return None
    end = f"@{context.spec.other}"
    folder = next(place for name, place in context.needs.items() if name.endswith(end))
    return Job.model_validate_json((folder / "spec.json").read_text(encoding="utf-8")), folder


def _other_model(context: JobContext, job: Job, folder: Path) -> nn.Module:
    from dataclasses import replace

    from lsbench.engine.open_data import open_data
    from lsbench.engine.preprocessing import images_of

    of_other = replace(context, job=job, needs={job.name: folder})
    data = open_data(of_other)
    return _model(of_other, data, images_of(of_other, data))


def _progress(context: JobContext) -> Callable[[int, int], None]:
    def on_step(done: int, total: int) -> None:
        context.emit({"ev": "step", "step": done, "steps": total, "what": context.spec.kind})

    return on_step


def write_findings(
    folder: Path,
    name: str,
    title: str,
    analysis: Analysis,
    found: Findings,
    formats: Iterable[str] = PICTURES,
) -> None:
    """Write the arrays as ``<name>.npz`` and the picture as ``<name>.<format>``, in letters for a paper."""
    import numpy as np

    from lsbench.core.atomic import atomic_write

    with atomic_write(folder / f"{name}.npz") as file:
        np.savez_compressed(file, **found.arrays)  # type: ignore[arg-type, unused-ignore]
    pictures = create_pictures(lambda figure: analysis.draw(found.arrays, figure, title), name, formats)
    for each, content in pictures.items():
        with atomic_write(folder / f"{name}.{each}") as file:
            file.write(content)


def _where(
    context: JobContext, data: OpenData, images: JobImages, analysis: Analysis, model: nn.Module, count: int
) -> dict[str, Any]:
    from lsbench.engine.classify import checkpoint_facet
    from lsbench.models.earlier_weights import conditions

    spec: AnalyzeSpec = context.spec
    facets = Facets(
        method=spec.kind,
        split=spec.split,
        weights=spec.weights,
        checkpoint=checkpoint_facet(model, spec.weights),
        other=spec.other,
        batch_size=spec.batch_size if analysis.is_of_batches else None,
        **images.facets,
        n=count or spec.num_images,
        more=conditions(model),
        version=f"{JOB.version}.{analysis.version}",
    )
    return {"facets": facets, "dataset": data.name}


def _records(found: Findings, where: Mapping[str, Any]) -> list[Record]:
    from lsbench.engine.intervals import interval_of

    images = where["facets"].n
    records = [measured(name, value, n=images, **where) for name, value in found.numbers.items()]
    for name, values in found.per_image.items():
        records.append(measured(name, float(values.mean()), n=images, **interval_of(values), **where))
    return records


def cost(spec: AnalyzeSpec, macs: float, images: Callable[[str], int]) -> float:
    """Return the estimated MACs: some passes over the images, or over the split if it has fewer."""
    return macs * min(spec.num_images, images(spec.split) or spec.num_images) * USUAL_PASSES


JOB = JobKind(
    spec=AnalyzeSpec,
    run=run,
    version=1,
    cost=cost,
    needs=("train",),
    resources=Resources(num_gpus="auto", timeout_min=60),
    place=50,
    is_result=False,
)
