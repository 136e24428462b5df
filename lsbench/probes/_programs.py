"""A profile's models in its runtime: written and checked once for each batch size, before they are timed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsbench.core.atomic import write_json
from lsbench.core.errors import ConfigError, MeasurementError
from lsbench.core.ids import content_hash
from lsbench.core.job import JobContext
from lsbench.core.quantity import Quantity, percentage
from lsbench.core.registry import RUNTIMES
from lsbench.runtimes import Runtime
from lsbench.timing.launch import run_apart
from lsbench.timing.request import Built, Request, Setting

if TYPE_CHECKING:
    from lsbench.timing.image_size import ImageSize

#: Folder of a job's programs while it runs.
FOLDER = "programs"
#: Real images on which a runtime is compared with PyTorch, and images of the training split for int8.
CHECKED, CALIBRATED = 32, 64
#: Largest difference of a logit in fp32, as a part of the largest logit; with TF32 on a GPU, whose products
#: have ten bits.
TOLERANCE, TF32_TOLERANCE = 1e-4, 1e-2

QUANTITIES = (
    Quantity(
        "runtime_difference",
        "ratio",
        False,
        "largest difference to PyTorch",
        digits=6,
        short_title="difference",
        hole="no number",
    ),
    percentage("runtime_agreement", "same top-1 as PyTorch", short_title="same top-1 (%)", digits=1),
)


@dataclass(frozen=True)
class Workshop:
    """Where programs are made, and of which images.

    Attributes:
        folder: The folder of the programs; it is created.
        data: Name and options of the data set.
        data_root: Folder under which large data sets live, if given.
        emit: As in :class:`JobContext`.
    """

    folder: Path
    data: Mapping[str, Any]
    data_root: str | None = None
    emit: Callable[[dict[str, Any]], None] = lambda event: None

    @classmethod
    def of(cls, context: JobContext) -> Workshop:
        """Return the place for the programs of a job."""
        job = context.job
        return cls(context.folder / FOLDER, job.variant.dataset, job.data_root, context.emit)


def with_programs(shop: Workshop, img_size: ImageSize, request: Request) -> tuple[Request, list[Built]]:
    """Return a request with the programs of its models, and how these compare with PyTorch.

    PyTorch as it is has neither, and detectors and segmenters are not compared.

    Args:
        shop: Where the programs are made; those that are there already are taken.
        img_size: Side of square images, or height and width, pixels.
        request: A request to time.

    Raises:
        MeasurementError: If a model has other logits in the runtime: it is not timed.
    """
    if request.setting.runtime == "eager" or request.whole is not None:
        return request, []
    subjects = [one for one in (request.subject, request.control) if one is not None]
    made = []
    for subject in subjects:
        alone = request.model_copy(update={"subject": subject, "control": None})
        made.append(_program(shop, img_size, alone))
    is_program = not RUNTIMES.load(request.setting.runtime).runs_code
    programs = tuple(str(folder) for folder, _ in made) if is_program else ()
    return request.model_copy(update={"programs": programs}), [built for _, built in made]


def check_runtime(setting: Setting, device: str, *, is_whole: bool = False) -> None:
    """Raise a ConfigError if a setting cannot run on this machine's device.

    Args:
        setting: The setting.
        device: ``"cpu"`` or ``"cuda"``.
        is_whole: Whether a detector or segmenter is to run.
    """
    runtime: Runtime = RUNTIMES.load(setting.runtime)
    message = runtime.problem(
        setting.runtime, setting.precision, device=device, quantisation=setting.quantisation
    )
    if message is None and is_whole and not runtime.runs_code:
        message = f"runtime: {setting.runtime}: a detector or segmenter runs in eager or compile"
    if message is not None:
        raise ConfigError(message)


def remove_programs(context: JobContext) -> None:
    """Remove the programs of a job, which are as large as its models."""
    shutil.rmtree(context.folder / FOLDER, ignore_errors=True)


def _program(shop: Workshop, img_size: ImageSize, request: Request) -> tuple[Path, Built]:
    """Return the folder of a model's program, and how it compares; both are made on first use."""
    what = ("subject", "seed", "num_classes", "img_size", "batch_size", "device", "setting")
    key = content_hash(request.model_dump(mode="json", include=set(what)))
    folder = shop.folder / key
    file = folder / "built.json"
    if file.is_file():
        return folder, Built.model_validate_json(file.read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    shop.emit({"ev": "step", "what": f"{request.subject.model} in {request.setting.runtime}"})
    images = _images(shop, img_size, "test", CHECKED)
    calibration = None
    if request.setting.form(request.device).needs_calibration:
        calibration = _images(shop, img_size, "train", CALIBRATED)
    files = {"images": images, "calibration": calibration, "programs": (str(folder),)}
    built = run_apart(request.model_copy(update={"action": "build", **files})).built
    if built is None:
        raise MeasurementError(f"{request.subject.model}: nothing was built")
    check(request, built)
    write_json(file, built.model_dump(mode="json"))
    return folder, built


def _images(shop: Workshop, img_size: ImageSize, split: str, count: int) -> str:
    """Return the file of images of a split; it is written on first use."""
    import numpy as np

    from lsbench.engine.real_images import real_images
    from lsbench.timing.image_size import height_and_width

    file = shop.folder / f"{split}.npy"
    if not file.is_file():
        side, _ = height_and_width(img_size)
        images = real_images(shop.data, shop.data_root, split, count=count, img_size=side)
        np.save(file, images.numpy())
    return str(file)


def check(request: Request, built: Built) -> None:
    """Raise a MeasurementError if a model's logits in the runtime are not those of PyTorch.

    In low precision they differ in any case: then only logits that are no numbers are an error.
    """
    setting, most = request.setting, tolerance(request)
    name = f"{request.subject.model} in {setting.runtime} {RUNTIMES.load(setting.runtime).version()}"
    if built.difference is None:
        raise MeasurementError(f"{name}: some logits are NaN or infinite in {setting.precision}; not timed")
    if most is not None and built.difference > most:
        raise MeasurementError(
            f"{name}: expected the logits of PyTorch on {built.images} real images, found differences of up "
            f"to {built.difference:.1e} of the largest logit ({most:.0e} is allowed), and the same top-1 on "
            f"{built.agreement:.1%}; not timed"
        )


def tolerance(request: Request) -> float | None:
    """Return the largest difference that is allowed; None in low precision, where it is only recorded."""
    if request.setting.precision != "fp32":
        return None
    return TOLERANCE if request.device == "cpu" else TF32_TOLERANCE
