"""The settings that trainings of all tasks share. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from lsbench.core.job import JobSpec, Variant
from lsbench.core.registry import suggest
from lsbench.core.spec import StrictModel
from lsbench.engine.rates import LinearRise, RateSchedule
from lsbench.loggers import LoggerChoices

#: Forward passes that a training step costs about.
BACKWARD_FACTOR = 3.0


class Clip(StrictModel):
    """Clipping of gradients before an update, as timm's ``dispatch_clip_grad`` does it.

    Attributes:
        mode: ``norm`` of all gradients together, ``value`` of each number, or ``agc``: adaptive, by the
            norm of each unit's weights (Brock et al., 2021, arXiv:2102.06171), heads included.
        value: The bound.
    """

    mode: Literal["norm", "value", "agc"] = "norm"
    value: float = Field(gt=0)


class TrainingSpec(JobSpec):
    """Settings of a training for any task; each task adds its own, and its schedule of the learning rate.

    The budget is counted in images or updates, never in seconds, so that a busy machine cannot change a
    result.

    Attributes:
        named: The named recipes of the task.
    """

    named: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    runtime_fields: ClassVar[frozenset[str]] = frozenset(
        {"data_workers", "recipe", "checkpoint_minutes", "checkpoint_url", "loggers"}
    )
    later_fields: ClassVar[frozenset[str]] = frozenset(
        {
            *("device_batch_size", "sync_batch_norm", "lr_reference_batch", "clip", "max_loss"),
            *("on_divergence", "decay_norms_and_biases", "no_decay", "fused_adamw"),
        }
    )

    recipe: str | None = Field(default=None, description="a named recipe, for all settings not given here")
    epochs: int = Field(default=10, ge=1, description="passes over the training images")
    batch_size: int = Field(default=64, ge=1, description="images per update, on all devices together")
    device_batch_size: int | None = Field(
        default=None, ge=1, description="most images on a device at once; an update accumulates more"
    )
    sync_batch_norm: bool = Field(default=True, description="batch statistics over all devices")
    lr: float = Field(default=2e-3, gt=0, description="peak learning rate of AdamW")
    lr_reference_batch: int | None = Field(
        default=None, ge=1, description="the batch size that `lr` is meant for: scaled linearly to batch_size"
    )
    weight_decay: float = Field(default=0.05, ge=0, description="not applied to 1-D parameters and biases")
    decay_norms_and_biases: bool = Field(
        default=False, description="apply weight decay to 1-D parameters and biases too"
    )
    no_decay: tuple[str, ...] = Field(
        default=(),
        description="further parameters without weight decay, by a part of their name; those that the model "
        "itself names never decay",
    )
    fused_adamw: bool = Field(
        default=False,
        description="an update in one pass over all weights: faster, and equal to the default up to rounding",
    )
    clip: Clip | None = Field(default=None, description="clipping of gradients; default: none")
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        default="fp32", description="bf16 and fp16: mixed precision, by autocast"
    )
    channels_last: bool = Field(default=False, description="memory layout of images and weights")
    validate_every: int = Field(default=1, ge=0, description="epochs between validations; 0: only at the end")
    max_loss: float | None = Field(
        default=None, gt=0, description="losses above it count as diverged; default: ten times the first one"
    )
    on_divergence: Literal["fail", "retry_lower_lr"] = Field(
        default="fail",
        description="retry_lower_lr: resume the last good checkpoint at half the rate, up to three times",
    )
    data_workers: int = Field(default=0, ge=0, description="loader processes; changes no result")
    checkpoint_minutes: float = Field(default=15.0, ge=0, description="between checkpoints within an epoch")
    checkpoint_url: str | None = Field(
        default=None, description="address for checkpoints, any fsspec URL; default: the job's folder"
    )
    loggers: LoggerChoices = Field(
        default=(), description="tools that receive every epoch: tensorboard, wandb, mlflow, trackio"
    )

    @field_validator("recipe")
    @classmethod
    def _is_named(cls, value: str | None) -> str | None:
        if value is not None and value not in cls.named:
            raise ValueError(f"unknown recipe '{value}'; there are {', '.join(cls.named)}")
        return value

    @field_validator("checkpoint_url")
    @classmethod
    def _has_known_protocol(cls, value: str | None) -> str | None:
        if value is not None and "://" in value:
            from fsspec import available_protocols

            protocol = value.partition("://")[0]
            if protocol not in available_protocols():
                hint = suggest(protocol, available_protocols())
                raise ValueError(f"fsspec knows no protocol '{protocol}'{hint}; give e.g. s3://bucket/runs")
        return value

    @model_validator(mode="after")
    def _batches_divide(self) -> TrainingSpec:
        most = self.device_batch_size
        if most is not None and most < self.batch_size and self.batch_size % most:
            raise ValueError(f"batch_size {self.batch_size} is not a multiple of device_batch_size {most}")
        return self

    def raised_by(self, variant: Variant) -> int:
        """Return 1 if loops for one CPU thread take the steps: their sums round in their own way."""
        return int(self.takes_loops)

    @property
    def takes_loops(self) -> bool:
        """Whether loops for one CPU thread may take the steps; see :mod:`lsbench.models.ops.suited`."""
        return self.channels_last and self.precision == "fp32" and self.threads == 1

    @classmethod
    def named_settings(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the settings of the recipe that `settings` names."""
        return cls.named.get(str(settings.get("recipe")), {})

    @property
    def peak_lr(self) -> float:
        """The learning rate after warm-up, at this batch size."""
        if self.lr_reference_batch is None:
            return self.lr
        return self.lr * self.batch_size / self.lr_reference_batch

    @property
    def rate_schedule(self) -> RateSchedule:
        """The schedule of the learning rate."""
        raise NotImplementedError

    @property
    def warm_up(self) -> LinearRise | None:
        """A rise of the rate over the first updates, if the schedule has none of its own."""
        return None

    @property
    def averaging(self) -> float | None:
        """Decay of a moving average of the weights; None: there is none."""
        return None

    @property
    def is_compiled(self) -> bool:
        """Whether the model is compiled."""
        return False

    @property
    def settling(self) -> int:
        """Updates at the start whose largest loss is what later losses are measured against."""
        return 1

    def updates(self, steps: int) -> int:
        """Return the updates of the whole training, with `steps` of them in an epoch."""
        return self.epochs * steps

    def epochs_of(self, steps: int) -> int:
        """Return the epochs of the whole training, the last of which may be cut short."""
        return -(-self.updates(steps) // steps)

    def own_splits(self) -> tuple[str, ...]:
        """Return the splits for training and validation."""
        return ("train", "val")

    def check_ranks(self, ranks: int) -> None:
        """Raise a ValueError if `ranks` devices cannot share the batch of an update equally."""
        self.chunks(ranks)

    def chunks(self, ranks: int) -> int:
        """Return the number of equal chunks of an update's batch: a multiple of `ranks`.

        Each rank processes its share of them one after another, so the batch of an update is the same on any
        number of devices.

        Args:
            ranks: Number of devices that train together.

        Raises:
            ValueError: If the batch cannot be split this way.
        """
        share, rest = divmod(self.batch_size, ranks)
        most = min(self.device_batch_size or share, share)
        if rest or most == 0 or share % most:
            step = ranks * (most if most and not rest else 1)
            raise ValueError(
                f"a batch_size of {self.batch_size} cannot be shared by {ranks} devices"
                + (f" in chunks of {most} images" if most and not rest else "")
                + f"; give a multiple of {step}"
            )
        return ranks * (share // most)

    def device_batch(self, ranks: int) -> int:
        """Return the images that each of `ranks` devices has in memory at once, in training and validation.

        Raises:
            ValueError: If the batch of an update cannot be split this way.
        """
        return self.batch_size // self.chunks(ranks)

    def validates_after(self, epoch: int, *, epochs: int) -> bool:
        """Return True if the model is validated after `epoch` (counted from 0) of `epochs`."""
        is_last = epoch + 1 == epochs
        return is_last or (self.validate_every > 0 and (epoch + 1) % self.validate_every == 0)
