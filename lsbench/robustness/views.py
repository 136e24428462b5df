"""All views of one image, as a model sees them: clean, and corrupted live or read from corrupted copies.

Shapes: V views of an image, the clean one first and then one per condition; H = W = img_size.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import cv2
import numpy as np
import PIL
import scipy
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset
from torchvision import transforms as tv

from lsbench import corruptions
from lsbench.data.loading.image_list import ImageList, UnreadableImageError
from lsbench.robustness.errors import Condition

Pixels = NDArray[np.uint8]
Crop = Callable[[Image.Image], Image.Image]

CROP_PCT = 0.875
#: Of glibc's ``mallopt``: M_TRIM_THRESHOLD, above which freed memory is returned to the system, and
#: M_MMAP_THRESHOLD, from which on memory is taken from it anew each time; bytes.
MALLOC_SETTINGS = ((-1, 64 << 20), (-3, 16 << 20))


def pixel_versions() -> dict[str, str]:
    """Return the versions of the packages that the corrupted pixels depend on."""
    return {module.__name__: module.__version__ for module in (np, scipy, cv2, PIL)}


def resized_side(img_size: int) -> int:
    """Return the length of the shorter side after resizing, before the centre crop.

    >>> resized_side(224)
    256
    """
    return math.floor(img_size / CROP_PCT)


def create_crop(img_size: int, *, in_memory: bool, interpolation: tv.InterpolationMode) -> Crop:
    """Return a function that turns an image into the square that the model sees.

    Args:
        img_size: Side of the square, pixels.
        in_memory: Resize to the square, bicubic, as for data sets kept in memory; else resize the shorter
            side and crop the centre.
        interpolation: Interpolation of the second way.
    """
    if in_memory:
        size = (img_size, img_size)
        return lambda image: image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)
    steps = [tv.Resize(resized_side(img_size), interpolation), tv.CenterCrop(img_size)]
    crop: Crop = tv.Compose(steps)
    return crop


def jpeg_round_trip(image: Pixels, quality: int, out: Pixels) -> None:
    """Write `image` into `out` after a round trip through a JPEG file with 4:2:0 chroma.

    The pixels equal those of Pillow's ``save`` and ``open``: both use libjpeg-turbo.

    Args:
        image: RGB, shape ``(H, W, 3)``, contiguous.
        quality: 1 to 100.
        out: Contiguous, of the same shape; may be `image` itself.
    """
    settings = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)
    decoded: Any = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=out)


class Source(Protocol):
    """A source of the views of images.

    Attributes:
        num_views: V.
    """

    @property
    def num_views(self) -> int:
        """Number of views of each image, including the clean one."""

    def views(self, index: int) -> Pixels:
        """Return all views of an image, shape ``(V, H, W, 3)``.

        Raises:
            UnreadableImageError: If a file is not a readable image.
        """


class LiveSource:
    """Corrupts images: each is decoded and cropped once for all its views.

    The clean view is not compressed again; the corrupted ones go through a JPEG file in memory, as the
    published ones do.

    Source:
        The order of steps follows the published ImageNet-C: resize (bilinear), centre crop, corruption, JPEG
        (Hendrycks and Dietterich, arXiv:1903.12261, and their published code).
    """

    def __init__(
        self,
        images: ImageList,
        crop: Crop,
        conditions: Sequence[Condition],
        *,
        family: str,
        jpeg_quality: int | None,
    ) -> None:
        self._images, self._crop, self._conditions = images, crop, tuple(conditions)
        self._family, self._quality = family, jpeg_quality

    @property
    def num_views(self) -> int:
        """Number of views of each image, including the clean one."""
        return 1 + len(self._conditions)

    def views(self, index: int) -> Pixels:
        """Return all views of an image, shape ``(V, H, W, 3)``; a function of the image alone."""
        clean = np.array(self._crop(self._images.decode(index)))
        found = np.empty((self.num_views, *clean.shape), np.uint8)
        found[0] = clean
        for out, (name, severity) in zip(found[1:], self._conditions, strict=True):
            rng = corruptions.image_rng(self._images.paths[index], name, severity)
            corrupted = corruptions.corrupt(clean, name, severity, rng=rng, family=self._family)
            if self._quality is None:
                out[:] = corrupted
            else:
                jpeg_round_trip(np.ascontiguousarray(corrupted), self._quality, out)
        return found


class FileSource:
    """Reads clean images and their corrupted copies, each from its own file."""

    def __init__(
        self, images: ImageList, crop: Crop, copies: Mapping[Condition, ImageList], *, img_size: int
    ) -> None:
        """Read `images` through `crop`, and `copies` (lists in the same order) with a centre crop only."""
        self._images, self._crop, self._copies = images, crop, tuple(copies.values())
        self._centre = tv.CenterCrop(img_size)
        self._side = img_size

    @property
    def num_views(self) -> int:
        """Number of views of each image, including the clean one."""
        return 1 + len(self._copies)

    def views(self, index: int) -> Pixels:
        """Return all views of an image, shape ``(V, H, W, 3)``."""
        found = np.empty((self.num_views, self._side, self._side, 3), np.uint8)
        found[0] = np.asarray(self._crop(self._images.decode(index)))
        for out, copies in zip(found[1:], self._copies, strict=True):
            out[:] = np.asarray(self._centre(copies.decode(index)))
        return found


class ViewSamples(Dataset[tuple[int, Any, str]]):
    """A source for loader processes: the image's index, its views, and an error message if it is unreadable.

    An unreadable image is reported as text, because the error object cannot leave a loader process.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def __getitem__(self, index: int) -> tuple[int, Any, str]:
        try:
            return index, self._source.views(index), ""
        except UnreadableImageError as error:
            return index, np.empty(0, np.uint8), str(error)


def use_one_thread(_: int = 0) -> None:
    """Keep OpenCV from starting threads in a process that is one of many."""
    cv2.setNumThreads(1)


def prepare_process(_: int = 0) -> None:
    """Prepare a process for making views: one thread, and memory that is used again instead of returned.

    Planes of numbers come and go with every view. By default glibc returns them to the system, which clears
    the same memory again for the next view: a seventh of the time of all corruptions. Up to 64 MiB are kept.
    """
    use_one_thread()
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return  # another C library
    for setting, size in MALLOC_SETTINGS:
        mallopt(setting, size)
