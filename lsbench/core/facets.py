"""The facets of a record: how its number was measured, field by field, and the one text that says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from lsbench.core.spec import StrictModel

#: Facets of a record that is of a part of its job: of one epoch, or of one corruption.
OF_A_PART = ("epoch", "corruption", "severity")

Scalar = str | bool | int | float


class Facets(StrictModel):
    """How a number was measured; what does not matter for it is None.

    Attributes:
        method: How: ``train``, an analysis, a counter, or the name of corrupted images.
        split: Split of the data set.
        weights: Of the training (``last``, ``ema``), ``pretrained``, or ``fresh``.
        other: Name of the second model of a comparison.
        epochs: Length of a training.
        batch_size: Images of one step or pass; ``max``: as many as fit.
        lr: Learning rate of a training.
        precision: Number format, such as ``fp32``.
        channels_last: Whether the model runs with channels last in memory.
        fused: Whether the model is fused for evaluation.
        compiled: Whether the model is compiled.
        cuda_graphs: Whether passes are replayed as one CUDA graph.
        corruptions: Their number where it says which, else their names.
        outside_corruptions: Names of those that come from other packages.
        severities: Their number where it says which, else the severities.
        res: Height and width of the images, or to which they were resized, in pixels.
        crop: Height and width of what was cut out of the resized images, in pixels.
        family: Of the operations that corrupted the images.
        jpeg_quality: Of the JPEG file that corrupted images went through; None with a family: PNG.
        reference: What errors are divided by; ``none``: nothing.
        classes: Number of classes among which the model had to choose, where it knows more.
        n: Number of images.
        device: ``cpu`` or ``cuda``.
        threads: Threads of a timing on a CPU.
        control: Name of the model that took turns.
        more: Facets of job kinds, probes and metrics from other packages.
        version: Of the way to measure.
        epoch: The one that the number is of, counted from 1.
        corruption: The one that the number is of.
        severity: The one that the number is of; None with a corruption: all severities.
    """

    method: str | None = None
    split: str | None = None
    weights: str | None = None
    other: str | None = None
    epochs: int | None = None
    batch_size: int | Literal["max"] | None = None
    lr: float | None = None
    precision: str | None = None
    channels_last: bool | None = None
    fused: bool | None = None
    compiled: bool | None = None
    cuda_graphs: bool | None = None
    corruptions: int | tuple[str, ...] | None = None
    outside_corruptions: tuple[str, ...] | None = None
    severities: int | tuple[int, ...] | None = None
    res: int | None = None
    crop: int | None = None
    family: str | None = None
    jpeg_quality: int | None = None
    reference: str | None = None
    classes: int | None = None
    n: int | None = None
    device: str | None = None
    threads: int | None = None
    control: str | None = None
    more: dict[str, Scalar] = Field(default_factory=dict)
    version: str | None = None
    epoch: int | None = None
    corruption: str | None = None
    severity: int | None = None

    @model_validator(mode="after")
    def _has_a_corruption(self) -> Self:
        if self.severity is not None and self.corruption is None:
            raise ValueError(f"severity: expected with a corruption, found {self.severity} alone")
        return self

    @model_serializer(mode="wrap")
    def _only_what_is_told(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        told: dict[str, Any] = serialize(self)
        return {name: value for name, value in told.items() if value is not None and value != {}}

    def __hash__(self) -> int:
        """Return equal numbers for equal facets."""
        return hash(self.model_dump_json())

    @property
    def is_of_a_part(self) -> bool:
        """Whether the number is of a part of its job alone: an epoch, or a corruption.

        >>> Facets(method="train").is_of_a_part, Facets(method="train").of_epoch(3).is_of_a_part
        (False, True)
        """
        return self.epoch is not None or self.corruption is not None

    @property
    def whole(self) -> Facets:
        """The facets of the whole job: the same without epoch, corruption and severity."""
        return self.without(*OF_A_PART) if self.is_of_a_part else self

    def of_epoch(self, epoch: int) -> Facets:
        """Return the facets of a number of one epoch."""
        return self.model_copy(update={"epoch": epoch})

    def of_corruption(self, corruption: str, severity: int | None = None) -> Facets:
        """Return the facets of a number of one corruption, at one severity or over all."""
        return self.model_copy(update={"corruption": corruption, "severity": severity})

    def without(self, *names: str) -> Facets:
        """Return the same without some facets.

        >>> render_protocol(Facets(split="test", classes=200, n=7500).without("classes"))
        'test|n=7500'
        """
        return self.model_copy(update=dict.fromkeys(names))

    def has_all_of(self, wanted: Facets) -> bool:
        """Return whether each facet that `wanted` names is the same here.

        >>> Facets(split="test", classes=200).has_all_of(Facets(classes=200))
        True
        """
        told = wanted.model_dump()
        more = told.pop("more", {})
        own = all(getattr(self, name) == getattr(wanted, name) for name in told)
        return own and more.items() <= self.more.items()


def render_protocol(facets: Facets) -> str:
    """Return the protocol: how a number was measured, as a short text.

    >>> render_protocol(Facets(split="val", weights="ema", res=224, n=50000, version="1"))
    'val|ema|res=224|n=50000|v1'
    """
    return "|".join(_parts(facets)) + render_part(facets)


def render_part(facets: Facets) -> str:
    """Return the end of the protocol that says of which epoch or corruption the number is; empty: of none.

    >>> [render_part(facets) for facets in (Facets(epoch=12), Facets().of_corruption("fog", 3), Facets())]
    ['|epoch=12', '|corruption=fog/3', '']
    """
    epoch = "" if facets.epoch is None else f"|epoch={facets.epoch}"
    if facets.corruption is None:
        return epoch
    severity = "" if facets.severity is None else f"/{facets.severity}"
    return f"{epoch}|corruption={facets.corruption}{severity}"


def _parts(facets: Facets) -> Iterator[str]:
    """Yield the parts of the protocol of the whole job, in their order."""
    is_corrupted = facets.corruptions is not None
    yield from _told("{}", facets.method)
    if not is_corrupted:
        yield from _images(facets)
    yield from _told("other={}", facets.other)
    yield from _told("{}ep", facets.epochs)
    yield from _told(f"{_batch_word(facets)}={{}}", facets.batch_size)
    yield from _told("lr={:g}", facets.lr)
    yield from _form(facets)
    yield from _corruptions(facets)
    yield from _group("s", facets.severities)
    yield from _told("res={}", facets.res)
    yield from _told("crop={}", facets.crop)
    yield from _files(facets)
    yield from _told("ref={}", facets.reference)
    yield from _told("classes={}", facets.classes)
    yield from _told("n={}", facets.n)
    if is_corrupted:
        yield from _images(facets.without("split") if facets.split == "test" else facets)
    yield from _told("{}", facets.device)
    yield from _told("threads={}", facets.threads)
    yield from _told("control={}", facets.control)
    yield from (f"{name}={_value(value)}" for name, value in facets.more.items())
    yield from _told("v{}", facets.version)


def _told(form: str, value: Scalar | None) -> Iterator[str]:
    if value is not None:
        yield form.format(value)


def _images(facets: Facets) -> Iterator[str]:
    """Yield whose images and which weights; the last weights of a training are the usual ones."""
    yield from _told("{}", facets.split)
    yield from _told("{}", None if facets.weights == "last" else facets.weights)


def _batch_word(facets: Facets) -> str:
    """Return how protocols of timings, of trainings and of others name the batch size."""
    if facets.precision is not None:
        return "b"
    return "batch" if facets.epochs is None else "bs"


def _form(facets: Facets) -> Iterator[str]:
    """Yield in which form the model runs."""
    yield from _told("{}", facets.precision)
    if facets.channels_last is not None:
        yield "nhwc" if facets.channels_last else "nchw"
    if facets.fused is not None:
        yield "fused" if facets.fused else "unfused"
    if facets.compiled is not None:
        yield ("compiled" if facets.compiled else "eager") + ("+graph" if facets.cuda_graphs else "")


def _corruptions(facets: Facets) -> Iterator[str]:
    """Yield which corruptions, those of other packages last."""
    outside = facets.outside_corruptions or ()
    if isinstance(facets.corruptions, int):
        yield "+".join([f"c{facets.corruptions}", *outside])
    elif facets.corruptions is not None:
        yield f"c={'+'.join([*facets.corruptions, *outside])}"


def _group(mark: str, values: int | tuple[Any, ...] | None) -> Iterator[str]:
    """Yield a number that says which, or the members."""
    if isinstance(values, int):
        yield f"{mark}{values}"
    elif values is not None:
        yield f"{mark}={'+'.join(map(str, values))}"


def _files(facets: Facets) -> Iterator[str]:
    """Yield how images were corrupted, and which file they went through."""
    if facets.family is not None:
        yield facets.family
        yield "png" if facets.jpeg_quality is None else f"jpeg={facets.jpeg_quality}"


def _value(value: Scalar) -> str:
    """Return a facet of another package as text.

    >>> [_value(value) for value in (True, 0.5, 3, "x")]
    ['true', '0.5', '3', 'x']
    """
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
