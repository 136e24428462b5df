"""Open the images of a robustness job: clean images and the source of their views, or published files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torchvision.transforms import InterpolationMode

from lsbench.core.counted import counted
from lsbench.core.errors import ConfigError, DataError
from lsbench.core.job import JobContext
from lsbench.corruptions import LEAST_SIDE
from lsbench.data.dataset import ImageFolders
from lsbench.data.loading.image_list import ImageList, list_images
from lsbench.engine.open_data import OpenData
from lsbench.robustness.errors import Condition
from lsbench.robustness.spec import RobustnessSpec
from lsbench.robustness.views import FileSource, LiveSource, Source, create_crop, resized_side


@dataclass(frozen=True)
class Opened:
    """The opened images of a robustness job.

    Attributes:
        folders: The variant's own data set.
        images: The clean images, after limits.
        source: Makes or reads all views of an image.
        conditions: The condition of each view after the clean one.
        missing: One line for each condition that was requested and is missing.
        res: Side of the images, or of their shorter side after resizing, in pixels; None if not resized.
        crop: Side of the square crop that the model sees, in pixels; None if nothing is cropped.
    """

    folders: ImageFolders
    images: ImageList
    source: Source
    conditions: tuple[Condition, ...]
    missing: Mapping[Condition, str]
    res: int | None
    crop: int | None


def open_views(context: JobContext, data: OpenData, files: OpenData | None) -> Opened:
    """Return the images of a robustness job.

    Args:
        context: The job.
        data: The variant's own data set.
        files: The corrupted files; None where images are corrupted as they are read.

    Raises:
        DataError: If images are missing.
        ConfigError: If they cannot be corrupted, or have other classes or another size than the variant.
    """
    spec: RobustnessSpec = context.spec
    folders = _drawn(context, data.folders)
    images = list_images(folders, spec.split)
    # The published files were resized bilinearly; the clean images beside them are evaluated as in any
    # evaluation.
    interpolation = InterpolationMode.BILINEAR if files is None else InterpolationMode.BICUBIC
    size = spec.size_of(context.job.variant)
    crop = create_crop(size, in_memory=data.plugin.in_memory, interpolation=interpolation)
    if files is not None:
        copies, missing = _copies(context, files, folders, images)
        source = FileSource(images, crop, copies, img_size=size)
        return Opened(folders, images, source, tuple(copies), missing, None, size)
    if size < LEAST_SIDE:
        raise ConfigError(
            f"{context.job.label}: expected images of at least {LEAST_SIDE} pixels to corrupt, found "
            f"img_size {size} of '{data.name}'; set a larger img_size"
        )
    live = LiveSource(images, crop, spec.conditions, family=spec.family, jpeg_quality=spec.jpeg_quality)
    res, cut = (size, None) if data.plugin.in_memory else (resized_side(size), size)
    return Opened(folders, images, live, spec.conditions, {}, res, cut)


def _drawn(context: JobContext, folders: ImageFolders) -> ImageFolders:
    """Return the images that the settings and the job's limit leave, drawn evenly from the sorted split."""
    spec: RobustnessSpec = context.spec
    limit, views = context.job.limit, 1 + len(spec.conditions)
    most = None if limit is None else math.ceil(limit * spec.batch_size / views)
    return folders.at_most(spec.subset).at_most(most)


def _copies(
    context: JobContext, files: OpenData, own: ImageFolders, images: ImageList
) -> tuple[dict[Condition, ImageList], dict[Condition, str]]:
    """Return the corrupted files of each complete condition, and one line for each of the others."""
    spec: RobustnessSpec = context.spec
    if files.folders.problems is None:
        raise ConfigError(f"{context.job.label}: expected corrupted files, found none in '{files.name}'")
    folders = _drawn(context, files.folders)
    if folders.wnids != own.wnids:
        raise ConfigError(
            f"{context.job.label}: expected files of the {own.num_classes} classes of "
            f"'{context.job.variant.dataset['name']}', found {folders.num_classes} others in {folders.root}"
        )
    names = {f"{name}/{severity}": (name, severity) for name, severity in spec.conditions}
    problems = files.folders.problems(names)
    missing = {names[condition]: str(problem) for condition, problem in problems.items()}
    copies: dict[Condition, ImageList] = {}
    for split, condition in names.items():
        if condition not in missing:
            found = list_images(folders, split)
            if problem := _differs(found, images):
                missing[condition] = problem
            else:
                copies[condition] = found
    if not copies:
        raise DataError(next(iter(missing.values())))
    _check_size(context, next(iter(copies.values())), spec.size_of(context.job.variant))
    return copies, missing


def _differs(found: ImageList, images: ImageList) -> str | None:
    """Return one line on why `found` cannot be copies of `images`, or None."""
    if found.targets == images.targets:
        return None
    return (
        f"expected copies of the {counted(len(images), 'image')} of {images.folder} in {found.folder}, found "
        f"{counted(len(found), 'image')} of other classes or numbers; unpack its archive again"
    )


def _check_size(context: JobContext, copies: ImageList, size: int) -> None:
    """Raise a ConfigError if files are smaller than the model's input: the crop would add black borders."""
    found = min(copies.decode(0).size)
    if found < size:
        raise ConfigError(
            f"{context.job.label}: expected files of at least {size} pixels in {copies.folder}, "
            f"found {found}; set img_size to theirs, or use `protocol: live`"
        )
