"""Costs of whole detectors and segmenters: their size, their input, and the names of their numbers.

A detector's FLOPs or latency never have the name of a backbone's, so that no table mixes them, and no number
of a detector is compared with a published one of a backbone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lsbench.core.facets import Facets, render_protocol
from lsbench.core.ids import canonical_json
from lsbench.core.quantity import Quantity
from lsbench.core.record import Record
from lsbench.core.tasks import Task as DataTask
from lsbench.core.tasks import task_of
from lsbench.detection.settings import PADDED_SIZES, SHORT_TITLES, TITLES, Task

#: Task of a model -> task of its data sets, and the number of classes of the published one.
DATA: Mapping[Task, tuple[DataTask, int]] = {
    "retinanet": ("detection", 80),
    "maskrcnn": ("detection", 80),
    "semantic_fpn": ("segmentation", 150),
}
#: Multiply-accumulates of neck and head at the published size, about: all but the backbone's.
HEADS: Mapping[Task, float] = {"retinanet": 158e9, "maskrcnn": 178e9, "semantic_fpn": 22e9}
#: Area of the images that the known costs of backbones are of, and channels of the published necks.
USUAL_AREA, USUAL_CHANNELS = 224 * 224, 256
#: Sides of padded images are multiples of this, in pixels.
MULTIPLE = 32

Note = Callable[[Iterable[Mapping[str, Any]]], list[str]]


@dataclass(frozen=True)
class Whole:
    """A detector or segmenter whose costs are measured.

    Attributes:
        task: Its kind.
        num_classes: Classes.
        size: Height and width of its padded images, pixels.
        head: Sizes of neck and head that differ from the published ones.
    """

    task: Task
    num_classes: int
    size: tuple[int, int]
    head: Mapping[str, Any] = field(default_factory=dict)

    def record(self, measured: Record) -> Record:
        """Return a record of a cost under this model's name for it, with a protocol that tells the model."""
        told = {**measured.facets.more, "model": self.task, "classes": self.num_classes}
        if self.head:
            told["head"] = canonical_json(dict(self.head)).replace('"', "").strip("{}")
        facets: Facets = measured.facets.model_copy(update={"more": told})
        name = cost_name(self.task, measured.metric)
        return measured.model_copy(
            update={"metric": name, "facets": facets, "protocol": render_protocol(facets)}
        )


def whole_on(
    task: Task, plugin: Any, spec: Any, *, count: Callable[[], int], head: Mapping[str, Any]
) -> Whole:
    """Return a detector or segmenter for a data set if that serves its task, else for the published one.

    Args:
        task: Kind of the model.
        plugin: A data set's plug-in.
        spec: Its settings.
        count: Returns the data set's number of classes.
        head: Sizes of neck and head that differ from the published ones.
    """
    wanted, num_classes = DATA[task]
    if task_of(plugin) != wanted:
        return Whole(task, num_classes, PADDED_SIZES[task], head)
    return Whole(task, count(), size_for(spec), head)


def estimated_macs(
    task: Task, backbone: float, *, size: tuple[int, int] | None = None, head: Mapping[str, Any]
) -> float:
    """Return the approximate MACs of one image, for planning.

    Args:
        task: Kind of the model.
        backbone: MACs of the backbone on an image of 224 x 224 pixels.
        size: Height and width of the padded image; None: the published ones.
        head: Sizes of neck and head that differ from the published ones.
    """
    height, width = size or PADDED_SIZES[task]
    area, published = height * width, PADDED_SIZES[task][0] * PADDED_SIZES[task][1]
    narrower = (int(head.get("channels", USUAL_CHANNELS)) / USUAL_CHANNELS) ** 2
    return backbone * area / USUAL_AREA + HEADS[task] * narrower * area / published


def size_for(spec: Any) -> tuple[int, int]:
    """Return height and width of the largest padded image of a data set with these settings."""
    return padded_size(spec.img_size, getattr(spec, "max_size", spec.img_size))


def padded_size(shorter: int, longer: int) -> tuple[int, int]:
    """Return height and width of the largest wide image after padding.

    >>> padded_size(800, 1333), padded_size(512, 2048), padded_size(128, 128)
    ((800, 1344), (512, 2048), (128, 128))
    """
    return -(-shorter // MULTIPLE) * MULTIPLE, -(-longer // MULTIPLE) * MULTIPLE


#: Words of costs in the headers of narrow tables.
SHORT_WORDS = {"throughput": "thr.", "latency": "lat.", "memory": "mem.", "fused params": "fused par."}


def cost_name(task: Task, metric: str) -> str:
    """Return the name of a cost of a whole model.

    >>> cost_name("maskrcnn", "macs")
    'maskrcnn_macs'
    """
    return f"{task}_{metric}"


def cost_quantity(task: Task, one: Quantity) -> Quantity:
    """Return the quantity of a whole model that corresponds to one of a backbone.

    >>> cost_quantity("maskrcnn", Quantity("params", "count", False, "params (M)")).title
    'Mask R-CNN params (M)'
    >>> cost_quantity("maskrcnn", Quantity("params", "count", False, "params (M)")).short_title
    'Mask params (M)'
    """
    title = TITLES[task]
    return replace(
        one,
        name=cost_name(task, one.name),
        title=f"{title} {one.title}",
        short_title=f"{SHORT_TITLES[task]} {_shortened(one.short_title or one.title)}",
        note=None if one.note is None else _titled(title, one.note),
    )


def _shortened(title: str) -> str:
    for word, short in SHORT_WORDS.items():
        title = title.replace(word, short)
    return title


def _titled(title: str, note: Note) -> Note:
    """Return a note whose lines begin with the name of the model."""

    def lines(settings: Iterable[Mapping[str, Any]]) -> list[str]:
        return [f"{title}: {line}" for line in note(settings)]

    return lines
