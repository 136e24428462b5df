"""Analyse a model: receptive field, aggregation weights, feature maps, Fourier spectrum, alignment.

Of a detector or segmenter: pictures of what it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from lsbench.core.facets import Facets
from lsbench.core.job import Job, JobContext, JobKind, Resources
from lsbench.core.panel import ModelPanel, has_random_weights
from lsbench.core.record import Record, measured
from lsbench.core.registry import ANALYSES
from lsbench.core.tasks import Task
from lsbench.engine.analysis_spec import TRAINED_BY, AnalysisSpec
from lsbench.engine.evaluation import Weights
from lsbench.rendering.pictures import FORMATS, create_pictures

if TYPE_CHECKING:
    from torch import nn

    from lsbench.analyses import Analysis, Findings, Subject
    from lsbench.engine.open_data import OpenData
    from lsbench.engine.preprocessing import JobImages

UNTRAINED = "has random weights: picture and numbers are of an untrained model"
#: What a suite's job draws; a model alone is drawn in every format.
PICTURES = ("png", "svg")
#: Images of a data set, and of a folder, that are drawn at most.
SHOWN, MOST_OF_FOLDER = 4, 12
#: Costly analyses run the model forward and backward.
USUAL_PASSES = 3


class AnalyzeSpec(AnalysisSpec):
    """Settings of an analysis."""

    # The id covers what is used of the other variant.
    runtime_fields: ClassVar[frozenset[str]] = AnalysisSpec.runtime_fields | {"other"}
    short_field: ClassVar[str | None] = "kind"

    kind: str = Field(default="erf", description="see `lsbench list analyses`")
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

    @property
    def task(self) -> Task:
        """The task of the models that are analyzed."""
        analysis: Analysis = ANALYSES.load(self.kind)
        return analysis.task

    @classmethod
    def needed_kinds(cls, settings: Mapping[str, Any], usual: tuple[str, ...]) -> tuple[str, ...]:
        """Return the kind of job that trains the analyzed models, if one does."""
        name = settings.get("kind", cls.model_fields["kind"].default)
        is_known = isinstance(name, str) and not ANALYSES.problem(name)
        trained_by = (TRAINED_BY[ANALYSES.load(name).task],) if is_known else usual
        return super().needed_kinds(settings, trained_by)

    def other_variant(self) -> str | None:
        """Return the second variant."""
        return self.other


def run(context: JobContext) -> Sequence[Record]:
    """Analyse the model, write ``<kind>.npz`` and its picture, and return the numbers.

    For a model that lacks the module which the analysis needs, no files are written, and the records have a
    reason instead of a value.
    """
    from lsbench.analyses import NotApplicableError

    analysis: Analysis = ANALYSES.load(context.spec.kind)
    looked_at = _of_classifier(context) if analysis.task == "classification" else _of_downstream(context)
    facets = _facets(context, analysis, looked_at)
    try:
        found = analysis.analyse(looked_at.subject)
    except NotApplicableError as error:
        if context.job.id is None:
            raise
        context.emit({"ev": "warning", "message": str(error)})
        setting = {"missing": str(error)}
        facets = facets.model_copy(update={"n": context.spec.num_images})
        return [
            measured(one.name, None, n=0, dataset=looked_at.dataset, facets=facets, setting=setting)
            for one in analysis.quantities
        ]
    formats = FORMATS if context.job.id is None else PICTURES
    label = _label(context, analysis)
    write_findings(context.folder, context.spec.kind, label, analysis, found, formats)
    return _records(found, {"facets": facets, "dataset": looked_at.dataset})


def _label(context: JobContext, analysis: Analysis) -> str:
    """Return the title of the picture, and say so if it is one of random weights."""
    title, arguments = context.job.variant.title, context.job.variant.model_args
    # The weights of a backbone alone make no detector.
    named = arguments if analysis.task == "classification" else {}
    is_random = has_random_weights(weights_of(context.spec), named)
    if is_random:
        context.emit({"ev": "warning", "message": f"{context.spec.kind}: {title} {UNTRAINED}"})
    return ModelPanel(title, {}, is_random).label


def weights_of(spec: AnalyzeSpec) -> Weights:
    """Return the word for the weights that are analyzed."""
    return spec.weights if spec.checkpoint is None else "pretrained"


@dataclass(frozen=True)
class _LookedAt:
    """What an analysis looks at.

    Attributes:
        subject: As the analysis takes it.
        model: The model.
        count: Image count.
        dataset: Name of the data set; None of a folder's images.
        facets: Facets of the images.
    """

    subject: Any
    model: nn.Module
    count: int
    dataset: str | None
    facets: Mapping[str, Any]


def _of_downstream(context: JobContext) -> _LookedAt:
    """Return a detector or segmenter with its images."""
    from lsbench.analyses import DownstreamSubject
    from lsbench.analyses._panels import choose_shown
    from lsbench.engine.drawn_images import create_seen, open_images

    spec: AnalyzeSpec = context.spec
    images = open_images(context)
    model = create_seen(context, len(images.classes))
    count = len(images.drawn)
    most = count if spec.images else MOST_OF_FOLDER if spec.folder is not None else SHOWN
    subject = DownstreamSubject(
        model=model,
        images=images.drawn,
        classes=images.classes,
        device=context.device,
        shown=choose_shown(count, most).tolist(),
        on_step=_progress(context),
    )
    facets = {"res": images.data.img_size, "split": None if spec.folder is not None else spec.split}
    return _LookedAt(subject, model, count, None if spec.folder else images.data.name, facets)


def _of_classifier(context: JobContext) -> _LookedAt:
    """Return a classifier with its images."""
    from lsbench.engine.open_data import open_data
    from lsbench.engine.preprocessing import images_of

    data = open_data(context)
    images = images_of(context, data)
    subject = _subject(context, data, images)
    facets = {"split": context.spec.split, **images.facets}
    return _LookedAt(subject, subject.model, len(subject.images), data.name, facets)


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


def _facets(context: JobContext, analysis: Analysis, looked_at: _LookedAt) -> Facets:
    from lsbench.engine.classify import checkpoint_facet
    from lsbench.models.earlier_weights import conditions

    spec: AnalyzeSpec = context.spec
    weights = weights_of(spec)
    return Facets(
        method=spec.kind,
        weights=weights,
        checkpoint=checkpoint_facet(looked_at.model, weights),
        other=spec.other,
        batch_size=spec.batch_size if analysis.is_of_batches else None,
        n=looked_at.count,
        more=conditions(looked_at.model),
        version=f"{JOB.version}.{analysis.version}",
        **looked_at.facets,
    )


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
