"""The training objective of classification: mixed images, soft targets, and a teacher's predictions.

Shapes: B images of a batch, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from timm.data import Mixup
from timm.loss import SoftTargetCrossEntropy
from torch import Tensor, nn
from torch.nn import functional as F

from lsbench.core.counted import counted
from lsbench.core.errors import ConfigError
from lsbench.data.loading.sample_rng import seeded_rng
from lsbench.engine.recipe import Distill, Recipe
from lsbench.models.factory import create_model

Outputs = Tensor | tuple[Tensor, Tensor]


class Objective(nn.Module):
    """The loss that a training minimises on a batch; mixes the batch first, and may use a teacher."""

    def __init__(self, recipe: Recipe, num_classes: int, teacher: nn.Module | None = None) -> None:
        """Prepare the loss.

        Args:
            recipe: The settings.
            num_classes: Classes K of the data set.
            teacher: In eval mode, for ``recipe.distill``.
        """
        super().__init__()
        self._mixup: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
        self._base: nn.Module = nn.CrossEntropyLoss(label_smoothing=recipe.smoothing)
        if recipe.is_mixing:
            self._mixup = _create_mixup(recipe, num_classes)
            self._base = SoftTargetCrossEntropy()  # type: ignore[no-untyped-call]
        self._distill = recipe.distill
        self._teacher = teacher

    def count(self, batch: tuple[Tensor, Tensor]) -> int:
        """Return the number of images of a batch: pairs of images and classes."""
        return len(batch[1])

    def prepare(
        self, batch: tuple[Tensor, Tensor], *, device: str, memory_format: torch.memory_format, seed: int
    ) -> tuple[Tensor, Tensor]:
        """Return a batch on the device, mixed; see :class:`lsbench.engine.training_task.TrainingTask`."""
        images = batch[0].to(device, memory_format=memory_format, non_blocking=True)
        targets = batch[1].to(device, non_blocking=True)
        return self.mix(images, targets, seed=seed)

    def loss(self, forward: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Return the mean loss of the model over a batch from :meth:`prepare`."""
        images, targets = batch
        loss: Tensor = self(images, forward(images), targets)
        return loss

    def mix(self, images: Tensor, targets: Tensor, *, seed: int) -> tuple[Tensor, Tensor]:
        """Return mixed images and soft targets ``(B, K)``; unchanged if the recipe does not mix.

        Args:
            images: ``(B, 3, H, W)``, B even; changed in place.
            targets: Classes, int64, ``(B,)``.
            seed: Seed of the mixing, whatever was drawn before.

        Raises:
            ConfigError: If the batch is odd.
        """
        if self._mixup is None:
            return images, targets
        if len(images) % 2:
            raise ConfigError(
                "mixup and cutmix mix pairs: expected an even batch on each device, "
                f"found {counted(len(images), 'image')}; change batch_size or device_batch_size"
            )
        with seeded_rng(seed, restore=True):
            return self._mixup(images, targets)

    def forward(self, images: Tensor, outputs: Outputs, targets: Tensor) -> Tensor:
        """Return the mean loss over the batch.

        Args:
            images: The model's input, for the teacher.
            outputs: Logits ``(B, K)``; with a teacher, those of the two heads.
            targets: Classes ``(B,)``, or soft targets ``(B, K)`` if images are mixed.
        """
        if self._distill is None or self._teacher is None:
            return cast(Tensor, self._base(outputs, targets))
        with torch.no_grad():
            teacher_logits = self._teacher(images)
        logits, logits_dist = outputs
        alpha = self._distill.alpha
        taught = distillation_loss(logits_dist, teacher_logits, self._distill)
        return (1 - alpha) * cast(Tensor, self._base(logits, targets)) + alpha * taught


def _create_mixup(recipe: Recipe, num_classes: int) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    mixup: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = Mixup(  # type: ignore[no-untyped-call]
        mixup_alpha=recipe.mixup,
        cutmix_alpha=recipe.cutmix,
        label_smoothing=recipe.smoothing,
        num_classes=num_classes,
    )
    return mixup


def distillation_loss(logits: Tensor, teacher_logits: Tensor, settings: Distill) -> Tensor:
    """Return the distance of a head from the teacher, without ``alpha``.

    Hard: cross-entropy with the teacher's most likely class. Soft: ``tau ** 2`` times the
    Kullback-Leibler divergence from the teacher's distribution at temperature ``tau``, averaged over all
    ``B * K`` numbers as in DeiT.

    Args:
        logits: The second head's, ``(B, K)``.
        teacher_logits: ``(B, K)``.
        settings: Kind and temperature.

    Source:
        Touvron et al., 2021, arXiv:2012.12877, section 4.
    """
    if settings.kind == "hard":
        return F.cross_entropy(logits, teacher_logits.argmax(dim=1))
    tau = settings.tau
    own = F.log_softmax(logits / tau, dim=1)
    taught = F.log_softmax(teacher_logits / tau, dim=1)
    return F.kl_div(own, taught, reduction="sum", log_target=True) * tau**2 / logits.numel()


def create_teacher(settings: Distill, *, num_classes: int, img_size: int) -> nn.Module:
    """Return the teacher with its trained weights, in eval mode, without gradients.

    Raises:
        ConfigError: If there is no such model, its weights cannot be loaded, or they are for other classes.
    """
    weights = {"pretrained": True} if settings.checkpoint is None else {"checkpoint": settings.checkpoint}
    try:
        teacher = create_model(settings.teacher, num_classes=num_classes, img_size=img_size, **weights)
    except ConfigError as error:
        raise ConfigError([f"distill: teacher: {problem}" for problem in error.problems]) from error
    return teacher.eval().requires_grad_(False)


def give_two_heads(model: nn.Module, name: str) -> None:
    """Switch a model to return the logits of both its heads in training.

    Raises:
        ConfigError: If it has only one head.
    """
    switch = getattr(model, "set_distilled_training", None)
    if switch is None:
        raise ConfigError(
            f"distill: expected a model with a second head, found '{name}'; "
            "use lsnet_t_distill, deit_tiny_distilled_patch16_224 or the like"
        )
    switch(True)
