"""Detectors and segmenters to be exported: their weights, in the authors' layout and in ours."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from lsbench.core.errors import LsbenchError, StoreError, UsageError
from lsbench.core.registry import JOBS
from lsbench.detection.costs import DATA, Whole, padded_size, size_for
from lsbench.detection.settings import PADDED_SIZES, TITLES, Task, parse_sizes
from lsbench.engine import weights
from lsbench.engine.open_data import OpenData
from lsbench.export.subject import WEIGHTS, ModelToExport
from lsbench.models.checkpoint_files import read_checkpoint
from lsbench.models.checkpoints import local_file
from lsbench.models.downstream.factory import create_downstream
from lsbench.models.downstream.key_map import authors_checkpoint
from lsbench.models.downstream.model import DownstreamModel
from lsbench.tables.one_job import OneJob
from lsbench.tables.trainings import weights_file

#: Longest side of the random images that a file is checked with, in pixels: padded sizes take seconds.
CHECKED = 256


@dataclass(frozen=True)
class WholeToExport(ModelToExport):
    """A detector or segmenter with its weights; `name` and `arguments` are those of its backbone.

    Attributes:
        task: Its kind.
        head: Sizes of neck and head that differ from the published ones.
        classes: Names of the classes, in the order of labels; empty if they are unknown.
        size: Height and width of padded images, pixels; `img_size` is the shorter side before padding.
    """

    task: Task = "retinanet"
    head: dict[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)

    @property
    def title(self) -> str:
        """Kind, backbone and mixer."""
        return f"{TITLES[self.task]} on {super().title}"

    @property
    def whole(self) -> Whole:
        """Its kind, classes and size."""
        return Whole(self.task, self.num_classes, self.size, self.head)

    @property
    def dataset(self) -> dict[str, Any]:
        """The settings of the data set that it was trained on; empty if it was not trained here."""
        return {} if self.training is None else _data_of(self.training)

    def create(self, checkpoint: Path) -> DownstreamModel:
        """Return the model with the weights of a file, whichever layout it has."""
        return _create(self.task, self.name, self.num_classes, self.head, self.arguments, checkpoint)


def subject_of_whole(
    task: Task,
    name: str,
    *,
    mixer: str | None,
    checkpoint: Path | None,
    num_classes: int | None,
    img_size: int | None,
) -> WholeToExport:
    """Return a detector or segmenter of the published sizes on a backbone.

    Args:
        task: Its kind.
        name: The backbone.
        mixer: Token mixer; None: the backbone's own.
        checkpoint: All weights, in the authors' layout or ours; None: random ones of seed 0.
        num_classes: Classes; None: those of COCO or ADE20K.
        img_size: Side of square images in pixels; None: as published.

    Raises:
        ConfigError: If it cannot be built, or the weights do not fit.
    """
    torch.manual_seed(0)
    arguments = {"mixer": mixer} if mixer else {}
    count = num_classes or DATA[task][1]
    model = _create(task, name, count, {}, arguments, checkpoint)
    told = "random, from seed 0: it is not trained"
    return WholeToExport(
        model=model.eval(),
        name=name,
        arguments=arguments,
        num_classes=count,
        img_size=img_size or PADDED_SIZES[task][0],
        weights=told if checkpoint is None else f"those of the file `{checkpoint.name}`",
        normalisation=None,
        task=task,
        classes=() if checkpoint is None else _named_classes(checkpoint, count),
        size=PADDED_SIZES[task] if img_size is None else padded_size(img_size, img_size),
    )


def subject_of_whole_training(training: OneJob, *, is_ema: bool, data_root: Path | None) -> WholeToExport:
    """Return the detector or segmenter of a finished job, with its weights.

    Args:
        training: The job.
        is_ema: Whether a moving average of its weights was asked for.
        data_root: Folder of large data sets; only the classes are read.

    Raises:
        UsageError: If a moving average was asked for, which such jobs do not keep.
        StoreError: If the weights cannot be read, or are of another architecture.
        LsbenchError: If the model or the data set is unknown.
    """
    if is_ema:
        raise UsageError(f"--ema: {training.known.label} kept no moving average; leave it out")
    file, own = weights_file(training.known), training.model
    state = weights.load(file)
    if state is None:
        raise StoreError(f"{file}: the weights are damaged or cannot be read; train again")
    spec = _spec_of(training)
    data = OpenData(_data_of(training), None if data_root is None else str(data_root))
    given = {key: value for key, value in (own.get("model_args") or {}).items() if key not in WEIGHTS}
    arguments = {**{key: own[key] for key in ("mixer", "mixer_args") if own.get(key)}, **given}
    model = _create(spec.model_kind, own["model"], data.num_classes, spec.head, arguments, None)
    weights.load_weights(model, state, where=str(file))
    classes, normalisation = _known_of(data)
    return WholeToExport(
        model=model.eval(),
        name=own["model"],
        arguments=arguments,
        num_classes=data.num_classes,
        img_size=data.img_size,
        weights=f"the last weights of the job {training.known.label} ({training.known.id})",
        normalisation=normalisation,
        training=training,
        task=spec.model_kind,
        head=dict(spec.head),
        classes=classes,
        size=size_for(data.spec),
    )


def is_whole(training: OneJob) -> bool:
    """Return whether a job with weights trained a detector or segmenter."""
    job = training.known.job
    return job is not None and JOBS.load(job.kind).task != "classification"


def to_authors_file(subject: WholeToExport) -> bytes:
    """Return a file of ``torch.save`` that mmdetection 2 or mmsegmentation loads, weights and classes."""
    buffer = io.BytesIO()
    torch.save(authors_checkpoint(subject.task, subject.model, subject.classes), buffer)
    return buffer.getvalue()


def to_own_file(subject: WholeToExport) -> bytes:
    """Return a safetensors file with our names; its metadata tells how ``create_downstream`` builds it."""
    state = {name: value.detach().clone().contiguous() for name, value in subject.model.state_dict().items()}
    built = {"task": subject.task, "backbone": subject.name, "num_classes": subject.num_classes}
    built |= {"head": subject.head, "classes": subject.classes, **subject.arguments}
    return save(state, metadata={"format": "pt", "lsbench.create_downstream": json.dumps(built)})


#: Format -> the function that makes its files.
WRITERS: dict[str, Callable[[WholeToExport], bytes]] = {"pth": to_authors_file, "safetensors": to_own_file}


def read_back(content: bytes, subject: WholeToExport) -> DownstreamModel:
    """Return the model that a written file gives; random images are run through both for a comparison."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "weights")
        file.write_bytes(content)
        return subject.create(file).eval()


