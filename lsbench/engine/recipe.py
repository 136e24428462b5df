"""The training recipe: every setting of a training job. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from lsbench.core.catalog import unknown_model
from lsbench.core.job import JobSpec
from lsbench.core.registry import suggest
from lsbench.core.spec import StrictModel
from lsbench.data.loading.augment import Augment
from lsbench.engine.named_recipes import NAMED_RECIPES
from lsbench.loggers import LoggerChoices


class Clip(StrictModel):
    """Clipping of gradients before an update, by timm's ``dispatch_clip_grad``.

    Attributes:
        mode: ``norm`` of all gradients together, ``value`` of each number, or ``agc``: adaptive, by the
            norm of each unit's weights (Brock et al., 2021, arXiv:2102.06171), heads included.
        value: The bound.
    """

    mode: Literal["norm", "value", "agc"] = "norm"
    value: float = Field(gt=0)


class Distill(StrictModel):
    """A teacher that the model's second head learns from (Touvron et al., 2021, arXiv:2012.12877).

    Attributes:
        teacher: Any model of timm or lsbench, with timm's tag of weights after a dot; it sees the student's
            batches unchanged.
        checkpoint: File or address of the teacher's weights; default: the published ones.
        kind: ``hard``: the teacher's most likely class is a target; ``soft``: its whole distribution is.
        alpha: Weight of the teacher's loss in the total.
        tau: Temperature of soft distillation.
    """

    teacher: str
    checkpoint: str | None = None
    kind: Literal["hard", "soft"] = "hard"
    alpha: float = Field(default=0.5, ge=0, le=1)
    tau: float = Field(default=1.0, gt=0)

    @field_validator("teacher")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if message := unknown_model(value):
            raise ValueError(message)
        return value


class Recipe(JobSpec):
    """Settings of a training.

    The budget is counted in images (``epochs`` times the training split), never in seconds, so that a busy
    machine cannot change a result.
    """

    runtime_fields: ClassVar[frozenset[str]] = frozenset(
        {"data_workers", "recipe", "checkpoint_minutes", "checkpoint_url", "loggers"}
    )
    later_fields: ClassVar[frozenset[str]] = frozenset(
        {
            *("device_batch_size", "sync_batch_norm", "lr_reference_batch", "lr_step", "mixup", "cutmix"),
            *("repeats", "clip", "ema_decay", "distill", "compile", "max_unreadable", "max_loss"),
            "on_divergence",
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
    min_lr: float = Field(default=1e-5, ge=0, description="learning rate at the end of the cosine")
    warmup_epochs: float = Field(default=1.0, ge=0, description="epochs in which the rate rises linearly")
    warmup_lr: float = Field(default=1e-6, ge=0, description="learning rate at the start of the warmup")
    lr_step: Literal["update", "epoch", "epoch_late"] = Field(
        default="update", description="when the learning rate changes; epoch_late: one epoch late"
    )
    weight_decay: float = Field(default=0.05, ge=0, description="not applied to 1-D parameters and biases")
    smoothing: float = Field(default=0.1, ge=0, lt=1, description="label smoothing")
    mixup: float = Field(default=0.0, ge=0, description="alpha of mixup; 0: off")
    cutmix: float = Field(default=0.0, ge=0, description="alpha of CutMix; 0: off")
    repeats: int = Field(default=1, ge=1, description="repeated augmentation: copies of an image in a batch")
    clip: Clip | None = Field(default=None, description="clipping of gradients; default: none")
    ema_decay: float | None = Field(default=None, gt=0, lt=1, description="moving average of the weights")
    distill: Distill | None = Field(default=None, description="a teacher to learn from; default: none")
    augment: Augment = Field(default=Augment(), description="random changes of training images")
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        default="fp32", description="bf16 and fp16: mixed precision, by autocast"
    )
    channels_last: bool = Field(default=False, description="memory layout of images and weights")
    compile: bool = Field(default=False, description="torch.compile; needs a C++ compiler on the CPU")
    validate_every: int = Field(default=1, ge=0, description="epochs between validations; 0: only at the end")
    max_unreadable: int = Field(default=0, ge=0, description="unreadable images to skip before giving up")
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
        if value is not None and value not in NAMED_RECIPES:
            raise ValueError(f"unknown recipe '{value}'; there are {', '.join(NAMED_RECIPES)}")
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
    def _batches_divide(self) -> Recipe:
        most = self.device_batch_size
        if most is not None and most < self.batch_size and self.batch_size % most:
            raise ValueError(f"batch_size {self.batch_size} is not a multiple of device_batch_size {most}")
        return self

    @classmethod
    def named_settings(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the settings of the recipe that `settings` names."""
        return NAMED_RECIPES.get(str(settings.get("recipe")), {})

    @property
    def peak_lr(self) -> float:
        """The learning rate after warm-up, at this batch size."""
        if self.lr_reference_batch is None:
            return self.lr
        return self.lr * self.batch_size / self.lr_reference_batch

    @property
    def is_mixing(self) -> bool:
        """True if images of a batch are mixed."""
        return self.mixup > 0 or self.cutmix > 0

    def other_models(self) -> dict[str, dict[str, Any]]:
        """Return the teacher."""
        return {} if self.distill is None else {"teacher": {"model": self.distill.teacher}}

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
        if self.is_mixing and most % 2:
            raise ValueError(
                f"mixup and CutMix mix pairs of images, and a batch_size of {self.batch_size} on {ranks} "
                f"device(s) gives chunks of {most}; change batch_size or device_batch_size to an even share"
            )
        return ranks * (share // most)

    def validates_after(self, epoch: int) -> bool:
        """Return True if the model is validated after `epoch` (counted from 0)."""
        is_last = epoch + 1 == self.epochs
        return is_last or (self.validate_every > 0 and (epoch + 1) % self.validate_every == 0)
