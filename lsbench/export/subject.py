"""The model to be exported, with its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsbench.core.errors import LsbenchError, StoreError, UsageError
from lsbench.engine import weights
from lsbench.engine.open_data import OpenData
from lsbench.models.factory import create_model
from lsbench.tables.trainings import weights_file

if TYPE_CHECKING:
    from torch import nn

    from lsbench.tables.one_job import OneJob

#: Arguments of a model that name its weights, not its architecture.
WEIGHTS = ("checkpoint", "checkpoint_weights", "pretrained")


@dataclass(frozen=True)
class ModelToExport:
    """A model with its weights.

    Attributes:
        model: In evaluation mode, on the CPU, not fused.
        name: Its name.
        arguments: Further arguments of ``timm.create_model``: mixer, its arguments, the model's.
        num_classes: Classes.
        img_size: Height and width of the images in pixels.
        weights: Where the weights are from, in words.
        normalisation: Mean and standard deviation of the images, RGB; None if unknown.
        training: The training that made the weights, if any.
        is_ema: Whether the weights are its moving average.
    """

    model: nn.Module
    name: str
    arguments: dict[str, Any]
    num_classes: int
    img_size: int
    weights: str
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] | None
    training: OneJob | None = None
    is_ema: bool = False

    @property
    def title(self) -> str:
        """Model and mixer."""
        return f"{self.name}, {self.arguments['mixer']}" if self.arguments.get("mixer") else self.name

    @property
    def dataset(self) -> dict[str, Any]:
        """The settings of the data set that it was trained on; empty if it was not trained here."""
        return {} if self.training is None else dict(self.training.model.get("dataset") or {})


def subject_of_model(
    name: str,
    *,
    mixer: str | None,
    source: Mapping[str, Any],
    num_classes: int,
    img_size: int,
) -> ModelToExport:
    """Return a model by its name.

    Args:
        name: The model.
        mixer: Token mixer; None: the model's own.
        source: ``{"checkpoint": FILE}``, ``{"pretrained": True}``, or nothing for random weights of seed 0.
        num_classes: Classes.
        img_size: Height and width of the images in pixels.

    Raises:
        ConfigError: If it cannot be built, or the weights do not fit.
    """
    import torch

    torch.manual_seed(0)
    model = create_model(
        name, mixer=mixer, num_classes=num_classes, img_size=img_size, same_classes=True, **source
    )
    cfg = getattr(model, "pretrained_cfg", {})
    if "checkpoint" in source:
        told = f"those of the file `{Path(source['checkpoint']).name}`"
    else:
        told = (
            "those that the model's authors published" if source else "random, from seed 0: it is not trained"
        )
    return ModelToExport(
        model=model.eval(),
        name=name,
        arguments={"mixer": mixer} if mixer else {},
        num_classes=num_classes,
        img_size=img_size,
        weights=told,
        normalisation=(cfg["mean"], cfg["std"]) if "mean" in cfg and "std" in cfg else None,
    )


def subject_of_training(training: OneJob, *, is_ema: bool, data_root: Path | None) -> ModelToExport:
    """Return the model of a finished training with its weights.

    Args:
        training: The training.
        is_ema: Whether to take the moving average of its weights.
        data_root: Folder of large data sets; only data sets that do not know their classes are read.

    Raises:
        UsageError: If the training kept no moving average.
        StoreError: If the weights cannot be read, or are of another architecture.
        LsbenchError: If the model or the data set is unknown.
    """
    spec, file = training.model, weights_file(training.known, is_ema=is_ema)
    if is_ema and not file.is_file():
        raise UsageError(
            f"--ema: {training.known.label} kept no moving average; its training sets no ema_decay"
        )
    state = weights.load(file)
    if state is None:
        raise StoreError(
            f"{file}: the weights are damaged or cannot be read; train again, or restore the file"
        )
    data = OpenData(spec["dataset"], None if data_root is None else str(data_root))
    options = {key: value for key, value in (spec.get("model_args") or {}).items() if key not in WEIGHTS}
    mixing = {key: spec[key] for key in ("mixer", "mixer_args") if spec.get(key)}
    model = create_model(
        spec["model"], num_classes=data.num_classes, img_size=data.img_size, **mixing, **options
    )
    weights.load_weights(model, state, where=str(file))
    which = "the moving average of" if is_ema else "the last weights of"
    return ModelToExport(
        model=model.eval(),
        name=spec["model"],
        arguments={**mixing, **options},
        num_classes=data.num_classes,
        img_size=data.img_size,
        weights=f"{which} the training {training.known.label} ({training.known.id})",
        normalisation=_normalisation(data),
        training=training,
        is_ema=is_ema,
    )


def _normalisation(data: OpenData) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Return mean and standard deviation of a data set that is on this machine."""
    try:
        return data.folders.mean, data.folders.std
    except LsbenchError:
        return None
