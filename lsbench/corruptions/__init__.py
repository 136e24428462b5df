"""The corruptions of ImageNet-C, drawn image by image: 19 kinds at 5 severities, in two families.

`imagecorruptions` equals the package of that name (1.1.2) bit for bit, given the same random stream;
`original` equals the code of the published benchmark. They differ in five kinds (:data:`ORIGINALS`) and share
the functions of the others. Neither includes the JPEG round trip of the published files.

    corrupt(image, "fog", 3, rng=image_rng("val/ILSVRC2012_val_00000001", "fog", 3))

Other packages add their own kinds by the entry point group ``lsbench.corruptions``: a function of the image,
the severity and the generator, assigned to ``CORRUPTION``.

One file per family of kinds; a file is imported, and its loops compiled or read from numba's cache, on first
use of one of its kinds. Names and constants are here, without heavy imports.

Source: Hendrycks & Dietterich, ICLR 2019, arXiv:1903.12261; Michaelis et al., arXiv:1907.07484 (the package).
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from lsbench.core import promises
from lsbench.core.errors import DataError
from lsbench.core.registry import Registry, suggest

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import RandomState
    from numpy.typing import NDArray

    #: The function of a kind in its file; the image is contiguous, the result another array.
    Corruption = Callable[[NDArray[np.uint8], int, RandomState], NDArray[np.uint8]]

#: The file of each kind and its effect on an image, in the benchmark's order. Every file assigns
#: ``CORRUPTIONS``, a mapping from names.
_OWN = {
    "gaussian_noise": ("noise", "noise as of a sensor in low light"),
    "shot_noise": ("noise", "noise of the few photons of each pixel"),
    "impulse_noise": ("noise", "single pixels black or white"),
    "defocus_blur": ("blur", "out of focus"),
    "glass_blur": ("blur", "seen through frosted glass"),
    "motion_blur": ("blur", "the camera has moved"),
    "zoom_blur": ("blur", "the camera has moved towards the object"),
    "snow": ("weather", "falling snow in the way"),
    "frost": ("weather", "ice on the lens"),
    "fog": ("weather", "fog in front of the object"),
    "brightness": ("weather", "too bright"),
    "contrast": ("digital", "too little contrast"),
    "elastic_transform": ("digital", "small regions stretched and shifted"),
    "pixelate": ("digital", "few pixels, enlarged"),
    "jpeg_compression": ("digital", "blocks of a strongly compressed JPEG"),
    "speckle_noise": ("noise", "noise that grows with the brightness"),
    "gaussian_blur": ("blur", "a smooth blur"),
    "spatter": ("weather", "drops of water or mud on the lens"),
    "saturate": ("digital", "colours too weak or too strong"),
}
NAMES = tuple(_OWN)
#: The kinds of mCE, and those kept for validation.
BENCHMARK, VALIDATION = NAMES[:15], NAMES[15:]
SEVERITIES = (1, 2, 3, 4, 5)
FAMILIES = ("imagecorruptions", "original")
#: Kinds in which the published benchmark differs from the package.
ORIGINALS = ("elastic_transform", "frost", "motion_blur", "snow", "spatter")
#: The least height and width of an image.
LEAST_SIDE = 32
#: The kinds of other packages, besides lsbench's own.
KINDS = Registry("corruption", "lsbench.corruptions", "CORRUPTION", promises.CORRUPTION, own=NAMES)


def all_names() -> tuple[str, ...]:
    """Return the names of all kinds: lsbench's own in the benchmark's order, then other packages', sorted."""
    return (*NAMES, *(name for name in KINDS.outside_names() if name not in NAMES))


def title(name: str) -> str:
    """Return a short description of a kind.

    >>> title("fog")
    'fog in front of the object'
    """
    return _OWN[name][1] if name in _OWN else KINDS.title(name)


def in_order(names: Iterable[str]) -> list[str]:
    """Return each kind once: lsbench's own in the benchmark's order, then others, sorted.

    >>> in_order(["acme_haze", "fog", "snow", "fog"])
    ['snow', 'fog', 'acme_haze']
    """
    found = set(names)
    return [*(name for name in NAMES if name in found), *sorted(found - set(NAMES))]