def checked_shape(subject: WholeToExport) -> tuple[int, int, int, int]:
    """Return the shape of the images that a file is checked with."""
    height, width = (min(side, CHECKED) for side in subject.size)
    return (1, 3, height, width)


def run_whole(model: DownstreamModel, images: Tensor) -> Tensor:
    """Return all outputs of a detector or segmenter in a row."""
    with torch.no_grad():
        return torch.cat([one.flatten() for one in model.outputs(images)])


def _create(
    task: Task,
    backbone: str,
    num_classes: int,
    head: Mapping[str, Any],
    arguments: Mapping[str, Any],
    checkpoint: Path | None,
) -> DownstreamModel:
    sizes = parse_sizes(task, head)
    return create_downstream(
        task, backbone, num_classes=num_classes, settings=sizes, checkpoint=checkpoint, **arguments
    )


def _spec_of(training: OneJob) -> Any:
    kind = training.known.job.kind if training.known.job else ""
    return JOBS.load(kind).spec.model_validate(training.settings or {})


def _data_of(training: OneJob) -> dict[str, Any]:
    """Return the settings of the data set that a job was trained on."""
    (settings,) = _spec_of(training).read_data(training.model["dataset"])
    return dict(settings)


def _known_of(
    data: OpenData,
) -> tuple[tuple[str, ...], tuple[tuple[float, ...], tuple[float, ...]] | None]:
    """Return the names of classes and the normalisation of a data set that is on this machine."""
    try:
        prepared: Any = data.prepared
    except LsbenchError:
        return (), None
    names = getattr(prepared, "categories", None) or prepared.classes
    return tuple(names), (prepared.mean, prepared.std)


def _named_classes(checkpoint: Path, count: int) -> tuple[str, ...]:
    """Return the names of classes that a file of the authors' programs holds, if it does."""
    found = read_checkpoint(local_file(checkpoint))
    meta = found.get("meta") if isinstance(found, Mapping) else None
    names = meta.get("CLASSES") if isinstance(meta, Mapping) else None
    return tuple(map(str, names)) if names is not None and len(names) == count else ()
