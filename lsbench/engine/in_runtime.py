"""A job's model in the runtime and precision that its settings choose, for batches of any size."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from lsbench.core.errors import ConfigError
from lsbench.core.job import JobContext
from lsbench.data.loading.loader import draw_images
from lsbench.data.loading.preprocessing import Preprocessing
from lsbench.engine.distributed import current_world
from lsbench.engine.open_data import OpenData
from lsbench.engine.runtime_spec import CALIBRATION_SPLIT, RuntimeSpec
from lsbench.models.fusion import fuse
from lsbench.runtimes import Prepared, prepare

#: Folder of a job's program while it runs; each rank has its own.
FOLDER = "program"


class DeployedModel(nn.Module):
    """A model in a runtime that takes batches of one size: smaller ones are filled up with their own images.

    Attributes:
        seconds: Step of the preparation -> its seconds.
        calibrated: Number of images that fixed the ranges of int8; None if none did.
    """

    def __init__(self, prepared: Prepared, batch_size: int, calibrated: int | None = None) -> None:
        """Keep the prepared model, for batches of at most `batch_size` images."""
        super().__init__()
        self._prepared, self._batch_size = prepared, batch_size
        self.seconds: Mapping[str, float] = prepared.seconds
        self.calibrated = calibrated

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of images, shape (B, 3, H, W), on their device, shape (B, K)."""
        filled = images
        if len(images) < self._batch_size:
            filled = images[torch.arange(self._batch_size, device=images.device) % len(images)]
        return self._prepared(filled)[: len(images)].to(images.device)


class LogitGap:
    """The largest difference of a logit of two models, as a part of the largest logit of the second.

    >>> gap = LogitGap()
    >>> gap.add([torch.tensor([[1.0, 4.5]]), torch.tensor([[1.0, 4.0]])])
    >>> gap.value
    0.125
    """

    def __init__(self) -> None:
        self._difference, self._largest = 0.0, 0.0

    def add(self, logits: Sequence[Tensor]) -> None:
        """Add the logits of a batch, of the first model and of the second, each of shape (B, K)."""
        first, second = logits
        difference = float((first - second).abs().max())
        # The maximum of Python forgets what is no number.
        self._difference = max(self._difference, math.inf if math.isnan(difference) else difference)
        self._largest = max(self._largest, float(second.abs().max()))

    @property
    def value(self) -> float | None:
        """The difference; None if some logits are no finite numbers."""
        found = self._difference / (self._largest or 1.0)
        return found if math.isfinite(found) else None


@contextmanager
def deployed(
    context: JobContext, model: nn.Module, img_size: int, calibration: Callable[[], Tensor]
) -> Iterator[nn.Module]:
    """Give the model in the form that a job's settings choose; as it is trained, the model itself.

    Args:
        context: The job.
        model: The trained model; it is not changed.
        img_size: Side of the images that it will see, pixels.
        calibration: Returns the images that fix the ranges of int8, see :func:`calibration_images`.

    Raises:
        ConfigError: If the runtime cannot be used here, or cannot hold the model.
    """
    spec: RuntimeSpec = context.spec
    if spec.is_plain:
        yield model
        return
    form, runtime = spec.form(context.device), spec.found_runtime()
    problem = runtime.problem(
        spec.runtime, spec.precision, device=context.device, quantisation=spec.quantisation
    )
    if problem is not None:
        raise ConfigError(problem)
    folder = context.folder / f"{FOLDER}-{current_world().rank}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        images = calibration() if spec.calibrates else None
        yield DeployedModel(
            _prepared(spec, model, img_size, images, form.device, folder),
            spec.batch_size,
            None if images is None else len(images),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepared(
    spec: RuntimeSpec,
    model: nn.Module,
    img_size: int,
    calibration: Tensor | None,
    device: str,
    folder: Path,
) -> Prepared:
    # What is compiled in one of these modes is compiled again in the other; exporters know no inference mode.
    mode = torch.inference_mode() if spec.found_runtime().runs_code else torch.no_grad()
    with mode:
        return prepare(
            spec.runtime,
            fuse(model).cpu(),
            torch.zeros(spec.batch_size, 3, img_size, img_size),
            spec.form(device),
            folder,
            calibration=calibration,
        )


def calibration_images(
    spec: RuntimeSpec, data: OpenData, preprocessing: Preprocessing | None, *, img_size: int
) -> Tensor:
    """Return the training images that fix the ranges of int8, shape (N, 3, H, W); all of a smaller split.

    Args:
        spec: The settings, which say how many and the seed of the draw.
        data: The variant's own data set.
        preprocessing: How its images become the model's input; None: the data set's own way.
        img_size: Side of the images without a preprocessing, pixels.

    Raises:
        DataError: If the training split is missing, or a drawn image cannot be read.
    """
    return draw_images(
        data.folders,
        split=CALIBRATION_SPLIT,
        count=spec.calibration_images,
        seed=spec.calibration_seed,
        img_size=img_size,
        in_memory=data.plugin.in_memory,
        preprocessing=preprocessing,
    )
