"""The training recipe of classification: every setting of a training job. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from lsbench.core.catalog import unknown_model
from lsbench.core.spec import StrictModel
from lsbench.data.loading.augment import Augment
from lsbench.engine.named_recipes import NAMED_RECIPES
from lsbench.engine.rates import Cosine
from lsbench.engine.training_spec import TrainingSpec


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


class Recipe(TrainingSpec):
    """Settings of a training for classification.

    The budget is counted in images (``epochs`` times the training split).
    """

    named: ClassVar[Mapping[str, Mapping[str, Any]]] = NAMED_RECIPES
    later_fields: ClassVar[frozenset[str]] = TrainingSpec.later_fields | frozenset(
        {"lr_step", "mixup", "cutmix", "repeats", "ema_decay", "distill", "compile", "max_unreadable"}
    )

    min_lr: float = Field(default=1e-5, ge=0, description="learning rate at the end of the cosine")
    warmup_epochs: float = Field(default=1.0, ge=0, description="epochs in which the rate rises linearly")
    warmup_lr: float = Field(default=1e-6, ge=0, description="learning rate at the start of the warmup")
    lr_step: Literal["update", "epoch", "epoch_late"] = Field(
        default="update", description="when the learning rate changes; epoch_late: one epoch late"
    )
    smoothing: float = Field(default=0.1, ge=0, lt=1, description="label smoothing")
    mixup: float = Field(default=0.0, ge=0, description="alpha of mixup; 0: off")
    cutmix: float = Field(default=0.0, ge=0, description="alpha of CutMix; 0: off")
    repeats: int = Field(default=1, ge=1, description="repeated augmentation: copies of an image in a batch")
    ema_decay: float | None = Field(default=None, gt=0, lt=1, description="moving average of the weights")
    distill: Distill | None = Field(default=None, description="a teacher to learn from; default: none")
    augment: Augment = Field(default=Augment(), description="random changes of training images")
    compile: bool = Field(default=False, description="torch.compile; needs a C++ compiler on the CPU")
    max_unreadable: int = Field(default=0, ge=0, description="unreadable images to skip before giving up")

    @property
    def is_mixing(self) -> bool:
        """True if images of a batch are mixed."""
        return self.mixup > 0 or self.cutmix > 0

    @property
    def rate_schedule(self) -> Cosine:
        """The schedule of the learning rate."""
        return Cosine(
            min_lr=self.min_lr,
            warmup_epochs=self.warmup_epochs,
            warmup_lr=self.warmup_lr,
            lr_step=self.lr_step,
        )

    @property
    def averaging(self) -> float | None:
        """Decay of a moving average of the weights; None: there is none."""
        return self.ema_decay

    @property
    def is_compiled(self) -> bool:
        """Whether the model is compiled."""
        return self.compile

    def other_models(self) -> dict[str, dict[str, Any]]:
        """Return the teacher."""
        return {} if self.distill is None else {"teacher": {"model": self.distill.teacher}}

    def chunks(self, ranks: int) -> int:
        """Return the number of equal chunks of an update's batch, as every training does.

        Raises:
            ValueError: If the batch cannot be split this way, or images of a chunk cannot be mixed in pairs.
        """
        chunks = super().chunks(ranks)
        most = self.batch_size // chunks
        if self.is_mixing and most % 2:
            raise ValueError(
                f"mixup and CutMix mix pairs of images, and a batch_size of {self.batch_size} on {ranks} "
                f"device(s) gives chunks of {most}; change batch_size or device_batch_size to an even share"
            )
        return chunks
