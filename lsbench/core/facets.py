"""The facets of a record: how it was measured, field by field, and the protocol text made from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from lsbench.core.spec import StrictModel

#: Facets of a record about a part of its job: one epoch, corruption or class.
OF_A_PART = ("epoch", "corruption", "severity", "category")

#: Facets that the weights of a model choose.
OF_WEIGHTS = ("crop_pct", "crop_mode", "interpolation", "normalisation")

#: The size of images where each row of a table has its own.
OWN: Literal["own"] = "own"

Scalar = str | bool | int | float


class Facets(StrictModel):
    """The conditions under which a number was measured; facets that do not apply are None.

    Attributes:
        method: ``train``, an analysis, a counter, or the name of a set of corrupted images.
        split: Split of the data set.
        weights: ``last`` or ``ema`` of a training, ``pretrained``, or ``fresh``.
        checkpoint: Of a file with both, the weights that were taken: ``ema`` or ``raw``.
        other: Name of the second model of a comparison.
        epochs: Epochs of a training.
        batch_size: Images per step or pass; ``max``: as many as fit.
        lr: Learning rate of a training.
        precision: Number format, such as ``fp32``.
        quantisation: Of int8, how the ranges of activations are found: ``static`` or ``dynamic``.
        calibrated: Images that fixed the ranges of activations, of a number that depends on them.
        channels_last: Whether the model runs in the channels-last memory format.
        fused: Whether the model is fused for evaluation.
        unfused_norms: Of a fused model, the batch normalisations that could not be folded, or that follow no
            convolution; None: nothing had to be folded beyond what the model's own code fuses.
        compiled: Whether the model is compiled.
        cuda_graphs: Whether passes are replayed as one CUDA graph.
        runtime: What runs the model, if that is neither PyTorch nor its compiler.
        runtime_version: Its version.
        optimisation: The level of its graph optimisation.
        corruptions: Number of corruptions if it identifies them, else their names.
        outside_corruptions: Names of the corruptions from other packages.
        severities: Number of severities if it identifies them, else the severities.
        res: Height and width to which images were resized, in pixels; ``own`` in tables whose rows have each
            their own.
        crop: Height and width of the crop from the resized images, in pixels.
        preprocess: ``model``: images are made as the weights of each model want them; with the parts that a
            suite sets, ``model+crop_pct=0.95``.
        crop_pct: Share of the resized side that the crop keeps, where that is not the data set's own.
        crop_mode: How the crop is taken, if not from the centre.
        interpolation: Interpolation of the resizing, where that is not the data set's own.
        normalisation: Mean and standard deviation, by name or number, where they are not the data set's own.
        family: Family of the operations that corrupted the images.
        jpeg_quality: Quality of the JPEG that corrupted images were saved as; None with a family: PNG.
        reference: The model whose errors the errors are divided by; ``none``: no division.
        classes: Number of classes that predictions were restricted to, if the model knows more.
        n: Number of images.
        drawn: How the images were drawn from the split, if not all of it was used: ``evenly`` with a limit.
        device: ``cpu`` or ``cuda``.
        device_model: The GPU that a timing ran on, as its driver names it.
        tf32: Of a timing in fp32 on a GPU, the products that may be computed in TF32: ``off``, ``conv``,
            ``matmul`` or ``on`` for both.
        threads: Threads of a timing on a CPU.
        control: Name of the model that was timed in turns with this one.
        passes: Most passes of a timing under a limit; None: as many as its precision takes.
        more: Facets of job kinds, probes and metrics from other packages, and conditions that a model's
            modules name.
        version: Version of the measurement.
        epoch: The epoch of the number, counted from 1.
        corruption: The corruption of the number.
        severity: The severity of the number; None with a corruption: all severities.
        category: The class of the number, of a mean over classes.
    """

    method: str | None = None
    split: str | None = None
    weights: str | None = None
    checkpoint: str | None = None
    other: str | None = None
    epochs: int | None = None
    batch_size: int | Literal["max"] | None = None
    lr: float | None = None
    precision: str | None = None
    quantisation: str | None = None
    calibrated: int | None = None
    channels_last: bool | None = None
    fused: bool | None = None
    unfused_norms: int | None = None
    compiled: bool | None = None
    cuda_graphs: bool | None = None
    runtime: str | None = None
    runtime_version: str | None = None
    optimisation: str | None = None
    corruptions: int | tuple[str, ...] | None = None
    outside_corruptions: tuple[str, ...] | None = None
    severities: int | tuple[int, ...] | None = None
    res: int | Literal["own"] | None = None
    crop: int | None = None
    preprocess: str | None = None
    crop_pct: float | None = None
    crop_mode: str | None = None
    interpolation: str | None = None
    normalisation: str | None = None
    family: str | None = None
    jpeg_quality: int | None = None
    reference: str | None = None
    classes: int | None = None
    n: int | None = None
    drawn: str | None = None
    device: str | None = None
    device_model: str | None = None
    tf32: str | None = None
    threads: int | None = None
    control: str | None = None
    passes: int | None = None
    more: dict[str, Scalar] = Field(default_factory=dict)
    version: str | None = None
    epoch: int | None = None
    corruption: str | None = None
    severity: int | None = None
    category: str | None = None

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
        """Return the same hash for equal facets."""
        return hash(self.model_dump_json())

    @property
    def is_of_a_part(self) -> bool:
        """True if the number belongs to a part of its job: an epoch, a corruption or a class.

        >>> Facets(method="train").is_of_a_part, Facets(method="train").of_epoch(3).is_of_a_part
        (False, True)
        """
        return any(getattr(self, name) is not None for name in OF_A_PART)

    @property
    def whole(self) -> Facets:
        """The facets of the whole job: these without those of a part."""
        return self.without(*OF_A_PART) if self.is_of_a_part else self

    @property
    def comparable(self) -> Facets:
        """These facets without what the weights of each model want for themselves.

        Models are compared each with the images that it was made for.

        >>> one = Facets(split="test", preprocess="model", res=256, crop_pct=0.9, n=50_000)
        >>> render_protocol(one.comparable)
        'test|preprocess=model|n=50000'
        """
        if self.preprocess is None:
            return self
        is_fixed = self.corruptions is not None  # the same crop for every model
        return self.without(*OF_WEIGHTS, *(() if is_fixed else ("res",)))

    def of_epoch(self, epoch: int) -> Facets:
        """Return these facets for one epoch."""
        return self.model_copy(update={"epoch": epoch})

    def of_corruption(self, corruption: str, severity: int | None = None) -> Facets:
        """Return these facets for one corruption, at one severity or over all."""
        return self.model_copy(update={"corruption": corruption, "severity": severity})

    def of_category(self, category: str) -> Facets:
        """Return these facets for one class."""
        return self.model_copy(update={"category": category})

    def without(self, *names: str) -> Facets:
        """Return these facets without some of them.

        >>> render_protocol(Facets(split="test", classes=200, n=7500).without("classes"))
        'test|n=7500'
        """
        return self.model_copy(update=dict.fromkeys(names))

    def has_all_of(self, wanted: Facets) -> bool:
        """Return whether every facet that `wanted` sets has the same value here.

        >>> Facets(split="test", classes=200).has_all_of(Facets(classes=200))
        True
        """
        told = wanted.model_dump()
        more = told.pop("more", {})
        own = all(getattr(self, name) == getattr(wanted, name) for name in told)
        return own and more.items() <= self.more.items()


def render_protocol(facets: Facets) -> str:
    """Return the protocol: a short text that says how a number was measured.

    >>> render_protocol(Facets(split="val", weights="ema", res=224, n=50000, version="1"))
    'val|ema|res=224|n=50000|v1'
    """
    return "|".join(_parts(facets)) + render_part(facets)


def render_part(facets: Facets) -> str:
    """Return the end of the protocol that names the epoch, corruption or class, or an empty string.

    >>> [render_part(facets) for facets in (Facets(epoch=12), Facets().of_corruption("fog", 3), Facets())]
    ['|epoch=12', '|corruption=fog/3', '']
    >>> render_part(Facets().of_category("traffic light"))
    '|category=traffic light'
    """
    epoch = "" if facets.epoch is None else f"|epoch={facets.epoch}"
    severity = "" if facets.severity is None else f"/{facets.severity}"
    corruption = "" if facets.corruption is None else f"|corruption={facets.corruption}{severity}"
    category = "" if facets.category is None else f"|category={facets.category}"
    return f"{epoch}{corruption}{category}"


def runtime_words(facets: Facets) -> str:
    """Return what runs a model and in which precision, in a few words.

    >>> runtime_words(Facets(split="test")), runtime_words(Facets(precision="bf16", compiled=True))
    ('eager fp32', 'compile bf16')
    >>> runtime_words(Facets(runtime="onnxruntime", precision="int8", quantisation="static"))
    'onnxruntime int8 static'
    """
    name = facets.runtime or ("compile" if facets.compiled else "eager")
    return " ".join(filter(None, (name, facets.precision or "fp32", facets.quantisation)))


def _parts(facets: Facets) -> Iterator[str]:
    """Yield the parts of the protocol of the whole job, in order."""
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
    yield from _told("preprocess={}", facets.preprocess)
    yield from _told("res={}", facets.res)
    yield from _told("crop={}", facets.crop)
    yield from _told("crop_pct={:g}", facets.crop_pct)
    yield from _told("{}", facets.crop_mode)
    yield from _told("{}", facets.interpolation)
    yield from _told("norm={}", facets.normalisation)
    yield from _files(facets)
    yield from _told("ref={}", facets.reference)
    yield from _told("classes={}", facets.classes)
    yield from _told("n={}", facets.n)
    yield from _told("{}", facets.drawn)
    if is_corrupted:
        yield from _images(facets.without("split") if facets.split == "test" else facets)
    yield from _told("{}", facets.device)
    yield from _told("{}", facets.device_model)
    yield from _told("tf32={}", facets.tf32)
    yield from _told("threads={}", facets.threads)
    yield from _told("control={}", facets.control)
    yield from _told("passes={}", facets.passes)
    yield from (f"{name}={_value(value)}" for name, value in facets.more.items())
    yield from _told("v{}", facets.version)


def drawn_by(limit: int | None) -> str | None:
    """Return the facet of images that a limit draws; earlier limits took the first images, without a mark."""
    return None if limit is None else "evenly"


def _told(form: str, value: Scalar | None) -> Iterator[str]:
    if value is not None:
        yield form.format(value)


def _images(facets: Facets) -> Iterator[str]:
    """Yield the images and the weights; the last weights of a training are the default."""
    yield from _told("{}", facets.split)
    yield from _told("{}", None if facets.weights == "last" else facets.weights)
    yield from _told("checkpoint={}", facets.checkpoint)


def _batch_word(facets: Facets) -> str:
    """Return the batch size as protocols of timings, of trainings and of other jobs write it."""
    if facets.precision is not None:
        return "b"
    return "batch" if facets.epochs is None else "bs"


def _form(facets: Facets) -> Iterator[str]:
    """Yield the form in which the model runs."""
    yield from _told("{}", facets.precision)
    yield from _told("{}", facets.quantisation)
    yield from _told("calibrated={}", facets.calibrated)
    if facets.channels_last is not None:
        yield "nhwc" if facets.channels_last else "nchw"
    if facets.fused is not None:
        yield "fused" if facets.fused else "unfused"
    yield from _told("unfused_norms={}", facets.unfused_norms)
    if facets.compiled is not None:
        yield ("compiled" if facets.compiled else "eager") + ("+graph" if facets.cuda_graphs else "")
    if facets.runtime is not None:
        yield "=".join(filter(None, (facets.runtime, facets.runtime_version)))
    yield from _told("opt={}", facets.optimisation)


def _corruptions(facets: Facets) -> Iterator[str]:
    """Yield the corruptions, those of other packages last."""
    outside = facets.outside_corruptions or ()
    if isinstance(facets.corruptions, int):
        yield "+".join([f"c{facets.corruptions}", *outside])
    elif facets.corruptions is not None:
        yield f"c={'+'.join([*facets.corruptions, *outside])}"


def _group(mark: str, values: int | tuple[Any, ...] | None) -> Iterator[str]:
    """Yield the number of members if that identifies them, or the members."""
    if isinstance(values, int):
        yield f"{mark}{values}"
    elif values is not None:
        yield f"{mark}={'+'.join(map(str, values))}"


def _files(facets: Facets) -> Iterator[str]:
    """Yield the operations that corrupted the images and the file format they were saved in."""
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
