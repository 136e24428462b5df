"""Settings shared by the jobs that train detectors and segmenters and test them. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from lsbench.core.job import BuiltOn, JobSpec, Variant
from lsbench.core.weight_sources import CHECKPOINT, CHECKPOINT_WEIGHTS
from lsbench.corruptions import BENCHMARK, SEVERITIES, check_condition
from lsbench.detection.settings import DownstreamSettings, Task, parse_sizes
from lsbench.engine.rates import Cosine, LinearRise, RateSchedule
from lsbench.engine.training_spec import BACKWARD_FACTOR, TrainingSpec

BACKBONE_WEIGHTS = "backbone_weights"
#: Argument of the function that creates detectors and segmenters.
BACKBONE_CHECKPOINT = "backbone_checkpoint"
#: Of which training a job takes its backbone, if not of a file.
FROM_TRAINING, PUBLISHED, NONE = "train", "pretrained", "none"
#: Arguments of a model that choose weights.
WEIGHTS_ARGUMENTS = ("pretrained", CHECKPOINT, CHECKPOINT_WEIGHTS)
#: Losses of detectors may begin at thousands, and soon fall.
SETTLING = 50


class DownstreamSpec(TrainingSpec):
    """Settings of a detector or segmenter: its data, its backbone's weights, its size and its training."""

    data_fields: ClassVar[tuple[str, ...]] = ("dataset",)
    reads_instead: ClassVar[bool] = True
    runtime_fields: ClassVar[frozenset[str]] = TrainingSpec.runtime_fields | {"test_batch_size"}
    later_fields: ClassVar[frozenset[str]] = frozenset(
        {"trained_by", "corruptions", "severities", "corruption_family"}
    )

    dataset: str | dict[str, Any] | None = Field(
        default=None,
        description="the data set to train and test on: its name, or a mapping with `name` and its options; "
        "default: the variant's",
    )
    split: Literal["val", "test"] = Field(default="test", description="split of the data set that is tested")
    backbone_weights: str = Field(
        default=FROM_TRAINING,
        min_length=1,
        description="train: of the train job of the same variant and seed; pretrained: the published ones; "
        "none: random ones of the seed; or a file or address",
    )
    checkpoint: str | None = Field(
        default=None,
        description="file or address of all weights, in the authors' layout or ours: they are tested as they "
        "are, and nothing is trained",
    )
    trained_by: str | None = Field(
        default=None,
        description="name of a job of the same kind in the suite: its weights are tested as they are, for "
        "example under corruptions, and nothing is trained",
    )
    head: dict[str, Any] = Field(
        default_factory=dict,
        description="sizes of neck and head that differ from the published ones, e.g. channels: 64",
    )
    batch_size: int = Field(default=16, ge=1, description="images per update, on all devices together")
    epochs: int = Field(default=12, ge=1, description="passes over the training images")
    iterations: int | None = Field(
        default=None, ge=1, description="updates of the whole training, instead of epochs"
    )
    lr: float = Field(default=1e-4, gt=0, description="peak learning rate of AdamW")
    schedule: RateSchedule = Field(
        default=Cosine(min_lr=0.0),
        description="how the rate falls: kind cosine, steps or poly, and its settings",
    )
    warmup: LinearRise | None = Field(
        default=None, description="a linear rise of the rate over the first updates; default: none"
    )
    flip: float = Field(default=0.5, ge=0, le=1, description="probability of a horizontal flip")
    test_batch_size: int = Field(
        default=1, ge=1, description="images per batch of a test, of one size; changes no result"
    )

    corruptions: Literal["benchmark"] | tuple[str, ...] = Field(
        default=(),
        description="test under these corruptions too, made of the images in the size of their files; "
        "benchmark: the 15 that mPC and rPC need",
    )
    severities: tuple[int, ...] = Field(
        default=SEVERITIES, min_length=1, description="of the corruptions; mPC and rPC need all five"
    )
    corruption_family: Literal["imagecorruptions", "original"] = Field(
        default="imagecorruptions", description="as in the package of that name, or as in ImageNet-C"
    )

    @model_validator(mode="after")
    def _has_known_corruptions(self) -> DownstreamSpec:
        for values in (self.corrupted_by, self.severities):
            if twice := [value for value in values if values.count(value) > 1]:
                raise ValueError(f"expected each once, found {twice[0]!r} twice; leave one out")
        for severity in self.severities:
            check_condition(BENCHMARK[0], severity)
        for name in self.corrupted_by:
            check_condition(name, SEVERITIES[0])
        return self

    @model_validator(mode="after")
    def _has_one_source_of_weights(self) -> DownstreamSpec:
        if self.checkpoint is not None and self.trained_by is not None:
            raise ValueError("checkpoint and trained_by: give one of them")
        return self

    @model_validator(mode="after")
    def _fits_the_head(self) -> DownstreamSpec:
        _ = self.sizes
        return self

    @classmethod
    def named_settings(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the settings of the named recipe; of its schedule none if `settings` choose another kind."""
        named = super().named_settings(settings)
        own, usual = settings.get("schedule"), named.get("schedule", {})
        if isinstance(own, Mapping) and own.get("kind", usual.get("kind")) != usual.get("kind"):
            return {key: value for key, value in named.items() if key != "schedule"}
        return named

    @classmethod
    def needed_kinds(cls, settings: Mapping[str, Any], usual: tuple[str, ...]) -> tuple[str, ...]:
        """Return the training of the backbone, or of the whole model, that a job takes its weights of."""
        if isinstance(name := settings.get("trained_by"), str):
            return (name,)
        trained = settings.get(BACKBONE_WEIGHTS, FROM_TRAINING) == FROM_TRAINING
        return usual if trained and settings.get(CHECKPOINT) is None else ()

    def check_need(self, need: JobSpec) -> None:
        """Check that a needed job trains this job's model, if its weights are to be tested."""
        if self.trained_by is None:
            return
        if not isinstance(need, type(self)) or not need.is_trained:
            raise ValueError("trained_by: expected a job of the same kind that trains")
        for name in ("model_kind", "head", "dataset"):
            own, other = getattr(self, name), getattr(need, name)
            if own != other:
                raise ValueError(
                    f"trained_by: it has another {name.replace('model_kind', 'model')}, {other!r}"
                )

    def built_on(self, variant: Variant) -> BuiltOn:
        """Return the detector or segmenter on a variant's backbone, with the weights of named files."""
        given = self.backbone_arguments(variant.model_args)
        own = {name: value for name, value in given.items() if name != "pretrained" and value is not None}
        known = variant.model_dump() | {"model_args": own}
        return BuiltOn(**known, built_as=self.model_kind, sizes=self.head, checkpoint=self.checkpoint)

    def backbone_arguments(self, given: Mapping[str, Any], trained: str | None = None) -> dict[str, Any]:
        """Return the arguments of the backbone, with those that choose its weights.

        Args:
            given: The variant's own.
            trained: File of the weights that a job has trained, if one is needed and has ended.
        """
        plain = {name: value for name, value in given.items() if name not in WEIGHTS_ARGUMENTS}
        if not self.is_trained or self.backbone_weights == NONE:
            return plain
        if self.backbone_weights == FROM_TRAINING:
            return plain if trained is None else {**plain, BACKBONE_CHECKPOINT: trained}
        if self.backbone_weights != PUBLISHED:
            return {**plain, BACKBONE_CHECKPOINT: self.backbone_weights}
        named = {name: given[name] for name in WEIGHTS_ARGUMENTS if name in given and name != CHECKPOINT}
        is_named = named.get("pretrained") or given.get(CHECKPOINT)
        usual = {} if is_named else {"pretrained": True}
        return {**plain, **named, **usual, BACKBONE_CHECKPOINT: given.get(CHECKPOINT)}

    @classmethod
    def weights_files(cls, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the file or address that gives the backbone's weights, if one does."""
        place = settings.get(BACKBONE_WEIGHTS, FROM_TRAINING)
        return () if place in (FROM_TRAINING, PUBLISHED, NONE) else (str(place),)

    @property
    def model_kind(self) -> Task:
        """The kind of model."""
        raise NotImplementedError

    @property
    def sizes(self) -> DownstreamSettings:
        """The sizes of the model."""
        return parse_sizes(self.model_kind, self.head)

    @property
    def is_trained(self) -> bool:
        """Whether the job trains, and does not only test weights."""
        return self.checkpoint is None and self.trained_by is None

    @property
    def corrupted_by(self) -> tuple[str, ...]:
        """The corruptions that are tested."""
        return BENCHMARK if self.corruptions == "benchmark" else self.corruptions

    @property
    def conditions(self) -> tuple[tuple[str, int], ...]:
        """Every corruption at every severity that is tested."""
        return tuple((name, severity) for name in self.corrupted_by for severity in self.severities)

    def tested_images(self, images: int) -> int:
        """Return the number of images that are tested, of a split of `images`: also those corrupted."""
        return images * (1 + len(self.conditions))

    @property
    def rate_schedule(self) -> RateSchedule:
        """The schedule of the learning rate."""
        return self.schedule

    @property
    def warm_up(self) -> LinearRise | None:
        """The rise of the rate over the first updates."""
        return self.warmup

    @property
    def settling(self) -> int:
        """Updates at the start whose largest loss is what later losses are measured against."""
        return max(SETTLING, 0 if self.warmup is None else self.warmup.updates)

    def updates(self, steps: int) -> int:
        """Return the updates of the whole training, with `steps` of them in an epoch."""
        return super().updates(steps) if self.iterations is None else self.iterations

    def trained_images(self, images: int) -> int:
        """Return the number of images of the whole training, of a split of `images`; 0 of a checkpoint."""
        if not self.is_trained:
            return 0
        return self.epochs * images if self.iterations is None else self.iterations * self.batch_size

    def passes(self, images: Callable[[str], int]) -> float:
        """Return the forward passes of single images that training and test cost.

        Args:
            images: Returns the image count of a split by name.
        """
        tested = self.tested_images(images(self.split))
        return BACKWARD_FACTOR * self.trained_images(images("train")) + tested

    def own_splits(self) -> tuple[str, ...]:
        """Return the splits that are read of the variant's own data set."""
        return self.other_splits()

    def other_splits(self) -> tuple[str, ...]:
        """Return the splits that are read: those of training and validation, and the tested one."""
        if not self.is_trained:
            return (self.split,)
        return tuple(dict.fromkeys(("train", "val", self.split)))