def corrupt(
    image: NDArray[np.uint8], name: str, severity: int, *, rng: RandomState, family: str = "imagecorruptions"
) -> NDArray[np.uint8]:
    """Return a corrupted copy of `image`.

    Args:
        image: RGB, uint8, shape ``(H, W, 3)``, both sides at least 32 pixels.
        name: One of :func:`all_names`.
        severity: 1 (weak) to 5 (strong).
        rng: Source of all random numbers, in the order of the package. It must be a RandomState as created by
            ``RandomState(seed)``, and no other thread may draw from it meanwhile.
        family: The implementation, one of :data:`FAMILIES`.

    Raises:
        DataError: If the image has another dtype or shape, or is too small.
        ValueError: If there is no such kind, severity or family, or `rng` is not a RandomState over MT19937.
    """
    import numpy as np

    check_condition(name, severity)
    if family not in FAMILIES:
        raise ValueError(
            f"unknown family '{family}'{suggest(family, FAMILIES)}; there are: {', '.join(FAMILIES)}"
        )
    _check_rng(rng)
    check_image(image)
    # Writable, because a read-only array, like Pillow's, is another type for numba and would be compiled
    # again.
    pixels = np.require(image, requirements=["C", "W"])
    if name not in _OWN:
        return _corrupt_outside(pixels, name, int(severity), rng)
    file = "original" if family == "original" and name in ORIGINALS else _OWN[name][0]
    kind: Corruption = importlib.import_module(f"{__name__}.{file}").CORRUPTIONS[name]
    return kind(pixels, int(severity), rng)


def _corrupt_outside(
    image: NDArray[np.uint8], name: str, severity: int, rng: RandomState
) -> NDArray[np.uint8]:
    """Return a copy of `image`, corrupted by another package's kind; an invalid result is a DataError."""
    import numpy as np

    kind: Corruption = KINDS.load(name)
    found: Any = kind(image.copy(), severity, rng)
    if not isinstance(found, np.ndarray) or found.dtype != np.uint8 or found.shape != image.shape:
        told = (
            f"shape {found.shape} of {found.dtype}" if isinstance(found, np.ndarray) else type(found).__name__
        )
        raise DataError(
            f"corruption '{name}' of {KINDS.package_of(name)}: expected an image of uint8 and of the shape "
            f"{image.shape} of its input, found {told}"
        )
    return found


def image_rng(image_id: str, name: str, severity: int) -> RandomState:
    """Return the generator of one view of one image: a pure function of the three.

    Results thus depend neither on the order of images nor on batches or workers.

    >>> a, b = (image_rng("val/1", "fog", severity) for severity in (1, 1))
    >>> a.randint(1000) == b.randint(1000)
    True

    Raises:
        ValueError: If there is no such kind or severity.
    """
    from numpy.random import RandomState

    check_condition(name, severity)
    digest = hashlib.sha256(f"{name}/{int(severity)}/{image_id}".encode()).digest()
    return RandomState([int.from_bytes(digest[at : at + 4], "little") for at in range(0, 32, 4)])


def check_condition(name: str, severity: int) -> None:
    """Raise ValueError unless there is a corruption `name` and it has a `severity`."""
    if message := None if name in _OWN and name not in KINDS.outside_names() else _problem(str(name)):
        raise ValueError(message)
    if severity not in SEVERITIES or isinstance(severity, float | bool):
        raise ValueError(f"severity must be an integer from 1 to 5, found {severity!r}")


def _problem(name: str) -> str | None:
    if name in all_names():
        return KINDS.problem(name)
    return f"unknown corruption '{name}'" + (
        suggest(name, all_names()) or f"; there are: {', '.join(all_names())}"
    )


def check_image(image: Any) -> None:
    """Raise DataError unless `image` is an RGB image of uint8 that is large enough."""
    import numpy as np

    if not isinstance(image, np.ndarray):
        raise DataError(
            f"an image to corrupt must be a numpy array (H, W, 3) of uint8, found {type(image).__name__}; "
            "use np.asarray(image.convert('RGB'))"
        )
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise DataError(
            f"an image to corrupt must be RGB, of shape (H, W, 3) and uint8; found shape {image.shape} of "
            f"{image.dtype}; convert it to 8-bit RGB first"
        )
    if min(image.shape[:2]) < LEAST_SIDE:
        raise DataError(
            f"an image to corrupt must be at least {LEAST_SIDE} pixels high and wide, found "
            f"{image.shape[0]}x{image.shape[1]}; enlarge it first"
        )


def _check_rng(rng: Any) -> None:
    from numpy.random import RandomState

    if not isinstance(rng, RandomState):
        raise ValueError(
            f"rng must be a numpy.random.RandomState, found {type(rng).__name__}; use image_rng(...) or "
            "RandomState(seed)"
        )
